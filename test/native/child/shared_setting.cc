// Exercises SharedSetting without LibTorch; prints one line for each thing that happened.
#include "core/runtime/shared_setting.h"

#include <iostream>
#include <thread>

int main() {
  using std::chrono::milliseconds;
  covidct::SharedSetting setting([](bool value) { std::cout << "set " << value << std::endl; });
  const auto join = [&](bool value, int patience) {
    const bool joined = setting.join(value, milliseconds(patience));
    std::cout << (value ? "true" : "false") << (joined ? ": joined" : ": refused") << std::endl;
  };
  join(true, 0);
  join(true, 0);
  join(false, 20);
  setting.leave();
  join(false, 20);
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(100));
    setting.leave();
  });
  join(false, 20'000);
  later.join();
  join(false, 0);
  setting.leave();
  setting.leave();
  join(false, 0);
}
