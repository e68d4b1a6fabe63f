// What the CPU and the CUDA kernel share: settings, the arithmetic of one pair of segments, and what a candidate may be.
// No torch headers, so that each kernel also compiles on its own.
//
// Every operation here is rounded once, to float or to double, and never fused (-ffp-contract=off, -fmad=false): all
// devices then give the same bits.
#pragma once

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define AFKIT_HD __host__ __device__ __forceinline__
#else
#define AFKIT_HD inline
#endif

namespace afkit {

constexpr float LENGTH_EPS = 1e-6f;     // added to every length when suppressing, not when voting
constexpr float LARGEST_TIME = 1e37f;   // sums of four such times stay finite
constexpr int64_t MAX_LABELS = 65536;   // labels lie in [0, MAX_LABELS)
constexpr float REMOVED = -INFINITY;    // the score of a candidate that is taken or suppressed
constexpr int64_t INVALID = -1;         // count of a video whose candidates or offsets are not valid

enum Method : int64_t { HARD = 0, SOFT = 1, LINEAR = 2 };

struct Settings {
  int64_t method;
  bool multiclass;         // suppress within each label only
  float iou_threshold;     // hard and linear
  float sigma;             // soft
  float min_score;
  int64_t max_segments;    // M, rows of output per video
  float voting_threshold;  // 0: no voting
  bool voting_iou;         // votes count score times IoU; else the score
};

AFKIT_HD bool is_valid(float onset, float end, float score, int64_t label) {
  return onset >= -LARGEST_TIME && end <= LARGEST_TIME && onset <= end  // false for NaN
         && score - score == 0.0f                                        // neither NaN nor infinite
         && label >= 0 && label < MAX_LABELS;
}

// Whether a candidate takes part: hard NMS leaves out low scores beforehand, soft NMS only decayed ones.
AFKIT_HD bool takes_part(float score, const Settings& settings) {
  return settings.method != HARD || settings.min_score <= 0.0f || score > settings.min_score;
}

AFKIT_HD float overlap(float onset_a, float end_a, float onset_b, float end_b) {
  const float end = end_a < end_b ? end_a : end_b;
  const float onset = onset_a > onset_b ? onset_a : onset_b;
  return end > onset ? end - onset : 0.0f;
}

AFKIT_HD float iou(float overlap, float length_a, float length_b) { return overlap / (length_a + length_b - overlap); }

// The score of a candidate after one with this IoU has been picked; REMOVED if it is suppressed.
template <int64_t METHOD>
AFKIT_HD float next_score(float score, float iou, const Settings& settings) {
  if (METHOD == HARD) return iou >= settings.iou_threshold ? REMOVED : score;
  float weight = 1.0f;
  // exp in double, then one rounding: the same float from every library
  if (METHOD == SOFT && iou > 0.0f) weight = static_cast<float>(exp(static_cast<double>(-(iou * iou) / settings.sigma)));
  if (METHOD == LINEAR && iou >= settings.iou_threshold) weight = 1.0f - iou;
  const float decayed = score * weight;
  return decayed < settings.min_score ? REMOVED : decayed;
}

// The weight of a candidate's vote for a kept segment, by its original score; 0 below the threshold.
AFKIT_HD float vote_weight(float overlap, float length_a, float length_b, float score, const Settings& settings) {
  if (overlap <= 0.0f) return 0.0f;
  const float share = iou(overlap, length_a, length_b);
  if (!(share >= settings.voting_threshold)) return 0.0f;
  return settings.voting_iou ? share * score : score;
}

}  // namespace afkit
