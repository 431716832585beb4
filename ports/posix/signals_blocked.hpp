// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/version.hpp>

#include <csignal>

#include <pthread.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

// A new thread inherits the mask of its maker: blocking here and not there leaves no instant in
// which a signal of the program could reach it.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    sigfillset(&all);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
