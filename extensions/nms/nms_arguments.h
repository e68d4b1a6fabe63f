// What both implementations of the operator ask of their arguments. Needs torch headers, unlike the kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include "nms_common.h"

namespace afkit {

// Raises a ValueError where shapes, types or numbers do not fit; else the settings for the kernels.
inline Settings check_arguments(const at::Tensor& segments, const at::Tensor& scores, const at::Tensor& labels,
                                const at::Tensor& offsets, int64_t method, bool multiclass, double iou_threshold,
                                double sigma, double min_score, int64_t max_segments, double voting_threshold,
                                bool voting_iou) {
  TORCH_CHECK_VALUE(segments.dim() == 2 && segments.size(1) == 2 && segments.scalar_type() == at::kFloat,
                    "segments must be (N, 2) float32");
  const int64_t size = segments.size(0);
  TORCH_CHECK_VALUE(scores.dim() == 1 && scores.size(0) == size && scores.scalar_type() == at::kFloat,
                    "scores must be (N,) float32");
  TORCH_CHECK_VALUE(labels.dim() == 1 && labels.size(0) == size && labels.scalar_type() == at::kLong,
                    "labels must be (N,) int64");
  TORCH_CHECK_VALUE(offsets.dim() == 1 && offsets.size(0) >= 1 && offsets.scalar_type() == at::kLong,
                    "offsets must be (B + 1,) int64");
  TORCH_CHECK_VALUE(method >= HARD && method <= LINEAR, "method must be 0 (hard), 1 (soft) or 2 (linear)");
  TORCH_CHECK_VALUE(max_segments > 0, "max_segments must be at least 1");
  TORCH_CHECK_VALUE(min_score >= 0 && sigma > 0, "min_score must not be negative, and sigma above 0");  // scores fall
  return {method,
          multiclass,
          static_cast<float>(iou_threshold),
          static_cast<float>(sigma),
          static_cast<float>(min_score),
          max_segments,
          static_cast<float>(voting_threshold),
          voting_iou};
}

}  // namespace afkit
