"""The exercises of notebook 09: one image turned and bent, its labels and weights with it."""

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.course.exercise import Exercise

rng = np.random.default_rng(9)


def image_labels_weights(C: int, H: int, W: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return an image (C, H, W), labels (H, W) and weights (H, W) of whole numbers, different when turned."""
    image = rng.permutation(C * H * W).reshape(C, H, W).astype(float)
    return image, rng.integers(0, 3, (H, W)), rng.permutation(H * W).reshape(H, W).astype(float)


def turn_together(image, labels, weights, turns, flip):
    turned = [np.rot90(plane, turns, axes=(-2, -1)) for plane in (image, labels, weights)]
    return tuple(plane[..., ::-1] if flip else plane for plane in turned)


def weights_left_behind(image, labels, weights, turns, flip):
    return *turn_together(image, labels, weights, turns, flip)[:2], weights


def labels_and_weights_left_behind(image, labels, weights, turns, flip):
    return turn_together(image, labels, weights, turns, flip)[0], labels, weights


def turned_the_other_way(image, labels, weights, turns, flip):
    return turn_together(image, labels, weights, -turns, flip)


def not_flipped(image, labels, weights, turns, flip):
    return turn_together(image, labels, weights, turns, False)


def displacement_field(nodes, H, W):
    _, G, K = nodes.shape
    rows, columns = np.linspace(0, G - 1, H), np.linspace(0, K - 1, W)
    return hats(rows, G) @ nodes @ hats(columns, K).T


def hats(at, count):
    """Return the share of each node at each position, (positions, nodes): 1 at the node, 0 from the next one on."""
    return np.maximum(0, 1 - abs(at[:, None] - np.arange(count)))


def field_of_the_nearest_node(nodes, H, W):
    _, G, K = nodes.shape
    rows, columns = (np.rint(np.linspace(0, n - 1, size)).astype(int) for n, size in ((G, H), (K, W)))
    return nodes[:, rows[:, None], columns]


def field_that_misses_the_far_edge(nodes, H, W):
    _, G, K = nodes.shape
    rows, columns = np.arange(H) * (G - 1) / H, np.arange(W) * (K - 1) / W
    return hats(rows, G) @ nodes @ hats(columns, K).T


def field_of_a_cubic_spline(nodes, H, W):
    _, G, K = nodes.shape
    at = np.meshgrid(np.linspace(0, G - 1, H), np.linspace(0, K - 1, W), indexing="ij")
    return np.array([scipy.ndimage.map_coordinates(plane, at, order=3, mode="nearest") for plane in nodes])


def field_of_a_zoomed_cubic_spline(nodes, H, W):
    zoom = H / nodes.shape[1], W / nodes.shape[2]
    return np.array([scipy.ndimage.zoom(plane, zoom, order=3) for plane in nodes])


def field_with_swapped_planes(nodes, H, W):
    return displacement_field(nodes[::-1], H, W)


def read_nearest(labels, positions):
    rows, columns = np.rint(positions).astype(int)
    return labels[rows, columns]


def read_rounded_down(labels, positions):
    rows, columns = np.floor(positions).astype(int)
    return labels[rows, columns]


def read_blended(labels, positions):
    return scipy.ndimage.map_coordinates(labels.astype(float), positions, order=1)


def read_with_swapped_axes(labels, positions):
    return read_nearest(labels.T, positions)


def inside(H: int, W: int, shape: tuple[int, int]) -> np.ndarray:
    """Return positions (2, *shape) in an image (H, W), tenths of a pixel, none halfway between two pixels."""
    tenths = [rng.choice([t for t in range(10 * (n - 1) + 1) if t % 10 != 5], shape) for n in (H, W)]
    return np.array(tenths) / 10


NODES = 4.0 * rng.integers(-3, 4, (2, 3, 3))
LABELS = np.array([[1, 1, 4], [1, 4, 4], [9, 9, 4]])
POSITIONS = np.array([[[0.0, 0.7, 0.3], [1.2, 1.6, 0.9]], [[0.6, 0.2, 1.8], [0.8, 0.4, 1.7]]])

EXERCISES = [
    Exercise(
        "turn_together",
        solution=turn_together,
        outputs=("image", "labels", "weights"),
        args=(*image_labels_weights(1, 3, 3), 1, True),
        more=(
            (*image_labels_weights(2, 3, 4), 3, False),
            (*image_labels_weights(3, 4, 2), 2, True),
            (*image_labels_weights(1, 5, 3), 0, True),
            (rng.normal(size=(2, 2, 5)), *image_labels_weights(1, 2, 5)[1:], 1, False),
        ),
        may_return_views=True,
        mistakes={
            "the weights stay where they were, and now weigh other pixels": weights_left_behind,
            "labels and weights stay where they were, and tell of other pixels": labels_and_weights_left_behind,
            "it is turned the other way, or flipped upside down, or flipped before the turn: all three give this": (
                turned_the_other_way
            ),
            "the flip is missing": not_flipped,
        },
        hint="do the same to all three: first np.rot90 on the last two axes, then the flip of the last axis",
    ),
    Exercise(
        "displacement_field",
        solution=displacement_field,
        outputs=("field",),
        args=(NODES, 5, 5),
        more=(
            (rng.normal(size=(2, 3, 4)), 9, 8),
            (rng.normal(size=(2, 2, 2)), 4, 7),
            (rng.normal(size=(2, 5, 3)), 12, 6),
        ),
        mistakes={
            "each pixel takes the vector of the nearest node: blend the two on either side": field_of_the_nearest_node,
            "the last node should lie on the last pixel: use np.linspace(0, G - 1, H)": field_that_misses_the_far_edge,
            "this is a cubic spline, as the library uses: here blend linearly": field_of_a_cubic_spline,
            "this is a cubic spline (the default of scipy.ndimage.zoom): here blend linearly": (
                field_of_a_zoomed_cubic_spline
            ),
            "plane 0 moves along H and plane 1 along W: they are swapped": field_with_swapped_planes,
        },
        hint="at a node, the field is that node's vector; halfway between two, their mean: blend linearly",
    ),
    Exercise(
        "read_nearest",
        solution=read_nearest,
        outputs=("labels",),
        args=(LABELS, POSITIONS),
        more=((rng.integers(0, 99, (5, 7)), inside(5, 7, (4, 6))), (rng.integers(0, 9, (2, 9)), inside(2, 9, (3, 3)))),
        mistakes={
            "positions are rounded down: 0.7 is nearer to 1 than to 0, use np.rint": read_rounded_down,
            "labels are blended: between cells 1 and 9 there is no cell 5": read_blended,
            "rows and columns are swapped: positions[0] is along H": read_with_swapped_axes,
        },
        hint="round each position to whole numbers, and read the labels there: labels[rows, columns]",
    ),
]
