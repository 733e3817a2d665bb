"""The zoo at large: layers beyond minunet's own, each right once and wrong in several ways. A file a family.

Every mistake is one that people make: a forgotten term or factor, a sum over the wrong axis, an index written twice, a
matrix not transposed, statistics taken for constants, a step in time not carried on.
"""

from zoo.large import (
    activations,
    attention,
    broadcasting,
    classification_losses,
    convolution,
    distance_losses,
    indexing,
    linear_algebra,
    normalisation,
    ordering,
    pooling,
    products,
    recurrent,
    resizing,
    segmentation_losses,
    smooth_activations,
    softmax,
    spectral,
    transposed_convolution,
    views,
)

FAMILIES = (
    activations,
    attention,
    broadcasting,
    classification_losses,
    convolution,
    distance_losses,
    indexing,
    linear_algebra,
    normalisation,
    ordering,
    pooling,
    products,
    recurrent,
    resizing,
    segmentation_losses,
    smooth_activations,
    softmax,
    spectral,
    transposed_convolution,
    views,
)
LAYERS = [layer for family in FAMILIES for layer in family.LAYERS]
