"""The same layers, faster. Nothing here is needed to understand a layer: read `minunet/layers` for that.

`layers.py` has every pair that the network uses. For each call it takes the quickest way to the readable layer's
result: NumPy code in `cpu/`, CUDA kernels in `cuda/`, or the readable layer itself. Files in `cpu/` and `cuda/` bear
the name of the layer in `minunet/layers` that they speed up. `plan.py` decides about convolutions, and
`thresholds.py` has the numbers. `one_array.py` makes one array of many, for the optimiser.

Four words for pieces of the work:

    part            what one core does at a time: a band, or some channels, or a whole image of a batch
    band            some rows of an image that are worked on at a time, so that they stay in a core's cache
    chunk           some channels, or some images of a batch, that are worked on at a time, so that their results fit
                    in cache or memory
    Winograd tile   the 4x4 pixels of y that Winograd's convolution computes at once (2x2 with TF32)

In the files of Winograd's convolution "tile" alone means the Winograd tile. Elsewhere in minunet a tile is the input of
the network in training and prediction.
"""
