// NMS and score voting of one video on the CPU. No torch headers.
//
// Candidates lie grouped by label, in input order. The picks of a group never rise in score, so taking the best of
// what is left over all groups gives the list that each group on its own and a sort would give, and may stop after
// max_segments. One pass over the group of a pick lowers scores and finds the group's next pick. It runs in plain loops
// over columns, which compilers turn into vector instructions. Removed candidates stay where they are until they are
// a quarter of the group; closing the gaps then keeps the input order, so that of equal scores the first wins.
#pragma once

#include <algorithm>
#include <cstring>
#include <queue>
#include <vector>

#include "nms_common.h"

namespace afkit {

struct Candidates {  // of one video, as in the input
  const float* segments;  // (N, 2)
  const float* scores;    // (N,)
  const int64_t* labels;  // (N,)
  int64_t size;           // N
};

struct Kept {        // of one video
  float* segments;   // (M, 2)
  float* scores;     // (M,)
  int64_t* labels;   // (M,)
  int64_t* count;    // rows that are filled
};

constexpr int64_t BLOCK = 128;  // candidates that a pass takes at a time

struct Columns {  // candidates, grouped by label
  std::vector<float> numbers;
  std::vector<int64_t> index;  // in the input
  float *onset, *end, *length, *score;

  explicit Columns(int64_t size) : numbers(4 * size), index(size) {  // one allocation: fewer pages to be cleared
    onset = numbers.data(), end = onset + size, length = end + size, score = length + size;
  }

  void copy(int64_t from, int64_t to) {
    onset[to] = onset[from];
    end[to] = end[from];
    length[to] = length[from];
    score[to] = score[from];
    index[to] = index[from];
  }
};

struct Group {  // candidates of one label: rows [first, last)
  int64_t first, last, best;
};

inline void clear(const Kept& kept, int64_t from, int64_t max_segments) {
  std::fill(kept.segments + 2 * from, kept.segments + 2 * max_segments, 0.0f);
  std::fill(kept.scores + from, kept.scores + max_segments, 0.0f);
  std::fill(kept.labels + from, kept.labels + max_segments, int64_t{-1});
}

// The number of labels (the highest + 1), or INVALID.
inline int64_t count_labels(const Candidates& in) {
  int64_t highest = -1;
  for (int64_t i = 0; i < in.size; ++i) {
    if (!is_valid(in.segments[2 * i], in.segments[2 * i + 1], in.scores[i], in.labels[i])) return INVALID;
    highest = std::max(highest, in.labels[i]);
  }
  return highest + 1;
}

// Stable counting sort by label (one group where labels do not count). Fills `rows`, returns the groups.
inline std::vector<Group> group(const Candidates& in, int64_t labels, const Settings& settings, Columns& rows) {
  const auto group_of = [&](int64_t i) { return settings.multiclass ? in.labels[i] : 0; };
  std::vector<int64_t> next((settings.multiclass ? labels : 1) + 1, 0);  // where each group's next candidate goes
  for (int64_t i = 0; i < in.size; ++i)
    if (takes_part(in.scores[i], settings)) ++next[group_of(i) + 1];
  for (size_t g = 1; g < next.size(); ++g) next[g] += next[g - 1];
  std::vector<Group> groups;
  for (size_t g = 0; g + 1 < next.size(); ++g)
    if (next[g] < next[g + 1]) groups.push_back({next[g], next[g + 1], next[g]});
  for (int64_t i = 0; i < in.size; ++i) {
    if (!takes_part(in.scores[i], settings)) continue;
    const float onset = in.segments[2 * i], end = in.segments[2 * i + 1];
    const int64_t to = next[group_of(i)]++;
    rows.onset[to] = onset;
    rows.end[to] = end;
    rows.length[to] = end - onset + LENGTH_EPS;
    rows.score[to] = in.scores[i];
    rows.index[to] = i;
  }
  for (Group& g : groups)
    for (int64_t i = g.first; i < g.last; ++i)
      if (rows.score[i] > rows.score[g.best]) g.best = i;
  return groups;
}

// exp of x <= 0, at most BLOCK of them: the float nearest to what libm gives in double. A polynomial that is good to
// 1.1e-11, and libm itself where that leaves open how to round.
inline void exp_all(const float* x, float* exps, int64_t size) {
  constexpr double LOG2_E = 1.4426950408889634, LN_2 = 0.6931471805599453, ERROR = 2e-11;
  constexpr double SHIFT = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer, in the lowest bits
  float high[BLOCK];
  for (int64_t i = 0; i < size; ++i) {
    const double value = x[i] < -700.0f ? -700.0f : x[i];
    const double shifted = value * LOG2_E + SHIFT;
    const double r = value - (shifted - SHIFT) * LN_2, r2 = r * r, r4 = r2 * r2;  // |r| < 0.347
    const double near = (1.0 + r) + r2 * (1.0 / 2 + r * (1.0 / 6)) +
                        r4 * (((1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720 + r * (1.0 / 5040))) +
                              r4 * (1.0 / 40320 + r * (1.0 / 362880)));
    uint64_t power, bits;
    std::memcpy(&power, &shifted, sizeof power);
    std::memcpy(&bits, &near, sizeof bits);
    bits += power << 52;  // times 2^power
    double result;
    std::memcpy(&result, &bits, sizeof result);
    exps[i] = static_cast<float>(result - result * ERROR);
    high[i] = static_cast<float>(result + result * ERROR);
  }
  int32_t open = 0;
  for (int64_t i = 0; i < size; ++i) open += exps[i] != high[i];
  for (int64_t i = 0; open && i < size; ++i)
    if (exps[i] != high[i]) exps[i] = static_cast<float>(std::exp(static_cast<double>(x[i])));
}

struct Pick {
  float onset, end, length;
};

// Lower the scores of at most BLOCK candidates after a pick: `next_score` of nms_common.h, column by column.
template <int64_t METHOD>
void lower(const float* onset, const float* end, const float* length, float* score, int64_t size, const Pick pick,
           const Settings settings) {
  float shared[BLOCK], x[BLOCK], weight[BLOCK];
  for (int64_t i = 0; i < size; ++i) {
    const float stop = end[i] < pick.end ? end[i] : pick.end, start = onset[i] > pick.onset ? onset[i] : pick.onset;
    const float both = stop - start;
    shared[i] = both > 0.0f ? both : 0.0f;
  }
  if (METHOD == SOFT) {  // the exponential only of those that overlap
    int32_t at[BLOCK];
    int64_t many = 0;
    for (int64_t i = 0; i < size; ++i) {
      at[many] = static_cast<int32_t>(i);
      many += shared[i] > 0.0f;
    }
    for (int64_t k = 0; k < many; ++k) {
      const float share = iou(shared[at[k]], length[at[k]], pick.length);
      x[k] = -(share * share) / settings.sigma;
    }
    exp_all(x, weight, many);
    for (int64_t k = 0; k < many; ++k) score[at[k]] *= weight[k];
  } else {
    for (int64_t i = 0; i < size; ++i) {
      const float share = iou(shared[i], length[i], pick.length);
      if (METHOD == HARD) score[i] = share >= settings.iou_threshold ? REMOVED : score[i];
      if (METHOD == LINEAR) score[i] *= share >= settings.iou_threshold ? 1.0f - share : 1.0f;
    }
  }
  if (METHOD == HARD) return;
  for (int64_t i = 0; i < size; ++i)  // false for NaN: a removed one (-inf) times 0
    score[i] = score[i] >= settings.min_score ? score[i] : REMOVED;
}

// Take the group's best candidate out, lower the scores of the others, and find the next best.
template <int64_t METHOD>
void take_best(Columns& rows, Group& g, const Settings& settings) {
  const Pick pick{rows.onset[g.best], rows.end[g.best], rows.length[g.best]};
  rows.score[g.best] = REMOVED;
  float best_score = REMOVED;
  int64_t left = 0;
  for (int64_t from = g.first; from < g.last; from += BLOCK) {
    const int64_t size = std::min(BLOCK, g.last - from);
    float* const score = rows.score + from;
    lower<METHOD>(rows.onset + from, rows.end + from, rows.length + from, score, size, pick, settings);
    float highest = REMOVED;
    int32_t remain = 0;
#pragma omp simd reduction(max : highest) reduction(+ : remain)
    for (int64_t i = 0; i < size; ++i) {
      highest = score[i] > highest ? score[i] : highest;
      remain += score[i] != REMOVED;
    }
    left += remain;
    if (highest > best_score) best_score = highest, g.best = from;  // somewhere in this block
  }
  if (left == 0) {
    g.last = g.first;
    return;
  }
  while (rows.score[g.best] != best_score) ++g.best;
  if (4 * left > 3 * (g.last - g.first)) return;
  int64_t write = g.first;
  for (int64_t i = g.first; i < g.last; ++i) {
    if (i == g.best) g.best = write;
    rows.copy(i, write);
    write += rows.score[write] != REMOVED;
  }
  g.last = write;
}

// Replace each kept segment by the mean of the candidates around it, weighted by their original scores, and IoU.
inline void vote(const Candidates& in, const Kept& kept, const Settings& settings) {
  for (int64_t k = 0; k < *kept.count; ++k) {
    const float onset = kept.segments[2 * k], end = kept.segments[2 * k + 1];
    double total = 0, sum_onset = 0, sum_end = 0;
    for (int64_t i = 0; i < in.size; ++i) {
      const float other_onset = in.segments[2 * i], other_end = in.segments[2 * i + 1];
      const float inter = overlap(onset, end, other_onset, other_end);
      const double weight = vote_weight(inter, end - onset, other_end - other_onset, in.scores[i], settings);
      total += weight;
      sum_onset += weight * other_onset;
      sum_end += weight * other_end;
    }
    if (!(total > 0)) continue;  // an empty segment overlaps not even itself
    kept.segments[2 * k] = static_cast<float>(sum_onset / total);
    kept.segments[2 * k + 1] = static_cast<float>(sum_end / total);
  }
}

template <int64_t METHOD>
void suppress(const Candidates& in, Columns& rows, std::vector<Group>& groups, const Settings& settings,
              const Kept& kept) {
  const auto is_behind = [&](const Group* a, const Group* b) {  // by score, then by the order of the input
    const float x = rows.score[a->best], y = rows.score[b->best];
    return x != y ? x < y : rows.index[a->best] > rows.index[b->best];
  };
  std::priority_queue<Group*, std::vector<Group*>, decltype(is_behind)> queue(is_behind);
  for (Group& g : groups) queue.push(&g);
  int64_t& count = *kept.count;
  for (count = 0; count < settings.max_segments && !queue.empty(); ++count) {
    Group* const g = queue.top();
    queue.pop();
    kept.segments[2 * count] = rows.onset[g->best];
    kept.segments[2 * count + 1] = rows.end[g->best];
    kept.scores[count] = rows.score[g->best];
    kept.labels[count] = in.labels[rows.index[g->best]];
    take_best<METHOD>(rows, *g, settings);
    if (g->first < g->last) queue.push(g);
  }
}

// All of it for one video; the rows of `kept` beyond its count are cleared.
inline void nms_video(const Candidates& in, const Settings& settings, const Kept& kept) {
  const int64_t labels = count_labels(in);
  *kept.count = labels;
  if (labels == INVALID) return clear(kept, 0, settings.max_segments);
  Columns rows(in.size);
  std::vector<Group> groups = group(in, labels, settings, rows);
  if (settings.method == HARD) suppress<HARD>(in, rows, groups, settings, kept);
  if (settings.method == SOFT) suppress<SOFT>(in, rows, groups, settings, kept);
  if (settings.method == LINEAR) suppress<LINEAR>(in, rows, groups, settings, kept);
  if (settings.voting_threshold > 0.0f && !settings.multiclass) vote(in, kept, settings);
  clear(kept, *kept.count, settings.max_segments);
}

}  // namespace afkit
