include(GNUInstallDirs)
set(share ${CMAKE_INSTALL_DATADIR}/moongate)
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
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
# Without what needs the sources beside it: the quick start, and the editor's path to the library.
install(DIRECTORY scripts examples DESTINATION ${share} OPTIONAL
  PATTERN quickstart.sh EXCLUDE PATTERN .luarc.json EXCLUDE PATTERN README.md EXCLUDE)
