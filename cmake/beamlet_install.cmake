# SPDX-License-Identifier: Apache-2.0
include(CMakePackageConfigHelpers)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/beamlet)

install(TARGETS beamlet EXPORT beamlet)
if(TARGET beamlet_cli)
  install(TARGETS beamlet_cli)
endif()
install(DIRECTORY include/beamlet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN *.hpp)
install(EXPORT beamlet NAMESPACE beamlet:: FILE beamlet-targets.cmake DESTINATION ${config_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_package_config_file(cmake/beamlet-config.cmake.in beamlet-config.cmake
  INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(beamlet-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/beamlet-config.cmake
              ${PROJECT_BINARY_DIR}/beamlet-config-version.cmake
  DESTINATION ${config_dir})

# Who links a static library must name what it needs; who links a shared one need not.
get_target_property(type beamlet TYPE)
if(type STREQUAL "SHARED_LIBRARY")
  set(BEAMLET_PC_REQUIRES Requires.private)
else()
  set(BEAMLET_PC_REQUIRES Requires)
endif()
# Relative to the file itself, so that the installed folder can be moved.
file(RELATIVE_PATH BEAMLET_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/beamlet.pc.in beamlet.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/beamlet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
