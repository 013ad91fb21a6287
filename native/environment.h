// What the addon keeps for each JavaScript environment (the main thread and every worker has its own): the classifiers
// whose threads must be joined before it goes.
#pragma once

#include <set>

#include "napi_setup.h"

namespace covidct {

class Executor;

class Environment {
 public:
  // Makes the environment's record and joins all threads when the environment ends.
  static void install(Napi::Env env);
  static Environment& of(Napi::Env env);

  // Ends and joins every classifier's thread. Called when the environment ends and, because Node then runs no hooks on
  // the main thread, from process.on('exit').
  void join_all();

  void add(Executor* executor) { executors_.insert(executor); }
  void remove(Executor* executor) { executors_.erase(executor); }

 private:
  std::set<Executor*> executors_;
};

}  // namespace covidct
