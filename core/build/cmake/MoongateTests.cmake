# Tests, each found by its place and name:
#   tests/<folder>/test_<noun>.c   unit     test_<folder>_<noun>, linked with gate_<folder>
#   spec/**/*_spec.lua             spec     all but spec/e2e, in one run
#   spec/e2e/*_spec.lua            e2e      one test a file, against the built binary
#   tests/lint/*.lua               lint
#   tests/fuzz/fuzz_<x>.c          fuzz     (fuzz preset only) corpus in tests/fuzz/corpus/<x>
#   tests/bench/bench_<x>.c        programs, not tests
find_package(cmocka QUIET CONFIG)
find_program(BUSTED busted)
find_program(LUAJIT luajit)
mark_as_advanced(BUSTED LUAJIT)
set(TESTS ${CMAKE_SOURCE_DIR}/tests)

set(sanitizer_env
  ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=1
  UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  TSAN_OPTIONS=halt_on_error=1:abort_on_error=1:second_deadlock_stack=1)
set(slow 1)
if(NOT MOONGATE_SANITIZE STREQUAL "none")
  set(slow 4)
endif()

function(moongate_test name label timeout)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  math(EXPR timeout "${timeout} * ${slow}")
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout}
    ENVIRONMENT "${sanitizer_env}")
  set_property(GLOBAL APPEND PROPERTY moongate_${label} ${name})
endfunction()

# Helpers that several tests share.
function(moongate_test_support)
  file(GLOB sources CONFIGURE_DEPENDS ${TESTS}/support/*.c)
  if(sources)
    add_library(gate_test_support STATIC ${sources})
    target_include_directories(gate_test_support PUBLIC ${TESTS} ${CMAKE_SOURCE_DIR}/core)
  endif()
endfunction()

# In an optimised build each test program is linked anew across all files: only on demand.
add_custom_target(tests)
set(on_demand "")
if(NOT MOONGATE_DEBUG)
  set(on_demand EXCLUDE_FROM_ALL)
endif()

function(moongate_test_program target folder source)
  add_executable(${target} ${on_demand} ${source})
  add_dependencies(tests ${target})
  target_include_directories(${target} PRIVATE ${TESTS} ${CMAKE_SOURCE_DIR}/core)
  target_link_libraries(${target} PRIVATE $<TARGET_NAME_IF_EXISTS:gate_test_support>
    $<TARGET_NAME_IF_EXISTS:gate_${folder}> ${ARGN})
endfunction()

function(moongate_unit_tests)
  if(NOT cmocka_FOUND)
    return()
  endif()
  foreach(folder IN LISTS MOONGATE_LAYERS)
    file(GLOB sources CONFIGURE_DEPENDS ${TESTS}/${folder}/test_*.c)
    foreach(source IN LISTS sources)
      string(REGEX REPLACE "^.*/test_(.*)\\.c$" "test_${folder}_\\1" target ${source})
      moongate_test_program(${target} ${folder} ${source} cmocka)
      moongate_test(${target} unit 120 ${target})
      set_property(TEST ${target} APPEND PROPERTY LABELS ${folder})
    endforeach()
  endforeach()
endfunction()

# busted.sh in the build folder runs any spec with the right paths, also by hand.
function(moongate_specs)
  file(GLOB_RECURSE specs CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
    ${CMAKE_SOURCE_DIR}/spec/*_spec.lua)
  set(e2e ${specs})
  list(FILTER e2e INCLUDE REGEX "^spec/e2e/")
  list(FILTER specs EXCLUDE REGEX "^spec/(e2e|support)/")
  if(NOT BUSTED OR NOT LUAJIT)
    return()
  endif()
  configure_file(${CMAKE_SOURCE_DIR}/core/build/cmake/busted.sh.in ${CMAKE_BINARY_DIR}/busted.sh
    @ONLY)
  set(busted sh ${CMAKE_BINARY_DIR}/busted.sh)
  if(specs)
    moongate_test(spec spec 300 ${busted} ${specs})
  endif()
  foreach(spec IN LISTS e2e)
    string(REGEX REPLACE "^spec/e2e/(.*)_spec\\.lua$" "e2e_\\1" name ${spec})
    string(REPLACE "/" "_" name ${name})
    moongate_test(${name} e2e 300 ${busted} ${spec})
  endforeach()
  # MOONGATE_SOAK_KILLS may ask for many; testssl.sh takes its time, and finds in every build the
  # same.
  set_tests_properties(e2e_soak e2e_testssl PROPERTIES TIMEOUT 900 COST 100)
  set_tests_properties(e2e_testssl PROPERTIES LABELS scan)
endfunction()

function(moongate_lints)
  if(NOT LUAJIT)
    return()
  endif()
  file(GLOB lints CONFIGURE_DEPENDS ${TESTS}/lint/*.lua)
  foreach(lint IN LISTS lints)
    get_filename_component(name ${lint} NAME_WE)
    moongate_test(lint_${name} lint 60 ${LUAJIT} ${lint} ${CMAKE_SOURCE_DIR})
  endforeach()
endfunction()

function(moongate_fuzzers)
  if(NOT MOONGATE_SANITIZE STREQUAL "fuzzer")
    return()
  endif()
  add_custom_target(fuzzers)
  file(GLOB sources CONFIGURE_DEPENDS ${TESTS}/fuzz/fuzz_*.c)
  foreach(source IN LISTS sources)
    get_filename_component(target ${source} NAME_WE)
    moongate_test_program(${target} script ${source} $<TARGET_NAME_IF_EXISTS:gate_flow>)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    target_compile_options(${target} PRIVATE -Wno-missing-prototypes)
    add_dependencies(fuzzers ${target})
    string(REGEX REPLACE "^fuzz_" "" corpus ${target})
    moongate_test(${target} fuzz 3600 sh ${CMAKE_SOURCE_DIR}/core/build/fuzz.sh
      $<TARGET_FILE:${target}> ${TESTS}/fuzz ${corpus})
  endforeach()
endfunction()

function(moongate_benches)
  add_custom_target(benches)
  if(NOT MOONGATE_SANITIZE STREQUAL "none")
    return()
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${TESTS}/bench/bench_*.c)
  foreach(source IN LISTS sources)
    get_filename_component(target ${source} NAME_WE)
    moongate_test_program(${target} script ${source} $<TARGET_NAME_IF_EXISTS:gate_flow>)
    moongate_optimise(${target})
    add_dependencies(benches ${target})
  endforeach()
endfunction()

moongate_test_support()
moongate_fuzzers()
if(NOT MOONGATE_SANITIZE STREQUAL "fuzzer")
  moongate_unit_tests()
  moongate_specs()
  moongate_lints()
  moongate_benches()
endif()

add_custom_target(check
  COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target all tests
  COMMAND ${CMAKE_CTEST_COMMAND} --output-on-failure -j2 --no-tests=ignore
  USES_TERMINAL VERBATIM)

set(MOONGATE_TEST_SUMMARY "")
foreach(label unit spec e2e lint fuzz)
  get_property(names GLOBAL PROPERTY moongate_${label})
  list(LENGTH names count)
  string(APPEND MOONGATE_TEST_SUMMARY "${label} ${count}  ")
endforeach()
if(NOT cmocka_FOUND)
  string(APPEND MOONGATE_TEST_SUMMARY "(unit tests off: install libcmocka-dev)")
endif()
if(NOT BUSTED OR NOT LUAJIT)
  string(APPEND MOONGATE_TEST_SUMMARY "(specs off: install lua-busted luajit)")
endif()
