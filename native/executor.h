// One classifier's thread and its queue: a promise in, a promise out, close and join. The event loop never waits for
// it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "errors.h"

namespace covidct {

class Executor : public std::enable_shared_from_this<Executor> {
 public:
  // Runs on the JavaScript thread and makes the value the promise resolves with.
  using Resolve = std::function<Napi::Value(Napi::Env)>;
  // Runs on the classifier's thread.
  using Work = std::function<Resolve()>;

  // `at_end` runs last on the thread, to free what lives there.
  static std::shared_ptr<Executor> start(Napi::Env env, std::function<void()> at_begin, std::function<void()> at_end);
  ~Executor();

  // When a job runs.
  enum class Turn {
    kAhead,    // before every queued job that is not
    kInOrder,  // after those that were submitted before
    kUnheld,   // the same, but not while there is a hold: it waits with all that is behind it, and only kAhead passes
    kAside,    // the same, but during a hold it lets those behind it pass, and runs when the hold ends
  };
  // `owner` is kept alive until the promise is settled.
  Napi::Promise submit(Napi::Env env, const Napi::Object& owner, Turn turn, Work work);
  // Holds until the result is destroyed, in whatever thread; at most one at a time, and none may outlive the thread's
  // `at_end`.
  std::shared_ptr<void> hold();
  // Takes no more work, rejects what is queued, ends the running job at the next layer. Does not wait.
  void close(Napi::Env env);
  // The same and waits; for the end of the environment, where promises are not settled any more.
  void close_and_join();

  // True once closing: what long work looks at.
  const std::atomic<bool>& stopping() const { return stopping_; }

 private:
  struct Job {
    Napi::Promise::Deferred deferred;
    Napi::ObjectReference owner;
    Work work;
    Turn turn;
    Resolve resolve;
    std::optional<Failure> failure;
  };
  using JobPointer = std::unique_ptr<Job>;

  Executor(std::function<void()> at_begin, std::function<void()> at_end);
  void open_channel(Napi::Env env);
  void loop();
  // Whether the front of the queue may run. The mutex is held.
  bool has_next();
  void release();
  void run(Job& job);
  void settle_finished(Napi::Env env);
  void settle(Napi::Env env, Job& job);
  void reject_queued(Napi::Env env);
  void count(Napi::Env env, int change);
  void finish(Napi::Env env);

  std::function<void()> at_begin_, at_end_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<JobPointer> queue_;
  std::deque<JobPointer> aside_;  // of a hold
  std::deque<JobPointer> finished_;
  bool held_ = false;
  bool ended_ = false;
  std::thread thread_;

  // JavaScript thread only.
  napi_threadsafe_function channel_ = nullptr;
  int pending_ = 0;
  std::shared_ptr<Executor> self_;  // keeps this alive until the thread has ended
};

}  // namespace covidct
