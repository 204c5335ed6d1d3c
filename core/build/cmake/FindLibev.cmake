# libev::libev. Debian ships neither a pkg-config file nor a CMake package.
find_path(Libev_INCLUDE_DIR NAMES ev.h PATH_SUFFIXES libev)
find_library(Libev_LIBRARY NAMES ev)
mark_as_advanced(Libev_INCLUDE_DIR Libev_LIBRARY)
if(Libev_INCLUDE_DIR)
  file(STRINGS ${Libev_INCLUDE_DIR}/ev.h Libev_LINES REGEX "define EV_VERSION_M[A-Z]+ ")
  string(REGEX REPLACE "[^0-9]*([0-9]+)[^0-9]*;[^0-9]*([0-9]+).*" "\\1.\\2" Libev_VERSION
    "${Libev_LINES}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libev REQUIRED_VARS Libev_LIBRARY Libev_INCLUDE_DIR
  VERSION_VAR Libev_VERSION REASON_FAILURE_MESSAGE "install libev-dev")

if(Libev_FOUND AND NOT TARGET libev::libev)
  add_library(libev::libev UNKNOWN IMPORTED)
  set_target_properties(libev::libev PROPERTIES
    IMPORTED_LOCATION ${Libev_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${Libev_INCLUDE_DIR}
    # Its watcher macros cast between structs of the same beginning.
    INTERFACE_COMPILE_OPTIONS -Wno-strict-aliasing)
endif()
