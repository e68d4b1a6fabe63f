"""Common to all tests. Where libraries are missing (a bare GPU machine), only files named test_gpu... are collected."""

import importlib.util

import pytest
import torch

LIBRARIES = ("h5py", "hypothesis", "matplotlib", "pydantic", "safetensors", "yaml")
BARE = any(importlib.util.find_spec(name) is None for name in LIBRARIES)

if BARE:
    CONFIGS, Config = [], None
else:
    import hypothesis
    import matplotlib
    from golden_files import CONFIGS, Config

    hypothesis.settings.register_profile("afkit", deadline=None)  # a slow machine is no failure
    hypothesis.settings.load_profile("afkit")
    matplotlib.use("Agg")


def pytest_ignore_collect(collection_path):
    """True leaves a file out."""
    is_test = collection_path.suffix == ".py" and collection_path.name.startswith("test_")
    return True if BARE and is_test and "gpu" not in collection_path.name else None


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that no process is left with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Torch on one thread, here and in children: the networks are small, and others may share the processors."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def on_the_processor():
    """Children compute without a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        yield


@pytest.fixture(params=[True])
def bf16_units(request, monkeypatch):
    """As on a processor with units for bfloat16 or, with the parameter False, without any."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: request.param)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return request.param


@pytest.fixture(params=CONFIGS)
def config(request):
    """Each of the original's small networks in turn."""
    return Config(request.param)


@pytest.fixture
def thumos():
    """The small network whose files lie in the repository."""
    return Config("thumos_i3d")


@pytest.fixture
def root(tmp_path):
    """A data root with the tiny data set, to be changed."""
    from tiny_data import write_tiny_data  # it needs libraries that a bare machine lacks

    write_tiny_data(tmp_path)
    return tmp_path
