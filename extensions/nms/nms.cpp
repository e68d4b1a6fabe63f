// The operator afkit::nms, and its implementation for tensors on the CPU.
// Only narrow torch headers: torch/all.h alone takes most of a minute to compile.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <tuple>

#include "nms_arguments.h"
#include "nms_cpu.h"

namespace afkit {

using at::Tensor;

std::tuple<Tensor, Tensor, Tensor, Tensor> nms_cpu(const Tensor& segments, const Tensor& scores, const Tensor& labels,
                                                   const Tensor& offsets, int64_t method, bool multiclass,
                                                   double iou_threshold, double sigma, double min_score,
                                                   int64_t max_segments, double voting_threshold,
                                                   bool voting_iou) {
  const Settings settings = check_arguments(segments, scores, labels, offsets, method, multiclass, iou_threshold, sigma,
                                            min_score, max_segments, voting_threshold, voting_iou);
  const int64_t size = segments.size(0);
  const int64_t videos = offsets.size(0) - 1;
  const Tensor in_segments = segments.contiguous(), in_scores = scores.contiguous(), in_labels = labels.contiguous(),
               in_offsets = offsets.contiguous();
  Tensor out_segments = at::empty({videos, max_segments, 2}, segments.options());
  Tensor out_scores = at::empty({videos, max_segments}, scores.options());
  Tensor out_labels = at::empty({videos, max_segments}, labels.options());
  Tensor counts = at::empty({videos}, labels.options());

  const float *segment = in_segments.const_data_ptr<float>(), *score = in_scores.const_data_ptr<float>();
  const int64_t *label = in_labels.const_data_ptr<int64_t>(), *offset = in_offsets.const_data_ptr<int64_t>();
  float *to_segment = out_segments.data_ptr<float>(), *to_score = out_scores.data_ptr<float>();
  int64_t *to_label = out_labels.data_ptr<int64_t>(), *count = counts.data_ptr<int64_t>();
  const bool whole = offset[0] == 0 && offset[videos] == size;
  at::parallel_for(0, videos, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t from = offset[b], to = offset[b + 1];
      const Kept kept{to_segment + 2 * b * max_segments, to_score + b * max_segments, to_label + b * max_segments,
                      count + b};
      if (whole && 0 <= from && from <= to && to <= size) {
        nms_video({segment + 2 * from, score + from, label + from, to - from}, settings, kept);
      } else {
        *kept.count = INVALID;
        clear(kept, 0, max_segments);
      }
    }
  });
  return {out_segments, out_scores, out_labels, counts};
}

}  // namespace afkit

TORCH_LIBRARY(afkit, m) {
  m.def(
      "nms(Tensor segments, Tensor scores, Tensor labels, Tensor offsets, int method, bool multiclass, "
      "float iou_threshold, float sigma, float min_score, int max_segments, float voting_threshold, "
      "bool voting_iou) "
      "-> (Tensor segments, Tensor scores, Tensor labels, Tensor counts)");
}

TORCH_LIBRARY_IMPL(afkit, CPU, m) { m.impl("nms", &afkit::nms_cpu); }
