"""The numbers of Fig. 1 that `minunet summary` works out, against the real network."""

import numpy as np
import pytest

import minunet as m
from minunet.fast.conv import conv2d_relu_forward
from minunet.network.summary import layer_rows, memory, summary

NETWORKS = [
    (dict(depth=1, base_channels=5, in_channels=3, num_classes=1), 18, 30),
    (dict(depth=2, base_channels=3, in_channels=1, num_classes=4), 52, 44),
    (dict(depth=3, base_channels=2, in_channels=2, num_classes=3), 92, 108),
]
networks = pytest.mark.parametrize("network, H, W", NETWORKS)


def run(network, H, W, N=1):
    params = m.init_unet(np.random.default_rng(0), **network)
    x = np.random.default_rng(1).standard_normal((N, network["in_channels"], H, W)).astype(np.float32)
    return params, *m.unet_forward(params, x)


def test_fig_1_has_31_030_658_parameters_in_23_layers():
    rows = layer_rows(572, 572)
    assert len(rows) == 23
    assert sum(row.parameters for row in rows) == 31_030_658
    kinds = [row.kind for row in rows]
    assert (kinds.count("conv 3x3"), kinds.count("up-conv 2x2"), kinds.count("conv 1x1")) == (18, 4, 1)


def test_fig_1_takes_150_43_gmac_and_537_mb_of_convolution_outputs():
    rows = layer_rows(572, 572)
    assert sum(row.macs for row in rows) == pytest.approx(150.43e9, abs=0.01e9)
    assert memory(rows, 572, 572)["outputs"] == pytest.approx(537e6, abs=0.5e6)


def test_fig_1_sizes_of_the_layers():
    sizes = {row.name: (row.in_channels, row.out_channels, row.height, row.width) for row in layer_rows(572, 572)}
    assert sizes["encode.0.conv1"] == (1, 64, 570, 570)
    assert sizes["encode.3.conv2"] == (512, 512, 64, 64)
    assert sizes["bottom.conv2"] == (1024, 1024, 28, 28)
    assert sizes["decode.3.up"] == (1024, 512, 56, 56)
    assert sizes["decode.0.conv1"] == (128, 64, 390, 390)
    assert sizes["head"] == (64, 2, 388, 388)


@networks
def test_parameters_equal_the_real_ones_layer_by_layer(network, H, W):
    params = m.flatten(m.init_unet(np.random.default_rng(0), **network))
    rows = layer_rows(H, W, **network)
    assert {f"{row.name}.{kind}" for row in rows for kind in ("weight", "bias")} == set(params)
    for row in rows:
        assert row.parameters == params[f"{row.name}.weight"].size + params[f"{row.name}.bias"].size


@networks
def test_layers_output_sizes_and_multiplications_equal_the_real_ones(monkeypatch, network, H, W):
    outputs = []

    def spy(forward):
        def spied(x, weight, bias):
            y, cache = forward(x, weight, bias)
            taps = weight.shape[0] if forward is m.up_conv_forward else weight[0].size  # products for one output pixel
            outputs.append((*y.shape[1:], y.size * taps))
            return y, cache

        return spied

    monkeypatch.setattr("minunet.network.unet.conv2d_forward", spy(m.conv2d_forward))
    monkeypatch.setattr("minunet.network.unet.conv2d_relu_forward", spy(conv2d_relu_forward))
    monkeypatch.setattr("minunet.network.unet.up_conv_forward", spy(m.up_conv_forward))
    run(network, H, W)
    rows = layer_rows(H, W, **network)
    assert [(row.out_channels, row.height, row.width, row.macs) for row in rows] == outputs
    assert memory(rows, H, W, itemsize=8)["outputs"] == 8 * sum(F * OH * OW for F, OH, OW, _ in outputs)


def bytes_held(tree):
    """Return {id of the array that owns the memory: bytes}."""
    held = {}
    for leaf in m.flatten(tree).values():
        if isinstance(leaf, np.ndarray):
            while isinstance(leaf.base, np.ndarray):
                leaf = leaf.base
            held[id(leaf)] = leaf.nbytes
    return held


@networks
def test_the_cache_takes_as_many_bytes_as_foretold(network, H, W):
    params, _, cache = run(network, H, W)
    held = bytes_held(cache)
    for parameter in bytes_held(params):
        held.pop(parameter, None)
    assert memory(layer_rows(H, W, **network), H, W)["cache"] == sum(held.values())


def test_batch_normalisation_is_foretold():
    network = dict(depth=2, base_channels=2, in_channels=1, num_classes=2, norm="batch")
    params, _, cache = run(network, 52, 44)
    rows = layer_rows(52, 44, **network)
    for row in rows:
        vectors = 2 if row.kind == "conv 3x3, norm" else 1  # gamma and beta, or a bias
        assert row.kind != "conv 3x3"
        assert row.parameters == m.flatten(params)[f"{row.name}.weight"].size + vectors * row.out_channels
    assert sum(row.parameters for row in rows) == sum(x.size for x in m.flatten(params).values())
    held = bytes_held(cache)
    statistics = sum(x.nbytes for name, x in m.flatten(cache).items() if name.endswith((".mean", ".variance")))
    for parameter in bytes_held(params):
        held.pop(parameter, None)
    assert memory(rows, 52, 44)["cache"] == sum(held.values()) - statistics


def test_height_and_width_are_not_mixed_up():
    tall, wide = layer_rows(92, 44, depth=2, base_channels=3), layer_rows(44, 92, depth=2, base_channels=3)
    assert [(row.height, row.width) for row in tall] == [(row.width, row.height) for row in wide]
    assert (tall[-1].height, tall[-1].width) == (52, 4)
    assert memory(tall, 92, 44) == memory(wide, 44, 92)


def test_a_size_that_does_not_fit_names_its_axis():
    with pytest.raises(m.InputError, match="input width 573 does not fit depth 4"):
        layer_rows(572, 573)


def test_the_printed_summary_tells_the_numbers_of_fig_1():
    text = summary(572, 572)
    for fact in ("568 - 2 * 88, 280 - 2 * 40, 136 - 2 * 16, 64 - 2 * 4", "388x388", "31,030,658", "300.86", "537 MB"):
        assert fact in text


def test_the_printed_summary_follows_height_and_width():
    text = summary(60, 44, depth=2, base_channels=3)
    for fact in ("56 - 2 * 16, 24 - 2 * 4", "40 - 2 * 16, 16 - 2 * 4", "20x4"):
        assert fact in text
