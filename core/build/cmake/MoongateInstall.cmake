include(GNUInstallDirs)
set(share ${CMAKE_INSTALL_DATADIR}/moongate)
if(TARGET moongate)
  install(TARGETS moongate RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
# Without what needs the sources beside it: the quick start, and the editor's path to the library.
install(DIRECTORY scripts examples DESTINATION ${share} OPTIONAL
  PATTERN quickstart.sh EXCLUDE PATTERN .luarc.json EXCLUDE PATTERN README.md EXCLUDE)
