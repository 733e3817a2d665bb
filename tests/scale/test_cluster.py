"""Workers: one BLAS thread each, the network sent once, many images, and schedulers that do not answer."""

import os
import signal

import numpy as np
import pytest
import threadpoolctl

from minunet import predict
from minunet.backend import map_tree
from minunet.cli.main import main
from minunet.errors import InputError

pytest.importorskip("distributed", reason="needs Dask: python -m pip install -e '.[scale]'")

import dask.array as da
import distributed

from minunet import scale
from minunet.scale import cluster
from minunet.scale.cluster import connected
from minunet.scale.many_images import predict_images

counted = []  # in each process, a number for each time that a network has arrived
prepared = []  # a number for each worker that was prepared


class CountedArray(np.ndarray):
    def __setstate__(self, state):
        super().__setstate__(state)
        counted.append(1)


def arrivals():
    return len(counted)


def count_preparation():
    prepared.append(1)


def end_this_process(marker):
    """End the worker, the first time."""
    if not os.path.exists(marker):
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)


def test_many_images_in_their_order(network, rng, client):
    images = [rng.integers(0, 255, (1, height, 40)).astype(np.uint8) for height in (30, 70, 50)]
    for image, probabilities in zip(images, predict_images(network, images, client, rotations=4), strict=True):
        np.testing.assert_array_equal(probabilities, predict(network, image, rotations=4))


def test_only_a_few_images_are_on_their_way(network, client):
    drawn = []

    def images():
        for number in range(12):
            drawn.append(number)
            yield np.full((1, 30, 40), number, np.uint8)

    results = predict_images(network, images(), client)
    next(results)
    assert len(drawn) <= 4  # two for each of two threads
    assert len(list(results)) == 11 and len(drawn) == 12


LOST = distributed.client.FutureCancelledError("write_block", "scheduler-connection-lost", "Client lost\nit")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LOST, "does not answer any more; start it again"),
        (distributed.comm.CommClosedError("in <TCP>: Stream is closed"), "does not answer any more; start it again"),
        (distributed.KilledWorker("predict", None, 3), "has ended several workers, .* choose a smaller --tile"),
    ],
)
def test_workers_that_end_in_the_middle_are_one_line(client, error, words):
    with pytest.raises(InputError, match=words) as raised, connected(client.scheduler.address):
        raise error
    assert "\n" not in str(raised.value)


def test_a_worker_that_comes_later_is_prepared_too(monkeypatch):
    monkeypatch.setattr(cluster, "prepare_worker", count_preparation)
    prepared.clear()
    with distributed.LocalCluster(processes=False, n_workers=1, dashboard_address=":0") as growing:
        with connected(growing.scheduler_address) as client:
            assert len(prepared) == 1
            growing.scale(2)
            client.wait_for_workers(2, timeout=10)
            client.run(os.getpid)  # which each worker answers only after its start
            assert len(prepared) == 2


def test_a_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with distributed.LocalCluster(processes=False, n_workers=0, dashboard_address=":0") as empty:
        with pytest.raises(InputError, match=r"expected workers at .*, got none"), connected(empty.scheduler_address):
            pass


def test_another_version_on_a_worker(monkeypatch, client):
    monkeypatch.setattr(cluster, "_version_there", lambda: "0.0.1")
    with pytest.raises(InputError, match=r"on every worker, got 0\.0\.1"), connected(client.scheduler.address):
        pass


def test_evaluate_and_predict_by_a_scheduler(tmp_path, cells_folder, finished_run, client, monkeypatch, capsys):
    address = client.scheduler.address
    for name, options in {"alone": [], "together": ["--scheduler", address]}.items():
        out = str(tmp_path / name)
        assert main(["evaluate", str(finished_run / "checkpoint.npz"), "--out", out, *options]) == 0
    read = [(tmp_path / name / "metrics.json").read_bytes() for name in ("alone", "together")]
    assert read[0] == read[1]
    images = [str(path) for path in sorted((cells_folder / "images").iterdir())]
    for name, options in {"one": [], "many": ["--scheduler", address]}.items():
        assert main(["predict", *images, "--out", str(tmp_path / name), *options]) == 0
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "many" / path.name).read_bytes()


@pytest.mark.slow
def test_processes_keep_to_one_thread_get_the_network_once_and_may_be_lost(tmp_path, network, rng):
    network = network._replace(params=map_tree(lambda x: x.astype(np.float64), network.params))  # no tile rounds it
    with connected(workers=2) as client:
        for pools in client.run(threadpoolctl.threadpool_info).values():
            assert all(pool["num_threads"] == 1 for pool in pools if pool["user_api"] == "blas")
        network.params["head"]["bias"] = network.params["head"]["bias"].view(CountedArray)
        image = rng.integers(0, 255, (1, 200, 200)).astype(np.uint8)
        probabilities = scale.predict(network, da.from_array(image, chunks=(1, 20, 20))).compute()
        assert np.abs(probabilities - predict(network, image)).max() < 1e-6
        assert max(client.run(arrivals).values()) == 1

        dying = client.submit(end_this_process, str(tmp_path / "died"))
        images = [image[:, :60, :n] for n in range(30, 50)]
        for small, got in zip(images, predict_images(network, images, client), strict=True):
            assert np.abs(got - predict(network, small)).max() < 1e-6
        dying.result()
        assert (tmp_path / "died").exists()
