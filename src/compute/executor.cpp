// SPDX-License-Identifier: Apache-2.0
#include "compute/executor.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "compute/errors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {
// So many free buffers stay for the next plan; a device's memory is not hoarded.
constexpr std::size_t scratch_kept_max = 8;
}  // namespace

result<std::unique_ptr<executor>> executor::make(device& on) {
  BEAMLET_TRY(auto queue, on.make_queue());
  return std::unique_ptr<executor>(new executor(on, std::move(queue)));
}

result<const kernel*> executor::find(const kernel_source& source,
                                     const kernel_constants& constants) {
  for (const auto& [known, took_ns] : kernels_)
    if (&known->source() == &source && known->constants() == constants) return known.get();
  const auto since = std::chrono::steady_clock::now();
  BEAMLET_TRY(auto made, device_->compile(source, constants));
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - since;
  kernels_.push_back({std::move(made), static_cast<std::uint64_t>(took.count())});
  return kernels_.back().what.get();
}

result<std::unique_ptr<device_buffer>> executor::allocate(std::uint64_t bytes, memory_place place) {
  for (;;) {
    auto made = device_->allocate(bytes, place);
    if (made.has_value() || made.error() != errc::no_memory) return made;
    const auto is_free = [](const scratch_buffer& one) { return one.ticket == 0; };
    if (std::erase_if(scratch_, is_free) == 0 && !(make_room_ && make_room_())) return made;
  }
}

result<device_buffer*> executor::lend(std::uint64_t bytes) {
  scratch_buffer* best = nullptr;
  for (scratch_buffer& one : scratch_)
    if (one.ticket == 0 && one.memory->bytes() >= bytes &&
        (best == nullptr || one.memory->bytes() < best->memory->bytes()))
      best = &one;
  if (best == nullptr) {
    BEAMLET_TRY(auto made, allocate(bytes, memory_place::device));
    scratch_.push_back({std::move(made), 0});
    best = &scratch_.back();
  }
  best->ticket = submitted_ + 1;
  return best->memory.get();
}

result<void> executor::record(const plan& what, std::span<device_buffer* const> memory) {
  std::vector<device_buffer*> scratch;
  for (std::uint64_t bytes : what.scratch_bytes) {
    BEAMLET_TRY(auto* lent, lend(bytes));
    scratch.push_back(lent);
  }
  for (const planned_launch& one : what.launches) {
    BEAMLET_TRY(const kernel* compiled, find(*one.what, one.constants));
    std::array<binding, planned_launch::bindings_max> bindings;
    for (std::size_t i = 0; i < one.binding_count; ++i) {
      const planned_binding& from = one.bindings[i];
      device_buffer* in =
          from.memory.is_scratch ? scratch[from.memory.index] : memory[from.memory.index];
      bindings[i] = {in, from.offset, from.bytes};
    }
    BEAMLET_TRY_VOID(queue_->launch(
        *compiled, {.bindings = std::span(bindings).first(one.binding_count),
                    .parameters = std::span(one.parameters).first(one.parameter_bytes),
                    .groups = one.groups}));
  }
  return {};
}

result<std::uint64_t> executor::submit() {
  BEAMLET_TRY(submitted_, queue_->submit());
  return submitted_;
}

result<void> executor::wait(std::uint64_t ticket, base::time_ns timeout_ns) {
  BEAMLET_TRY_VOID(queue_->wait(ticket, timeout_ns));
  finished_ = std::max(finished_, ticket);
  std::size_t kept = 0;
  std::erase_if(scratch_, [&](scratch_buffer& one) {
    if (one.ticket > ticket) return false;
    one.ticket = 0;
    return ++kept > scratch_kept_max;
  });
  return {};
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
