// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/cpu_device.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "compute/errors.hpp"
#include "ports/memory.hpp"
#include "ports/processor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

constexpr std::size_t cpu_memory_alignment = 64;
// One thread takes groups in runs: so many runs for each thread even out what others take from it.
constexpr std::uint64_t runs_per_thread = 4;

class cpu_buffer final : public device_buffer {
 public:
  cpu_buffer(std::byte* data, std::uint64_t bytes, bool imported) noexcept
      : device_buffer(bytes, true, imported), data_(data) {}
  ~cpu_buffer() override {
    if (!is_imported()) ::operator delete(data_, std::align_val_t(cpu_memory_alignment));
  }
  std::byte* data() const noexcept { return data_; }

  result<std::byte*> map(memory_access, base::time_ns) override { return data_; }
  result<void> unmap() override { return {}; }

 private:
  std::byte* data_;
};

class cpu_kernel final : public kernel {
 public:
  cpu_kernel(const kernel_source& source, const kernel_constants& constants) noexcept
      : kernel(source, constants, kernel_origin::built_in) {}
};

std::byte* memory_of(const binding& part) noexcept {
  return static_cast<cpu_buffer*>(part.memory)->data() + part.offset;
}

class cpu_queue final : public device_queue {
 public:
  cpu_queue(isa set, const backend_options& options) noexcept : set_(set), options_(&options) {}

  result<void> launch(const kernel& what, const kernel_launch& how) override {
    std::array<std::byte*, buffers_max> memory{};
    for (std::size_t i = 0; i < how.bindings.size(); ++i) memory[i] = memory_of(how.bindings[i]);
    const cpu_call call{set_, &what.constants(), memory.data(), how.parameters.data()};
    const std::uint64_t groups = std::uint64_t{how.groups[0]} * how.groups[1] * how.groups[2];
    const std::uint64_t threads = options_->parallel ? options_->threads : 1;
    const std::uint64_t runs =
        threads == 1 ? 1 : std::min<std::uint64_t>(groups, threads * runs_per_thread);
    if (runs == 1) {
      what.source().cpu(call, 0, groups);
      return {};
    }
    options_->parallel(runs, [&](std::size_t run) {
      what.source().cpu(call, groups * run / runs, groups * (run + 1) / runs);
    });
    return {};
  }

  result<void> copy(const binding& from, const binding& to) override {
    std::copy_n(memory_of(from), from.bytes, memory_of(to));
    return {};
  }

  result<std::uint64_t> submit() override { return ++submitted_; }
  result<void> wait(std::uint64_t, base::time_ns) override { return {}; }

  static constexpr std::size_t buffers_max = 8;

 private:
  isa set_;
  const backend_options* options_;
  std::uint64_t submitted_ = 0;
};

class cpu_device final : public device {
 public:
  cpu_device(isa set, const backend_options& options) : set_(set), options_(options) {
    info_.backend = "cpu";
    info_.name = ports::processor_name();
    info_.driver = name_of(set);
    info_.kind = device_kind::cpu;
    info_.units = std::max(1u, options.threads);
    device_limits& l = info_.limits;
    l.groups_max.fill(1u << 31);
    l.group_items_max = 1;
    l.parameter_bytes = 640;
    l.buffers_max = cpu_queue::buffers_max;
    l.memory_bytes = ports::used_memory().limit;
    l.buffer_bytes_max = l.binding_bytes_max = std::uint64_t{1} << 62;
    l.binding_alignment = l.import_alignment = 1;
    device_features& f = info_.features;
    f.storage_16bit = f.storage_8bit = f.int64 = f.unified_memory = f.like_a_cpu = true;
  }

  const device_info& info() const noexcept override { return info_; }
  result<void> open() override { return {}; }

  result<std::unique_ptr<device_buffer>> allocate(std::uint64_t bytes, memory_place) override {
    if (bytes > info_.limits.buffer_bytes_max || !std::in_range<std::ptrdiff_t>(bytes))
      return compute_error(errc::too_large, "cpu:0: a buffer of " + std::to_string(bytes) +
                                                " bytes is more than there are addresses for");
    void* data = ::operator new(static_cast<std::size_t>(std::max<std::uint64_t>(bytes, 1)),
                                std::align_val_t(cpu_memory_alignment), std::nothrow);
    if (data == nullptr)
      return compute_error(errc::no_memory,
                           "cpu:0: no memory for a buffer of " + std::to_string(bytes) + " bytes");
    return std::unique_ptr<device_buffer>(
        new cpu_buffer(static_cast<std::byte*>(data), bytes, false));
  }

  result<std::unique_ptr<device_buffer>> import(std::span<std::byte> memory,
                                                memory_access) override {
    return std::unique_ptr<device_buffer>(new cpu_buffer(memory.data(), memory.size(), true));
  }

  result<std::unique_ptr<kernel>> compile(const kernel_source& source,
                                          const kernel_constants& constants) override {
    if (source.cpu == nullptr)
      return compute_error(errc::unsupported, "cpu:0: kernel '" + std::string(source.name) +
                                                  "' was not written for it");
    return std::unique_ptr<kernel>(new cpu_kernel(source, constants));
  }

  result<std::unique_ptr<device_queue>> make_queue() override {
    return std::unique_ptr<device_queue>(new cpu_queue(set_, options_));
  }

 private:
  isa set_;
  backend_options options_;
  device_info info_;
};

}  // namespace

std::unique_ptr<device> make_cpu_device(isa set, const backend_options& options) {
  return std::make_unique<cpu_device>(set, options);
}

result<std::vector<std::unique_ptr<device>>> cpu_devices(const backend_options& options) {
  std::vector<std::unique_ptr<device>> made;
  made.push_back(make_cpu_device(best_isa(), options));
  return made;
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
