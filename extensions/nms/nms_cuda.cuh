// NMS for a batch of videos in one launch: one thread block per video. Without torch headers.
//
// A block repeats: take the best candidate left in the whole video, write it out, update the others (of its label, if
// multiclass). Of equal scores the one with the lowest index is the best. The picks of a label never rise, so the list
// is that of one suppression per label followed by a sort.
//
// Thread t owns the candidates t, t + blockDim.x, ...: no other thread touches their scores. So a step needs one
// barrier only, that of the search for the best.
//
// Compile with -fmad=false: a fused multiply-add is rounded once where the CPU rounds twice; scores would then differ
// in their last bit from those of the CPU kernel, and with them the order of picks.
#pragma once

#include "nms_common.h"

namespace afkit {

constexpr unsigned WARP = 32;
constexpr unsigned MAX_THREADS = 1024;
constexpr unsigned MAX_WARPS = MAX_THREADS / WARP;
constexpr int64_t MAX_CANDIDATES = 0x7fffffff;              // twice an index fits into 32 bits
constexpr int64_t KEY_BYTES = 2 * MAX_WARPS * 8;            // shared memory: two buffers of one key per warp, ...
constexpr int64_t CANDIDATE_BYTES = 3 * sizeof(float) + 2;  // ... then the candidates

struct Batch {
  const float* segments;   // (N, 2)
  const float* scores;     // (N,)
  const int64_t* labels;   // (N,)
  const int64_t* offsets;  // (B + 1,) video b: offsets[b] .. offsets[b + 1]
  int64_t candidates;      // N
  int64_t videos;          // B
};

// Written in full: rows from counts[b] on are 0, 0 and label -1.
struct Kept {
  float* segments;  // (B, M, 2)
  float* scores;    // (B, M)
  int64_t* labels;  // (B, M)
  int64_t* counts;  // (B,) INVALID where candidates or offsets are not valid
};

alignas(16) extern __shared__ unsigned char shared_memory[];

// The candidates of one video in shared memory.
struct SharedStore {
  unsigned size;
  float *onsets, *ends, *scores;
  uint16_t* labels;

  __device__ explicit SharedStore(unsigned size)
      : size(size),
        onsets(reinterpret_cast<float*>(shared_memory + KEY_BYTES)),
        ends(onsets + size),
        scores(ends + size),
        labels(reinterpret_cast<uint16_t*>(scores + size)) {}
  __device__ void load(unsigned i, float onset, float end, int64_t label) const {
    onsets[i] = onset;
    ends[i] = end;
    labels[i] = static_cast<uint16_t>(label);
  }
  __device__ float onset(unsigned i) const { return onsets[i]; }
  __device__ float end(unsigned i) const { return ends[i]; }
  __device__ int label(unsigned i) const { return labels[i]; }
};

// The candidates of a video too large for that: read where they are, only their scores in a copy.
struct GlobalStore {
  unsigned size;
  const float* segments;
  const int64_t* full_labels;
  float* scores;

  __device__ void load(unsigned, float, float, int64_t) const {}
  __device__ float onset(unsigned i) const { return segments[2 * i]; }
  __device__ float end(unsigned i) const { return segments[2 * i + 1]; }
  __device__ int label(unsigned i) const { return static_cast<int>(full_labels[i]); }
};

// Orders candidates by score, then by lowest index. 0 is below every key: no candidate.
__device__ inline uint64_t make_key(float score, unsigned index) {
  const unsigned bits = __float_as_uint(score + 0.0f);  // + 0: -0.0 becomes 0.0
  const unsigned ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return static_cast<uint64_t>(ordered) << 32 | (0xffffffffu - index);
}

__device__ inline unsigned index_of(uint64_t key) { return 0xffffffffu - static_cast<unsigned>(key); }

__device__ inline uint64_t max_of_warp(uint64_t key) {
  for (unsigned distance = WARP / 2; distance > 0; distance /= 2) {
    const uint64_t other = __shfl_xor_sync(0xffffffffu, key, distance);
    key = other > key ? other : key;
  }
  return key;
}

// The largest key of the block, in all threads. Buffers alternate: a warp that runs ahead to the next step must not
// write what others still read; to the step after that it cannot run.
__device__ inline uint64_t max_of_block(uint64_t key, unsigned step) {
  uint64_t* keys = reinterpret_cast<uint64_t*>(shared_memory) + (step & 1) * MAX_WARPS;
  const unsigned lane = threadIdx.x % WARP;
  key = max_of_warp(key);
  if (lane == 0) keys[threadIdx.x / WARP] = key;
  __syncthreads();
  return max_of_warp(lane < blockDim.x / WARP ? keys[lane] : 0);
}

// Copies this thread's candidates into the store; false if one of them is not valid.
template <typename Store>
__device__ bool load(const Store& store, const Batch& video, const Settings& settings) {
  bool valid = true;
  for (unsigned i = threadIdx.x; i < store.size; i += blockDim.x) {
    const float onset = video.segments[2 * i], end = video.segments[2 * i + 1], score = video.scores[i];
    valid = valid && is_valid(onset, end, score, video.labels[i]);
    store.load(i, onset, end, video.labels[i]);
    store.scores[i] = takes_part(score, settings) ? score : REMOVED;
  }
  return valid;
}

// The key of this thread's best candidate. Indices rise, so the first of equal scores is the one found.
template <typename Store>
__device__ uint64_t best_of_thread(const Store& store) {
  float best = REMOVED;
  unsigned index = 0;
#pragma unroll 4
  for (unsigned i = threadIdx.x; i < store.size; i += blockDim.x) {
    const float score = store.scores[i];
    if (score > best) {
      best = score;
      index = i;
    }
  }
  return best == REMOVED ? 0 : make_key(best, index);
}

// Updates the scores of this thread's candidates after a pick. Those concerned are collected first, as bits, so that
// the lanes of a warp spend few iterations on the arithmetic, each on its own candidate.
template <int64_t METHOD, typename Store>
__device__ void update(const Store& store, unsigned pick, const Settings& settings) {
  const float onset = store.onset(pick), end = store.end(pick);
  const float length = end - onset + LENGTH_EPS;
  const int label = store.label(pick);
  for (unsigned first = threadIdx.x, stop; first < store.size; first = stop) {
    stop = first + 32 * blockDim.x;
    const unsigned last = stop < store.size ? stop : store.size;
    unsigned concerned = 0;
#pragma unroll 4
    for (unsigned i = first, bit = 1; i < last; i += blockDim.x, bit <<= 1) {
      if (!settings.multiclass || store.label(i) == label) concerned |= bit;
    }
    for (; concerned != 0; concerned &= concerned - 1) {
      const unsigned i = first + (__ffs(concerned) - 1) * blockDim.x;
      const float score = store.scores[i];
      if (score == REMOVED) continue;
      const float other_onset = store.onset(i), other_end = store.end(i);
      const float common = overlap(onset, end, other_onset, other_end);
      const float share = common > 0.0f ? iou(common, length, other_end - other_onset + LENGTH_EPS) : 0.0f;
      store.scores[i] = next_score<METHOD>(score, share, settings);
    }
  }
}

// Each kept segment becomes the weighted mean of the candidates around it. One thread sums for one segment, in input
// order, so that the sums are those of the CPU kernel.
template <typename Store>
__device__ void vote(const Store& store, const Batch& video, const Kept& kept, int64_t count,
                     const Settings& settings) {
  for (int64_t row = threadIdx.x; row < count; row += blockDim.x) {
    const float onset = kept.segments[2 * row], end = kept.segments[2 * row + 1];
    double total = 0.0, onset_sum = 0.0, end_sum = 0.0;
    for (unsigned i = 0; i < store.size; ++i) {
      const float other_onset = store.onset(i), other_end = store.end(i);
      const float common = overlap(onset, end, other_onset, other_end);
      const double weight = vote_weight(common, end - onset, other_end - other_onset, video.scores[i], settings);
      if (weight == 0.0) continue;  // most: spares the double arithmetic
      total += weight;
      onset_sum += weight * other_onset;
      end_sum += weight * other_end;
    }
    if (total > 0.0) {
      kept.segments[2 * row] = static_cast<float>(onset_sum / total);
      kept.segments[2 * row + 1] = static_cast<float>(end_sum / total);
    }
  }
}

// Suppresses one video into its rows; the number of rows written, or INVALID.
template <int64_t METHOD, typename Store>
__device__ int64_t suppress(const Store& store, const Batch& video, const Kept& kept, const Settings& settings) {
  if (__syncthreads_or(!load(store, video, settings))) return INVALID;
  uint64_t own = best_of_thread(store);
  int64_t count = 0;
  for (; count < settings.max_segments; ++count) {
    const uint64_t best = max_of_block(own, static_cast<unsigned>(count));
    if (best == 0) break;
    const unsigned pick = index_of(best);
    if (own == best) {  // keys differ by their index: this thread alone
      kept.segments[2 * count] = store.onset(pick);
      kept.segments[2 * count + 1] = store.end(pick);
      kept.scores[count] = store.scores[pick];
      kept.labels[count] = store.label(pick);
      store.scores[pick] = REMOVED;
    }
    if (own == 0) continue;  // nothing left here
    update<METHOD>(store, pick, settings);
    // Scores never rise (min_score is at least 0), so this thread's best stays unless it was itself updated.
    if (!settings.multiclass || store.label(index_of(own)) == store.label(pick)) own = best_of_thread(store);
  }
  if (settings.voting_threshold > 0.0f && !settings.multiclass) {
    __syncthreads();  // the rows come from other threads
    vote(store, video, kept, count, settings);
  }
  return count;
}

// One block per video, of a multiple of 32 threads. A video of up to `capacity` candidates is held in shared memory, a
// larger one keeps its scores in `workspace` (N,).
template <int64_t METHOD>
__global__ void __launch_bounds__(MAX_THREADS)
    suppress_batch(Batch batch, Kept kept, float* workspace, int64_t capacity, Settings settings) {
  const int64_t video = blockIdx.x, rows = settings.max_segments;
  const int64_t start = batch.offsets[video], stop = batch.offsets[video + 1];
  const bool within = 0 <= start && start <= stop && stop <= batch.candidates && (video > 0 || start == 0) &&
                      (video + 1 < batch.videos || stop == batch.candidates);
  kept.segments += 2 * video * rows;
  kept.scores += video * rows;
  kept.labels += video * rows;
  int64_t count = INVALID;
  if (within) {  // nothing is read before
    const unsigned size = static_cast<unsigned>(stop - start);
    batch.segments += 2 * start;
    batch.scores += start;
    batch.labels += start;
    const GlobalStore global{size, batch.segments, batch.labels, workspace + start};
    count = size <= capacity ? suppress<METHOD>(SharedStore(size), batch, kept, settings)
                             : suppress<METHOD>(global, batch, kept, settings);
  }
  if (threadIdx.x == 0) kept.counts[video] = count;
  for (int64_t row = (count > 0 ? count : 0) + threadIdx.x; row < rows; row += blockDim.x) {
    kept.segments[2 * row] = kept.segments[2 * row + 1] = kept.scores[row] = 0.0f;
    kept.labels[row] = -1;
  }
}

#ifdef __CUDACC__

// The most candidates that one video may have in shared memory on this device (16 566 on a Hopper chip).
inline cudaError_t shared_capacity(int64_t* capacity) {
  int device = 0, bytes = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  *capacity = (bytes - KEY_BYTES) / CANDIDATE_BYTES;
  return error;
}

// About 8 candidates for each thread of an average video, the only size that the host knows without waiting.
inline unsigned threads_for(const Batch& batch) {
  unsigned threads = 128;
  while (threads < MAX_THREADS && batch.candidates / batch.videos > 8 * static_cast<int64_t>(threads)) threads *= 2;
  return threads;
}

template <int64_t METHOD>
cudaError_t launch_method(const Batch& batch, const Kept& kept, float* workspace, int64_t capacity,
                          const Settings& settings, cudaStream_t stream) {
  const int bytes = static_cast<int>(KEY_BYTES + CANDIDATE_BYTES * capacity);
  const cudaError_t error =
      cudaFuncSetAttribute(suppress_batch<METHOD>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  if (error != cudaSuccess) return error;
  suppress_batch<METHOD><<<static_cast<unsigned>(batch.videos), threads_for(batch), bytes, stream>>>(
      batch, kept, workspace, capacity, settings);
  return cudaGetLastError();
}

// All pointers are on the current device. `workspace` is (N,), needed (else nullptr) if N exceeds shared_capacity():
// how the candidates are spread over the videos is known on the device only, so each block chooses its store.
inline cudaError_t launch_nms(const Batch& batch, const Kept& kept, float* workspace, const Settings& settings,
                              cudaStream_t stream) {
  if (batch.videos == 0) return cudaSuccess;
  int64_t capacity = 0;
  const cudaError_t error = shared_capacity(&capacity);
  if (error != cudaSuccess) return error;
  if (batch.candidates <= capacity) capacity = batch.candidates;
  const bool fits = batch.candidates <= MAX_CANDIDATES && batch.videos <= 0x7fffffff;
  if (!fits || (workspace == nullptr && batch.candidates > capacity)) return cudaErrorInvalidValue;
  if (settings.method == HARD) return launch_method<HARD>(batch, kept, workspace, capacity, settings, stream);
  if (settings.method == SOFT) return launch_method<SOFT>(batch, kept, workspace, capacity, settings, stream);
  if (settings.method == LINEAR) return launch_method<LINEAR>(batch, kept, workspace, capacity, settings, stream);
  return cudaErrorInvalidValue;
}

#endif  // __CUDACC__

}  // namespace afkit
