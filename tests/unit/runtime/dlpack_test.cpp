// SPDX-License-Identifier: Apache-2.0
#include <beamlet/runtime/dlpack.hpp>

#include <limits>
#include <numeric>
#include <vector>

#include "tests/unit/runtime/support.hpp"

namespace dlpack_cases {

using namespace runtime_test;

namespace {
/// A tensor of another library, which counts how often it is deleted.
template <class Managed>
struct theirs {
  theirs() {
    std::iota(std::begin(numbers), std::end(numbers), 0.0f);
    managed.tensor = {numbers, {dlpack::device_cpu, 0}, 2, {2, 32, 1}, shape, nullptr, 0};
    managed.manager = this;
    managed.deleter = [](Managed* self) { ++static_cast<theirs*>(self->manager)->deleted; };
    if constexpr (requires { managed.major; }) managed.major = 1;
  }
  dlpack::tensor& tensor() { return managed.tensor; }
  alignas(64) float numbers[12];
  std::int64_t shape[9] = {3, 4, 1, 1, 1, 1, 1, 1, 1}, strides[2] = {4, 1};
  Managed managed{};
  int deleted = 0;
};
using theirs_old = theirs<dlpack::managed>;
using theirs_versioned = theirs<dlpack::managed_versioned>;

tensor counted(const dimensions& shape) {
  auto builder = *tensor_builder<float>::make(shape);
  std::iota(builder.values().begin(), builder.values().end(), 0.0f);
  return std::move(builder).freeze();
}
}  // namespace

TEST_CASE("an exported tensor is the same memory and says what it is") {
  tensor t = *counted({4, 3}).slice(1, 1, 2);
  auto* out = *export_dlpack(t);
  CHECK(out->major == 1);
  CHECK(out->flags == dlpack::flag_read_only);
  CHECK(out->tensor.data == t.data());
  CHECK(out->tensor.byte_offset == 0);
  CHECK(out->tensor.device.type == dlpack::device_cpu);
  CHECK(out->tensor.ndim == 2);
  CHECK(out->tensor.dtype.code == 2);
  CHECK(out->tensor.dtype.bits == 32);
  CHECK(out->tensor.dtype.lanes == 1);
  CHECK(out->tensor.shape[1] == 2);
  CHECK(out->tensor.strides[0] == 3);
  t = tensor();  // the export keeps the memory
  CHECK(static_cast<float*>(out->tensor.data)[3] == 4.0f);
  out->deleter(out);
}

TEST_CASE("what is exported comes back by import, and all memory is let go") {
  tensor t = *counted({4, 3}).permuted({1, 0});
  for (auto again : {import_dlpack(*export_dlpack(t)), import_dlpack(*export_dlpack_unversioned(t)),
                     import_dlpack(*export_dlpack(*t.slice(1, 3, 4, -1)))}) {
    REQUIRE(again.has_value());
    CHECK(again->shape() == t.shape());
    CHECK(again->type() == t.type());
  }
  auto again = import_dlpack(*export_dlpack(t));
  CHECK(again->data() == t.data());
  CHECK(again->strides() == t.strides());
  auto backwards = import_dlpack(*export_dlpack(*t.slice(1, 3, 4, -1)));
  CHECK((*backwards->contiguous()->view<float>())[0] == 9.0f);
  CHECK(import_dlpack(*export_dlpack(tensor()))->elements() == 0);
}

TEST_CASE("an imported tensor keeps its library's until the last use of it") {
  theirs_old from;
  {
    tensor part;
    {
      auto all = import_dlpack(&from.managed);
      REQUIRE(all.has_value());
      CHECK(all->data() == reinterpret_cast<std::byte*>(from.numbers));
      CHECK(all->strides() == dimensions{4, 1});
      part = *all->at(1);
    }
    CHECK(from.deleted == 0);
    CHECK((*part.view<float>())[0] == 4.0f);
  }
  CHECK(from.deleted == 1);
  theirs_versioned undeleted;
  undeleted.managed.deleter = nullptr;
  CHECK(import_dlpack(&undeleted.managed).has_value());
}

TEST_CASE("strides and a byte offset are taken") {
  theirs_versioned from;
  from.strides[0] = -4, from.strides[1] = 2;
  from.shape[1] = 2;
  from.tensor().strides = from.strides;
  from.tensor().byte_offset = 8 * sizeof(float);
  auto t = import_dlpack(&from.managed);
  REQUIRE(t.has_value());
  auto view = *t->contiguous();
  const auto values = *view.view<float>();
  CHECK(std::vector<float>(values.begin(), values.end()) == std::vector<float>{8, 10, 4, 6, 0, 2});
}

TEST_CASE("what cannot be imported is refused and stays its library's") {
  constexpr std::int64_t top = std::numeric_limits<std::int64_t>::max();
  auto refused = [](auto change) {
    theirs_versioned from;
    change(from, from.tensor());
    const errc code = code_of(import_dlpack(&from.managed));
    CHECK(from.deleted == 0);
    return code;
  };
  CHECK(refused([](auto&, auto& t) { t.device.type = 2; }) == errc::unsupported);
  CHECK(refused([](auto&, auto& t) { t.dtype.lanes = 4; }) == errc::unsupported);
  CHECK(refused([](auto&, auto& t) { t.dtype = {5, 64, 1}; }) == errc::unsupported);
  CHECK(refused([](auto&, auto& t) { t.dtype = {0, 4, 1}; }) == errc::unsupported);
  CHECK(refused([](auto& f, auto&) { f.managed.major = 2; }) == errc::unsupported);
  CHECK(refused([](auto& f, auto&) { f.managed.major = 0; }) == errc::unsupported);
  CHECK(refused([](auto&, auto& t) { t.ndim = -1; }) == errc::invalid_argument);
  CHECK(refused([](auto&, auto& t) { t.ndim = 9; }) == errc::too_large);
  CHECK(refused([](auto&, auto& t) { t.shape = nullptr; }) == errc::invalid_argument);
  CHECK(refused([](auto&, auto& t) { t.data = nullptr; }) == errc::invalid_argument);
  CHECK(refused([](auto&, auto& t) { t.byte_offset = 2; }) == errc::invalid_argument);
  CHECK(refused([](auto&, auto& t) { t.byte_offset = ~std::uint64_t{0}; }) == errc::too_large);
  CHECK(refused([](auto& f, auto&) { f.shape[0] = -3; }) == errc::invalid_argument);
  CHECK(refused([](auto& f, auto&) { f.shape[0] = top; }) == errc::too_large);
  CHECK(refused([](auto& f, auto& t) {
          f.strides[0] = top / 2;
          t.strides = f.strides;
        }) == errc::too_large);
  CHECK(refused([](auto& f, auto& t) {  // below address 0
          f.strides[0] = -(top / 8);
          f.shape[0] = 2;
          t.strides = f.strides;
        }) == errc::too_large);
  CHECK(code_of(import_dlpack(static_cast<dlpack::managed*>(nullptr))) == errc::invalid_argument);
}

// The declarations of <dlpack/dlpack.h> 1.0, as a program would have them beside ours.
namespace {
extern "C" {
typedef enum : std::int32_t { kDLCPU = 1 } DLDeviceType;
typedef struct {
  DLDeviceType device_type;
  std::int32_t device_id;
} DLDevice;
typedef struct {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
} DLDataType;
typedef struct {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
} DLTensor;
typedef struct {
  std::uint32_t major;
  std::uint32_t minor;
} DLPackVersion;
struct DLManagedTensorVersioned {
  DLPackVersion version;
  void* manager_ctx;
  void (*deleter)(struct DLManagedTensorVersioned* self);
  std::uint64_t flags;
  DLTensor dl_tensor;
};
}
}  // namespace

TEST_CASE("the structs lie in memory as DLPack's do") {
  using ours = dlpack::managed_versioned;
  static_assert(sizeof(DLManagedTensorVersioned) == sizeof(ours));
  static_assert(offsetof(DLManagedTensorVersioned, flags) == offsetof(ours, flags));
  static_assert(offsetof(DLManagedTensorVersioned, dl_tensor) == offsetof(ours, tensor));
  static_assert(offsetof(DLTensor, byte_offset) == offsetof(dlpack::tensor, byte_offset));
  static_assert(offsetof(DLTensor, dtype) == offsetof(dlpack::tensor, dtype));
  static_assert(sizeof(DLTensor) == sizeof(dlpack::tensor));
  auto* out = reinterpret_cast<DLManagedTensorVersioned*>(*export_dlpack(counted({2, 3})));
  CHECK(out->dl_tensor.shape[1] == 3);
  CHECK(out->dl_tensor.device.device_type == kDLCPU);
  // As ours: clang's sanitizer wants a function's very type.
  auto* mine = reinterpret_cast<ours*>(out);
  mine->deleter(mine);
}

}  // namespace dlpack_cases
