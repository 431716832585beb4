// SPDX-License-Identifier: Apache-2.0
// An OpenCL driver that crashes, or hangs, as soon as it is asked what it has.
#include <cstdlib>
#include <cstring>

#include <unistd.h>

namespace {

int platforms(unsigned, void**, unsigned*) {
  const char* how = std::getenv("BEAMLET_TEST_DRIVER");
  if (how != nullptr && std::strcmp(how, "hangs") == 0)
    for (;;) pause();
  std::abort();
}

}  // namespace

// What it has besides is never called; loaders look whether it is there.
extern "C" void* clGetExtensionFunctionAddress(const char*) {
  return reinterpret_cast<void*>(platforms);
}
