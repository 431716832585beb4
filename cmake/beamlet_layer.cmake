# SPDX-License-Identifier: Apache-2.0

# beamlet_layer(sched): every source below src/sched belongs to the library.
function(beamlet_layer name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  target_sources(beamlet PRIVATE ${sources})
endfunction()

# beamlet_ports(uv posix sim): every source in ports/uv, ports/posix and ports/sim does.
function(beamlet_ports)
  foreach(name IN LISTS ARGN)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/ports/${name}/*.cpp)
    target_sources(beamlet PRIVATE ${sources})
  endforeach()
endfunction()
