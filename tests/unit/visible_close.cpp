// SPDX-License-Identifier: Apache-2.0
// libuv closes by a bare system call, which the thread sanitizer does not see: the number's next
// owner, on another thread, looks like a race. This definition comes before the C library's and
// hands the call to close(), which is seen.
#include <cstdarg>

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" long syscall(long number, ...) noexcept {
  using function = long (*)(long, ...);
  static const auto next = reinterpret_cast<function>(dlsym(RTLD_NEXT, "syscall"));
  constexpr int most = 6;
  long arguments[most];
  va_list list;
  va_start(list, number);
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_close) return close(static_cast<int>(arguments[0]));
  return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
              arguments[5]);
}
