"""The U-Net with batch normalisation of notebook 17: its gradients, its running averages, and folding."""

import numpy as np
import pytest

from minunet import flatten, gradcheck, init_unet, unet_forward
from minunet.course import normalised_unet as normalised
from minunet.layers.batch_norm import batch_norm_predict


@pytest.fixture
def params(rng):
    params = normalised.with_batch_norm(init_unet(rng, base_channels=2, depth=2, dtype=np.float64))
    for name, array in flatten(params).items():
        if name.endswith(("gamma", "beta")):
            array += 0.3 * rng.standard_normal(array.shape)
    return params


def test_every_gradient_is_right(params, rng):
    x = rng.standard_normal((2, 1, 44, 44))

    def forward(params):
        return normalised.normalised_unet_forward(params, x)

    report = gradcheck(forward, normalised.normalised_unet_backward, (params,), mode="directions")
    assert report.ok, report


def test_a_folded_network_is_a_plain_one_that_predicts_the_same(params, rng, monkeypatch):
    running = [(rng.standard_normal(len(m)), rng.uniform(0.5, 2, len(m))) for m, _ in normalised.first_running(params)]
    x = rng.standard_normal((1, 1, 44, 48))
    folded = normalised.fold_unet(params, running)
    plain = init_unet(rng, base_channels=2, depth=2)
    assert {k: v.shape for k, v in flatten(folded).items()} == {k: v.shape for k, v in flatten(plain).items()}
    pairs = iter(running)
    monkeypatch.setattr(
        normalised,
        "batch_norm_forward",
        lambda y, gamma, beta: (batch_norm_predict(y, gamma, beta, *next(pairs)), None),
    )
    expected, _ = normalised.normalised_unet_forward(params, x)
    np.testing.assert_allclose(unet_forward(folded, x)[0], expected, rtol=0, atol=1e-11 * np.abs(expected).max())


def test_running_averages_belong_to_their_layers(params, rng):
    x = rng.standard_normal((1, 1, 44, 44))
    logits, cache = normalised.normalised_unet_forward(params, x)
    running = normalised.next_running(normalised.first_running(params), cache, momentum=1.0)
    folded, _ = unet_forward(normalised.fold_unet(params, running), x)
    # the running averages are those of this batch, but for the unbiased variance
    np.testing.assert_allclose(folded, logits, atol=0.2 * np.abs(logits).max())
    assert np.corrcoef(folded.ravel(), logits.ravel())[0, 1] > 0.999
