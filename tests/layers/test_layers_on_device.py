"""Every test of the layers once more on CuPy: its strict stand-in, and the real one where there is a GPU."""

import pytest
from run_on_device import on_device

globals().update(on_device("layers/test_layers"))
globals().update(on_device("layers/test_references"))
pytestmark = pytest.mark.usefixtures("cupy")


@pytest.fixture(autouse=True)
def exact_convolution(monkeypatch):
    """Take the readable convolution in the network: its reference is full of ties, which Winograd's rounding breaks."""
    monkeypatch.setenv("MINUNET_CONVOLUTION", "readable")
