# SPDX-License-Identifier: Apache-2.0
# Lists of kernels, kernels/ops.def the first of them, as generated sources: OpenCL C as text,
# Vulkan's as SPIR-V.

option(BEAMLET_OPENCL "Compile the OpenCL backend (needs CL/cl.h; the driver is loaded at run time)" ON)
option(BEAMLET_VULKAN "Compile the Vulkan backend (needs vulkan/vulkan.h and glslc; the driver is loaded at run time)" ON)

include(CheckIncludeFileCXX)
set(opencl OFF)
if(BEAMLET_OPENCL)
  set(CMAKE_REQUIRED_DEFINITIONS -DCL_TARGET_OPENCL_VERSION=300)
  check_include_file_cxx(CL/cl_icd.h BEAMLET_HAS_CL_H)  # includes CL/cl.h
  unset(CMAKE_REQUIRED_DEFINITIONS)
  if(BEAMLET_HAS_CL_H)
    set(opencl ON)
  else()
    message(STATUS "No OpenCL backend: there is no CL/cl.h (Debian: opencl-c-headers)")
  endif()
endif()
set(vulkan OFF)
if(BEAMLET_VULKAN)
  check_include_file_cxx(vulkan/vulkan.h BEAMLET_HAS_VULKAN_H)
  find_program(BEAMLET_GLSLC glslc)
  if(NOT BEAMLET_HAS_VULKAN_H)
    message(STATUS "No Vulkan backend: there is no vulkan/vulkan.h (Debian: libvulkan-dev)")
  elseif(NOT BEAMLET_GLSLC)
    message(STATUS "No Vulkan backend: there is no glslc (Debian: glslc)")
  else()
    set(vulkan ON)
  endif()
endif()

# beamlet_embed_kernels(target list header): the kernels of a list like kernels/ops.def, whose files
# lie beside it, as a source of the target: compute::embedded::NAME, which `header` declares.
# ${target}_KERNELS_CPP is that source.
function(beamlet_embed_kernels target list header)
  get_filename_component(folder ${list} DIRECTORY)
  set(compiled ${PROJECT_BINARY_DIR}/kernels/${target})
  set(dialect ${PROJECT_SOURCE_DIR}/kernels)
  file(STRINGS ${list} kernel_lines REGEX "^BEAMLET_KERNEL\\(")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list})
  set(kernel_files "")
  set(kernel_outputs "")
  foreach(line IN LISTS kernel_lines)
    if(NOT line MATCHES "^BEAMLET_KERNEL\\(([a-z0-9_]+), \"([a-z0-9_/.]+)\", \"([^\"]*)\"\\)$")
      message(FATAL_ERROR "${list}: '${line}' is not BEAMLET_KERNEL(name, \"file\", \"options\")")
    endif()
    set(name ${CMAKE_MATCH_1})
    set(file ${CMAKE_MATCH_2})
    separate_arguments(macros UNIX_COMMAND "${CMAKE_MATCH_3}")
    list(APPEND kernel_files ${folder}/${file})
    # One SPIR-V file per kernel, as numbers.
    if(vulkan AND NOT file MATCHES "\\.cl$")
      add_custom_command(OUTPUT ${compiled}/${name}.inc
        COMMAND ${BEAMLET_GLSLC} -std=450core -fshader-stage=compute --target-env=vulkan1.1 -O
                -I ${dialect} ${macros} -mfmt=num -o ${compiled}/${name}.inc ${folder}/${file}
        DEPENDS ${folder}/${file} ${dialect}/dialect.h ${BEAMLET_GLSLC}
        COMMENT "SPIR-V of ${name}" VERBATIM)
      list(APPEND kernel_outputs ${compiled}/${name}.inc)
    endif()
  endforeach()
  list(REMOVE_DUPLICATES kernel_files)
  file(MAKE_DIRECTORY ${compiled})
  add_custom_command(OUTPUT ${compiled}/embedded.cpp
    COMMAND ${CMAKE_COMMAND} -D LIST=${list} -D DIALECT=${dialect}/dialect.h -D HEADER=${header}
            -D COMPILED=${compiled} -D OPENCL=${opencl} -D VULKAN=${vulkan}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_kernels.cmake
    DEPENDS ${list} ${dialect}/dialect.h ${kernel_files} ${kernel_outputs}
            ${PROJECT_SOURCE_DIR}/cmake/embed_kernels.cmake
    COMMENT "Embedding the kernels of ${target}" VERBATIM)
  set_source_files_properties(${compiled}/embedded.cpp
    PROPERTIES GENERATED ON SKIP_UNITY_BUILD_INCLUSION ON)
  target_sources(${target} PRIVATE ${compiled}/embedded.cpp)
  set(${target}_KERNELS_CPP ${compiled}/embedded.cpp PARENT_SCOPE)
endfunction()

beamlet_embed_kernels(beamlet_lower ${PROJECT_SOURCE_DIR}/kernels/ops.def compute/embedded.hpp)
# What this build has of them, for the library and for whoever sees its internal headers.
set(BEAMLET_BACKENDS BEAMLET_OPENCL=$<BOOL:${opencl}> BEAMLET_VULKAN=$<BOOL:${vulkan}>)
target_compile_definitions(beamlet PRIVATE ${BEAMLET_BACKENDS})
target_compile_definitions(beamlet_lower PRIVATE ${BEAMLET_BACKENDS})
target_link_libraries(beamlet PRIVATE ${CMAKE_DL_LIBS})
