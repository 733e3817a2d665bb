"""Answers to the exercises of notebook 09."""

import functools

import numpy as np
import scipy

from student_answers.common import RIGHT, SOLUTION


def turned_with_np(image, labels, weights, turns, flip):
    out = [np.rot90(image, turns, axes=(1, 2)), np.rot90(labels, turns), np.rot90(weights, turns)]
    return tuple(np.flip(plane, axis=-1).copy() for plane in out) if flip else tuple(out)


def field_by_map_coordinates(nodes, H, W, order=1):
    _, G, K = nodes.shape
    at = np.meshgrid(np.linspace(0, G - 1, H), np.linspace(0, K - 1, W), indexing="ij")
    return np.stack([scipy.ndimage.map_coordinates(plane, at, order=order, mode="nearest") for plane in nodes])


ANSWERS = [
    ("turn_together", turned_with_np, RIGHT),
    ("turn_together", lambda *args: list(SOLUTION["turn_together"](*args)), RIGHT),
    ("displacement_field", field_by_map_coordinates, RIGHT),
    ("displacement_field", functools.partial(field_by_map_coordinates, order=3), "this is a cubic spline"),
    ("read_nearest", lambda labels, at: scipy.ndimage.map_coordinates(labels, at, order=0), RIGHT),
    ("read_nearest", lambda labels, at: labels[tuple((at + 0.5).astype(int))], RIGHT),
    ("read_nearest", lambda labels, at: labels[tuple(at.astype(int))], "positions are rounded down"),
]
