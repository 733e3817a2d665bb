"""What evaluate measures and leaves out, and how it is printed and written."""

import json
import math

import numpy as np
import pytest

import minunet as m
from minunet.data import Sample, synthetic_cells
from minunet.metrics import components, evaluate, pixel_error_f_score
from minunet.metrics.evaluation import mean, pixel_errors
from minunet.metrics.table import table
from minunet.training.run_folder import write_evaluation

MEASURES = ["pixel_error", "majority_pixel_error", "pixel_error_f_score", "v_rand", "v_info", "warping_error", "iou"]


def noisy(labels, rng, noise=0.3):
    p = np.clip(labels * 0.8 + 0.1 + noise * rng.normal(size=labels.shape), 0, 1)
    return np.stack([1 - p, p])


@pytest.fixture
def samples(rng):
    made = []
    for i in range(3):
        image, instances = synthetic_cells(rng, 60, 80)
        instances = m.separate_touching(instances)
        made.append(Sample(f"cells-{i}", image[None], (instances > 0).astype(np.uint8), instances))
    return made


@pytest.fixture
def probabilities(samples, rng):
    return [noisy(sample.labels, rng) for sample in samples]


def test_every_measure_of_every_image(samples, probabilities):
    evaluation = evaluate(samples, probabilities)
    for row, sample, p in zip(evaluation["images"], samples, probabilities, strict=True):
        assert list(row) == ["name", *MEASURES, "seg"]
        truth, proposal = sample.labels, (p[1] > p[0]).astype(int)
        cells = m.label_cells(p)
        assert row["name"] == sample.name
        assert row["pixel_error"] == m.pixel_error(truth, proposal)
        assert row["pixel_error_f_score"] == pixel_error_f_score(truth, proposal)
        assert row["majority_pixel_error"] == min(truth.mean(), 1 - truth.mean())
        assert row["iou"] == m.iou(truth, proposal)
        assert row["v_rand"] == m.v_rand(sample.instances, cells)
        assert row["v_info"] == m.v_info(sample.instances, cells)
        assert row["seg"] == m.seg_score(sample.instances, cells)
        assert row["warping_error"] == m.warping_error(truth, proposal, 1 - p[0])
    for name in (*MEASURES, "seg"):
        assert evaluation[name] == pytest.approx(np.mean([row[name] for row in evaluation["images"]]))
    best = evaluation["best_over_thresholds"]
    for name in ("pixel_error", "pixel_error_f_score"):
        assert best[name]["score"] <= evaluation[name]
    assert {"v_rand", "v_info", "v_rand_thinned", "v_info_thinned", "seg"} < set(best)
    assert best["seg"]["score"] >= evaluation["seg"]


def test_seg_is_over_the_cells_of_all_images_not_cut_apart_and_known_or_not():
    """By hand: one image of three cells, of which two touch, and one image of a single cell."""
    three = np.zeros((12, 40), np.int32)
    three[2:10, 2:10], three[2:10, 10:18], three[2:10, 30:38] = 1, 2, 3
    one = np.zeros((12, 40), np.int32)
    one[2:10, 2:10] = 1
    found = three.copy()
    found[:, 2:10] = 0  # 2 and 3 are found, 1 is not; of 1 and 2, which touch, 2 is the one that is cut
    samples = []
    for name, cells in (("three", three), ("one", one)):
        cut = m.separate_touching(cells)
        samples.append(Sample(name, cells[None] + 0.0, (cut > 0).astype(np.uint8), cut, cells < 3, cells))
    p = [np.stack([q == 0, q > 0]).astype(float) for q in (found, one[:, ::-1])]
    evaluation = evaluate(samples, p)
    assert [row["seg"] for row in evaluation["images"]] == [pytest.approx(2 / 3), 0]
    assert evaluation["seg"] == pytest.approx(2 / 4)
    assert evaluation["best_over_thresholds"]["seg"]["score"] == pytest.approx(2 / 4)


def test_each_of_three_classes_by_hand():
    truth = np.repeat([[0, 0, 0, 1, 1, 2]], 6, axis=0).astype(np.uint8)
    proposal = np.repeat([[0, 0, 1, 1, 1, 0]], 6, axis=0)
    p = np.eye(4)[proposal].transpose(2, 0, 1)  # (4, H, W), of which nobody has class 3
    known = np.ones(truth.shape, bool)
    known[:, 0] = False
    evaluation = evaluate([Sample("a", truth[None] + 0.0, truth, None, known)], [p])
    background, first, second, third = evaluation["classes"]
    assert (background["iou"], background["dice"], background["pixel_error"]) == (1 / 3, 1 / 2, 2 / 5)
    assert (first["share"], first["iou"], first["dice"], first["pixel_error"]) == (2 / 5, 2 / 3, 4 / 5, 1 / 5)
    assert (second["iou"], second["dice"], second["pixel_error"]) == (0, 0, 1 / 5)
    assert math.isnan(third["iou"]) and third["share"] == third["pixel_error"] == 0
    lines = table(evaluation).splitlines()
    assert lines[lines.index("class   share     iou    dice  pixel_error") + 2].split() == [
        "1",
        "0.4000",
        "0.6667",
        "0.8000",
        "0.2000",
    ]
    assert "classes" not in evaluate([Sample("a", truth[None] + 0.0, truth > 0, None)], [p[:2]])


def test_without_instances_the_components_are_the_cells_and_there_is_no_seg(samples, probabilities):
    binary = [sample._replace(instances=None) for sample in samples]
    by_components = [sample._replace(instances=components(sample.labels)) for sample in samples]
    evaluation, expected = evaluate(binary, probabilities), evaluate(by_components, probabilities)
    assert "seg" not in evaluation and "seg" in expected
    for name in MEASURES:
        assert evaluation[name] == expected[name]
    best, expected_best = evaluation["best_over_thresholds"], expected["best_over_thresholds"]
    assert expected_best == {**best, "seg": expected_best["seg"]} and "seg" not in best


def test_three_classes_are_cell_and_not_cell(samples, probabilities):
    both = [np.stack([p[0], 0.25 * p[1], 0.75 * p[1]]) for p in probabilities]
    found = evaluate(samples, both)["best_over_thresholds"]
    assert found == evaluate(samples, probabilities)["best_over_thresholds"]


def test_pixels_whose_truth_is_not_known_do_not_count(samples, probabilities, rng):
    known = [np.ones(sample.labels.shape, bool) for sample in samples]
    for mask in known:
        mask[:, 50:] = False
    partly = [sample._replace(known=mask) for sample, mask in zip(samples, known, strict=True)]
    rows = pixel_errors(partly, probabilities)
    for row, sample, p in zip(rows, samples, probabilities, strict=True):
        truth, proposal = sample.labels[:, :50], (p[1] > p[0])[:, :50]
        assert row["pixel_error"] == m.pixel_error(truth, proposal)
        assert row["majority_pixel_error"] == pytest.approx(min(truth.mean(), 1 - truth.mean()))
    perfect = [np.stack([1 - s.labels, s.labels]).astype(float) for s in samples]
    spoilt = [np.where(mask, p, rng.random(p.shape)) for mask, p in zip(known, perfect, strict=True)]
    evaluation = evaluate(partly, spoilt)
    for name in ("pixel_error", "pixel_error_f_score", "warping_error"):
        assert evaluation[name] == 0
    assert evaluation["iou"] == evaluation["best_over_thresholds"]["v_rand_thinned"]["score"] == 1


@pytest.mark.usefixtures("no_pictures")
def test_an_image_without_a_cell_spoils_no_mean(samples, probabilities, tmp_path):
    empty = np.zeros((60, 80), np.int32)
    nothing = Sample("nothing", samples[0].image, empty.astype(np.uint8), empty)
    evaluation = write_evaluation([*samples, nothing], [*probabilities, probabilities[0]], tmp_path)
    row = evaluation["images"][-1]
    assert all(math.isnan(row[name]) for name in ("v_rand", "v_info", "seg")) and row["pixel_error"] > 0.1
    alone = evaluate(samples, probabilities)
    assert evaluation["v_rand"] == alone["v_rand"] and evaluation["seg"] == alone["seg"]
    assert evaluation["best_over_thresholds"]["v_rand"] == alone["best_over_thresholds"]["v_rand"]
    lines = table(evaluation).splitlines()
    assert lines[5].split()[4:6] == ["-", "-"]
    written = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=pytest.fail)  # NaN is not JSON
    assert written["images"][-1]["seg"] is None and written["images"][0] == evaluation["images"][0]


def test_a_measure_that_some_images_lack(samples, probabilities):
    some = [samples[0]._replace(instances=None), *samples[1:]]
    evaluation = evaluate(some, probabilities)
    assert evaluation["seg"] == pytest.approx(np.mean([row["seg"] for row in evaluation["images"][1:]]))
    assert "seg" not in evaluation["best_over_thresholds"]
    assert table(evaluation).splitlines()[2].split()[-1] == "-"
    assert math.isnan(mean([{"name": "a", "seg": math.nan}])["seg"])


def test_metrics_json_holds_the_means_the_rows_and_the_thresholds(samples, probabilities, tmp_path):
    (tmp_path / "new").mkdir()
    evaluation = write_evaluation(samples, probabilities, tmp_path / "new")
    assert json.loads((tmp_path / "new" / "metrics.json").read_text()) == evaluation
    assert set(MEASURES) | {"seg", "images", "best_over_thresholds", "threshold", "split"} == set(evaluation)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "contact_sheet.png",
        "metrics.json",
        "predictions.png",
    ]


def test_the_table_fits_a_terminal_and_holds_the_numbers(samples, probabilities):
    samples[1] = samples[1]._replace(name="0acd2c223d300ea55d0546797713851e818e5c697d073b7f4091b96ce0f3d2fe")
    evaluation = evaluate(samples, probabilities)
    evaluation["images"][0]["warping_error"] = 0.000353  # the paper's
    lines = table(evaluation).splitlines()
    assert max(map(len, lines)) <= 110
    first, second = (line.split() for line in lines[:2])
    assert len(second) == 1 + len(MEASURES) + 1 and first == ["pixel_", "majority_", "pixel_error_", "warping_"]
    assert lines[2].split()[0] == "cells-0" and "0.000353" in lines[2]
    assert lines[3].startswith("0acd2c223d300ea55d0546797...  ")
    means = [f"{evaluation[name]:.{6 if name == 'warping_error' else 4}f}" for name in (*MEASURES, "seg")]
    assert lines[5].split() == ["mean", *means]
    found = evaluation["best_over_thresholds"]["v_rand_thinned"]
    assert ["v_rand_thinned", f"{found['score']:.4f}", f"{found['threshold']:.1f}"] in [line.split() for line in lines]


def test_validation_while_training_asks_for_pixel_errors_only(samples, monkeypatch):
    from minunet.training import train

    monkeypatch.setattr("minunet.metrics.evaluation._slow_measures", pytest.fail)
    monkeypatch.setattr("minunet.metrics.evaluation.best_over_thresholds", pytest.fail)
    params = m.init_unet(np.random.default_rng(0), base_channels=2, depth=1)
    run = train.Run(
        train.Config(), params, {}, {"mean": np.float32([0.5]), "std": np.float32([0.2])}, [], None, {}, np.zeros(2)
    )
    found = train.validate(run, samples)
    assert set(found) == {"validation_error", "majority_error"}
