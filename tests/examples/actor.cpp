// SPDX-License-Identifier: Apache-2.0
// An actor: a plain struct with a state, reached only by calls. It runs one call at a time, so it
// needs no lock, and the calls of one caller arrive in order.
#include <beamlet/beamlet.hpp>

#include <iostream>
#include <string>
#include <vector>

// [account]
struct account {
  explicit account(std::string owner) : owner_(std::move(owner)) {}

  void deposit(long cents) { balance_ += cents; }
  beamlet::result<long> withdraw(long cents) {
    if (cents > balance_)
      return beamlet::error(beamlet::errc::user_error, beamlet::error_layer::user,
                            {owner_ + " has only " + std::to_string(balance_), "", "", ""});
    return balance_ -= cents;
  }
  long balance() const { return balance_; }

 private:
  std::string owner_;
  long balance_ = 0;
};
// [/account]

int main() {
  auto rt = beamlet::runtime::start().value();
  // [calls]
  auto ada = rt.actor<account>().options({.name = "ada"}).remote("Ada");
  for (int i = 0; i < 100; ++i) ada.send(&account::deposit, 10);  // wants no answer
  beamlet::ref<long> left = ada.call(&account::withdraw, 300);
  beamlet::ref<long> refused = ada.call(&account::withdraw, 10'000);

  std::cout << "left: " << rt.get(left).value() << '\n';
  std::cout << "error: " << rt.get(refused).error().message() << '\n';
  // [/calls]

  // [by_name]
  // Handles are values: any thread or task may hold one, or find the actor by its name.
  auto payday = [](long cents) -> beamlet::result<void> {
    BEAMLET_TRY(auto found, beamlet::this_task::runtime().get_actor<account>("ada"));
    found.send(&account::deposit, cents);
    return {};
  };
  rt.get(rt.task(payday).remote(500)).value();
  std::cout << "after payday: " << rt.get(ada.call(&account::balance)).value() << '\n';
  // [/by_name]
}
