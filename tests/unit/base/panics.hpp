// SPDX-License-Identifier: Apache-2.0
#pragma once

// Catches a panic: the handler must not return, so it jumps.

#include <beamlet/base/panic.hpp>

#include <csetjmp>

namespace panic_test {
inline std::jmp_buf back;
inline beamlet::panic_info seen{};

/// Whether `f` panicked. Nothing between here and the panic may need its destructor run.
template <class F>
bool panics(F&& f) {
  auto previous = beamlet::set_panic_handler([](const beamlet::panic_info& info) {
    seen = info;
    std::longjmp(back, 1);
  });
  volatile bool panicked = true;
  if (setjmp(back) == 0) {
    f();
    panicked = false;
  }
  beamlet::set_panic_handler(previous);
  return panicked;
}
}  // namespace panic_test
