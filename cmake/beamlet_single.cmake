# SPDX-License-Identifier: Apache-2.0
# beamlet::single is the whole library as one header, generated into the build tree by amalgamate.py.

find_package(Python3 COMPONENTS Interpreter)
if(NOT Python3_FOUND)
  if(BEAMLET_SINGLE)
    message(FATAL_ERROR "BEAMLET_SINGLE=ON needs python3, which generates the single header.")
  endif()
  return()
endif()

set(BEAMLET_SINGLE_DIR ${PROJECT_BINARY_DIR}/single)
set(header ${BEAMLET_SINGLE_DIR}/include/beamlet/beamlet.hpp)
file(GLOB_RECURSE tree CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/include/beamlet/*.hpp
  ${PROJECT_SOURCE_DIR}/src/*.hpp ${PROJECT_SOURCE_DIR}/src/*.cpp ${PROJECT_SOURCE_DIR}/src/*.def
  ${PROJECT_SOURCE_DIR}/ports/*.hpp ${PROJECT_SOURCE_DIR}/ports/*.cpp)
add_custom_command(
  OUTPUT ${header}
  COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/cmake/amalgamate.py
          ${PROJECT_SOURCE_DIR} ${header} --shims ${BEAMLET_SINGLE_DIR}/shims
          --generated ${beamlet_lower_KERNELS_CPP}
  DEPENDS ${tree} ${beamlet_lower_KERNELS_CPP} ${PROJECT_SOURCE_DIR}/kernels/ops.def ${PROJECT_SOURCE_DIR}/cmake/amalgamate.py
  COMMENT "Generating the single header" VERBATIM)
add_custom_target(beamlet_single_header DEPENDS ${header})

add_library(beamlet_single INTERFACE)
add_library(beamlet::single ALIAS beamlet_single)
add_dependencies(beamlet_single beamlet_single_header)
target_compile_features(beamlet_single INTERFACE cxx_std_20)
target_include_directories(beamlet_single INTERFACE ${BEAMLET_SINGLE_DIR}/include)
target_link_libraries(beamlet_single INTERFACE PkgConfig::LIBUV Threads::Threads)

# For our own programs the implementation is compiled once. The shims, one-line headers in the place
# of the tree's, let unit tests not know which of the two products they test.
if(BEAMLET_SINGLE)
  file(WRITE ${BEAMLET_SINGLE_DIR}/implementation.cpp
    "#define BEAMLET_IMPLEMENTATION\n#include <beamlet/beamlet.hpp>\n")
  add_library(beamlet_single_compiled STATIC ${BEAMLET_SINGLE_DIR}/implementation.cpp)
  set_target_properties(beamlet_single_compiled PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_definitions(beamlet_single_compiled PUBLIC BEAMLET_SIM PRIVATE ${BEAMLET_BACKENDS})
  target_link_libraries(beamlet_single_compiled PUBLIC beamlet_single PRIVATE beamlet_own_flags)
endif()
