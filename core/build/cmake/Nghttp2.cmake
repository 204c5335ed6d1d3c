# PkgConfig::NGHTTP2. Debian mends its 1.52 by package revisions that the library's own version does
# not show; before deb12u3 a client can make it abort (CVE-2026-27135) or exhaust it.
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2>=1.52)
find_program(DPKG_QUERY dpkg-query)
find_program(DPKG dpkg)
mark_as_advanced(DPKG_QUERY DPKG)
if(DPKG_QUERY AND DPKG AND NGHTTP2_VERSION VERSION_LESS 1.53)
  execute_process(COMMAND ${DPKG_QUERY} -W -f=\${Version} libnghttp2-14
    OUTPUT_VARIABLE Nghttp2_PACKAGE ERROR_QUIET)
  if(Nghttp2_PACKAGE)
    execute_process(COMMAND ${DPKG} --compare-versions ${Nghttp2_PACKAGE} lt 1.52.0-1+deb12u3
      RESULT_VARIABLE Nghttp2_FIXED)
    if(Nghttp2_FIXED EQUAL 0)
      message(FATAL_ERROR "libnghttp2-14 is ${Nghttp2_PACKAGE}, with holes that 1.52.0-1+deb12u3 "
        "closes: apt-get install --only-upgrade libnghttp2-14")
    endif()
    set(NGHTTP2_VERSION ${Nghttp2_PACKAGE})
  endif()
endif()
