"""What the tests of `minunet.scale` share: a small network, an image, and a Dask client."""

import copy

import numpy as np
import pytest

from minunet import Network, Normalisation, flatten, init_unet


@pytest.fixture(autouse=True)
def dask_settings_as_before():
    """Give back Dask's settings: of two clients in one process, that which is closed last restores those of the other.

    Workers that are threads open clients of their own, and close them when they like.
    """
    try:
        import distributed  # noqa: F401 - it adds its own settings, which must be among those that are given back
        from dask import config
    except ImportError:  # then the tests that need it skip
        yield
        return
    before = copy.deepcopy(config.config)
    yield
    config.config.clear()
    config.config.update(before)


@pytest.fixture
def network(rng):
    """Return a network of depth 1 for one channel, which finds cells in an image of noise."""
    params = init_unet(rng, base_channels=2, depth=1)
    flatten(params)["head.bias"][:] = 0
    numbers = (np.array([value], np.float32) for value in (100, 50, -500, 700))
    return Network(params, Normalisation("dataset", *numbers))


@pytest.fixture
def image(rng):
    """Return grey values, (1, 150, 110), smooth enough for cells of some pixels."""
    noise = rng.standard_normal((1, 50, 37)).repeat(3, axis=1).repeat(3, axis=2)[..., :110]
    return (100 + 50 * noise).clip(0, 255).astype(np.uint8)


@pytest.fixture
def client():
    """Return a client whose two workers are threads of this process."""
    distributed = pytest.importorskip("distributed", reason="needs Dask: python -m pip install -e '.[scale]'")
    with distributed.Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0") as client:
        yield client
