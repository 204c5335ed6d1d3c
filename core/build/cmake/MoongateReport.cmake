# One table at the end of configure: what was found, what is built.
function(moongate_report)
  set(width 12)
  set(lines "")
  set(pairs
    "build" "${CMAKE_BUILD_TYPE}, LTO ${MOONGATE_LTO}, sanitizer ${MOONGATE_SANITIZE}"
    "compiler" "${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}"
    "LuaJIT" "${LuaJIT_VERSION} (${MOONGATE_LUAJIT})"
    "llhttp" "${llhttp_VERSION} (${llhttp_HOW})"
    "libev" "${Libev_VERSION}"
    "c-ares" "${CARES_VERSION}"
    "nghttp2" "${NGHTTP2_VERSION}"
    "OpenSSL" "${OPENSSL_VERSION}")
  if(MOONGATE_TESTS)
    list(APPEND pairs "tests" "${MOONGATE_TEST_SUMMARY}")
  endif()
  while(pairs)
    list(POP_FRONT pairs name value)
    string(LENGTH "${name}" length)
    math(EXPR gap "${width} - ${length}")
    string(REPEAT " " ${gap} space)
    string(APPEND lines "  ${name}${space}${value}\n")
  endwhile()
  message(STATUS "Moongate ${PROJECT_VERSION}\n${lines}")
  if(LuaJIT_GAPS)
    message(STATUS "WARNING: this LuaJIT cannot stop endless loops in scripts")
  endif()
endfunction()
moongate_report()
