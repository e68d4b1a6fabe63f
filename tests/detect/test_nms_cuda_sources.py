"""The CUDA sources of NMS where there is no GPU: they compile, and their kernel, run by an emulated thread block on the
CPU, equals the reference in plain torch. Broken copies of the kernel show that the comparison would notice: a few, and
with AFKIT_TIMES (`make reliability`) all."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from nms_candidates import KINDS, candidates

from afkit.detect.reference import Settings
from afkit.detect.suppression import Kept, nms_batch

SOURCES = Path(__file__).parents[2] / "extensions" / "nms"
NVCC, GXX = shutil.which("nvcc"), shutil.which("g++")
needs_nvcc = pytest.mark.skipif(NVCC is None, reason="no nvcc on the path")
needs_gxx = pytest.mark.skipif(GXX is None, reason="no g++ on the path")
METHODS = ["hard", "soft", "linear"]  # by their numbers
SETTINGS = Settings("soft", iou_threshold=0.2, sigma=0.3, min_score=0.01, max_segments=20)
SIZES = (150, 0, 1, 33)
SHARED, GLOBAL = 4000, 0  # candidates of a video that may lie in shared memory
OUTCOMES = {1: "threads wait for ever", 2: "illegal memory access", 3: "does not end", 4: "wrong call"}


class Emulator:
    """The kernel in a folder of sources, compiled for the CPU."""

    def __init__(self, sources: Path, library: Path):
        flags = ["-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC"]
        subprocess.run([GXX, *flags, str(sources / "emulation" / "emulate.cpp"), "-o", str(library)], check=True)
        self._emulate = ctypes.CDLL(str(library)).emulate
        pointer, number, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
        self._emulate.argtypes = (
            [pointer] * 4 + [number] * 3 + [ctypes.c_bool] + [real] * 3 + [number, real, ctypes.c_bool]
        )
        self._emulate.argtypes += [pointer] * 4 + [ctypes.c_uint, number, ctypes.c_uint64]

    def __call__(self, inputs, settings, threads=64, capacity=SHARED, seed=0) -> Kept:
        videos, rows = len(inputs[3]) - 1, settings.max_segments
        kept = Kept(
            torch.full((videos, rows, 2), torch.nan),
            torch.full((videos, rows), torch.nan),
            torch.full((videos, rows), 77),
            torch.full((videos,), 77),
        )
        arrays, out = ([tensor.data_ptr() for tensor in tensors] for tensors in (inputs, kept))
        by_iou = settings.voting_weight == "score_iou"
        numbers = settings._replace(method=METHODS.index(settings.method), voting_weight=by_iou)
        outcome = self._emulate(*arrays, len(inputs[1]), videos, *numbers, *out, threads, capacity, seed)
        if outcome != 0:
            raise RuntimeError(OUTCOMES[outcome])
        return kept


@pytest.fixture(scope="module")
def emulator(tmp_path_factory) -> Emulator:
    return Emulator(SOURCES, tmp_path_factory.mktemp("emulator") / "emulate.so")


def check(emulator: Emulator, inputs, settings, **launch) -> None:
    """Assert that a launch gives the reference's answer, padding included."""
    settings = SETTINGS._replace(**settings)
    found, expected = emulator(inputs, settings, **launch), nms_batch(*inputs, **settings._asdict(), backend="torch")
    assert torch.equal(found.counts, expected.counts)
    assert torch.equal(found.labels, expected.labels)
    assert torch.equal(found.scores, expected.scores)
    if settings.voting_threshold > 0:  # sums in another order
        torch.testing.assert_close(found.segments, expected.segments, rtol=1e-6, atol=1e-6)
    else:
        assert torch.equal(found.segments, expected.segments)


@needs_gxx
@pytest.mark.parametrize(("threads", "capacity"), [(64, SHARED), (96, GLOBAL), (256, 100)])
@pytest.mark.parametrize("multiclass", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_kernel_equals_the_reference(emulator, kind, method, multiclass, threads, capacity):
    settings = {"method": method, "multiclass": multiclass}
    for seed in (1, 2):
        check(emulator, candidates(kind, SIZES, 4, seed), settings, threads=threads, capacity=capacity, seed=seed)


@needs_gxx
@pytest.mark.parametrize("capacity", [SHARED, GLOBAL])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weight", ["score_iou", "score"])
def test_votes_equal_the_reference(emulator, weight, method, capacity):
    for kind in ("spread", "grid", "signed", "one place"):
        for threshold, multiclass in [(0.01, False), (0.5, False), (1.0, False), (0.5, True)]:
            settings = {"multiclass": multiclass, "voting_threshold": threshold, "max_segments": 70}
            settings["voting_weight"] = weight
            check(emulator, candidates(kind, SIZES, 4), settings | {"method": method}, capacity=capacity)


@needs_gxx
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "settings",
    [
        {"max_segments": 1},
        {"max_segments": 300},
        {"min_score": 0.0, "max_segments": 200},
        {"min_score": 2.0},
        {"iou_threshold": 0.0, "sigma": 1e-3},
        {"iou_threshold": 1.0, "sigma": 100.0},
    ],
    ids=str,
)
def test_extreme_settings_equal_the_reference(emulator, method, settings):
    for kind in ("grid", "signed"):
        check(emulator, candidates(kind, sizes=(90, 7)), settings | {"method": method})


@needs_gxx
@pytest.mark.parametrize("method", METHODS)
def test_more_than_32_candidates_per_thread_and_high_labels(emulator, method):
    inputs = candidates("one place", sizes=(2300, 1100), classes=2)
    inputs[2][::3] = 65535
    for multiclass in (True, False):
        settings = {"method": method, "multiclass": multiclass, "max_segments": 40, "min_score": 0.0}
        check(emulator, inputs, settings, threads=32, capacity=1500)


@needs_gxx
@pytest.mark.parametrize("capacity", [SHARED, GLOBAL])
def test_largest_block_equals_the_reference(emulator, capacity):
    check(emulator, candidates("grid", sizes=(3000, 5)), {}, threads=1024, capacity=capacity)


@needs_gxx
def test_no_order_of_warps_and_lanes_changes_the_result(emulator):
    inputs = candidates("grid", sizes=(200,))
    for seed in range(40):
        check(emulator, inputs, {"max_segments": 12}, threads=128, seed=seed)


@needs_gxx
def test_nothing_in_nothing_out(emulator):
    for sizes in ((), (0,), (0, 0, 0)):
        check(emulator, candidates("spread", sizes=sizes), {"multiclass": False, "voting_threshold": 0.5})


FAULTS = {  # in the second of three videos: which input, where, and the value there
    "nan onset": (0, (77, 0), torch.nan),
    "nan end": (0, (40, 1), torch.nan),
    "infinite end": (0, (109, 1), torch.inf),
    "too large an end": (0, (60, 1), 2e37),
    "end before onset": (0, (60, 1), -100.0),
    "nan score": (1, 109, torch.nan),
    "infinite score": (1, 40, torch.inf),
    "infinitely low score": (1, 40, -torch.inf),
    "negative label": (2, 99, -1),
    "too high a label": (2, 99, 65536),
}
BAD_OFFSETS = {  # and the videos that they make invalid
    "falling": ([0, 60, 40, 115], [1]),
    "negative": ([0, -(10**6), 110, 115], [0, 1]),
    "beyond the last": ([0, 40, 10**12, 115], [1, 2]),
    "first not 0": ([5, 40, 110, 115], [0]),
    "last not N": ([0, 40, 110, 114], [2]),
    "last far beyond": ([0, 40, 110, 10**7], [2]),
}


def invalid(what: str):
    """A batch of three videos, and which of them are not valid."""
    inputs = candidates("spread", sizes=(40, 70, 5))
    if what in BAD_OFFSETS:
        return (*inputs[:3], torch.tensor(BAD_OFFSETS[what][0])), BAD_OFFSETS[what][1]
    number, place, value = FAULTS[what]
    inputs[number][place] = value
    return inputs, [1]


def check_invalid(emulator: Emulator, what: str, **launch) -> None:
    inputs, bad = invalid(what)
    for multiclass in (True, False):
        settings = SETTINGS._replace(multiclass=multiclass, voting_threshold=0.5, max_segments=3)
        kept = emulator(inputs, settings, **launch)
        assert (kept.counts < 0).nonzero().flatten().tolist() == bad
        assert (kept.segments[bad] == 0).all() and (kept.scores[bad] == 0).all() and (kept.labels[bad] == -1).all()
        good = [video for video in range(3) if video not in bad]
        assert (kept.counts[good] == 3).all() and (kept.scores[good] > 0).all()


@needs_gxx
@pytest.mark.parametrize("capacity", [SHARED, GLOBAL])
@pytest.mark.parametrize("what", [*FAULTS, *BAD_OFFSETS])
def test_an_invalid_video_is_marked_and_does_no_harm(emulator, what, capacity):
    check_invalid(emulator, what, capacity=capacity)


def check_much(emulator: Emulator) -> None:
    """Enough to notice any of the changes below."""
    for seed in range(4):
        for kind in ("grid", "signed"):
            inputs = candidates(kind, SIZES, 4, seed)
            check(emulator, inputs, {}, threads=128, seed=seed)
            check(emulator, inputs, {"min_score": 0.0, "max_segments": 60}, capacity=GLOBAL, seed=seed)
        check(emulator, candidates("spread", SIZES, 4), {"multiclass": False, "voting_threshold": 0.1}, seed=seed)
    for what in ("nan end", *BAD_OFFSETS):
        check_invalid(emulator, what)


CHANGES = {
    "no barrier in the search for the best": ("  __syncthreads();\n  return", "  return"),
    "no barrier after loading": ("__syncthreads_or(!load(store, video, settings))", "!load(store, video, settings)"),
    "no barrier before the votes": ("    __syncthreads();  // the rows", "    // the rows"),
    "one buffer for all steps": ("(step & 1) * MAX_WARPS", "0 * MAX_WARPS"),
    "the highest index of equal scores": ("0xffffffffu - ", ""),
    "the last of a thread's equal scores": ("score > best", "score >= best && score > REMOVED"),
    "-0.0 below 0.0": ("score + 0.0f", "score"),
    "decay across classes": ("!settings.multiclass || store.label(i) == label", "true"),
    "a best candidate not found anew": ("if (!settings.multiclass || store.label(index_of", "if (store.label(index_of"),
    "a pick not taken out": ("store.scores[pick] = REMOVED;", ""),
    "workspaces that overlap": ("workspace + start", "workspace"),
    "threads that leave": ("if (own == 0) continue;", "if (own == 0) break;"),
    "offsets not compared with N": ("stop <= batch.candidates &&", ""),
    "negative offsets": ("0 <= start && ", ""),
    "shared memory beyond its end": ("scores(ends + size)", "scores(ends + size + 50000)"),
    "a loop without end": ("concerned &= concerned - 1", "concerned &= concerned"),
}


@needs_gxx
def test_the_unchanged_kernel_passes_what_catches_the_changed_ones(emulator):
    check_much(emulator)


@needs_gxx
@pytest.mark.parametrize("change", CHANGES if "AFKIT_TIMES" in os.environ else list(CHANGES)[::4])
def test_a_broken_kernel_is_caught(change, tmp_path):
    old, new = CHANGES[change]
    shutil.copytree(SOURCES, tmp_path / "nms")
    kernel = tmp_path / "nms" / "nms_cuda.cuh"
    text = kernel.read_text()
    assert text.count(old) >= 1
    kernel.write_text(text.replace(old, new))
    broken = Emulator(tmp_path / "nms", tmp_path / "broken.so")
    with pytest.raises((AssertionError, RuntimeError)):
        check_much(broken)


def compile_with_nvcc(source: Path, *flags: str) -> None:
    command = [NVCC, "-O3", "-fmad=false", "-c", str(source), "-o", str(source.with_suffix(".o")), *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_nvcc
def test_nvcc_compiles_the_kernel_without_warnings(tmp_path):
    """For the oldest cards; the binding below, which holds it, is compiled for newer ones."""
    source = tmp_path / "kernel.cu"
    source.write_text(
        f'#include "{SOURCES / "nms_cuda.cuh"}"\n'
        "cudaError_t launch(const afkit::Batch& batch, const afkit::Kept& kept, const afkit::Settings& settings) {\n"
        "  return afkit::launch_nms(batch, kept, nullptr, settings, nullptr);\n"
        "}\n"
    )
    compile_with_nvcc(source, "-std=c++17", "-Werror", "all-warnings", "-arch=sm_80")


@needs_nvcc
@pytest.mark.slow
def test_nvcc_compiles_the_binding(tmp_path):
    from torch.utils.cpp_extension import include_paths

    generated = tmp_path / "c10" / "cuda" / "impl" / "cuda_cmake_macros.h"  # missing in a torch for the CPU
    generated.parent.mkdir(parents=True)
    generated.touch()
    source = tmp_path / "binding.cu"
    source.write_text(f'#include "{SOURCES / "nms.cu"}"\n')
    includes = [f"-I{folder}" for folder in (*include_paths(), tmp_path)]  # torch's own first, where it has one
    compile_with_nvcc(source, "-std=c++20", "--expt-relaxed-constexpr", "-arch=sm_90", *includes)
