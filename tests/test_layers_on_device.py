"""Every test of the layers once more on CuPy: its strict stand-in, and the real one where there is a GPU."""

import pytest
from run_on_device import on_device

globals().update(on_device("test_layers"))
globals().update(on_device("test_references"))
pytestmark = pytest.mark.usefixtures("cupy")
