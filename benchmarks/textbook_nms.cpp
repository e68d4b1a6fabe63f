// NMS of one class in one dimension as textbooks and common toolboxes have it: the baseline of benchmarks/nms.py.
// It goes on until no candidate is left, and the caller sorts and caps what the classes gave.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using at::Tensor;

constexpr float LENGTH_EPS = 1e-6f;

struct Rows {  // candidates as columns, each contiguous
  std::vector<float> onset, end, length, score;
  std::vector<int64_t> index;

  Rows(const Tensor& segments, const Tensor& scores) {
    const Tensor in_segments = segments.contiguous(), in_scores = scores.contiguous();
    const float *segment = in_segments.const_data_ptr<float>(), *from = in_scores.const_data_ptr<float>();
    const int64_t size = in_scores.size(0);
    onset.resize(size), end.resize(size), length.resize(size), index.resize(size);
    score.assign(from, from + size);
    for (int64_t i = 0; i < size; ++i) {
      onset[i] = segment[2 * i];
      end[i] = segment[2 * i + 1];
      length[i] = end[i] - onset[i] + LENGTH_EPS;
      index[i] = i;
    }
  }

  int64_t size() const { return static_cast<int64_t>(score.size()); }

  void swap(int64_t a, int64_t b) {
    std::swap(onset[a], onset[b]);
    std::swap(end[a], end[b]);
    std::swap(length[a], length[b]);
    std::swap(score[a], score[b]);
    std::swap(index[a], index[b]);
  }

  void copy(int64_t from, int64_t to) {
    onset[to] = onset[from];
    end[to] = end[from];
    length[to] = length[from];
    score[to] = score[from];
    index[to] = index[from];
  }

  float iou(int64_t a, int64_t b) const {
    const float overlap = std::max(0.0f, std::min(end[a], end[b]) - std::max(onset[a], onset[b]));
    return overlap / (length[a] + length[b] - overlap);
  }
};

template <bool LINEAR>
int64_t suppress_softly(Rows& rows, float sigma, float iou_threshold, float min_score) {
  int64_t size = rows.size();
  for (int64_t pick = 0; pick < size; ++pick) {
    int64_t best = pick;
    for (int64_t i = pick + 1; i < size; ++i)
      if (rows.score[i] > rows.score[best]) best = i;
    rows.swap(pick, best);
    for (int64_t i = pick + 1; i < size;) {
      const float iou = rows.iou(i, pick);
      float weight = 1.0f;
      if (!LINEAR) weight = std::exp(-(iou * iou) / sigma);
      if (LINEAR && iou >= iou_threshold) weight = 1.0f - iou;
      rows.score[i] *= weight;
      if (rows.score[i] < min_score) {
        rows.copy(--size, i);
      } else {
        ++i;
      }
    }
  }
  return size;
}

std::tuple<Tensor, Tensor> soft(const Tensor& segments, const Tensor& scores, bool linear, double sigma,
                                double iou_threshold, double min_score) {
  Rows rows(segments, scores);
  const int64_t size = linear ? suppress_softly<true>(rows, sigma, iou_threshold, min_score)
                              : suppress_softly<false>(rows, sigma, iou_threshold, min_score);
  Tensor picks = at::empty({size}, scores.options().dtype(at::kLong));
  Tensor picked_scores = at::empty({size}, scores.options());
  std::copy_n(rows.index.data(), size, picks.data_ptr<int64_t>());
  std::copy_n(rows.score.data(), size, picked_scores.data_ptr<float>());
  return {picks, picked_scores};
}

std::tuple<Tensor, Tensor> hard(const Tensor& segments, const Tensor& scores, double iou_threshold) {
  const Rows given(segments, scores);
  Rows rows = given;
  const int64_t size = rows.size();
  std::vector<std::pair<float, int64_t>> order(size);  // by descending score, then by place
  for (int64_t i = 0; i < size; ++i) order[i] = {-given.score[i], i};
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < size; ++i) {
    const int64_t from = order[i].second;
    rows.onset[i] = given.onset[from], rows.end[i] = given.end[from], rows.length[i] = given.length[from];
    rows.score[i] = given.score[from], rows.index[i] = from;
  }
  const float threshold = static_cast<float>(iou_threshold);
  std::vector<char> suppressed(size, 0);
  std::vector<int64_t> kept;
  for (int64_t pick = 0; pick < size; ++pick) {
    if (suppressed[pick]) continue;
    kept.push_back(pick);
    for (int64_t i = pick + 1; i < size; ++i)
      if (!suppressed[i] && rows.iou(i, pick) >= threshold) suppressed[i] = 1;
  }
  Tensor picks = at::empty({static_cast<int64_t>(kept.size())}, scores.options().dtype(at::kLong));
  Tensor picked_scores = at::empty({static_cast<int64_t>(kept.size())}, scores.options());
  for (size_t k = 0; k < kept.size(); ++k) {
    picks.data_ptr<int64_t>()[k] = rows.index[kept[k]];
    picked_scores.data_ptr<float>()[k] = rows.score[kept[k]];
  }
  return {picks, picked_scores};
}

}  // namespace

TORCH_LIBRARY(afkit_benchmark, m) {
  m.def(
      "soft(Tensor segments, Tensor scores, bool linear, float sigma, float iou_threshold, float min_score) "
      "-> (Tensor picks, Tensor scores)");
  m.def("hard(Tensor segments, Tensor scores, float iou_threshold) -> (Tensor picks, Tensor scores)");
}

TORCH_LIBRARY_IMPL(afkit_benchmark, CPU, m) {
  m.impl("soft", &soft);
  m.impl("hard", &hard);
}
