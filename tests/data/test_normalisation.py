"""Hot pixels of a camera do not dominate the normalisation, and ordinary images are left as they are."""

import numpy as np
import pytest

from minunet import InputError, Network, Normalisation, load_network, save_network
from minunet.data import Sample, fit_normalisation, normalisation_of, normalise, synthetic_dataset
from minunet.data.normalisation import as_normalisation
from minunet.prediction.predict import predict_samples
from minunet.training.config import Config
from minunet.training.run_folder import resume_run, save_run
from minunet.training.train import start, train_steps


def sample(image):
    image = np.float32(image)
    return Sample("a", image, np.zeros(image.shape[1:], np.uint8), None)


@pytest.fixture
def dim(rng):
    """Return two images of a microscope, (1, 60, 70), whose values lie near 1000 of 65535."""
    return [np.round(rng.normal(1000, 80, (1, 60, 70))) for _ in range(2)]


def with_hot_pixels(image, rng, value=65535, count=2):
    image = image.copy()
    image.ravel()[rng.choice(image.size, count, replace=False)] = value
    return image


@pytest.mark.parametrize("value", [65535, -30000])
def test_hot_and_dead_pixels_change_next_to_nothing(dim, rng, value):
    clean = fit_normalisation([sample(image) for image in dim])
    hot = fit_normalisation([sample(with_hot_pixels(image, rng, value)) for image in dim])
    assert abs(hot.mean - clean.mean) < 0.02 * clean.std  # unclipped, 65535 moves it by 0.4 of that
    np.testing.assert_allclose(hot.std, clean.std, rtol=0.05)  # unclipped, 65535 makes it 18 times as large


def test_a_hot_pixel_of_a_new_image_is_clipped_and_the_others_are_not(dim, rng):
    normalisation = fit_normalisation([sample(image) for image in dim])
    image = dim[0].copy()
    expected = (image - normalisation.mean) / normalisation.std
    image[0, 5, 6], image[0, 7, 8] = 65535, 0
    normal = normalise(image, normalisation)
    assert 7 < normal[0, 5, 6] < 12 and -12 < normal[0, 7, 8] < -7
    expected[0, [5, 7], [6, 8]] = normal[0, [5, 7], [6, 8]]
    np.testing.assert_allclose(normal, expected, atol=1e-4)


def test_the_limits_by_hand():
    image = np.arange(1001.0).reshape(1, 7, 143)  # the quantiles are 1 and 999
    normalisation = fit_normalisation([sample(image)])
    assert normalisation.low == pytest.approx(1 - 998) and normalisation.high == pytest.approx(999 + 998)
    image[0, 0, 0] = 5000
    hot = fit_normalisation([sample(image)])
    clipped = np.r_[1:1001, hot.high]
    assert hot.mean == pytest.approx(clipped.mean()) and hot.std == pytest.approx(clipped.std())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("size", [(1, 3), (3, 7), (60, 70), (113, 91)])
def test_the_limits_are_those_of_numpys_quantiles(rng, dtype, size):
    """Images of several sizes, with values that repeat, and in no order."""
    images = [(rng.integers(0, 120, (2, height, size[1])) ** 1.01).astype(dtype) for height in (size[0], 5)]
    normalisation = fit_normalisation([sample(image) for image in images])
    for c in range(2):
        q0, q1 = np.quantile(np.concatenate([image[c].ravel() for image in images]).astype(float), [0.001, 0.999])
        limits = normalisation.low[c], normalisation.high[c]
        assert limits == pytest.approx((q0 - (q1 - q0), q1 + (q1 - q0)), rel=1e-6)


def test_ordinary_images_are_not_clipped():
    samples = synthetic_dataset(num_train=2, num_validation=1, height=96, width=96).train
    normalisation = fit_normalisation(samples)
    without = {name: getattr(normalisation, name) for name in ("mean", "std")}  # as in a checkpoint of before
    for s in samples:
        np.testing.assert_array_equal(normalise(s.image, normalisation), normalise(s.image, without))
    pixels = np.concatenate([s.image.ravel() for s in samples])
    assert normalisation.mean == pytest.approx(pixels.mean(), rel=1e-6)
    assert normalisation.std == pytest.approx(pixels.std(), rel=1e-5)


def test_each_channel_has_its_limits(dim, rng):
    image = np.concatenate([dim[0], with_hot_pixels(dim[1], rng) / 1000])
    normalisation = fit_normalisation([sample(image)])
    assert normalisation.high[0] > 1200 and normalisation.high[1] < 3


def test_few_bright_pixels_on_nothing_are_all_there_is():
    image = np.zeros((1, 50, 50))
    image[0, 20, 20] = 7
    normalisation = fit_normalisation([sample(image)])
    assert normalisation.high == np.inf and normalise(image, normalisation).max() > 40


def test_the_limits_are_stored_with_the_network(dim, rng, small_unet, tmp_path):
    normalisation = fit_normalisation([sample(dim[0])])
    save_network(tmp_path / "a.npz", Network(small_unet, normalisation))
    stored = load_network(tmp_path / "a.npz").normalisation
    image = with_hot_pixels(dim[1], rng)
    np.testing.assert_array_equal(normalise(image, stored), normalise(image, normalisation))


def test_an_image_of_its_own_normalisation_has_mean_0_and_std_1(rng):
    image = np.float32(rng.normal(500, 20, (2, 30, 40)) * [[[1]], [[3]]])
    y = normalise(image, normalisation_of(image, "image"))
    np.testing.assert_allclose(y.mean(axis=(1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(axis=(1, 2)), 1, atol=1e-4)
    given = fit_normalisation([sample(image[:1])])
    assert normalisation_of(image, given) == given


def test_with_normalisation_by_image_the_exposure_of_an_image_does_not_matter(tmp_path):
    dataset = synthetic_dataset(0, 2, 1, height=40, width=48)
    config = Config(base_channels=2, depth=1, tile=36, steps=3, normalisation="image")

    def exposed(s, k):
        return s._replace(image=s.image * (2.0**k))  # a power of two: the same digits

    runs = []
    for data in (dataset, dataset._replace(train=[exposed(s, k) for k, s in enumerate(dataset.train, start=3)])):
        run = start(config, data)
        list(train_steps(run, data))
        runs.append(run)
    np.testing.assert_array_equal(runs[0].params["head"]["weight"], runs[1].params["head"]["weight"])
    save_run(runs[0], tmp_path)
    stored = resume_run(tmp_path)
    samples = [dataset.validation[0], exposed(dataset.validation[0], 5)]
    dim, bright = predict_samples(stored.network, samples)
    np.testing.assert_array_equal(dim, bright)
    assert dim.std() > 0


def test_what_is_given_becomes_a_normalisation():
    numbers = {"mean": np.float32([3]), "std": np.float32([2])}
    for given in (numbers, Normalisation("dataset", **numbers), {"mean": 3.0, "std": 2}):
        found = as_normalisation(given)
        assert found.scope == "dataset" and found.mean == [3] and found.std == [2] and found.low is None
    assert as_normalisation({**numbers, "low": np.zeros(1), "high": np.ones(1)}).high == [1]
    assert as_normalisation("image") == as_normalisation(Normalisation("image")) == Normalisation("image")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, 'normalisation must be a Normalisation, "image" for each image by its own numbers, or a dict'),
        ("dataset", "got 'dataset'; take network.normalisation"),
        (Normalisation("each"), "normalisation must be a Normalisation"),
        (Normalisation("dataset"), "normalisation must have mean and std and may have low and high, got []"),
        ({}, 'got []; for each image by its own numbers write "image"'),
        ({"mean": [1.0]}, "normalisation must have mean and std and may have low and high, got ['mean']"),
        ({"mean": [1.0], "std": [1.0], "low": [0.0]}, "got ['low', 'mean', 'std']"),
        ({"mean": [1.0], "std": [1.0], "scope": "image"}, "got ['mean', 'scope', 'std']"),
        ({"mean": [1.0, 2.0], "std": [1.0]}, "one number for each channel, got shapes {'mean': (2,), 'std': (1,)}"),
        ({"mean": [[1.0]], "std": [[1.0]]}, "one number for each channel"),
        ({"mean": [np.nan], "std": [1.0]}, "finite means and a std above 0"),
        ({"mean": [1.0], "std": [-2.0]}, "finite means and a std above 0"),
        ({"mean": [1.0], "std": [0.0]}, "finite means and a std above 0"),
        ({"mean": ["1"], "std": [1.0]}, "normalisation: mean must hold numbers, got <U1"),
    ],
)
def test_what_is_no_normalisation_is_told(given, message):
    with pytest.raises(InputError) as error:
        as_normalisation(given)
    assert message in str(error.value)


def test_normalise_by_the_image_itself(rng):
    image = np.float32(rng.normal(500, 20, (2, 30, 40)))
    np.testing.assert_array_equal(normalise(image, "image"), normalise(image, fit_normalisation([sample(image)])))
