# LuaJIT::LuaJIT and LuaJIT_COMPILER (turns Lua into bytecode for that very library).
# Our own build from Debian's source is the default, because a packaged LuaJIT cannot interrupt
# compiled loops; the result is probed, and one that cannot do what scripts need is refused.
set(LuaJIT_HERE ${CMAKE_CURRENT_LIST_DIR}/../luajit)

# It is built when the project is configured: then again when what it is made of has changed.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${LuaJIT_HERE}/build.sh ${LuaJIT_HERE}/moongate.patch ${LuaJIT_HERE}/probe.c)

function(luajit_build flavour out)
  execute_process(
    COMMAND sh ${LuaJIT_HERE}/build.sh ${flavour} ${MOONGATE_LUAJIT_SRC}
    OUTPUT_VARIABLE where OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "LuaJIT was not built. See the lines above; MOONGATE_LUAJIT_SRC=DIR takes "
      "an unpacked source tree, MOONGATE_LUAJIT=system the system's library, which cannot stop "
      "endless loops.")
  endif()
  set(${out} ${where} PARENT_SCOPE)
endfunction()

if(MOONGATE_LUAJIT STREQUAL "system")
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(PC_LUAJIT REQUIRED luajit)
  set(LuaJIT_INCLUDE_DIR ${PC_LUAJIT_INCLUDE_DIRS})
  set(LuaJIT_VERSION ${PC_LUAJIT_VERSION})
  find_library(LuaJIT_LIBRARY NAMES libluajit-5.1.a luajit-5.1 HINTS ${PC_LUAJIT_LIBRARY_DIRS})
  find_program(LuaJIT_COMPILER NAMES luajit)
else()
  set(LuaJIT_FLAVOUR release)
  if(MOONGATE_DEBUG)
    set(LuaJIT_FLAVOUR test)
  endif()
  luajit_build(${LuaJIT_FLAVOUR} LuaJIT_ROOT_DIR)
  set(LuaJIT_INCLUDE_DIR ${LuaJIT_ROOT_DIR}/include)
  set(LuaJIT_LIBRARY ${LuaJIT_ROOT_DIR}/lib/libluajit.a)
  set(LuaJIT_COMPILER ${LuaJIT_ROOT_DIR}/bin/luajit-compile)
  file(STRINGS ${LuaJIT_ROOT_DIR}/VERSION LuaJIT_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LuaJIT
  REQUIRED_VARS LuaJIT_LIBRARY LuaJIT_INCLUDE_DIR LuaJIT_COMPILER)

add_library(LuaJIT::LuaJIT UNKNOWN IMPORTED)
set_target_properties(LuaJIT::LuaJIT PROPERTIES
  IMPORTED_LOCATION ${LuaJIT_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${LuaJIT_INCLUDE_DIR}
  INTERFACE_LINK_LIBRARIES "m;dl")

# The probe prints one line per missing ability. Its result is kept per library.
if(NOT LuaJIT_PROBED STREQUAL LuaJIT_LIBRARY)
  find_package(Threads REQUIRED)
  unset(LuaJIT_GAPS CACHE)
  unset(LuaJIT_PROBE_RUN CACHE)
  unset(LuaJIT_PROBE_COMPILED CACHE)
  try_run(LuaJIT_PROBE_RUN LuaJIT_PROBE_COMPILED
    ${CMAKE_BINARY_DIR}/luajit-probe ${LuaJIT_HERE}/probe.c
    LINK_LIBRARIES LuaJIT::LuaJIT Threads::Threads
    RUN_OUTPUT_VARIABLE LuaJIT_PROBE_SAID COMPILE_OUTPUT_VARIABLE LuaJIT_PROBE_LOG)
  if(NOT LuaJIT_PROBE_COMPILED)
    message(FATAL_ERROR "LuaJIT cannot be linked:\n${LuaJIT_PROBE_LOG}")
  elseif(NOT LuaJIT_PROBE_RUN EQUAL 0 AND NOT MOONGATE_LUAJIT STREQUAL "system")
    message(FATAL_ERROR "${LuaJIT_LIBRARY} is not fit for running scripts:\n${LuaJIT_PROBE_SAID}")
  elseif(NOT LuaJIT_PROBE_RUN EQUAL 0)
    message(WARNING "The system's LuaJIT has gaps, scripts that hit them stop their worker:\n"
      "${LuaJIT_PROBE_SAID}")
    set(LuaJIT_GAPS TRUE CACHE INTERNAL "")
  endif()
  set(LuaJIT_PROBED ${LuaJIT_LIBRARY} CACHE INTERNAL "")
endif()
if(LuaJIT_GAPS)
  # The program says so at start.
  set_target_properties(LuaJIT::LuaJIT PROPERTIES
    INTERFACE_COMPILE_DEFINITIONS GATE_LUAJIT_GAPS=1)
endif()
