#include "environment.h"

#include "executor.h"

namespace covidct {

void Environment::install(Napi::Env env) {
  auto* environment = new Environment();
  env.SetInstanceData<Environment>(environment);
  // Hooks run last in, first out, and before the instance data is freed: threads end while their channels still exist.
  env.AddCleanupHook([](Environment* each) { each->join_all(); }, environment);
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

void Environment::join_all() {
  const std::set<Executor*> executors = std::move(executors_);
  executors_.clear();
  for (Executor* executor : executors) executor->close_and_join();
}

}  // namespace covidct
