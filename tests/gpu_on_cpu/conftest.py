"""Fixtures of the tests that only the fake driver can run."""

import device as fake
import numpy as np
import pytest

from minunet import init_unet
from minunet.backend import to_device
from minunet.fast.cuda import loader
from minunet.gpu import allow_tf32_if_asked


@pytest.fixture
def driver():
    """Return the module that asks the fake driver."""
    if not fake.IS_THERE:
        pytest.skip("needs the fake driver: python tests/gpu_on_cpu/run.py")
    return fake


@pytest.fixture
def step_at_572(driver, monkeypatch):
    """Return a function that gives the parameters of the paper's network on the device, and a tile: x and labels."""
    import cupy

    kernel = loader._kernel
    monkeypatch.setattr(loader, "_kernel", lambda *key: driver.saying_sizes(kernel(*key)))

    def make():
        with driver.counted(only_count=True):
            params = to_device(init_unet(np.random.default_rng(0)), "gpu")
            x, labels = np.zeros((1, 572, 572), np.float32), np.zeros((388, 388), np.uint8)
            allow_tf32_if_asked(params["head"]["bias"])
            return params, (*to_device((x, labels), "gpu"), None)

    yield make
    cublas = cupy.cuda.cublas
    cublas.setMathMode(cupy.cuda.get_cublas_handle(), cublas.CUBLAS_DEFAULT_MATH)  # TF32 would last
