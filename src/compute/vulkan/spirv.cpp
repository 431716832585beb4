// SPDX-License-Identifier: Apache-2.0
#include "compute/vulkan/spirv.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "compute/errors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

constexpr std::uint32_t spirv_magic = 0x07230203, spirv_version_max = 0x00010300;
constexpr std::size_t spirv_header_words = 5;
constexpr std::uint32_t bindings_of_mask = 64;

enum spirv_opcode : std::uint32_t {
  op_entry_point = 15,
  op_capability = 17,
  op_type_pointer = 32,
  op_variable = 59,
  op_decorate = 71,
  op_member_decorate = 72,
};
enum spirv_decoration : std::uint32_t {
  decoration_non_writable = 24,
  decoration_binding = 33,
  decoration_descriptor_set = 34,
};
constexpr std::uint32_t model_gl_compute = 5;

error spirv_fault(std::string what) {
  return compute_error(errc::invalid_argument, "SPIR-V: " + std::move(what));
}

using spirv_words = std::span<const std::uint32_t>;

// An entry point's name: bytes in words of the machine, ended by a zero.
bool is_main(spirv_words name) {
  return name.size() >= 2 && name[0] == 0x6e69616d && (name[1] & 0xff) == 0;  // "main"
}

// Reads one instruction after the other.
class spirv_reader {
 public:
  result<spirv_facts> read(spirv_words words) {
    if (words.size() < spirv_header_words) return spirv_fault("no header");
    if (words[0] != spirv_magic) return spirv_fault("it does not begin with the magic number");
    if (words[1] > spirv_version_max) return spirv_fault("newer than version 1.3");
    ids_ = words[3];
    for (std::size_t at = spirv_header_words; at < words.size();) {
      const std::size_t count = words[at] >> 16;
      if (count == 0 || count > words.size() - at)
        return spirv_fault("cut off in the instruction at word " + std::to_string(at));
      BEAMLET_TRY_VOID(take(words[at] & 0xffff, words.subspan(at + 1, count - 1)));
      at += count;
    }
    if (!has_entry_) return spirv_fault("it has no compute kernel called \"main\"");
    return finish();
  }

 private:
  struct decorated {
    std::uint32_t id, value;
  };

  result<void> take(std::uint32_t opcode, spirv_words operands) {
    switch (opcode) {
      case op_capability:
        if (operands.size() != 1) return spirv_fault("a capability of no name");
        facts_.capabilities.push_back(operands[0]);
        break;
      case op_entry_point:
        if (operands.size() < 4) return spirv_fault("a cut-off entry point");
        has_entry_ |= operands[0] == model_gl_compute && is_main(operands.subspan(2));
        break;
      case op_decorate: return decorate(operands);
      case op_member_decorate:
        // glslang says it of the members of the block, of which a buffer has one.
        if (operands.size() >= 3 && operands[2] == decoration_non_writable)
          constant_structs_.push_back(operands[0]);
        break;
      case op_type_pointer:
        if (operands.size() == 3) pointers_.push_back({operands[0], operands[2]});
        break;
      case op_variable:
        if (operands.size() >= 3) variables_.push_back({operands[1], operands[0]});
        break;
      default: break;
    }
    return {};
  }

  result<void> decorate(spirv_words operands) {
    if (operands.size() < 2 || operands[0] >= ids_) return spirv_fault("a decoration of nothing");
    const std::uint32_t id = operands[0];
    if (operands[1] == decoration_non_writable) constant_variables_.push_back(id);
    if (operands[1] != decoration_binding && operands[1] != decoration_descriptor_set) return {};
    if (operands.size() != 3) return spirv_fault("a binding of no number");
    if (operands[1] == decoration_descriptor_set) {
      if (operands[2] != 0) return spirv_fault("its buffers have to be of set 0");
      return {};
    }
    if (operands[2] >= bindings_of_mask)
      return spirv_fault("it has a binding " + std::to_string(operands[2]));
    bindings_.push_back({id, operands[2]});
    return {};
  }

  static const decorated* find(const std::vector<decorated>& in, std::uint32_t id) {
    for (const decorated& one : in)
      if (one.id == id) return &one;
    return nullptr;
  }
  static bool has(const std::vector<std::uint32_t>& ids, std::uint32_t id) {
    for (std::uint32_t one : ids)
      if (one == id) return true;
    return false;
  }

  result<spirv_facts> finish() {
    for (const decorated& binding : bindings_) {
      facts_.bindings = std::max(facts_.bindings, binding.value + 1);
      const decorated* variable = find(variables_, binding.id);
      const decorated* pointer = variable ? find(pointers_, variable->value) : nullptr;
      const bool is_constant = has(constant_variables_, binding.id) ||
                               (pointer != nullptr && has(constant_structs_, pointer->value));
      (is_constant ? facts_.read_only : written_) |= std::uint64_t{1} << binding.value;
    }
    facts_.read_only &= ~written_;  // a binding may be two variables
    return std::move(facts_);
  }

  spirv_facts facts_;
  std::uint32_t ids_ = 0;
  std::uint64_t written_ = 0;
  bool has_entry_ = false;
  std::vector<decorated> bindings_, pointers_, variables_;
  std::vector<std::uint32_t> constant_variables_, constant_structs_;
};

}  // namespace

result<spirv_facts> read_spirv(std::span<const std::uint32_t> words) {
  return spirv_reader().read(words);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
