"""CUDA graphs: the same numbers, bit for bit, from a launch or two; and what no graph can hold is refused."""

import importlib

import device as fake
import numpy as np
import pytest

from minunet import flatten, init_unet, predict, to_device
from minunet.data import Normalisation, load_data
from minunet.fast.cuda import graph
from minunet.training.config import Config
from minunet.training.optimisers import OPTIMISERS
from minunet.training.train import Run, start, train_step, train_steps

pytestmark = pytest.mark.gpu
SMALL = {"base_channels": 2, "depth": 1, "tile": 36}


@pytest.fixture
def cp(monkeypatch):
    monkeypatch.setattr(graph, "_recordings", {})
    return importlib.import_module("cupy")


def assert_same(result, expected, name=""):
    """Compare bit for bit, but on a GPU: there cuBLAS may choose another kernel for a graph."""
    tolerance = 0 if fake.IS_THERE else 1e-3
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance, err_msg=name)


def recorded():
    """Return the names of the graphs that there are."""
    return [key[0] for key, recording in graph._recordings.items() if recording]


def trained(monkeypatch, graphs, data, **options):
    """Return the losses, the parameters and the optimiser's state of a run, with graphs "on" or "off"."""
    monkeypatch.setenv("MINUNET_GRAPHS", graphs)
    config = Config(data=data, device="gpu", **{**SMALL, "steps": 6, **options})
    dataset = load_data(config.data)
    run = start(config, dataset)
    losses = [row["loss"] for row in train_steps(run, dataset)]
    return to_device([losses, run.params, run.optimiser_state, run.running], "cpu")


@pytest.mark.parametrize(
    ("options", "has_graph"),
    [
        ({"optimiser": "sgd", "norm": "none", "batch": 1, "weights": "map"}, True),
        ({"optimiser": "adam", "norm": "batch", "batch": 2}, True),  # of a pair
        ({"optimiser": "adam", "norm": "none", "batch": 2}, False),
        ({"optimiser": "adam", "norm": "none", "batch": 1, "dropout_rate": 0.5}, False),
    ],
)
def test_training_gives_the_same_numbers(cp, monkeypatch, cells_folder, options, has_graph):
    data = f"folder:{cells_folder}"
    plain, by_graphs = (flatten(trained(monkeypatch, graphs, data, **options)) for graphs in ("off", "on"))
    assert len(plain) > 6
    assert ("gradient" in recorded()) == has_graph
    for name, x in plain.items():
        assert_same(by_graphs[name], x, name)


def test_a_step_is_a_few_launches(cp, driver, monkeypatch, rng):
    """The tile's three copies, the graph, the loss's copy, the gradients gathered, and the optimiser's kernel."""
    monkeypatch.setenv("MINUNET_GRAPHS", "on")
    params = to_device(init_unet(rng, base_channels=2, depth=2), "gpu")
    config = Config(tile=60, depth=2, optimiser="adam", device="gpu")
    run = Run(config, params, OPTIMISERS["adam"].init(params), Normalisation("image"), [], None, {}, np.zeros(2))
    tile = rng.random((1, 60, 60), np.float32), rng.integers(0, 2, (20, 20)), rng.random((20, 20), np.float32)
    tile = to_device(tile, "gpu")
    losses = []
    for step in range(3):  # the first puts the parameters into one array, the second compiles, the third records
        losses.append(train_step(run, tile, step, 0.01))
    with driver.counted() as counts:
        losses.append(train_step(run, tile, 3, 0.01))
        seen = counts()
    assert seen.by_name["graph"] == (1, 0) and seen.products == seen.waits == 0
    assert seen.launches + seen.on_device <= 7 and len(seen.by_name) > 20
    assert len({float(loss) for loss in losses}) == 4  # none was overwritten
    assert cp.cuda.cublas.getStream(cp.cuda.get_cublas_handle()) == 0


def test_prediction_gives_the_same_numbers_and_follows_the_parameters(cp, monkeypatch, rng):
    params = to_device(init_unet(rng, base_channels=2, depth=1), "gpu")
    image = rng.standard_normal((70, 50)).astype(np.float32)
    for _ in range(2):
        plain = predict(params, image, 36)
        monkeypatch.setenv("MINUNET_GRAPHS", "on")
        for _ in range(2):
            assert_same(predict(params, image, 36), plain)
        monkeypatch.setenv("MINUNET_GRAPHS", "off")
        params["head"]["weight"] *= 2  # in place: the graph is launched again
    assert recorded() == ["forward"]


def test_few_graphs_are_kept_and_the_one_that_was_used_last_is_among_them(cp, rng):
    params = {"w": cp.ones(3)}
    for size in (1, 2, 3, 1):
        x = cp.ones((size, 3))
        for _ in range(3):
            y = graph.replayed("sum", lambda x: (x * params["w"]).sum(axis=1), params, [x])
        np.testing.assert_array_equal(y.get(), [3.0] * size)
    assert [recording.outputs.size for recording in graph._recordings.values()] == [3, 1]


@pytest.mark.parametrize(
    ("work", "error"),
    [
        (lambda cp, x: x + cp.asarray(np.ones(4)), "H2D transfers are disallowed"),
        (lambda cp, x: float(x.sum()), "disallowed|while a stream is captured"),
        (lambda cp, x: x[x > 1], "disallowed|while a stream is captured"),
        (lambda cp, x: x.reshape(2, 2) @ x.reshape(2, 2), "cuBLAS API during stream capture"),
    ],
)
def test_what_no_graph_can_hold_is_an_error(cp, driver, work, error):
    x = cp.arange(4.0)
    work(cp, x)
    with pytest.raises(Exception, match=error):
        graph._record(lambda x: work(cp, x), [x])
    assert float(x.sum()) == 6


def test_work_on_another_stream_is_found(cp, driver):
    x = cp.arange(4.0)

    def elsewhere(x):
        with cp.cuda.Stream(non_blocking=True):
            return x + 1

    elsewhere(x)
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="work on another stream"):
        graph._record(elsewhere, [x])


def test_nothing_is_computed_before_the_launch_nor_after_the_memory_is_gone(cp, driver):
    x, others = cp.arange(4.0), [cp.ones(4)]

    def function(own):
        return own + others[0]

    function(x)
    recording = graph._record(function, [x])
    assert cp.isnan(recording.outputs).all()
    recording.inputs[0][...] = x
    recording.graph.launch()
    np.testing.assert_array_equal(recording.outputs.get(), [1, 2, 3, 4])
    others.clear()
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="memory was given back"):
        recording.graph.launch()


@pytest.mark.parametrize("share", [1.0, 0.95, 0.9, 0.5])
def test_where_memory_is_short_no_graph_needs_what_was_given_back(cp, driver, monkeypatch, share):
    """A full pool of CuPy gives back what is free, and asks again; a graph would read that when it is launched."""
    monkeypatch.setenv("MINUNET_GRAPHS", "on")
    make_pool = cp.cuda.MemoryPool

    def pool_of_a_graph(limit):
        graph._recordings.clear()
        pools = []

        def limited(*args):
            pools.append(make_pool(*args))
            pools[-1].set_limit(size=limit)
            return pools[-1]

        monkeypatch.setattr(cp.cuda, "MemoryPool", limited)
        params = to_device(init_unet(np.random.default_rng(0), base_channels=16, depth=3), "gpu")
        config = Config(tile=220, depth=3, optimiser="adam", device="gpu")
        run = Run(config, params, OPTIMISERS["adam"].init(params), Normalisation("image"), [], None, {}, np.zeros(2))
        tile = np.zeros((1, 220, 220), np.float32), np.zeros((132, 132), np.uint8), None
        with driver.counted(only_count=True):
            for step in range(4):
                train_step(run, to_device(tile, "gpu"), step, 0.01)
        return pools[0].total_bytes()

    unlimited = pool_of_a_graph(0)
    try:
        assert pool_of_a_graph(int(share * unlimited)) <= unlimited
    except cp.cuda.memory.OutOfMemoryError:
        assert share < 1
