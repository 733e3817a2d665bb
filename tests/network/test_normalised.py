"""A U-Net with batch normalisation: its gradients, PyTorch's, its running averages, and the plain network they make."""

import numpy as np
import pytest

import minunet as m
from minunet.backend import map_tree, to_device, to_host
from minunet.errors import InputError
from minunet.layers.batch_norm import batch_norm_predict
from minunet.network import unet
from minunet.network.checks import parameter_count
from minunet.network.running_averages import first_running, fold_unet, statistics, update_running_averages

NETWORK = {"in_channels": 2, "num_classes": 3, "base_channels": 2, "depth": 2}


@pytest.fixture
def params(rng):
    """Parameters whose scales, shifts and biases are not those of the start."""
    params = m.init_unet(rng, **NETWORK, dtype=np.float64, norm="batch")
    for name, array in m.flatten(params).items():
        if not name.endswith("weight"):
            array += 0.3 * rng.standard_normal(array.shape)
    return params


def random_averages(params, rng):
    return map_tree(
        lambda x: rng.uniform(0.5, 2, x.shape) * rng.choice([-1, 1] if not x.any() else [1]), first_running(params)
    )


def test_the_parameters_are_those_of_a_plain_network_and_gamma_and_beta_for_the_biases(rng):
    plain = m.flatten(m.init_unet(np.random.default_rng(3), **NETWORK))
    normal = m.flatten(m.init_unet(np.random.default_rng(3), **NETWORK, norm="batch"))
    assert sum(x.size for x in normal.values()) == parameter_count(**NETWORK, norm="batch")
    assert sum(x.size for x in plain.values()) == parameter_count(**NETWORK)
    assert list(normal)[:5] == [f"encode.0.{x}" for x in ("conv1.weight", "norm1.gamma", "norm1.beta")] + [
        "encode.0.conv2.weight",
        "encode.0.norm2.gamma",
    ]
    for name, x in normal.items():
        if name in plain:
            np.testing.assert_array_equal(x, plain[name])  # the same draws
        else:
            assert (x == (1 if name.endswith("gamma") else 0)).all()
    missing = set(plain) - set(normal)
    assert len(missing) == 10 and all(name.endswith(".bias") and ".conv" in name for name in missing)


@pytest.mark.parametrize("norm", ["layer", "none", 1, ["batch"], np.zeros(2)])
def test_another_norm_is_refused(rng, norm):
    with pytest.raises(InputError, match=r"norm must be None or 'batch', got .*; None is the paper's network"):
        m.init_unet(rng, norm=norm)


def test_every_gradient_is_right(params, rng):
    x = rng.standard_normal((2, 2, 44, 44))

    def backward(dlogits, cache):
        return m.unet_backward(dlogits, cache, with_dx=True)

    report = m.gradcheck(m.unet_forward, backward, (params, x), mode="directions")
    assert report.ok, report


def torch_params(torch, params):
    return map_tree(lambda x: torch.tensor(x, requires_grad=True), params)


def torch_unet(torch, params, x, running=None):
    """Return the logits of the same network in PyTorch: by the batch's statistics or, if given, by running averages."""
    F = torch.nn.functional

    def double_conv(level, averages, x):
        for i in "12":
            x = F.conv2d(x, level[f"conv{i}"]["weight"])
            norm = level[f"norm{i}"]
            if averages is None:
                x = F.batch_norm(x, None, None, norm["gamma"], norm["beta"], training=True)
            else:
                pair = (torch.tensor(averages[f"norm{i}"][name]) for name in ("mean", "variance"))
                x = F.batch_norm(x, *pair, norm["gamma"], norm["beta"], training=False)
            x = F.relu(x)
        return x

    def averages(part, i=None):
        return None if running is None else running[part] if i is None else running[part][i]

    skips = []
    for i, level in enumerate(params["encode"]):
        skips.append(double_conv(level, averages("encode", i), x))
        x = F.max_pool2d(skips[-1], 2)
    x = double_conv(params["bottom"], averages("bottom"), x)
    for i in reversed(range(len(params["decode"]))):
        level, skip = params["decode"][i], skips.pop()
        x = F.conv_transpose2d(x, level["up"]["weight"], level["up"]["bias"], stride=2)
        rows, columns = ((skip.shape[axis] - x.shape[axis]) // 2 for axis in (2, 3))
        skip = skip[:, :, rows : rows + x.shape[2], columns : columns + x.shape[3]]
        x = double_conv(level, averages("decode", i), torch.cat([skip, x], dim=1))
    return F.conv2d(x, params["head"]["weight"], params["head"]["bias"])


def assert_close(actual, expected, name=""):
    expected = expected.detach().numpy()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-10 * np.abs(expected).max(), err_msg=name)


def test_values_and_gradients_equal_pytorchs(params, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; gradcheck has looked at the same network")
    x = rng.standard_normal((3, 2, 52, 44))
    dlogits = rng.standard_normal((3, 3, 12, 4))
    logits, cache = m.unet_forward(params, x)
    grads, dx = m.unet_backward(dlogits, cache, with_dx=True)
    theirs, their_x = torch_params(torch, params), torch.tensor(x, requires_grad=True)
    expected = torch_unet(torch, theirs, their_x)
    expected.backward(torch.tensor(dlogits))
    assert_close(logits, expected)
    assert_close(dx, their_x.grad, "dx")
    for name, gradient in m.flatten(theirs).items():
        if name.endswith("up.bias"):  # a normalisation takes away what it adds
            assert not m.flatten(grads)[name].any() and abs(gradient.grad).max() < 1e-12
        else:
            assert_close(m.flatten(grads)[name], gradient.grad, name)


def test_the_folded_network_equals_pytorchs_in_eval_mode(params, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; batch_norm_predict is compared below")
    running, x = random_averages(params, rng), rng.standard_normal((1, 2, 52, 44))
    expected = torch_unet(torch, torch_params(torch, params), torch.tensor(x), running)
    assert_close(m.unet_forward(fold_unet(params, running), x)[0], expected)


def test_the_folded_network_is_a_plain_one_that_predicts_the_same(params, rng, monkeypatch):
    running, x = random_averages(params, rng), rng.standard_normal((1, 2, 44, 48))
    folded = fold_unet(params, running)
    plain = m.init_unet(rng, **NETWORK)
    assert {k: v.shape for k, v in m.flatten(folded).items()} == {k: v.shape for k, v in m.flatten(plain).items()}
    levels = [*running["encode"], running["bottom"], *running["decode"][::-1]]
    in_order = iter([level[norm] for level in levels for norm in ("norm1", "norm2")])

    def predict(x, weight, gamma, beta):
        y, conv = m.conv2d_forward(x, weight, np.zeros_like(beta))
        averages = next(in_order)
        y, relu = m.relu_forward(batch_norm_predict(y, gamma, beta, averages["mean"], averages["variance"]))
        return y, (conv, None, relu)

    monkeypatch.setattr(unet, "conv2d_norm_relu_forward", predict)
    expected, _ = m.unet_forward(params, x)
    np.testing.assert_allclose(m.unet_forward(folded, x)[0], expected, rtol=0, atol=1e-11 * np.abs(expected).max())


def test_running_averages_are_the_mean_of_the_first_steps_and_then_fade(params, rng):
    running = first_running(params)
    seen = []
    for step in range(1, 26):
        now = map_tree(lambda x: rng.uniform(1, 2, x.shape), running)
        seen.append(m.flatten(now))
        update_running_averages(running, seen[-1], step)
        if step in (1, 2, 13, 20):
            for name, average in m.flatten(running).items():
                np.testing.assert_allclose(average, np.mean([row[name] for row in seen], axis=0))
    name = "decode.1.norm2.variance"
    expected = np.mean([row[name] for row in seen[:20]], axis=0)
    for row in seen[20:]:
        expected = 0.95 * expected + 0.05 * row[name]
    np.testing.assert_allclose(m.flatten(running)[name], expected)


def test_statistics_belong_to_their_layers_and_the_variance_is_unbiased(params, rng):
    x = rng.standard_normal((2, 2, 44, 44))
    _, cache = m.unet_forward(params, x)
    found = statistics(cache)
    assert list(m.flatten(found)) == list(m.flatten(first_running(params)))
    y, _ = m.conv2d_forward(x, params["encode"][0]["conv1"]["weight"], np.zeros(2))
    np.testing.assert_allclose(found["encode"][0]["norm1"]["mean"], y.mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(found["encode"][0]["norm1"]["variance"], y.var(axis=(0, 2, 3), ddof=1))
    y, _ = m.conv2d_forward(cache.decode[1].conv.relu1.y, params["decode"][1]["conv2"]["weight"], np.zeros(4))
    np.testing.assert_allclose(found["decode"][1]["norm2"]["variance"], y.var(axis=(0, 2, 3), ddof=1))


@pytest.mark.gpu
def test_a_device_gives_the_same(params, rng):
    x, dlogits = rng.standard_normal((2, 2, 44, 44)), rng.standard_normal((2, 3, 4, 4))

    def run(device):
        there, image, gradient = to_device([params, x, dlogits], device)
        logits, cache = m.unet_forward(there, image)
        running = first_running(there)
        update_running_averages(running, m.flatten(statistics(cache)), 1)
        folded = fold_unet(there, running)
        arrays = [logits, m.unet_backward(gradient, cache), running, folded, m.unet_forward(folded, image)[0]]
        return m.flatten(map_tree(to_host, arrays))

    expected = run("cpu")
    for name, array in run("gpu").items():
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-10 * abs(expected[name]).max(), err_msg=name)


def test_a_plain_network_has_no_statistics(rng):
    plain = m.init_unet(rng, base_channels=2, depth=1)
    assert first_running(plain) == statistics(m.unet_forward(plain, np.zeros((1, 1, 20, 20), np.float32))[1]) == {}


def test_what_predicts_is_never_the_network_in_training(params, tmp_path):
    image = np.zeros((2, 30, 30), np.float32)
    for use in (
        lambda: m.predict(params, image),
        lambda: m.predict(m.Network(params, m.Normalisation("image")), image),
        lambda: m.save_network(tmp_path / "c.npz", m.Network(params, m.Normalisation("image"))),
    ):
        with pytest.raises(InputError, match=r"without batch normalisation, got one with it.*take run.network"):
            use()
    assert m.predict(fold_unet(params, first_running(params)), image).shape == (3, 30, 30)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("bottom.norm1.gamma", lambda x: None, "bottom.norm1.gamma missing"),
        (
            "decode.0.norm2.beta",
            lambda x: x[:1],
            r"floating-point numbers \(2,\) in decode.0.norm2.beta, got float64 \(1,\)",
        ),
        ("encode.0.norm1.gamma", lambda x: None, "conv1.bias missing"),
        ("encode.1.norm1.gamma", lambda x: x.astype(int), r"in encode.1.norm1.gamma, got int64 \(4,\)"),
    ],
)
def test_parameters_that_do_not_fit_are_named(params, name, change, message):
    *path, last = name.split(".")
    branch = params
    for part in path:
        branch = branch[int(part) if part.isdigit() else part]
    branch[last] = change(branch[last])
    if branch[last] is None:
        del branch[last]
    with pytest.raises(InputError, match=message):
        m.unet_forward(params, np.zeros((1, 2, 44, 44)))
