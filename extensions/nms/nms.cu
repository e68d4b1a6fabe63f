// The implementation of afkit::nms (defined in nms.cpp) for tensors on a CUDA device.
// Only narrow torch headers: torch/all.h alone takes most of a minute to compile.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <tuple>

#include "nms_arguments.h"
#include "nms_cuda.cuh"

namespace afkit {

using at::Tensor;

std::tuple<Tensor, Tensor, Tensor, Tensor> nms_cuda(const Tensor& segments, const Tensor& scores, const Tensor& labels,
                                                    const Tensor& offsets, int64_t method, bool multiclass,
                                                    double iou_threshold, double sigma, double min_score,
                                                    int64_t max_segments, double voting_threshold,
                                                    bool voting_iou) {
  const Settings settings = check_arguments(segments, scores, labels, offsets, method, multiclass, iou_threshold, sigma,
                                            min_score, max_segments, voting_threshold, voting_iou);
  const int64_t size = segments.size(0);
  const at::Device device = segments.device();
  TORCH_CHECK_VALUE(device.is_cuda() && scores.device() == device && labels.device() == device &&
                        offsets.device() == device,
                    "segments, scores, labels and offsets must be on one CUDA device");
  TORCH_CHECK_VALUE(size <= MAX_CANDIDATES, "segments must be at most ", MAX_CANDIDATES);
  const int64_t videos = offsets.size(0) - 1;

  const c10::cuda::CUDAGuard guard(device);
  const Tensor in_segments = segments.contiguous(), in_scores = scores.contiguous(), in_labels = labels.contiguous(),
               in_offsets = offsets.contiguous();
  Tensor out_segments = at::empty({videos, max_segments, 2}, segments.options());
  Tensor out_scores = at::empty({videos, max_segments}, scores.options());
  Tensor out_labels = at::empty({videos, max_segments}, labels.options());
  Tensor counts = at::empty({videos}, labels.options());
  int64_t capacity = 0;
  C10_CUDA_CHECK(shared_capacity(&capacity));
  Tensor workspace;
  if (size > capacity) workspace = at::empty({size}, scores.options());

  const Batch batch{in_segments.const_data_ptr<float>(),
                    in_scores.const_data_ptr<float>(),
                    in_labels.const_data_ptr<int64_t>(),
                    in_offsets.const_data_ptr<int64_t>(),
                    size,
                    videos};
  const Kept kept{out_segments.mutable_data_ptr<float>(), out_scores.mutable_data_ptr<float>(),
                  out_labels.mutable_data_ptr<int64_t>(), counts.mutable_data_ptr<int64_t>()};
  C10_CUDA_CHECK(launch_nms(batch, kept, workspace.defined() ? workspace.mutable_data_ptr<float>() : nullptr, settings,
                            c10::cuda::getCurrentCUDAStream()));
  return {out_segments, out_scores, out_labels, counts};
}

}  // namespace afkit

TORCH_LIBRARY_IMPL(afkit, CUDA, m) { m.impl("nms", &afkit::nms_cuda); }
