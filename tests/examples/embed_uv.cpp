// SPDX-License-Identifier: Apache-2.0
// Beamlet inside a program that has a libuv loop already. The loop stays the program's: Beamlet
// adds two handles to it, never runs it, and with `workers = 0` runs the tasks on the loop's thread
// too, so that the program has no second thread. The thread that starts the runtime must be the
// loop's.
#include <beamlet/beamlet.hpp>

#include <uv.h>
#include <cstdlib>
#include <iostream>
#include <string>

namespace {

long square(long n) { return n * n; }

struct program {
  uv_timer_t ticker;
  uv_async_t answered;  // uv_async_send may be called from any thread
  int ticks = 0;
  long sum = 0;
};

void on_tick(uv_timer_t* timer) { ++static_cast<program*>(timer->data)->ticks; }

// Everything is there: with its handles closed, nothing keeps the loop running.
void on_answer(uv_async_t* answered) {
  auto& mine = *static_cast<program*>(answered->data);
  uv_close(reinterpret_cast<uv_handle_t*>(&mine.ticker), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(answered), nullptr);
}

int run(unsigned workers) {
  // [embed]
  uv_loop_t loop;
  uv_loop_init(&loop);
  program mine;
  uv_timer_init(&loop, &mine.ticker);
  mine.ticker.data = &mine;
  uv_timer_start(&mine.ticker, on_tick, 0, 1);
  uv_async_init(&loop, &mine.answered, on_answer);
  mine.answered.data = &mine;

  auto rt = beamlet::runtime::start({.workers = workers, .uv_loop = &loop}).value();
  std::vector<beamlet::ref<long>> squares;
  for (long n = 1; n <= 100; ++n) squares.push_back(rt.task(square).remote(n));
  // The loop's thread must not wait in `get` for what only the loop can run: a task collects.
  auto all = rt.task([](std::vector<beamlet::ref<long>> refs) -> beamlet::async<long> {
                 long sum = 0;
                 for (auto& r : refs) sum += co_await r;
                 co_return sum;
               }).remote(squares);
  rt.on_ready(all, [&mine](beamlet::result<long> sum) {
    mine.sum = sum.value_or(-1);
    uv_async_send(&mine.answered);
  });
  uv_run(&loop, UV_RUN_DEFAULT);  // the program's own loop, until nothing is left to do

  rt.stop().value();
  uv_run(&loop, UV_RUN_DEFAULT);  // once more: it closes Beamlet's two handles
  int open = uv_loop_close(&loop);
  // [/embed]
  std::cout << workers << " workers: the sum is " << mine.sum << ", the program's timer ran "
            << (mine.ticks > 0 ? "too" : "never") << ", the loop closed "
            << (open == 0 ? "clean" : uv_strerror(open)) << '\n';
  return mine.sum == 338'350 && mine.ticks > 0 && open == 0 ? 0 : 1;
}

}  // namespace

int main() { return run(0) + run(2); }
