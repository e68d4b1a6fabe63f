// NMS and score voting of one video on the CPU. No torch headers.
//
// Candidates lie grouped by label, in input order. The picks of a group never rise in score, so taking the best of
// what is left over all groups gives the list that each group on its own and a sort would give, and may stop after
// max_segments. One pass over the group of a pick lowers scores, closes the gaps of removed candidates (which keeps
// the input order, so that of equal scores the first wins), and finds the group's next pick.
#pragma once

#include <algorithm>
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

struct Candidate {
  float onset, end, length, score;
  int64_t index;  // in the input
};

struct Group {  // candidates of one label: [first, last) of the sorted list
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

// Stable counting sort by label (one group where labels do not count). Fills `sorted`, returns the groups.
inline std::vector<Group> group(const Candidates& in, int64_t labels, const Settings& settings,
                                std::vector<Candidate>& sorted) {
  const auto group_of = [&](int64_t i) { return settings.multiclass ? in.labels[i] : 0; };
  std::vector<int64_t> next((settings.multiclass ? labels : 1) + 1, 0);  // where each group's next candidate goes
  for (int64_t i = 0; i < in.size; ++i)
    if (takes_part(in.scores[i], settings)) ++next[group_of(i) + 1];
  for (size_t g = 1; g < next.size(); ++g) next[g] += next[g - 1];
  sorted.resize(next.back());
  std::vector<Group> groups;
  for (size_t g = 0; g + 1 < next.size(); ++g)
    if (next[g] < next[g + 1]) groups.push_back({next[g], next[g + 1], next[g]});
  for (int64_t i = 0; i < in.size; ++i) {
    if (!takes_part(in.scores[i], settings)) continue;
    const float onset = in.segments[2 * i], end = in.segments[2 * i + 1];
    sorted[next[group_of(i)]++] = {onset, end, end - onset + LENGTH_EPS, in.scores[i], i};
  }
  for (Group& g : groups)
    for (int64_t i = g.first; i < g.last; ++i)
      if (sorted[i].score > sorted[g.best].score) g.best = i;
  return groups;
}

// Take the group's best candidate out, lower the scores of the others, and find the next best.
template <int64_t METHOD>
void take_best(Candidate* sorted, Group& g, const Settings& settings) {
  const Candidate pick = sorted[g.best];
  int64_t write = g.first, best = g.first;
  float best_score = REMOVED;
  const auto pass = [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      Candidate other = sorted[i];
      const float inter = overlap(pick.onset, pick.end, other.onset, other.end);
      other.score = next_score<METHOD>(other.score, inter > 0.0f ? iou(inter, other.length, pick.length) : 0.0f, settings);
      if (other.score == REMOVED) continue;
      if (other.score > best_score) best_score = other.score, best = write;
      sorted[write++] = other;
    }
  };
  pass(g.first, g.best);
  pass(g.best + 1, g.last);
  g.last = write;
  g.best = best;
}

// Replace each kept segment by the mean of the candidates around it, weighted by IoU times original score.
inline void vote(const Candidates& in, const Kept& kept, float threshold) {
  for (int64_t k = 0; k < *kept.count; ++k) {
    const float onset = kept.segments[2 * k], end = kept.segments[2 * k + 1];
    double total = 0, sum_onset = 0, sum_end = 0;
    for (int64_t i = 0; i < in.size; ++i) {
      const float other_onset = in.segments[2 * i], other_end = in.segments[2 * i + 1];
      const float inter = overlap(onset, end, other_onset, other_end);
      const double weight = vote_weight(inter, end - onset, other_end - other_onset, in.scores[i], threshold);
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
void suppress(const Candidates& in, std::vector<Candidate>& sorted, std::vector<Group>& groups,
              const Settings& settings, const Kept& kept) {
  const auto is_behind = [&](const Group* a, const Group* b) {  // by score, then by the order of the input
    const Candidate &x = sorted[a->best], &y = sorted[b->best];
    return x.score != y.score ? x.score < y.score : x.index > y.index;
  };
  std::priority_queue<Group*, std::vector<Group*>, decltype(is_behind)> queue(is_behind);
  for (Group& g : groups) queue.push(&g);
  int64_t& count = *kept.count;
  for (count = 0; count < settings.max_segments && !queue.empty(); ++count) {
    Group* const g = queue.top();
    queue.pop();
    const Candidate& pick = sorted[g->best];
    kept.segments[2 * count] = pick.onset;
    kept.segments[2 * count + 1] = pick.end;
    kept.scores[count] = pick.score;
    kept.labels[count] = in.labels[pick.index];
    take_best<METHOD>(sorted.data(), *g, settings);
    if (g->first < g->last) queue.push(g);
  }
}

// All of it for one video; the rows of `kept` beyond its count are cleared.
inline void nms_video(const Candidates& in, const Settings& settings, const Kept& kept) {
  const int64_t labels = count_labels(in);
  *kept.count = labels;
  if (labels == INVALID) return clear(kept, 0, settings.max_segments);
  std::vector<Candidate> sorted;
  std::vector<Group> groups = group(in, labels, settings, sorted);
  if (settings.method == HARD) suppress<HARD>(in, sorted, groups, settings, kept);
  if (settings.method == SOFT) suppress<SOFT>(in, sorted, groups, settings, kept);
  if (settings.method == LINEAR) suppress<LINEAR>(in, sorted, groups, settings, kept);
  if (settings.voting_threshold > 0.0f && !settings.multiclass) vote(in, kept, settings.voting_threshold);
  clear(kept, *kept.count, settings.max_segments);
}

}  // namespace afkit
