# SPDX-License-Identifier: Apache-2.0

# beamlet_layers(target sched node): every source below src/sched and src/node belongs to the target.
function(beamlet_layers target)
  foreach(name IN LISTS ARGN)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
    target_sources(${target} PRIVATE ${sources})
  endforeach()
endfunction()

# beamlet_ports(target uv posix sim): every source in ports/uv, ports/posix and ports/sim does.
function(beamlet_ports target)
  foreach(name IN LISTS ARGN)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/ports/${name}/*.cpp)
    target_sources(${target} PRIVATE ${sources})
  endforeach()
endfunction()
