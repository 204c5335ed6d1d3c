include(GNUInstallDirs)
if(TARGET moongate)
  install(TARGETS moongate RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET moongate_shared)
  install(TARGETS moongate_shared moongate_static LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES core/moongate.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  # Found from where the file itself lies, so that an installed tree may be moved.
  file(RELATIVE_PATH MOONGATE_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  set(MOONGATE_PC_REQUIRES "")
  if(NOT TARGET llhttp)
    set(MOONGATE_PC_REQUIRES " libllhttp")
  endif()
  configure_file(core/build/cmake/moongate.pc.in ${CMAKE_BINARY_DIR}/moongate.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/moongate.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
install(DIRECTORY scripts DESTINATION ${CMAKE_INSTALL_DATADIR}/moongate OPTIONAL
  PATTERN .luarc.json EXCLUDE PATTERN README.md EXCLUDE)
# The pages lie as in the sources, with what they link to, so that their links hold; the annotated
# library is for editors, the program has its own.
set(doc ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md LICENSE DESTINATION ${doc})
install(FILES core/README.md core/LAYERS core/moongate.h DESTINATION ${doc}/core)
install(FILES core/run/README.md DESTINATION ${doc}/core/run)
install(FILES tests/README.md DESTINATION ${doc}/tests)
install(DIRECTORY lua DESTINATION ${doc})
install(DIRECTORY examples DESTINATION ${doc} PATTERN quickstart.sh EXCLUDE)
