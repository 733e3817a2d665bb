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


def turned_pixel_by_pixel(image, labels, weights, turns, flip):
    out = []
    for plane in (image, labels[None], weights[None]):
        rows = [channel.tolist() for channel in plane]
        for _ in range(turns):
            rows = [[list(column) for column in zip(*channel, strict=True)][::-1] for channel in rows]
        out.append(np.array([[row[::-1] if flip else row for row in channel] for channel in rows]))
    return out[0], out[1][0], out[2][0]


def turned_on_the_first_axes(image, labels, weights, turns, flip):
    """np.rot90 turns axes 0 and 1 unless it is told others, and those of the image are C and H."""
    return tuple(np.rot90(plane, turns)[..., :: -1 if flip else 1] for plane in (image, labels, weights))


def flipped_upside_down(image, labels, weights, turns, flip):
    turned = [np.rot90(plane, turns, axes=(-2, -1)) for plane in (image, labels, weights)]
    return tuple(plane[..., ::-1, :] if flip else plane for plane in turned)


def always_flipped(image, labels, weights, turns, flip):
    return turned_with_np(image, labels, weights, turns, True)


def turned_at_random(image, labels, weights, turns, flip):
    return turned_with_np(image, labels, weights, np.random.default_rng().integers(1, 4), not flip)


def field_by_two_interps(nodes, H, W):
    _, G, K = nodes.shape
    field = np.empty((2, H, W))
    for plane, out in zip(nodes, field, strict=True):
        rows = np.array([np.interp(np.linspace(0, K - 1, W), np.arange(K), row) for row in plane])  # (G, W)
        for w in range(W):
            out[:, w] = np.interp(np.linspace(0, G - 1, H), np.arange(G), rows[:, w])
    return field


def field_with_swapped_axes(nodes, H, W):
    return field_by_map_coordinates(nodes.swapaxes(1, 2), W, H).swapaxes(1, 2)[:, :, ::-1]


def field_repeated(nodes, H, W):
    return np.repeat(np.repeat(nodes, -(-H // nodes.shape[1]), 1), -(-W // nodes.shape[2]), 2)[:, :H, :W]


def field_for_square_grids(nodes, H, W):
    G = nodes.shape[1]
    at = np.meshgrid(np.linspace(0, G - 1, H), np.linspace(0, G - 1, W), indexing="ij")
    return np.stack([scipy.ndimage.map_coordinates(plane, at, order=1, mode="nearest") for plane in nodes])


def read_one_by_one(labels, positions):
    out = np.zeros(positions.shape[1:], int)
    for i in np.ndindex(out.shape):
        out[i] = labels[round(positions[0][i]), round(positions[1][i])]
    return out


def read_and_return_positions(labels, positions):
    return np.rint(positions).astype(int)


def read_rounded_up(labels, positions):
    rows, columns = np.ceil(positions).astype(int)
    return labels[rows, columns]


ANSWERS = [
    ("turn_together", turned_with_np, RIGHT),
    ("turn_together", lambda *args: list(SOLUTION["turn_together"](*args)), RIGHT),
    ("displacement_field", field_by_map_coordinates, RIGHT),
    ("displacement_field", functools.partial(field_by_map_coordinates, order=3), "this is a cubic spline"),
    ("read_nearest", lambda labels, at: scipy.ndimage.map_coordinates(labels, at, order=0), RIGHT),
    ("read_nearest", lambda labels, at: labels[tuple((at + 0.5).astype(int))], RIGHT),
    ("read_nearest", lambda labels, at: labels[tuple(at.astype(int))], "positions are rounded down"),
    ("turn_together", turned_pixel_by_pixel, RIGHT),
    ("turn_together", turned_on_the_first_axes, "has shape"),
    ("turn_together", flipped_upside_down, "flipped upside down"),
    ("turn_together", always_flipped, "the tiny case is right, but"),
    ("turn_together", turned_at_random, "differs"),
    ("displacement_field", field_by_two_interps, RIGHT),
    ("displacement_field", field_with_swapped_axes, "field differs"),
    ("displacement_field", field_repeated, "field differs"),
    ("displacement_field", field_for_square_grids, "the tiny case is right, but"),
    ("read_nearest", read_one_by_one, RIGHT),
    ("read_nearest", read_rounded_up, "labels differs"),
    ("read_nearest", read_and_return_positions, "labels has shape (2, 2, 3), expected (2, 3)"),
    ("read_nearest", lambda labels, at: scipy.ndimage.map_coordinates(labels, at, order=1), "labels differs"),
]
