"""When CUDA kernels are taken, what happens where they do not compile, and a whole network of them."""

import functools

import numpy as np
import pytest
from on_gpu import assert_same, convolution, on_device

from minunet import InputError, flatten, unet_backward, unet_forward
from minunet.backend import map_tree, to_host
from minunet.fast import layers as fast
from minunet.fast.choose import choose
from minunet.fast.cpu import parallel
from minunet.fast.cpu import pool as pool_on_cpu
from minunet.fast.cuda import loader
from minunet.fast.cuda import pool as pool_kernels
from minunet.fast.plan import Plan, plan
from minunet.layers import pool

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("no_choice")]


def test_arrays_of_numpy_take_the_readable_layer_and_those_of_cupy_the_kernel(monkeypatch, rng):
    x = rng.standard_normal((1, 2, 4, 4))
    assert choose(pool, x, kernels=pool_kernels) is pool
    assert choose(pool, x, kernels=pool_kernels, on_cpu=pool_on_cpu) is pool_on_cpu
    assert choose(pool, on_device(x), kernels=pool_kernels, on_cpu=pool_on_cpu) is pool_kernels
    assert choose(pool, on_device(x), on_cpu=pool_on_cpu) is pool
    assert choose(pool, on_device(x.astype(np.float16)), kernels=pool_kernels) is pool
    monkeypatch.setenv("MINUNET_KERNELS", "readable")
    assert choose(pool, on_device(x), kernels=pool_kernels) is pool
    monkeypatch.setenv("MINUNET_KERNELS", "cuda")
    with pytest.raises(InputError, match="MINUNET_KERNELS must be one of auto, readable, got 'cuda'"):
        fast.relu_forward(x)


def test_which_convolution_is_taken(monkeypatch, rng):
    x, weight, *_ = (on_device(a) for a in convolution(rng, (1, 2, 3, 8, 8), np.float32))
    monkeypatch.setattr(parallel, "threads", lambda: 1)
    for backward in (False, True):
        monkeypatch.delenv("MINUNET_CONVOLUTION", raising=False)
        monkeypatch.delenv("MINUNET_KERNELS", raising=False)
        assert plan(x, weight, backward) == Plan("cuda", "one part")
        assert plan(x, weight[..., :1, :1], backward) == Plan("cuda_1x1", "one part")
        assert plan(x, weight[..., :2, :2], backward) == Plan("readable", "one part")
        assert plan(x.astype(np.float16), weight, backward) == Plan("readable", "one part")
        for way in ("readable", "direct"):
            monkeypatch.setenv("MINUNET_CONVOLUTION", way)
            assert plan(x, weight, backward) == Plan("readable", "one part")
            assert plan(x, weight[..., :1, :1], backward) == Plan("readable", "one part")
        monkeypatch.setenv("MINUNET_CONVOLUTION", "winograd")
        assert plan(x, weight, backward) == Plan("cuda", "one part")
        monkeypatch.setenv("MINUNET_KERNELS", "readable")
        assert plan(x, weight[..., :1, :1], backward) == Plan("readable", "one part")
        assert plan(x, weight, backward) == Plan("winograd_deep", "one part")  # 36 pixels for 3 kernels


def test_the_whole_network_and_its_loss(monkeypatch, rng, small_unet):
    """All kernels in a row, as in a training step; and their gradient against the forward pass."""
    x, labels = rng.standard_normal((2, 1, 48, 44)), rng.integers(0, 3, (2, 8, 4))
    weights = rng.random((2, 8, 4))

    def step(params, x, labels, weights):
        logits, cache = unet_forward(params, x)
        loss_value, loss_cache = fast.softmax_cross_entropy_forward(logits, labels, weights)
        dlogits = fast.softmax_cross_entropy_backward(np.float64(1), loss_cache)
        grads, dx = unet_backward(dlogits, cache, with_dx=True)
        return {"loss": loss_value, "logits": logits, "dx": dx, **flatten(grads)}

    expected = step(small_unet, x, labels, weights)
    result = step(map_tree(on_device, small_unet), *(on_device(a) for a in (x, labels, weights)))
    for name, value in expected.items():
        np.testing.assert_allclose(to_host(result[name]), value, rtol=1e-10, atol=1e-12, err_msg=name)


def test_kernels_that_do_not_compile_give_way_with_one_warning(monkeypatch, cupy, rng, small_unet):
    raw_module = cupy.RawModule

    def broken(*, code, options):
        return raw_module(code=code + "\n__global__ void half_a_kernel(", options=options)

    for name in ("_compiles", "_module"):
        monkeypatch.setattr(loader, name, functools.cache(getattr(loader, name).__wrapped__))
    monkeypatch.setattr(loader, "_warned", [])
    monkeypatch.setattr(cupy, "RawModule", broken)
    x, labels = rng.standard_normal((1, 1, 44, 44)), rng.integers(0, 3, (1, 4, 4))
    logits, cache = unet_forward(small_unet, x)
    params, x, labels = map_tree(on_device, [small_unet, x, labels])
    message = r"slower layers .* take the place .* do not compile; the first was winograd.cu for float64: CompileExc"
    with pytest.warns(RuntimeWarning, match=message) as caught:
        for _ in range(2):
            logits_device, cache_device = unet_forward(params, x)
            _, loss_cache = fast.softmax_cross_entropy_forward(logits_device, labels)
            unet_backward(fast.softmax_cross_entropy_backward(np.float64(1), loss_cache), cache_device)
    assert len(caught) == 1
    assert_same(logits_device, logits, 1e-12)
