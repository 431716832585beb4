// SPDX-License-Identifier: Apache-2.0
// A listener that ends the program when one test case takes for ever, so that a hang has a name.
#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace watchdog_cases {

namespace {

constexpr auto longest_case = std::chrono::minutes(5);

class watchdog : public doctest::IReporter {
 public:
  explicit watchdog(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_start(const doctest::TestCaseData& data) override {
    over_ = false;
    thread_ = std::thread([this, name = data.m_name] {
      std::unique_lock hold(lock_);
      if (changed_.wait_for(hold, longest_case, [this] { return over_; })) return;
      std::fprintf(stderr, "watchdog: the test case hangs: %s\n", name);
      std::abort();
    });
  }
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {
    {
      std::lock_guard hold(lock_);
      over_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  std::thread thread_;
  bool over_ = false;
};

DOCTEST_REGISTER_LISTENER("watchdog", 1, watchdog);

}  // namespace

}  // namespace watchdog_cases
