# SPDX-License-Identifier: Apache-2.0
# Functions for programs of this tree: tests, examples, benchmarks.

# What a program that uses Beamlet links: the library, or the single header in its place.
add_library(beamlet_for_programs INTERFACE)
if(BEAMLET_SINGLE)
  target_link_libraries(beamlet_for_programs INTERFACE beamlet_single_compiled)
else()
  target_link_libraries(beamlet_for_programs INTERFACE beamlet::beamlet)
endif()

# g++ 12 is wrong about these where it inlines containers and results into a test's body.
add_library(beamlet_test_flags INTERFACE)
target_compile_options(beamlet_test_flags INTERFACE
  $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds -Wno-maybe-uninitialized -Wno-stringop-overflow
    -Wno-stringop-overread>)

# The library once more with random delays where threads meet, and bugs that can be switched on; or,
# where it takes long to compile, the library itself.
if(BEAMLET_CHAOS)
  add_library(beamlet_chaos INTERFACE)
  target_compile_definitions(beamlet PUBLIC BEAMLET_CHAOS)
  target_link_libraries(beamlet_chaos INTERFACE beamlet PkgConfig::LIBUV)
  target_include_directories(beamlet_chaos INTERFACE src ${PROJECT_SOURCE_DIR})
else()
  get_target_property(beamlet_sources beamlet SOURCES)
  add_library(beamlet_chaos STATIC EXCLUDE_FROM_ALL ${beamlet_sources})
  target_compile_features(beamlet_chaos PUBLIC cxx_std_20)
  target_compile_definitions(beamlet_chaos PUBLIC BEAMLET_CHAOS PRIVATE _FILE_OFFSET_BITS=64)
  target_include_directories(beamlet_chaos PUBLIC include src ${PROJECT_SOURCE_DIR})
  target_link_libraries(beamlet_chaos PUBLIC Threads::Threads PkgConfig::LIBUV
    PRIVATE beamlet_own_flags beamlet_test_flags ${CMAKE_DL_LIBS})
  target_compile_options(beamlet_chaos PRIVATE ${BEAMLET_TEST_FLAGS} ${BEAMLET_MODEL_FLAGS})
  set_target_properties(beamlet_chaos PROPERTIES
    UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${BEAMLET_UNITY_BATCH})
endif()

# What tests may reach beyond that: internal headers and libuv. The shims of the single header come
# first, so that "sched/cell.hpp" leads to it and not to the tree.
add_library(beamlet_for_tests INTERFACE)
if(BEAMLET_SINGLE)
  target_compile_definitions(beamlet_for_tests INTERFACE BEAMLET_INTERNALS)
  target_include_directories(beamlet_for_tests INTERFACE ${BEAMLET_SINGLE_DIR}/shims)
else()
  target_include_directories(beamlet_for_tests INTERFACE ${PROJECT_SOURCE_DIR}/src)
endif()
target_include_directories(beamlet_for_tests INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(beamlet_for_tests INTERFACE
  BEAMLET_TEST_SEEDS=${BEAMLET_TEST_SEEDS} ${BEAMLET_BACKENDS})
target_compile_options(beamlet_for_tests INTERFACE ${BEAMLET_TEST_FLAGS})
target_link_libraries(beamlet_for_tests INTERFACE
  beamlet_for_programs beamlet_test_flags PkgConfig::LIBUV)

add_library(beamlet_for_models INTERFACE)  # its flags come later, and win
target_compile_options(beamlet_for_models INTERFACE ${BEAMLET_MODEL_FLAGS})
target_link_libraries(beamlet_for_models INTERFACE beamlet_for_tests)

# beamlet_program(name sources...): an executable with the library and our own flags.
function(beamlet_program name)
  add_executable(${name} ${ARGN})
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
  target_link_libraries(${name} PRIVATE beamlet_for_programs beamlet_own_flags)
endfunction()

# beamlet_example(name sources...): a program that a reader studies and the tests run.
function(beamlet_example name)
  beamlet_program(example_${name} ${ARGN})
  beamlet_precompile(example_${name} programs)
  set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name})
  if(BEAMLET_BUILD_TESTS)
    add_test(NAME example_${name} COMMAND example_${name})
    set_tests_properties(example_${name} PROPERTIES TIMEOUT 300)
  endif()
endfunction()

# beamlet_bench(name sources...): a program that prints rows of figures; never run by the tests.
function(beamlet_bench name)
  beamlet_program(bench_${name} ${ARGN})
endfunction()

# beamlet_test(name sources...): a doctest program against the library (or the single header),
# beamlet_model_test(name sources...): one that takes longer to run than to compile, and
# beamlet_chaos_test(name sources...): one against beamlet_chaos. Cases may be left out by
# tests/left_out.txt, and the programs are listed so that ./dev can count and compare cases.
function(beamlet_test name)
  beamlet_program(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE beamlet_for_tests)
  beamlet_doctest_program(${name})
  beamlet_precompile(${name} tests)
endfunction()
function(beamlet_model_test name)
  beamlet_program(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE beamlet_for_tests beamlet_for_models)
  beamlet_doctest_program(${name})
  beamlet_precompile(${name} models)
endfunction()
# beamlet_precompile(name kind): a program of beamlet_for_<kind> compiles from the headers that all
# of them include; an example from the library's alone.
function(beamlet_precompile name kind)
  if(NOT BEAMLET_PRECOMPILE)
    return()
  endif()
  set(headers beamlet_precompiled_${kind})
  if(NOT TARGET ${headers})
    file(WRITE ${PROJECT_BINARY_DIR}/precompiled/none.cpp "")
    add_library(${headers} OBJECT ${PROJECT_BINARY_DIR}/precompiled/none.cpp)
    set_target_properties(${headers} PROPERTIES CXX_EXTENSIONS OFF)
    if(kind STREQUAL "programs")
      target_link_libraries(${headers} PRIVATE beamlet_for_programs beamlet_own_flags)
      target_precompile_headers(${headers} PRIVATE <beamlet/beamlet.hpp>)
    else()
      target_include_directories(${headers} SYSTEM PRIVATE ${BEAMLET_DOCTEST_INCLUDE})
      target_link_libraries(${headers} PRIVATE
        beamlet_for_tests beamlet_for_${kind} beamlet_own_flags beamlet_test_flags)
      target_precompile_headers(${headers} PRIVATE <beamlet/beamlet.hpp> <doctest/doctest.h>)
    endif()
  endif()
  target_precompile_headers(${name} REUSE_FROM ${headers})
endfunction()
function(beamlet_chaos_test name)
  if(NOT BEAMLET_CHAOS_TESTS)
    return()
  endif()
  add_executable(${name} ${ARGN})
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
  target_link_libraries(${name} PRIVATE beamlet_chaos beamlet_own_flags)
  target_compile_options(${name} PRIVATE ${BEAMLET_TEST_FLAGS} ${BEAMLET_MODEL_FLAGS})
  target_compile_definitions(${name} PRIVATE BEAMLET_TEST_SEEDS=${BEAMLET_TEST_SEEDS})
  beamlet_doctest_program(${name})
endfunction()
function(beamlet_doctest_program name)
  target_link_libraries(${name} PRIVATE beamlet_doctest_main)
  beamlet_cases(${name})
endfunction()
# beamlet_cases(name): runs and counts the cases of a doctest program that has a main of its own.
function(beamlet_cases name)
  target_link_libraries(${name} PRIVATE beamlet_test_flags)
  string(REPLACE ";" "," left_out "${BEAMLET_CASES_LEFT_OUT}")
  add_test(NAME ${name} COMMAND ${name} --test-case-exclude=${left_out})
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
  set_property(GLOBAL APPEND PROPERTY BEAMLET_DOCTEST_PROGRAMS $<TARGET_FILE:${name}>)
endfunction()

# The cases that cannot run in this kind of build; the file says why, and ./dev compares the counts.
set(BEAMLET_CASES_LEFT_OUT "")
set(left_out_file ${PROJECT_SOURCE_DIR}/tests/left_out.txt)
file(STRINGS ${left_out_file} left_out_lines REGEX "^[a-z]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${left_out_file})
foreach(line IN LISTS left_out_lines)
  if(line MATCHES "^([^|]*[^| ]) *\\| *([^|]*[^| ]) *\\|")
    set(name "${CMAKE_MATCH_2}")
    string(REPLACE " " ";" builds "${CMAKE_MATCH_1}")
    foreach(word IN LISTS BEAMLET_LEFT_OUT)
      if(word IN_LIST builds)
        list(APPEND BEAMLET_CASES_LEFT_OUT "${name}")
      endif()
    endforeach()
  endif()
endforeach()

# What drivers make of kernels takes them minutes, so all presets share it; it is found by its
# source. PoCL shows no device where it has no folder for that, Mesa would take the user's, and
# tests leave nothing behind. BEAMLET_FOUND_DEVICES: the same for what programs find out.
if(PROJECT_BINARY_DIR MATCHES "^${PROJECT_SOURCE_DIR}/build/")
  set(driver_folder ${PROJECT_SOURCE_DIR}/build/drivers)
else()
  set(driver_folder ${PROJECT_BINARY_DIR}/drivers)
endif()
file(MAKE_DIRECTORY ${driver_folder}/pocl)
set(BEAMLET_DRIVER_CACHES
  POCL_CACHE_DIR=${driver_folder}/pocl MESA_SHADER_CACHE_DIR=${driver_folder}/mesa)
set(BEAMLET_FOUND_DEVICES ${BEAMLET_DRIVER_CACHES} XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/found)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/found)
