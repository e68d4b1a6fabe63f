// Runs the CUDA kernel of nms_cuda.cuh on the CPU, block after block in random order, for the tests:
//   g++ -std=c++17 -O2 -ffp-contract=off -shared -fPIC emulate.cpp -o emulate.so
//
// Shared memory and workspace hold garbage when a block starts. The kernel runs in a child process, and inputs and
// outputs lie between pages that may not be touched: one that reads or writes elsewhere, or never ends, is reported.
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "block.h"

#include "../nms_cuda.cuh"

namespace afkit {
constexpr int64_t SHARED_BYTES = 232448;  // of a block on a Hopper chip
alignas(16) unsigned char shared_memory[SHARED_BYTES];
}  // namespace afkit

namespace {

enum : int { ILLEGAL_ACCESS = 2, ENDLESS = 3, WRONG_CALL = 4 };  // beside emulation::Outcome
constexpr rlim_t SECONDS = 2;  // of computing: ten times what the tests need

// A copy of an array that a child process shares, its end at a page that may not be touched.
template <typename T>
class Guarded {
 public:
  Guarded(T* original, int64_t count) : original_(original), bytes_(count * sizeof(T)) {
    const size_t page = sysconf(_SC_PAGESIZE), room = (bytes_ + page - 1) / page * page;
    mapped_ = room + 2 * page;
    memory_ = static_cast<char*>(mmap(nullptr, mapped_, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (room > 0) mprotect(memory_ + page, room, PROT_READ | PROT_WRITE);
    data = reinterpret_cast<T*>(memory_ + page + room - bytes_);
    if (bytes_ > 0) std::memcpy(data, original, bytes_);
  }
  Guarded(const Guarded&) = delete;
  ~Guarded() { munmap(memory_, mapped_); }
  void copy_back() const {
    if (bytes_ > 0) std::memcpy(original_, data, bytes_);
  }
  T* data;

 private:
  T* original_;
  size_t bytes_, mapped_;
  char* memory_;
};

struct Launch {
  afkit::Batch batch;
  afkit::Kept kept;
  float* workspace;
  int64_t capacity;
  afkit::Settings settings;
} launch;

template <int64_t METHOD>
void kernel() {
  afkit::suppress_batch<METHOD>(launch.batch, launch.kept, launch.workspace, launch.capacity, launch.settings);
}

using Bytes = std::vector<unsigned char>;

void fill_with_garbage(void* memory, Bytes& garbage, emulation::Random& random) {
  for (unsigned char& byte : garbage) byte = static_cast<unsigned char>(random() >> 32);
  std::copy(garbage.begin(), garbage.end(), static_cast<unsigned char*>(memory));
}

// Whether a block wrote between start and stop only.
bool kept_within(int64_t start, int64_t stop, const void* memory, const Bytes& garbage) {
  const auto* bytes = static_cast<const unsigned char*>(memory);
  return std::equal(garbage.begin(), garbage.begin() + start, bytes) &&
         std::equal(garbage.begin() + stop, garbage.end(), bytes + stop);
}

// All blocks of the launch, one after the other; 0 or what went wrong.
int run_blocks(unsigned threads, uint64_t seed, int64_t workspace_size) {
  void (*const kernels[])() = {kernel<afkit::HARD>, kernel<afkit::SOFT>, kernel<afkit::LINEAR>};
  emulation::Random random(seed);
  emulation::Block block(threads, random);
  Bytes shared(afkit::SHARED_BYTES), workspace(workspace_size * sizeof(float));
  const int64_t shared_end = afkit::KEY_BYTES + afkit::CANDIDATE_BYTES * launch.capacity;
  const auto place = [&](int64_t video) {  // of its part of the workspace
    return std::clamp<int64_t>(launch.batch.offsets[video], 0, workspace_size) * sizeof(float);
  };
  std::vector<unsigned> order(launch.batch.videos);
  for (unsigned i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random);
  blockDim.x = threads;
  gridDim.x = static_cast<unsigned>(order.size());
  for (const unsigned video : order) {
    fill_with_garbage(afkit::shared_memory, shared, random);
    fill_with_garbage(launch.workspace, workspace, random);
    blockIdx.x = video;
    if (block.run(kernels[launch.settings.method]) != emulation::FINISHED) return emulation::STUCK;
    // On a GPU blocks run side by side: each must leave the others' part of the workspace alone.
    const bool legal = kept_within(0, shared_end, afkit::shared_memory, shared) &&
                       kept_within(place(video), place(video + 1), launch.workspace, workspace);
    if (!legal) return ILLEGAL_ACCESS;
  }
  return emulation::FINISHED;
}

}  // namespace

// The arrays are those of Batch and Kept. `capacity` 0: everything in global memory.
extern "C" int emulate(float* segments, float* scores, int64_t* labels, int64_t* offsets, int64_t candidates,
                       int64_t videos, int64_t method, bool multiclass, float iou_threshold, float sigma,
                       float min_score, int64_t max_segments, float voting_threshold, bool voting_iou,
                       float* kept_segments, float* kept_scores, int64_t* kept_labels, int64_t* counts, unsigned threads, int64_t capacity,
                       uint64_t seed) {
  const bool fits = capacity >= 0 && afkit::KEY_BYTES + afkit::CANDIDATE_BYTES * capacity <= afkit::SHARED_BYTES;
  if (!fits || threads == 0 || threads % 32 != 0 || threads > afkit::MAX_THREADS || method < 0 || method > 2) {
    return WRONG_CALL;
  }
  const int64_t rows = videos * max_segments;
  const int64_t workspace_size = capacity < candidates ? candidates : 0;
  std::vector<float> nothing(workspace_size);
  const Guarded<float> in_segments(segments, 2 * candidates), in_scores(scores, candidates);
  const Guarded<int64_t> in_labels(labels, candidates), in_offsets(offsets, videos + 1);
  const Guarded<float> workspace(nothing.data(), workspace_size);
  const Guarded<float> out_segments(kept_segments, 2 * rows), out_scores(kept_scores, rows);
  const Guarded<int64_t> out_labels(kept_labels, rows), out_counts(counts, videos);
  launch = {{in_segments.data, in_scores.data, in_labels.data, in_offsets.data, candidates, videos},
            {out_segments.data, out_scores.data, out_labels.data, out_counts.data},
            workspace.data,
            capacity,
            {method, multiclass, iou_threshold, sigma, min_score, max_segments, voting_threshold, voting_iou}};
  const pid_t child = fork();
  if (child == 0) {
    for (const int number : {SIGSEGV, SIGBUS, SIGXCPU}) signal(number, SIG_DFL);
    const rlimit computing{SECONDS, SECONDS + 1}, core{0, 0};
    setrlimit(RLIMIT_CPU, &computing);
    setrlimit(RLIMIT_CORE, &core);
    _exit(run_blocks(threads, seed, workspace_size));
  }
  int status = 0;
  while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGXCPU ? ENDLESS : ILLEGAL_ACCESS;
  out_segments.copy_back();
  out_scores.copy_back();
  out_labels.copy_back();
  out_counts.copy_back();
  return WEXITSTATUS(status);
}
