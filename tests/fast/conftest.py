"""Fixtures of the tests of the CUDA kernels.

MINUNET_GPU_POOL=off in the environment takes each array's memory from CUDA itself, not from CuPy's pool, so that
compute-sanitizer can tell where an array ends.
"""

import os

import numpy as np
import pytest

from minunet.fast.cuda import loader


@pytest.fixture(scope="session", autouse=True)
def memory_of_arrays():
    if os.environ.get("MINUNET_GPU_POOL") == "off":
        import cupy

        cupy.cuda.set_allocator(None)


@pytest.fixture
def no_choice(monkeypatch):
    monkeypatch.delenv("MINUNET_KERNELS", raising=False)
    monkeypatch.delenv("MINUNET_CONVOLUTION", raising=False)


@pytest.fixture(params=[np.float32, np.float64], ids=["float", "double"])
def dtype(request):
    return request.param


@pytest.fixture(params=[2**31, 0], ids=["int", "long_long"])
def index(request, monkeypatch):
    """Let the kernels count by ints, and as if the arrays were huge."""
    monkeypatch.setattr(loader, "INT_LIMIT", request.param)
