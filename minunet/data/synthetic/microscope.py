"""A simulated fluorescence microscope: from the cells to the image that the camera records.

First the light that the specimen sends out (thickness, texture, nuclei, out-of-focus haze, debris), then the optics
and the camera (uneven illumination, blur, noise).
"""

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.data.weight_maps import separate_touching


def light(rng: np.random.Generator, instances: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """Return the light that the specimen sends out, (H, W): every cell with its own brightness, nucleus and rim."""
    cells = instances.max() + 1
    inside = separate_touching(instances) > 0
    padded = np.pad(inside, 1, mode="edge")  # cells go on beyond the edges of the image
    depth = scipy.ndimage.distance_transform_edt(padded)[1:-1, 1:-1]  # pixels to the cell's edge
    thickness = 1 - np.exp(-depth / 4)
    brightness = rng.lognormal(np.log(0.5), 0.3, cells)[instances]
    rim = rng.uniform(-0.1, 0.5, cells)[instances] * np.exp(-(((depth - 2) / 1.5) ** 2))
    nucleus = rng.choice([-0.45, 0.0, 0.5, 0.8], cells)[instances] * nuclei
    granules = 0.16 * _smooth_noise(rng, inside.shape, 1.5) + 0.14 * _smooth_noise(rng, inside.shape, 5)
    cell_light = brightness * thickness * np.maximum(0.1, 1 + rim + nucleus + granules) * (instances > 0)
    haze = 0.12 * scipy.ndimage.gaussian_filter(cell_light, 12)  # light from planes that are out of focus
    return 0.10 + cell_light + haze + _debris(rng, inside.shape)


def through_the_microscope(rng: np.random.Generator, emitted: np.ndarray) -> np.ndarray:
    """Return what the camera records, from 0 to 1: uneven illumination, blur, shot noise and read noise."""
    H, W = emitted.shape
    ys, xs = np.linspace(-1, 1, H)[:, None], np.linspace(-1, 1, W)
    centre_y, centre_x = rng.uniform(-0.6, 0.6, 2)
    illumination = 1 - rng.uniform(0.1, 0.3) * ((ys - centre_y) ** 2 + (xs - centre_x) ** 2)
    arriving = scipy.ndimage.gaussian_filter(emitted * np.maximum(0.2, illumination), rng.uniform(0.9, 1.4))
    photons = rng.uniform(80, 250)  # at a pixel of brightness 1; fewer photons, more noise
    exposed = rng.uniform(0.6, 0.85) * arriving
    recorded = rng.poisson(photons * exposed) / photons + rng.normal(scale=0.012, size=(H, W))
    return np.clip(recorded, 0, 1)


def _debris(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return specks of dust, sharp and blurred, (H, W)."""
    debris = np.zeros(shape)
    for sigma, brightness, pixels_per_speck in ((0.8, 5.0, 5000), (2.0, 8.0, 14000), (6.0, 40.0, 30000)):
        specks = rng.poisson(debris.size / pixels_per_speck)
        points = np.zeros(shape)
        points[rng.integers(shape[0], size=specks), rng.integers(shape[1], size=specks)] = brightness
        debris += scipy.ndimage.gaussian_filter(points * rng.uniform(0.3, 1), sigma)
    return debris


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
    """Return noise that varies over about `scale` pixels; its standard deviation is about 1."""
    return scipy.ndimage.gaussian_filter(rng.normal(size=shape), scale) * (2 * np.sqrt(np.pi) * scale)
