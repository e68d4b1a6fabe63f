// One CUDA thread block on a CPU, to test a kernel where there is no GPU. Include it before the kernel.
//
// Every thread is a fiber; a scheduler changes between them at barriers and shuffles only, so a run is repeatable. The
// schedule is unfair: between two barriers some warps run as far as they can before others start, and the lanes of a
// warp run in random order between two shuffles. What CUDA leaves open is thus tried out, over several seeds. Threads
// that wait for ever, at different places or for others that have ended, end the run with STUCK.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

struct Index {
  unsigned x = 0;
};
inline Index threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {

enum Outcome { FINISHED = 0, STUCK = 1 };

// xorshift64: small, seeded, good enough to shuffle with.
struct Random {
  using result_type = uint64_t;
  uint64_t state;
  explicit Random(uint64_t seed) : state(seed * 0x9e3779b97f4a7c15u + 1) {}
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return UINT64_MAX; }
  uint64_t operator()() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  }
};

class Block {
 public:
  static constexpr unsigned LANES = 32;

  Block(unsigned size, Random& random)
      : threads_(size), warps_(size / LANES), random_(random), stacks_(new char[size * STACK]) {
    for (unsigned warp = 0; warp < warps_.size(); ++warp) warps_[warp] = warp;
  }

  // Runs `kernel` as every thread of the block.
  Outcome run(void (*kernel)()) {
    kernel_ = kernel;
    current_ = this;
    for (unsigned i = 0; i < threads_.size(); ++i) {
      Thread& thread = threads_[i];
      thread.state = READY;
      getcontext(&thread.context);
      thread.context.uc_stack.ss_sp = &stacks_[i * STACK];
      thread.context.uc_stack.ss_size = STACK;
      thread.context.uc_link = &scheduler_;
      makecontext(&thread.context, &Block::enter, 0);
    }
    std::shuffle(warps_.begin(), warps_.end(), random_);
    do {
      while (advance_some_warp()) {
      }
    } while (open_barrier());
    const auto ended = [](const Thread& thread) { return thread.state == ENDED; };
    return std::all_of(threads_.begin(), threads_.end(), ended) ? FINISHED : STUCK;
  }

  // What the kernel calls; `line` tells one call from another.
  static bool barrier(bool flag, int line) {
    Thread& self = current_->self();
    self.flag = flag;
    current_->wait(AT_BARRIER, line);
    return self.flag;
  }
  template <typename T>
  static T shuffle_xor(T value, unsigned distance, int line) {
    static_assert(sizeof(T) <= sizeof(uint64_t), "one register");
    Thread& self = current_->self();
    std::memcpy(&self.value, &value, sizeof(T));
    self.distance = distance;
    current_->wait(IN_SHUFFLE, line);
    std::memcpy(&value, &self.value, sizeof(T));
    return value;
  }

 private:
  static constexpr size_t STACK = 64 << 10;
  enum State { READY, IN_SHUFFLE, AT_BARRIER, ENDED };
  struct Thread {
    ucontext_t context;
    State state = READY;
    int line = 0;
    bool flag = false;
    uint64_t value = 0;
    unsigned distance = 0;
  };

  static void enter() {
    current_->kernel_();
    current_->self().state = ENDED;
  }

  Thread& self() { return threads_[threadIdx.x]; }

  void wait(State state, int line) {
    Thread& thread = self();
    thread.state = state;
    thread.line = line;
    swapcontext(&thread.context, &scheduler_);
  }

  bool all_wait(const Thread* first, size_t count, State state) const {
    return std::all_of(first, first + count, [&](const Thread& thread) {
      return thread.state == state && thread.line == first->line;
    });
  }

  // Mostly the first warp that can go on, in the order drawn at the last barrier; now and then another.
  bool advance_some_warp() {
    if (random_() % 16 == 0) std::shuffle(warps_.begin(), warps_.end(), random_);
    for (const unsigned warp : warps_) {
      if (advance(warp * LANES)) return true;
    }
    return false;
  }

  // Lets the ready lanes of a warp run to their next shuffle or barrier; false if there were none.
  bool advance(unsigned first) {
    unsigned lanes[LANES], ready = 0;
    for (unsigned i = first; i < first + LANES; ++i) {
      if (threads_[i].state == READY) lanes[ready++] = i;
    }
    std::shuffle(lanes, lanes + ready, random_);
    for (unsigned k = 0; k < ready; ++k) {
      threadIdx.x = lanes[k];
      swapcontext(&scheduler_, &threads_[lanes[k]].context);
    }
    if (all_wait(&threads_[first], LANES, IN_SHUFFLE)) exchange(&threads_[first]);
    return ready > 0;
  }

  static void exchange(Thread* lanes) {
    uint64_t values[LANES];
    for (unsigned i = 0; i < LANES; ++i) values[i] = lanes[i ^ lanes[i].distance].value;
    for (unsigned i = 0; i < LANES; ++i) {
      lanes[i].value = values[i];
      lanes[i].state = READY;
    }
  }

  // When no thread is ready: false unless all are at one barrier.
  bool open_barrier() {
    if (!all_wait(threads_.data(), threads_.size(), AT_BARRIER)) return false;
    const bool any = std::any_of(threads_.begin(), threads_.end(), [](const Thread& thread) { return thread.flag; });
    for (Thread& thread : threads_) {
      thread.flag = any;
      thread.state = READY;
    }
    std::shuffle(warps_.begin(), warps_.end(), random_);
    return true;
  }

  static inline Block* current_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<unsigned> warps_;
  Random& random_;
  std::unique_ptr<char[]> stacks_;
  ucontext_t scheduler_;
  void (*kernel_)() = nullptr;
};

}  // namespace emulation

#define __global__
#define __device__
#define __shared__
#define __launch_bounds__(threads)
#define __syncthreads() emulation::Block::barrier(false, __LINE__)
#define __syncthreads_or(flag) emulation::Block::barrier(flag, __LINE__)
#define __shfl_xor_sync(lanes, value, distance) emulation::Block::shuffle_xor(value, distance, __LINE__)

inline int __ffs(unsigned bits) { return __builtin_ffs(static_cast<int>(bits)); }

inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
