// SPDX-License-Identifier: Apache-2.0
#include "ports/processor.hpp"

#include <cstring>
#include <string>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "ports/linux/cgroup.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

// Inline assembly, because what the compilers offer for it needs flags for the whole file.
#if defined(__x86_64__)
namespace {
bool has_crc32c() noexcept { return __builtin_cpu_supports("sse4.2") != 0; }

std::uint32_t add_word(std::uint32_t crc, std::uint64_t next) noexcept {
  std::uint64_t wide = crc;
  asm("crc32q %1, %0" : "+r"(wide) : "r"(next));
  return static_cast<std::uint32_t>(wide);
}
}  // namespace
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
namespace {
bool has_crc32c() noexcept {
  constexpr unsigned long crc32 = 1ul << 7;  // HWCAP_CRC32 of the kernel's asm/hwcap.h
  return (getauxval(AT_HWCAP) & crc32) != 0;
}

std::uint32_t add_word(std::uint32_t crc, std::uint64_t next) noexcept {
  asm(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(next));
  return crc;
}
}  // namespace
#else
namespace {
bool has_crc32c() noexcept { return false; }
std::uint32_t add_word(std::uint32_t crc, std::uint64_t) noexcept { return crc; }
}  // namespace
#endif

bool crc32c_words(std::uint32_t& crc, const std::byte* at, std::size_t words) noexcept {
  static const bool has_instruction = has_crc32c();
  if (!has_instruction) return false;
  for (; words > 0; --words, at += 8) {
    std::uint64_t next;
    std::memcpy(&next, at, sizeof next);
    crc = add_word(crc, next);
  }
  return true;
}

std::string processor_name() {
  const std::string all = read_kernel_text("/proc/cpuinfo");
  for (const char* key : {"model name", "Hardware", "Model"}) {  // x86, 32-bit ARM, boards
    const std::size_t line = all.find(std::string(key) + "\t");
    const std::size_t colon = line == std::string::npos ? line : all.find(": ", line);
    if (colon != std::string::npos) return all.substr(colon + 2, all.find('\n', colon) - colon - 2);
  }
  return "processor";
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
