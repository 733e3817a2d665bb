"""How many tiles are worked on at once: one for each core if the network is small and memory is enough, else one."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minunet import to_device
from minunet.fast import thresholds
from minunet.fast.cpu import limits, memory, parallel
from minunet.network.initialise import init_unet
from minunet.network.memory_needed import backward_bytes, forward_bytes
from minunet.network.tiles_at_once import SHARE, tiles_at_once

DEFAULT = {"base_channels": 16, "depth": 3}  # the network of `minunet train`
GB = 10**9


@pytest.fixture(autouse=True)
def four_cores_and_memory_enough(monkeypatch):
    monkeypatch.setattr(limits, "memory", lambda: limits.Memory(64 * GB, 64 * GB))
    with threadpool_limits(4, "blas"):
        yield


@pytest.fixture
def params(rng):
    return init_unet(rng, **DEFAULT)


@pytest.mark.parametrize("with_backward", [False, True])
def test_each_core_takes_a_tile_of_a_small_network(rng, params, with_backward):
    assert parallel.threads() == 4
    assert tiles_at_once(params, 220, 220, with_backward) == 4
    assert tiles_at_once(init_unet(rng, base_channels=32, depth=1), 348, 348, with_backward) == 4
    assert tiles_at_once(init_unet(rng, base_channels=64, depth=1), 348, 348, with_backward) == 1


def test_the_numbers_of_a_layer_at_full_resolution_decide(monkeypatch, params):
    monkeypatch.setattr(thresholds, "SIDE_BY_SIDE", 16 * 220 * 124)
    assert tiles_at_once(params, 220, 124) == tiles_at_once(params, 124, 220) == 4
    assert tiles_at_once(params, 220, 132) == 1


@pytest.mark.parametrize(("with_backward", "bytes_of"), [(False, lambda n: forward_bytes(n, n, **DEFAULT)),
                                                         (True, lambda n: backward_bytes(n, **DEFAULT))])  # fmt: skip
def test_no_more_than_fit_into_half_of_the_free_memory(monkeypatch, params, with_backward, bytes_of):
    memory.give_back()
    needed = bytes_of(220)
    for free, expected in ((9, 4), (7.9, 3), (5.9, 2), (3.9, 1), (0.1, 1)):  # tiles that fit, twice
        monkeypatch.setattr(limits, "memory", lambda free=free: limits.Memory(64 * GB, int(free * needed)))
        assert tiles_at_once(params, 220, 220, with_backward) == expected
    assert SHARE == 0.5


@pytest.mark.parametrize("with_backward", [False, True])
def test_of_float64_half_as_many_fit(rng, monkeypatch, params, with_backward):
    memory.give_back()
    in_float32 = backward_bytes(220, **DEFAULT) if with_backward else forward_bytes(220, 220, **DEFAULT)
    monkeypatch.setattr(limits, "memory", lambda: limits.Memory(64 * GB, int(2 * 4.1 * in_float32)))
    assert tiles_at_once(params, 220, 220, with_backward) == 4
    assert tiles_at_once(init_unet(rng, **DEFAULT, dtype=np.float64), 220, 220, with_backward) == 2


def test_memory_that_lies_idle_counts_as_free(monkeypatch, params):
    monkeypatch.setattr(limits, "memory", lambda: limits.Memory(GB, 0))
    monkeypatch.setattr(memory, "idle_bytes", lambda: 5 * forward_bytes(220, 220, **DEFAULT))
    assert tiles_at_once(params, 220, 220) == 2


def test_where_nobody_knows_what_is_free_each_core_takes_a_tile(monkeypatch, params):
    monkeypatch.setattr(limits, "memory", lambda: None)
    assert tiles_at_once(params, 220, 220) == 4


def test_one_core_takes_one(params):
    with threadpool_limits(1, "blas"):
        assert tiles_at_once(params, 220, 220) == 1


@pytest.mark.gpu
def test_so_does_a_gpu(params):
    assert tiles_at_once(to_device(params, "gpu"), 220, 220) == 1
