#include "core/runtime/arena.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <map>
#include <mutex>
#include <new>
#include <set>
#include <utility>

namespace covidct {

namespace {

constexpr size_t kPage = 4096, kHugePage = 2 << 20;
// A block serves no request of less than this share of its bytes.
constexpr size_t kLargeBlock = 256 << 20, kLargeShare = 4;
constexpr size_t kSharedSegment = 16 << 20;  // of requests below half of it

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

char* map_memory(size_t bytes) {
  void* const found = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (found == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
  madvise(found, bytes, MADV_HUGEPAGE);  // a hint: fewer page faults where the system takes it
#endif
  return static_cast<char*>(found);
}

}  // namespace

// Segments of the system's memory, cut into blocks that are joined again when they are free; the smallest that fits is
// taken.
struct Arena::Pool : std::enable_shared_from_this<Arena::Pool> {
  struct Block {
    size_t bytes;
    char* segment;
    bool free;
  };

  mutable std::mutex mutex;
  std::map<char*, Block> blocks;
  std::map<char*, size_t> segments;
  std::set<std::pair<size_t, char*>> free_blocks;
  size_t mapped = 0, idle = 0;  // bytes of all segments, and of the free blocks among them
  bool closed = false;

  ~Pool() {
    for (const auto& [start, bytes] : segments) munmap(start, bytes);
  }

  char* take(size_t wanted) {
    const size_t bytes = round_up(wanted, kPage);
    const std::lock_guard<std::mutex> guard(mutex);
    auto found = fitting(bytes);
    if (found == free_blocks.end()) {
      // What is too small now stays so: without this, batches of growing size would leave all their predecessors
      // behind.
      if (idle_below(bytes) > bytes + (mapped - idle) / 4) release_idle(bytes);
      const size_t segment = round_up(bytes < kSharedSegment / 2 ? kSharedSegment : bytes, kHugePage);
      if (!add_segment(segment)) {
        release_idle();
        if (!add_segment(segment)) return nullptr;
      }
      found = free_blocks.lower_bound({bytes, nullptr});
    }
    char* const start = found->second;
    free_blocks.erase(found);
    Block& block = blocks.at(start);
    block.free = false;
    idle -= block.bytes;
    if (block.bytes - bytes >= static_cast<size_t>(kLeastBytes)) {
      blocks.emplace(start + bytes, Block{block.bytes - bytes, block.segment, true});
      free_blocks.emplace(block.bytes - bytes, start + bytes);
      idle += block.bytes - bytes;
      block.bytes = bytes;
    }
    return start;
  }

  void release(char* start) {
    const std::lock_guard<std::mutex> guard(mutex);
    auto block = blocks.find(start);
    block->second.free = true;
    idle += block->second.bytes;
    const auto next = std::next(block);
    if (next != blocks.end() && joins(block->second, next->second)) absorb(block, next);
    if (block != blocks.begin()) {
      const auto before = std::prev(block);
      if (joins(before->second, block->second)) {
        free_blocks.erase({before->second.bytes, before->first});
        before->second.bytes += block->second.bytes;
        blocks.erase(block);
        block = before;
      }
    }
    free_blocks.emplace(block->second.bytes, block->first);
    if (closed) release_idle();
  }

  // The mutex is held. Returns the smallest free block, but no large one for a small request: the tensor that it fits
  // is allocated again in the next step.
  std::set<std::pair<size_t, char*>>::iterator fitting(size_t bytes) {
    const auto found = free_blocks.lower_bound({bytes, nullptr});
    return found == free_blocks.end() || found->first < kLargeBlock || found->first / kLargeShare <= bytes
               ? found
               : free_blocks.end();
  }

  // The mutex is held. Bytes of all free blocks that are smaller.
  size_t idle_below(size_t bytes) const {
    size_t sum = 0;
    for (auto block = free_blocks.begin(); block != free_blocks.end() && block->first < bytes; ++block)
      sum += block->first;
    return sum;
  }

  // The mutex is held. Segments that are free as a whole, and smaller than that.
  void release_idle(size_t below = SIZE_MAX) {
    for (auto segment = segments.begin(); segment != segments.end();) {
      const auto [start, bytes] = *segment;
      const auto block = blocks.find(start);
      if (!block->second.free || block->second.bytes != bytes || bytes >= below) {
        ++segment;
        continue;
      }
      free_blocks.erase({bytes, start});
      blocks.erase(block);
      idle -= bytes;
      mapped -= bytes;
      segment = segments.erase(segment);
      forget(start);
      munmap(start, bytes);
    }
  }

  bool add_segment(size_t bytes);
  void forget(char* start);

 private:
  static bool joins(const Block& first, const Block& second) {
    return first.free && second.free && first.segment == second.segment;
  }

  void absorb(std::map<char*, Block>::iterator block, std::map<char*, Block>::iterator next) {
    free_blocks.erase({next->second.bytes, next->first});
    block->second.bytes += next->second.bytes;
    blocks.erase(next);
  }
};

namespace {

// Which pool a segment belongs to: keeps the pool while it has segments. Never destroyed: a tensor may be the last
// thing to go.
struct Registry {
  std::mutex mutex;
  std::map<char*, std::pair<size_t, std::shared_ptr<Arena::Pool>>> pools;

  // Null where the address is in no segment.
  std::shared_ptr<Arena::Pool> find(char* address) {
    const std::lock_guard<std::mutex> guard(mutex);
    const auto next = pools.upper_bound(address);
    if (next == pools.begin()) return nullptr;
    const auto& [start, segment] = *std::prev(next);
    return address < start + segment.first ? segment.second : nullptr;
  }
};

Registry& registry() {
  static Registry* const only = new Registry;
  return *only;
}

thread_local Arena::Pool* active = nullptr;

c10::Allocator* libtorchs = nullptr;

void release(void* start) {
  // The last reference may be this one; the pool must not go while its mutex is held.
  const std::shared_ptr<Arena::Pool> pool = registry().find(static_cast<char*>(start));
  if (pool)
    pool->release(static_cast<char*>(start));
  else
    libtorchs->raw_deleter()(start);
}

// LibTorch's own allocator, but for large tensors of threads that have an arena.
class Allocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (active == nullptr || bytes < static_cast<size_t>(Arena::kLeastBytes)) return libtorchs->allocate(bytes);
    char* const start = active->take(bytes);
    if (start == nullptr) return libtorchs->allocate(bytes);  // which throws its own error where there is no memory
    return {start, start, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};

}  // namespace

void Arena::install() {
  static const bool installed = [] {
    libtorchs = c10::GetCPUAllocator();
    c10::SetCPUAllocator(new Allocator, /*priority=*/1);
    return true;
  }();
  (void)installed;
}

bool Arena::Pool::add_segment(size_t bytes) {
  char* const start = map_memory(bytes);
  if (start == nullptr) return false;
  try {
    {
      const std::lock_guard<std::mutex> guard(registry().mutex);
      registry().pools.emplace(start, std::make_pair(bytes, shared_from_this()));
    }
    segments.emplace(start, bytes);
    blocks.emplace(start, Block{bytes, start, true});
    free_blocks.emplace(bytes, start);
  } catch (const std::bad_alloc&) {
    blocks.erase(start);
    segments.erase(start);
    forget(start);
    munmap(start, bytes);
    return false;
  }
  mapped += bytes;
  idle += bytes;
  return true;
}

void Arena::Pool::forget(char* start) {
  const std::lock_guard<std::mutex> guard(registry().mutex);
  registry().pools.erase(start);
}

Arena::Arena() : pool_(std::make_shared<Pool>()), outer_(active) {
  install();
  active = pool_.get();
}

Arena::~Arena() {
  active = outer_;
  const std::lock_guard<std::mutex> guard(pool_->mutex);
  pool_->closed = true;
  pool_->release_idle();
}

Arena::Pause::Pause() : paused_(active) { active = nullptr; }

Arena::Pause::~Pause() { active = paused_; }

int64_t Arena::idle_bytes() const {
  const std::lock_guard<std::mutex> guard(pool_->mutex);
  return static_cast<int64_t>(pool_->idle);
}

void Arena::trim() {
  const std::lock_guard<std::mutex> guard(pool_->mutex);
  pool_->release_idle();
}

}  // namespace covidct
