// SPDX-License-Identifier: Apache-2.0
// A camera is faster than what looks at its frames. The viewer's mailbox keeps the newest frame
// only: the viewer never falls behind, and each frame that it missed says so.
#include <beamlet/beamlet.hpp>

#include <iostream>
#include <vector>

struct frame {
  int number = 0;
  std::vector<unsigned char> pixels;
};

frame take_picture(int number) {
  frame taken{number, std::vector<unsigned char>(640 * 480)};
  unsigned noise = static_cast<unsigned>(number);
  for (unsigned char& p : taken.pixels)
    p = static_cast<unsigned char>((noise = noise * 69069 + 1) >> 24);
  return taken;
}

// [viewer]
struct viewer {
  int look(const frame& f) {
    long sum = 0;
    for (int again = 0; again < 20; ++again)  // slower than the camera
      for (unsigned char p : f.pixels) sum += p;
    brightness_ = sum;
    return f.number;
  }

 private:
  long brightness_ = 0;
};
// [/viewer]

int main() {
  auto rt = beamlet::runtime::start({.workers = 2}).value();
  // [camera]
  auto screen =
      rt.actor<viewer>()
          .options({.mailbox_capacity = 1, .mailbox_policy = beamlet::mailbox_policy::keep_latest})
          .remote();
  constexpr int frames = 500;
  std::vector<beamlet::ref<int>> seen;
  for (int n = 1; n <= frames; ++n) seen.push_back(screen.call(&viewer::look, take_picture(n)));

  int shown = 0, dropped = 0, last = 0;
  for (auto& s : seen) {
    beamlet::result<int> number = rt.get(s);
    if (number) ++shown, last = *number;
    else if (number.error().code() == beamlet::errc::dropped) ++dropped;
  }
  // [/camera]
  std::cout << shown << " shown, " << dropped << " dropped, the last shown is " << last << '\n';
  return shown + dropped == frames && last == frames ? 0 : 1;
}
