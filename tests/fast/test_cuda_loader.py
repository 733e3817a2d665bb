"""What is decided before a CUDA kernel is launched, and where there is no GPU: no CuPy is needed."""

import numpy as np
import pytest

from minunet import to_device
from minunet.course import pretend_gpu
from minunet.fast.cuda import conv, conv_tf32, loader
from minunet.fast.cuda import pool as pool_kernels
from minunet.fast.layers import choose
from minunet.layers import pool


def test_a_library_that_compiles_no_kernels_takes_the_readable_layers_without_a_warning(rng, no_choice):
    with pretend_gpu.installed():
        x = to_device(rng.standard_normal((1, 2, 4, 6)), "gpu")
        assert choose(pool, x, kernels=pool_kernels) is pool


def test_the_largest_array_decides_how_the_kernels_count(monkeypatch):
    launched = []
    monkeypatch.setattr(loader, "_kernel", lambda *key: lambda *launch: launched.append((*key, *launch)))

    class Huge:
        dtype = np.dtype(np.float32)

        def __init__(self, size):
            self.size = size

    for size, index, kind, blocks in [
        (2**31 - 2**13 - 256, "int", np.int32, 2**23 - 33),
        (2**31 - 2**13 - 255, "long long", np.int64, 2**23 - 32),
        (2**33 + 1, "long long", np.int64, 2**25 + 1),
    ]:
        loader.launch("pool", "max_pool_forward", size, Huge(size), size)
        *_, used, _, grid, block, args = launched.pop()
        assert (used, grid, block) == (index, (blocks,), (256,))
        assert type(args[1]) is kind and args[1] == size


@pytest.mark.parametrize(
    ("shape", "slabs"), [((1, 64, 64, 572, 572), 8), ((1, 1024, 512, 58, 58), 1), ((1, 2, 2, 20, 20), 1)], ids=str
)
def test_into_how_many_slabs_winograds_tiles_are_cut(shape, slabs):
    N, C, F, H, W = shape
    x = np.broadcast_to(np.float32(0), (N, C, H, W))
    assert conv._count_slabs(x, F) == slabs


@pytest.mark.parametrize(
    ("shape", "slabs"),
    [((1, 64, 64, 570, 570), 132), ((1, 1024, 512, 54, 54), 1), ((1, 128, 256, 136, 136), 16), ((1, 8, 8, 60, 30), 3)],
    ids=str,
)
def test_into_how_many_slabs_the_pixels_are_dealt_out_on_tensor_cores(shape, slabs):
    assert conv_tf32.count_slabs(*shape) == slabs


@pytest.mark.parametrize(("dtype", "side"), [(np.float32, 2), (np.float64, 4)])
def test_tf32_takes_the_smaller_tiles_for_float32_only(monkeypatch, dtype, side):
    monkeypatch.setattr("minunet.gpu._gpu_has_tf32", lambda: True)
    assert loader.tile_size(dtype) == 4
    monkeypatch.setenv("CUPY_TF32", "1")
    assert loader.tile_size(dtype) == side
