// SPDX-License-Identifier: Apache-2.0

// What a program is taken to use already: libstdc++ with throw, thread and unordered_map, and a
// loop of libuv. Always compiled with exceptions, as the rest of such a program is.

#include <uv.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>

using word_map = std::unordered_map<std::string, int>;

int use_the_given() {
  word_map words{{"one", 1}};
  std::thread([&] { words["two"] = 2; }).join();
  uv_loop_t loop;
  uv_loop_init(&loop);
  uv_timer_t timer;
  uv_timer_init(&loop, &timer);
  timer.data = &words;
  auto fire = [](uv_timer_t* t) {
    (*static_cast<word_map*>(t->data))["three"] = 3;
    uv_close(reinterpret_cast<uv_handle_t*>(t), nullptr);
  };
  uv_timer_start(&timer, fire, 1, 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
  try {
    if (words.size() == 3) throw std::runtime_error("three");
  } catch (const std::exception&) {
    return 3;
  }
  return 0;
}
