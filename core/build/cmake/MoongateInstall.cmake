include(GNUInstallDirs)
if(TARGET moongate)
  install(TARGETS moongate RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY scripts DESTINATION ${CMAKE_INSTALL_DATADIR}/moongate OPTIONAL
  PATTERN .luarc.json EXCLUDE PATTERN README.md EXCLUDE)
# The pages lie as in the sources, with what they link to, so that their links hold; the annotated
# library is for editors, the program has its own.
set(doc ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md LICENSE DESTINATION ${doc})
install(FILES core/README.md core/LAYERS DESTINATION ${doc}/core)
install(FILES tests/README.md DESTINATION ${doc}/tests)
install(DIRECTORY lua DESTINATION ${doc})
install(DIRECTORY examples DESTINATION ${doc} PATTERN quickstart.sh EXCLUDE)
