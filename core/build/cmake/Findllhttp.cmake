# llhttp::llhttp, from the newest form the system has: a CMake package, a pkg-config library, or
# Debian's packaged sources, which are compiled here because their strict mode is a compile-time
# choice and off by default.
find_package(llhttp CONFIG QUIET)
if(TARGET llhttp::llhttp)
  set(llhttp_HOW "library")
elseif(TARGET llhttp::llhttp_static)
  add_library(llhttp::llhttp ALIAS llhttp::llhttp_static)
  set(llhttp_HOW "library")
else()
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(PC_LLHTTP QUIET IMPORTED_TARGET libllhttp)
  endif()
  if(PC_LLHTTP_FOUND)
    add_library(llhttp::llhttp ALIAS PkgConfig::PC_LLHTTP)
    set(llhttp_VERSION ${PC_LLHTTP_VERSION})
    set(llhttp_HOW "library")
  endif()
endif()

if(NOT TARGET llhttp::llhttp)
  find_path(llhttp_SOURCE_DIR NAMES llhttp.c PATHS /usr/share/llhttp /usr/local/share/llhttp)
  find_path(llhttp_INCLUDE_DIR NAMES llhttp.h PATHS /usr/share/include /usr/local/share/include
    PATH_SUFFIXES llhttp)
  mark_as_advanced(llhttp_SOURCE_DIR llhttp_INCLUDE_DIR)
  if(llhttp_SOURCE_DIR AND llhttp_INCLUDE_DIR)
    file(STRINGS ${llhttp_INCLUDE_DIR}/llhttp.h llhttp_LINES REGEX "define LLHTTP_VERSION_M[A-Z]+ ")
    string(REGEX REPLACE "[^0-9]*([0-9]+)[^0-9]*;[^0-9]*([0-9]+).*" "\\1.\\2" llhttp_VERSION
      "${llhttp_LINES}")
    add_library(llhttp STATIC ${llhttp_SOURCE_DIR}/llhttp.c ${llhttp_SOURCE_DIR}/api.c
      ${llhttp_SOURCE_DIR}/http.c)
    target_include_directories(llhttp SYSTEM PUBLIC ${llhttp_INCLUDE_DIR})
    # 9.x is strict by default and has other switches.
    if(llhttp_VERSION VERSION_LESS 9)
      target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
    endif()
    target_compile_options(llhttp PRIVATE -w -O3)
    # The scanner has a path for SSE4.2, chosen when it is compiled. It is compiled a second time
    # with it, under other names, and without the calls that announce what http/parse_lines.c does
    # not take; that file asks the processor which one to call.
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND llhttp_VERSION VERSION_LESS 9)
      add_library(llhttp_sse42 STATIC ${llhttp_SOURCE_DIR}/llhttp.c)
      target_include_directories(llhttp_sse42 SYSTEM PUBLIC ${llhttp_INCLUDE_DIR})
      file(STRINGS ${llhttp_SOURCE_DIR}/llhttp.c llhttp_FUNCTIONS REGEX "^int llhttp__internal_")
      set(llhttp_RENAMES "")
      foreach(line IN LISTS llhttp_FUNCTIONS)
        string(REGEX MATCH "llhttp__internal_[a-z0-9_]+" name "${line}")
        string(APPEND llhttp_RENAMES "#define ${name} ${name}_sse42\n")
      endforeach()
      string(APPEND llhttp_RENAMES "struct llhttp__internal_s;\n"
        "static inline int gate_llhttp_skip(struct llhttp__internal_s *s, const unsigned char *p,\n"
        "                                   const unsigned char *end)\n"
        "{\n    (void)s;\n    (void)p;\n    (void)end;\n    return 0;\n}\n")
      foreach(event message_begin method method_complete url url_complete version version_complete
          status status_complete header_field header_field_complete header_value
          header_value_complete)
        string(APPEND llhttp_RENAMES "#define llhttp__on_${event} gate_llhttp_skip\n")
      endforeach()
      file(CONFIGURE OUTPUT llhttp_sse42.h CONTENT "${llhttp_RENAMES}" @ONLY)
      target_compile_options(llhttp_sse42 PRIVATE -w -O3 -msse4.2
        -include ${CMAKE_CURRENT_BINARY_DIR}/llhttp_sse42.h)
      target_compile_definitions(llhttp_sse42 PRIVATE LLHTTP_STRICT_MODE=1)
      target_link_libraries(llhttp_sse42 PRIVATE llhttp)
      target_compile_definitions(llhttp PUBLIC GATE_LLHTTP_SSE42=1)
      target_link_libraries(llhttp PUBLIC llhttp_sse42)
    endif()
    add_library(llhttp::llhttp ALIAS llhttp)
    set(llhttp_HOW "compiled from packaged sources, strict mode")
  endif()
endif()

if(TARGET llhttp::llhttp)
  set(llhttp_TARGET llhttp::llhttp)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(llhttp REQUIRED_VARS llhttp_TARGET VERSION_VAR llhttp_VERSION
  REASON_FAILURE_MESSAGE "install node-llhttp (or libllhttp-dev)")
