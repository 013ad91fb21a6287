#include "executor.h"

#include <iterator>

#include "environment.h"

namespace covidct {

namespace {

const Failure kDisposed{"ERR_DISPOSED", "the classifier was disposed"};

}  // namespace

Executor::Executor(std::function<void()> at_begin, std::function<void()> at_end)
    : at_begin_(std::move(at_begin)), at_end_(std::move(at_end)) {}

Executor::~Executor() {
  // finish() or close_and_join() ran before: the thread holds no reference to this, self_ did.
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<Executor> Executor::start(Napi::Env env, std::function<void()> at_begin, std::function<void()> at_end) {
  std::shared_ptr<Executor> executor(new Executor(std::move(at_begin), std::move(at_end)));
  executor->open_channel(env);
  executor->self_ = executor;
  Environment::of(env).add(executor.get());
  try {
    executor->thread_ = std::thread([raw = executor.get()] { raw->loop(); });
  } catch (const std::exception& error) {
    Environment::of(env).remove(executor.get());
    executor->close_and_join();
    throw Napi::Error::New(env, std::string("the classifier's thread could not be started: ") + error.what());
  }
  return executor;
}

void Executor::open_channel(Napi::Env env) {
  // The channel only says "look at finished_": whatever is not delivered stays in our hands.
  const auto on_call = [](napi_env raw_env, napi_value, void* context, void*) {
    if (raw_env == nullptr) return;
    const std::shared_ptr<Executor> self = static_cast<std::weak_ptr<Executor>*>(context)->lock();
    if (self && self->self_) self->settle_finished(Napi::Env(raw_env));
  };
  // Node delivers in portions: calls may still come after finish(), so the channel must not keep a bare pointer.
  const auto on_end = [](napi_env, void* weak, void*) { delete static_cast<std::weak_ptr<Executor>*>(weak); };
  auto weak = std::make_unique<std::weak_ptr<Executor>>(weak_from_this());
  const Napi::String name = Napi::String::New(env, "covidct-torch classifier");
  const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, weak.get(), on_end,
                                                             weak.get(), on_call, &channel_);
  if (status != napi_ok) throw Napi::Error::New(env, "the classifier's channel could not be made");
  weak.release();
  napi_unref_threadsafe_function(env, channel_);
}

Napi::Promise Executor::submit(Napi::Env env, const Napi::Object& owner, Turn turn, Work work) {
  JobPointer job(new Job{Napi::Promise::Deferred::New(env), Napi::Persistent(owner), std::move(work), turn, {}, {}});
  const Napi::Promise promise = job->deferred.Promise();
  if (stopping_) {
    job->deferred.Reject(to_js_error(env, kDisposed));
    return promise;
  }
  count(env, +1);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto position = queue_.end();
    if (turn == Turn::kAhead) {
      position = queue_.begin();
      while (position != queue_.end() && (*position)->turn == Turn::kAhead) ++position;
    }
    queue_.insert(position, std::move(job));
  }
  wake_.notify_one();
  return promise;
}

void Executor::close(Napi::Env env) {
  if (stopping_.exchange(true)) return;
  reject_queued(env);
  wake_.notify_one();
}

void Executor::close_and_join() {
  const std::shared_ptr<Executor> keep = std::move(self_);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  queue_.clear();
  aside_.clear();
  finished_.clear();
  if (channel_ != nullptr) napi_release_threadsafe_function(channel_, napi_tsfn_abort);
  channel_ = nullptr;
}

std::shared_ptr<void> Executor::hold() {
  std::shared_ptr<void> hold(this, [](void* executor) { static_cast<Executor*>(executor)->release(); });
  const std::lock_guard<std::mutex> lock(mutex_);
  held_ = true;
  return hold;
}

void Executor::release() {
  const std::lock_guard<std::mutex> lock(mutex_);
  held_ = false;
  queue_.insert(queue_.begin(), std::make_move_iterator(aside_.begin()), std::make_move_iterator(aside_.end()));
  aside_.clear();
  wake_.notify_one();
}

bool Executor::has_next() {
  while (held_ && !queue_.empty() && queue_.front()->turn == Turn::kAside) {
    aside_.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return !queue_.empty() && !(held_ && queue_.front()->turn == Turn::kUnheld);
}

void Executor::loop() {
  at_begin_();
  for (;;) {
    JobPointer job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || has_next(); });
      if (stopping_) break;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    run(*job);
    const std::lock_guard<std::mutex> lock(mutex_);
    finished_.push_back(std::move(job));
    napi_call_threadsafe_function(channel_, nullptr, napi_tsfn_nonblocking);
  }
  at_end_();
  const std::lock_guard<std::mutex> lock(mutex_);
  ended_ = true;
  napi_call_threadsafe_function(channel_, nullptr, napi_tsfn_nonblocking);
}

void Executor::run(Job& job) {
  try {
    job.resolve = job.work();
  } catch (...) {
    job.failure = current_failure();
  }
  // What the work holds (pixels) is freed here, not on the event loop.
  job.work = nullptr;
}

void Executor::settle_finished(Napi::Env env) {
  bool ended = false;
  for (;;) {
    JobPointer job;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ended = ended_;
      if (finished_.empty()) break;
      job = std::move(finished_.front());
      finished_.pop_front();
    }
    settle(env, *job);
  }
  if (ended) finish(env);
}

void Executor::settle(Napi::Env env, Job& job) {
  const Napi::HandleScope scope(env);
  count(env, -1);
  try {
    // A job that was broken off by closing ended because of that, not because someone aborted it.
    if (job.failure && stopping_ && job.failure->code() == "ERR_ABORTED") job.failure = kDisposed;
    Napi::Value value;
    try {
      if (!job.failure) value = job.resolve(env);
    } catch (const Napi::Error&) {
      throw;
    } catch (...) {
      job.failure = current_failure();
    }
    if (job.failure)
      job.deferred.Reject(to_js_error(env, *job.failure));
    else
      job.deferred.Resolve(value);
  } catch (const Napi::Error& error) {
    try {
      job.deferred.Reject(error.Value());
    } catch (const Napi::Error&) {
      // The environment is being ended: nobody is left to tell, and nothing may be thrown through Node.
    }
  }
}

void Executor::reject_queued(Napi::Env env) {
  std::deque<JobPointer> queued;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queued.swap(aside_);
    std::move(queue_.begin(), queue_.end(), std::back_inserter(queued));
    queue_.clear();
  }
  for (const JobPointer& job : queued) {
    job->failure = kDisposed;
    settle(env, *job);
  }
}

// The event loop lives as long as a promise is open, and not because a classifier exists.
void Executor::count(Napi::Env env, int change) {
  pending_ += change;
  if (change > 0 && pending_ == 1) napi_ref_threadsafe_function(env, channel_);
  if (change < 0 && pending_ == 0) napi_unref_threadsafe_function(env, channel_);
}

void Executor::finish(Napi::Env env) {
  const std::shared_ptr<Executor> keep = std::move(self_);
  if (!keep) return;
  thread_.join();
  Environment::of(env).remove(this);
  napi_release_threadsafe_function(channel_, napi_tsfn_release);
  channel_ = nullptr;
}

}  // namespace covidct
