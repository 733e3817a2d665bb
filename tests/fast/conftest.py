"""Fixtures of the tests of the CUDA kernels on the strict stand-in for CuPy."""

import numpy as np
import pytest

from minunet.fast.cuda import loader


@pytest.fixture
def no_choice(monkeypatch):
    monkeypatch.delenv("MINUNET_KERNELS", raising=False)
    monkeypatch.delenv("MINUNET_CONVOLUTION", raising=False)


@pytest.fixture(params=[(np.float32, "int"), (np.float64, "long long")], ids=["float", "double"])
def dtype(request, monkeypatch):
    """Return a dtype; the kernels of the second count as if the arrays were huge."""
    if request.param[1] == "long long":
        monkeypatch.setattr(loader, "INT_LIMIT", 0)
    return request.param[0]
