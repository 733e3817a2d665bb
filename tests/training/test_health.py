"""A run that goes wrong says so: where it explodes, what is dead, what has learned nothing."""

import warnings

import numpy as np
import pytest

from minunet import InputError, flatten, load_network, train
from minunet.cli.main import main
from minunet.data import synthetic_dataset
from minunet.network.activations import activations
from minunet.network.unet import unet_forward
from minunet.training.config import Config
from minunet.training.health import check_network, first_out_of_range, if_no_better
from minunet.training.run_folder import resume_run, save_run
from minunet.training.train import start, train_steps

SMALL = {"base_channels": 2, "depth": 1, "tile": 36}
DATA = synthetic_dataset(0, num_train=3, num_validation=1, height=60, width=64)
IMAGES, LABELS = [sample.image[0] for sample in DATA.train], [sample.labels for sample in DATA.train]


def trained(run, data=DATA, **options):
    for _ in train_steps(run, data, **options):
        pass
    return run


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_an_explosion_names_step_and_layer_and_leaves_the_parameters_that_led_to_it(optimiser):
    run = start(Config(steps=40, optimiser=optimiser, **SMALL), DATA)
    message = r"^the loss must stay .*, got \S+ at step (\d+), where (\S+) is the first layer out of range, with values"
    with warnings.catch_warnings(), pytest.raises(InputError, match=message) as error:
        warnings.simplefilter("error")  # NumPy says nothing of its own
        trained(run, schedule=lambda config, step, done: 200.0 * (step + 1))
    assert f"at step {len(run.history) + 1}," in str(error.value)
    assert all(np.isfinite(weight).all() for weight in flatten(run.params).values())


@pytest.mark.parametrize("layer", ["encode.0.conv2", "bottom.conv1", "decode.1.up", "decode.0.conv1", "head"])
def test_the_first_layer_out_of_range_is_the_one_that_was_spoilt(small_unet, rng, layer):
    x = rng.standard_normal((1, 1, 44, 44))
    assert first_out_of_range(small_unet, x) is None
    for weight in (1e3, np.inf, np.nan):
        flatten(small_unet)[f"{layer}.bias"][0] = weight
        name, largest = first_out_of_range(small_unet, x)
        assert name == layer
        assert np.isclose(largest, weight, rtol=0.2, equal_nan=True)


def test_activations_are_those_of_the_forward_pass(small_unet, rng):
    x = rng.standard_normal((2, 1, 44, 52))
    outputs = activations(small_unet, x)
    logits, cache = unet_forward(small_unet, x)
    np.testing.assert_array_equal(outputs["head"], logits)
    np.testing.assert_array_equal(outputs["decode.1.up"], cache.decode[1].conv.conv1.x[:, 4:])
    layers = [name.removesuffix(".bias") for name in flatten(small_unet) if name.endswith("bias")]
    assert sorted(outputs) == sorted(layers)
    order = ["encode.0.conv1", "encode.1.conv2", "bottom.conv1", "decode.1.up", "decode.1.conv2", "decode.0.up", "head"]
    assert [name for name in outputs if name in order] == order


def test_large_weights_of_the_loss_are_no_explosion():
    weights = [np.full(labels.shape, 1e6, np.float32) for labels in LABELS]
    run = trained(start(Config(steps=3, **SMALL), DATA), weights=weights)
    assert min(row["loss"] for row in run.history) > 1e4
    weights[0][:] = weights[1][:] = weights[2][:] = np.nan
    with pytest.raises(InputError, match="weights must be at least 0 and finite, got nan"):
        trained(start(Config(steps=3, **SMALL), DATA), weights=weights)


def test_an_image_with_nan_is_named_in_place_of_a_layer():
    spoilt = [sample._replace(image=np.where(sample.image > 0.5, np.nan, sample.image)) for sample in DATA.train]
    with pytest.raises(InputError, match="where the input is the first layer out of range"):
        trained(start(Config(steps=3, **SMALL), DATA), DATA._replace(train=spoilt))


@pytest.mark.parametrize("weight", [np.nan, np.inf, 1e8])
def test_a_network_that_has_exploded_is_never_saved(tmp_path, weight):
    run = start(Config(steps=2, **SMALL), DATA)
    save_run(run, tmp_path)
    good = flatten(run.params)["head.bias"].copy()
    flatten(run.params)["head.bias"][0] = weight
    with pytest.raises(InputError, match="must stay in range, but do not after step 0, where head"):
        save_run(run, tmp_path)
    np.testing.assert_array_equal(resume_run(tmp_path).params["head"]["bias"], good)


def test_the_network_that_comes_with_minunet_is_far_from_any_limit():
    run = start(Config(**SMALL), DATA)._replace(params=load_network("cells").params)
    check_network(run._replace(config=Config()))
    assert (
        first_out_of_range(run.params, np.random.default_rng(0).standard_normal((1, 1, 220, 220), np.float32)) is None
    )


def test_a_dead_layer_is_said_once(small_unet):
    run = start(Config(steps=20, norm="none", **SMALL), DATA)
    run.params["decode"][0]["conv1"]["bias"][:] = -1e3
    message = r"after step 2 decode\.0\.conv1 is dead: its output is 0 everywhere in held-out images, so no gradient p"
    with pytest.warns(UserWarning, match=message) as said:
        trained(run)
    assert len(said) == 1


@pytest.mark.parametrize("validation", [True, False])
def test_a_network_that_calls_every_pixel_one_class_is_said_when_the_run_is_half_over(validation, monkeypatch):
    monkeypatch.setattr("minunet.training.health.MIN_STEPS", 5)
    run = start(Config(steps=10, learning_rate=1e-12, **SMALL), DATA)
    run.params["head"]["bias"][0] = 30
    data, images = (DATA, "held-out") if validation else (DATA._replace(validation=[]), "training")
    with pytest.warns(UserWarning, match=f"after step 5 every pixel of {images} images is called class 0") as said:
        trained(run, data)
    assert "train for more steps, or try learning_rate=0.002, which is usual" in str(said[0].message)
    assert len(said) == 1


def test_a_network_that_calls_every_pixel_one_class_may_be_right_where_no_other_is_known(monkeypatch):
    monkeypatch.setattr("minunet.training.health.MIN_STEPS", 5)
    run = start(Config(steps=10, learning_rate=1e-12, **SMALL), DATA)
    run.params["head"]["bias"][1] = 30
    known = [sample._replace(known=sample.labels == 1) for sample in DATA.validation]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        trained(run, DATA._replace(validation=known))
    assert not [warning for warning in said if "is called class" in str(warning.message)]


def test_a_network_worse_than_the_majority_class_is_said(monkeypatch):
    row = {"validation_error": 0.4, "majority_error": 0.3}
    monkeypatch.setattr("minunet.training.train.validate", lambda run, samples: row)
    monkeypatch.setattr("minunet.training.health.MIN_STEPS", 7)
    with pytest.warns(UserWarning, match="after step 7 .*0.400 on held-out images, is not below .*0.300"):
        trained(start(Config(steps=10, **SMALL), DATA))


def test_a_run_that_ends_no_better_than_the_majority_class_is_said_whatever_its_length():
    run = start(Config(steps=3, **SMALL), DATA)
    said = "the mean pixel error, 0.3000, is not below the 0.3000 of calling every pixel the most common class"
    assert if_no_better(run, 0.3, 0.3) == f"{said}, so the network has learned too little: train for more steps"
    assert if_no_better(run, 0.2999, 0.3) is None and if_no_better(run, 0.0, 0.0) is None
    slow = start(Config(steps=3, learning_rate=1e-9, **SMALL), DATA)
    assert "more steps, or try learning_rate=0.002, which is usual" in if_no_better(slow, 0.31, 0.3)
    run.history.extend([{}] * 100)
    assert "more steps, or try a tenth of the learning rate" in if_no_better(run, 0.31, 0.3)


@pytest.mark.usefixtures("no_pictures")
def test_the_table_is_followed_by_that_line(cells_folder, tmp_path, capsys):
    options = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--steps", "2", "--learning-rate", "1e-9"]
    assert main(["train", "--data", f"folder:{cells_folder}", *options, "--out", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().out.splitlines()
    (place,) = [i for i, line in enumerate(lines) if line.startswith("the mean pixel error, ")]
    assert lines[place - 1].startswith("these are of the thresholds")
    assert "more steps, or try --learning-rate 0.002, which is usual" in lines[place]


@pytest.mark.slow
def test_a_network_that_learns_is_not_warned_about():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(IMAGES, LABELS, steps=200, base_channels=4, depth=1, tile=36, learning_rate=0.01, progress=False)


# What users bring, and what they are told: an InputError with these words, a warning, or a network.
BROUGHT = {
    "a learning rate of 10": ({"learning_rate": 10.0, "norm": "none"}, "is dead: .* try learning_rate=0.001"),
    "one of 1000": (
        {"learning_rate": 1e3, "norm": "none"},
        "is the first layer out of range.* try learning_rate=0.001",
    ),
    "10, with batch normalisation": ({"learning_rate": 10.0}, "is dead: .* try learning_rate=0.002"),
    "10,000, with it": ({"learning_rate": 1e4}, "is the first layer out of range.* try learning_rate=0.002"),
    "16 bits": ({"images": [np.uint16(65_535 * image) for image in IMAGES]}, None),
    "constant images": ({"images": [np.ones_like(image) for image in IMAGES]}, "expected images with contrast"),
    "empty masks": ({"labels": [0 * labels for labels in LABELS]}, "expected cells and background .* only background"),
    "masks of cells alone": ({"labels": [0 * labels + 1 for labels in LABELS]}, "expected cells and back.* only cell"),
    "NaN": ({"images": [np.where(image > 0.5, np.nan, image) for image in IMAGES]}, "expected finite grey values"),
    "one image": ({"images": IMAGES[:1], "labels": LABELS[:1]}, None),
    "classes 1 and 2": ({"labels": [labels + 1 for labels in LABELS]}, "expected labels 0, 1, 2"),
    "classes -1 and 1": ({"labels": [2 * np.int8(labels) - 1 for labels in LABELS]}, "labels of whole numbers from 0"),
    "a momentum of 1.5": ({"momentum": 1.5}, r"momentum must be a number in \[0, 1\), got 1.5"),
}


@pytest.mark.parametrize("brought", BROUGHT)
def test_what_users_bring_is_trained_on_or_refused_with_the_reason(brought):
    changes, message = BROUGHT[brought]
    settings = {"images": IMAGES, "labels": LABELS, "steps": 40, "progress": False, **SMALL, **changes}
    if message is None:
        train(**settings)
        return
    with pytest.raises((InputError, UserWarning), match=message):
        train(**settings)


def test_the_command_says_it_in_one_line_and_keeps_the_last_good_step(cells_folder, tmp_path, capsys):
    options = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--steps", "50", "--learning-rate", "10"]
    folder = tmp_path / "run"
    options += ["--norm", "none", "--batch", "1"]
    assert main(["train", "--data", f"folder:{cells_folder}", *options, "--out", str(folder)]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    step = len(resume_run(folder).history)
    assert "is the first layer out of range" in err and f"; step {step} is in the checkpoint in {folder}" in err
    check_network(resume_run(folder))
