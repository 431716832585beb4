// SPDX-License-Identifier: Apache-2.0
// What every backend promises in src/compute/backend.hpp of memory.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "tests/conformance/compute/backend_kernels.hpp"

namespace {
using namespace conformance;

// Pages of a file, as the runtime's objects are.
class file_pages {
 public:
  file_pages(std::size_t bytes, int protection) : bytes_(bytes) {
    char name[] = "/tmp/beamlet-pages-XXXXXX";
    const int file = mkstemp(name);
    REQUIRE(file >= 0);
    unlink(name);
    REQUIRE(ftruncate(file, static_cast<off_t>(bytes)) == 0);
    data_ = mmap(nullptr, bytes, protection, MAP_SHARED, file, 0);
    writable_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    REQUIRE(data_ != MAP_FAILED);
    REQUIRE(writable_ != MAP_FAILED);
  }
  ~file_pages() {
    munmap(data_, bytes_);
    munmap(writable_, bytes_);
  }
  file_pages(const file_pages&) = delete;
  file_pages& operator=(const file_pages&) = delete;

  std::span<std::byte> memory() const { return {static_cast<std::byte*>(data_), bytes_}; }
  // Another view of the same pages, to write what memory() may only read.
  volatile float* numbers() const { return static_cast<float*>(writable_); }

 private:
  std::size_t bytes_;
  void *data_, *writable_;
};

std::size_t import_bytes(const device& on, std::size_t least) {
  const auto alignment = static_cast<std::size_t>(on.info().limits.import_alignment);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t unit = std::max(alignment, page);
  return (least + unit - 1) / unit * unit;
}

// -- memory

ON_EVERY_BACKEND("buffers hold what was written, of any size") {
  on_each_device<Backend>([](device& on) {
    for (std::size_t size : {1, 3, 64, 4095, 4097, 1'000'003}) {
      std::vector<std::uint8_t> bytes(size);
      for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + 1);
      auto buffer = put(on, bytes);
      CHECK(buffer->bytes() == size);
      CHECK(buffer->is_mappable());
      CHECK_FALSE(buffer->is_imported());
      CHECK(get<std::uint8_t>(*buffer) == bytes);
      auto at = buffer->map(memory_access::read_write, long_ns);
      REQUIRE(at.has_value());
      (*at)[size - 1] = std::byte{99};
      REQUIRE(buffer->unmap().has_value());
      bytes[size - 1] = 99;
      CHECK(get<std::uint8_t>(*buffer) == bytes);
    }
  });
}

ON_EVERY_BACKEND("a copy moves a part from any place to any place, and no byte beside it") {
  on_each_device<Backend>([](device& on) {
    std::vector<std::uint8_t> source(300), expected(300, 0xee);
    for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<std::uint8_t>(i);
    auto from = put(on, source), to = put(on, expected);
    auto between = on.allocate(300, memory_place::device);
    REQUIRE(between.has_value());
    const worker work(on);
    REQUIRE(work.queue->copy(all_of(*from), all_of(**between)).has_value());
    const struct {
      std::uint32_t from, to, bytes;
    } parts[] = {{0, 0, 8}, {4, 16, 64}, {100, 200, 100}, {296, 100, 4}};
    for (const auto& part : parts) {
      const binding there{to.get(), part.to, part.bytes};
      REQUIRE(work.queue->copy({between->get(), part.from, part.bytes}, there).has_value());
      std::copy_n(source.begin() + part.from, part.bytes, expected.begin() + part.to);
    }
    work.finish();
    CHECK(get<std::uint8_t>(*to) == expected);
  });
}

ON_EVERY_BACKEND("a buffer that no device has is too large") {
  on_each_device<Backend>([](device& on) {
    const std::uint64_t most = on.info().limits.buffer_bytes_max;
    for (std::uint64_t bytes : {most + 1, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
      auto made = on.allocate(bytes, memory_place::device);
      REQUIRE_FALSE(made.has_value());
      CHECK(made.error().code() == errc::too_large);
      CHECK(made.error().message().find(on.info().id()) != std::string::npos);
    }
  });
}

ON_EVERY_BACKEND("buffers come and go") {
  on_each_device<Backend>([](device& on) {
    for (int round = 0; round < 200; ++round) {
      auto host = on.allocate(1 << 20, memory_place::host);
      auto far = on.allocate(1 << 20, memory_place::device);
      REQUIRE(host.has_value());
      REQUIRE(far.has_value());
    }
  });
}

ON_EVERY_BACKEND("imported memory is worked in, and never copied") {
  on_each_device<Backend>([](device& on) {
    if (on.info().limits.import_alignment == 0) {
      file_pages pages(import_bytes(on, 1), PROT_READ | PROT_WRITE);
      CHECK(on.import(pages.memory(), memory_access::read_write).error().code() ==
            errc::unsupported);
      MESSAGE("SKIPPED on " << on.info().id() << ": it imports no memory");
      return;
    }
    const std::size_t bytes = import_bytes(on, 10'000), count = bytes / sizeof(float);
    file_pages in(bytes, PROT_READ | PROT_WRITE), out(bytes, PROT_READ | PROT_WRITE);
    auto x = on.import(in.memory(), memory_access::read_write);
    auto y = on.import(out.memory(), memory_access::read_write);
    REQUIRE_MESSAGE(x.has_value(), x.error().describe());
    REQUIRE_MESSAGE(y.has_value(), y.error().describe());
    CHECK((*x)->is_imported());
    CHECK((*x)->bytes() == bytes);
    // Written after the import, past the driver; the second round past its caches, too.
    const worker work(on);
    auto scale = work.compile(scale_kernel, 1);
    for (float round : {1.0f, 2.0f}) {
      for (std::size_t i = 0; i < count; ++i) in.numbers()[i] = round * static_cast<float>(i);
      const scale_parameters p{static_cast<std::uint32_t>(count), 2, 1};
      work.launch(*scale, {all_of(**x), all_of(**y)}, bytes_of(p),
                  {static_cast<std::uint32_t>(count), 1, 1});
      work.finish();
      bool same = true;
      for (std::size_t i = 0; i < count; ++i)
        same &= out.numbers()[i] == 2 * round * static_cast<float>(i) + 1;
      CHECK_MESSAGE(same, "the result is not at the program's address");
    }
    auto mapped = (*y)->map(memory_access::read, long_ns);
    REQUIRE(mapped.has_value());
    CHECK(*mapped == out.memory().data());
    REQUIRE((*y)->unmap().has_value());
  });
}

ON_EVERY_BACKEND("memory that may only be read is imported for reading, or refused") {
  on_each_device<Backend>([](device& on) {
    if (on.info().limits.import_alignment == 0) return;
    const std::size_t bytes = import_bytes(on, 1), count = bytes / sizeof(float);
    file_pages in(bytes, PROT_READ);
    in.numbers()[count - 1] = 20;
    auto x = on.import(in.memory(), memory_access::read);
    if (!x.has_value()) {
      CHECK(x.error().code() == errc::unsupported);
      MESSAGE(on.info().id() << " imports no read-only memory: " << x.error().message());
      return;
    }
    in.numbers()[count - 1] = 21;
    auto y = put(on, std::vector<float>(count));
    const worker work(on);
    auto scale = work.compile(scale_kernel, 1);
    const scale_parameters p{static_cast<std::uint32_t>(count), 2, 0};
    work.launch(*scale, {all_of(**x), all_of(*y)}, bytes_of(p),
                {static_cast<std::uint32_t>(count), 1, 1});
    work.finish();
    CHECK(get<float>(*y).back() == 42);
  });
}

}  // namespace
