# libmoongate (core/moongate.h), shared and static, of the same objects as the program: all that its
# functions need, LuaJIT and llhttp included, is linked into one object, in which nothing else is
# visible. So a host may have a Lua of its own, and functions by any other name.
option(MOONGATE_LIBRARY "Build libmoongate" ON)
set(MOONGATE_HAS_LIBRARY ${MOONGATE_LIBRARY})
if(MOONGATE_SANITIZE STREQUAL "fuzzer" OR (MOONGATE_LTO AND NOT CMAKE_C_COMPILER_ID STREQUAL "GNU"))
  set(MOONGATE_HAS_LIBRARY OFF) # others optimise across files in a linker of their own
endif()

# Sets `out` to the names of the functions in the header, and checks the header's version.
function(moongate_public_names out)
  set(header ${CMAKE_SOURCE_DIR}/core/moongate.h)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
  file(STRINGS ${header} lines REGEX "^GATE_API .*\\(")
  list(TRANSFORM lines REPLACE "^GATE_API .*[ *](gate_[a-z_]+)\\(.*$" "\\1")
  file(STRINGS ${header} numbers REGEX "define MOONGATE_VERSION_")
  string(REGEX REPLACE "[^0-9]*([0-9]+)[^0-9]*;[^0-9]*([0-9]+)[^0-9]*;[^0-9]*([0-9]+)" "\\1.\\2.\\3"
    version "${numbers}")
  if(NOT version STREQUAL PROJECT_VERSION)
    message(FATAL_ERROR "core/moongate.h is of version ${version}, not ${PROJECT_VERSION}")
  endif()
  set(${out} ${lines} PARENT_SCOPE)
endfunction()

# Sets `out` to the object file.
function(moongate_link_object out)
  moongate_public_names(names)
  string(REPLACE ";" "\n" text "${names}")
  set(symbols ${CMAKE_BINARY_DIR}/moongate.symbols)
  file(CONFIGURE OUTPUT ${symbols} CONTENT "${text}\n" @ONLY)
  list(TRANSFORM names PREPEND "-Wl,-u,")
  set(parts "")
  foreach(target IN LISTS MOONGATE_LAYERS)
    if(TARGET gate_${target})
      list(APPEND parts $<TARGET_FILE:gate_${target}>)
    endif()
  endforeach()
  foreach(target llhttp llhttp_sse42)
    if(TARGET ${target})
      list(APPEND parts $<TARGET_FILE:${target}>)
    endif()
  endforeach()
  set(optimise "")
  if(MOONGATE_LTO)
    # What comes out is machine code: any compiler can link it.
    set(optimise -O3 -flto=auto -flinker-output=nolto-rel)
  endif()
  set(object ${CMAKE_BINARY_DIR}/moongate.o)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_C_COMPILER} ${optimise} -r -nostdlib ${names} -o ${object}.all
      -Wl,--start-group ${parts} ${LuaJIT_LIBRARY} -Wl,--end-group
    COMMAND ${CMAKE_OBJCOPY} --keep-global-symbols=${symbols} ${object}.all ${object}
    COMMAND ${CMAKE_COMMAND} -E rm ${object}.all
    DEPENDS ${parts} ${LuaJIT_LIBRARY} ${symbols}
    COMMENT "Linking libmoongate's object" VERBATIM)
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  add_custom_target(moongate_object DEPENDS ${object})
  set(${out} ${object} PARENT_SCOPE)
endfunction()

function(moongate_add_library)
  moongate_link_object(object)
  foreach(kind SHARED STATIC)
    string(TOLOWER moongate_${kind} target)
    add_library(${target} ${kind} ${object})
    add_dependencies(${target} moongate_object)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME moongate LINKER_LANGUAGE C
      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  endforeach()
  target_link_libraries(moongate_shared PRIVATE libev::libev PkgConfig::CARES PkgConfig::BROTLI
    PkgConfig::NGHTTP2
    ZLIB::ZLIB OpenSSL::SSL OpenSSL::Crypto Threads::Threads m dl)
  if(NOT TARGET llhttp)
    target_link_libraries(moongate_shared PRIVATE llhttp::llhttp)
  endif()
  if(MOONGATE_SANITIZE STREQUAL "none")
    target_link_options(moongate_shared PRIVATE -Wl,-z,defs)
  endif()
endfunction()

if(MOONGATE_HAS_LIBRARY)
  moongate_add_library()
endif()
