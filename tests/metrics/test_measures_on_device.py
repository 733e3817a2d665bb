"""Measures of arrays on a GPU: the same numbers as on the CPU, and a mixture is refused by name."""

import numpy as np
import pytest

from minunet import InputError, to_device
from minunet.metrics import (
    best_over_thresholds,
    components,
    iou,
    label_cells,
    measure_cells,
    pixel_error,
    pixel_error_f_score,
    seg_score,
    v_info,
    v_rand,
    warping_error,
    watershed,
)

MEASURES = [pixel_error, pixel_error_f_score, iou, v_rand, v_info, seg_score, warping_error]
pytestmark = pytest.mark.gpu


@pytest.fixture
def images(rng):
    """Return truth, proposal and known, (12, 15) each."""
    truth = (np.kron(rng.random((4, 5)) < 0.6, np.ones((3, 3))) > 0).astype(int)
    return truth, np.where(rng.random(truth.shape) < 0.9, truth, 1 - truth), rng.random(truth.shape) < 0.8


@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize("measure", MEASURES)
def test_the_same_numbers_as_on_the_host(images, measure, partly):
    truth, proposal, known = images
    if measure in (v_rand, v_info, seg_score):
        truth, proposal = components(truth > 0), components(proposal > 0)
    images = {"truth": truth, "proposal": proposal, "known": known if partly else None}
    expected = measure(**images)
    assert 0 < expected < 1
    assert measure(**to_device(images, "gpu")) == pytest.approx(expected, rel=1e-12)


def test_warping_error_by_probabilities(rng):
    truth, p = rng.random((20, 30)) > 0.4, rng.random((20, 30))
    images = {"truth": truth, "proposal": p > 0.5, "probability": p}
    assert warping_error(**to_device(images, "gpu")) == warping_error(**images) > 0


def test_thresholds_of_probabilities(rng):
    truth, p = components(rng.random((24, 20)) > 0.3), rng.random((24, 20))
    truth_gpu, p_gpu = to_device([truth, p], "gpu")
    on_gpu = best_over_thresholds([truth_gpu], [p_gpu])
    for name, best in best_over_thresholds([truth], [p]).items():
        assert on_gpu[name] == pytest.approx(best, rel=1e-12)  # a GPU adds up in another order


@pytest.mark.parametrize("measure", MEASURES)
def test_what_lies_elsewhere_is_named(images, measure):
    truth, proposal, known = images
    for moved in ((truth, to_device(proposal, "gpu")), (to_device(truth, "gpu"), proposal)):
        with pytest.raises(InputError, match=r"^proposal must be on the device of truth"):
            measure(*moved)
    with pytest.raises(InputError, match=r"^known must be on the device of truth \(host\), got an array on the GPU"):
        measure(truth, proposal, known=to_device(known, "gpu"))
    with pytest.raises(InputError, match=r"^image must be on the device of labels"):
        measure_cells(components(truth > 0), to_device(truth, "gpu"))


def test_cells_and_their_table(cupy, images, rng):
    truth, height = images[0] > 0, rng.random(images[0].shape)
    labels, seeds = components(truth), components(truth)
    found = components(to_device(truth, "gpu"))
    assert type(found) is cupy.ndarray
    np.testing.assert_array_equal(to_device(found, "cpu"), labels)
    grown = watershed(to_device(height, "gpu"), to_device(seeds, "gpu"))
    assert type(grown) is cupy.ndarray
    np.testing.assert_array_equal(to_device(grown, "cpu"), watershed(height, seeds))
    table = measure_cells(to_device(labels, "gpu"), to_device(height, "gpu"))
    for name, column in measure_cells(labels, height).items():
        np.testing.assert_array_equal(table[name], column)


@pytest.mark.parametrize("classes", [1, 2, 3])
@pytest.mark.parametrize("split", [0.1, 1])
def test_touching_cells_are_told_apart(cupy, rng, classes, split):
    p = rng.random((20, 25)) if classes == 1 else rng.dirichlet(np.ones(classes), (20, 25)).transpose(2, 0, 1)
    labels = label_cells(to_device(p, "gpu"), 0.4, split)
    assert type(labels) is cupy.ndarray and labels.dtype == np.int32
    np.testing.assert_array_equal(to_device(labels, "cpu"), label_cells(p, 0.4, split))
