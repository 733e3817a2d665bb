"""The layers on a CPU: all cores work on a layer at once, each on a part of it.

What each file is for, and when it is taken:

    layers
    conv.py             the convolution: hands it on to one of the five below, as `fast/plan.py` has chosen
    direct.py           few channels, less than 32, and kernels of any size: small products, row by row
    im2col.py           up to 256 pixels, as in deep layers of small tiles: one product with the kernels as they are
    winograd_rows.py    3x3 kernels, from 32 channels on: half of the multiplications, row by row
    winograd.py         3x3 kernels, many channels on wide images: a quarter of the multiplications, in tiles of 4x4;
                        winograd_tiles.py has its transforms
    winograd_deep.py    the same for deep layers, of few pixels and many kernels: the cores share the transformed x
    batch_norm.py       batch normalisation and ReLU in one, after any of these convolutions
    pool.py, up_conv.py, crop_concat.py, loss.py        always; loss.py leaves more than two classes to the readable one

    optimisers.py       always: the optimiser's step, for all parameters at once

    what they are made of
    by_rows.py          how images lie in memory: row by row, each row with all its channels; and bands of such rows
    memory.py           memory that is kept when an array is dropped, and used again
    parallel.py         threads that stay: `in_parallel` shares bands, `side_by_side` whole images

An array is (N, C, H, W) outside, as everywhere, whatever way it lies in memory. So layers can be mixed: the readable
ones take what these return, and the other way round.

A sum over the bands of an image is made in one order, on any number of cores, and the bands depend on the sizes alone.
So the results of all files but Winograd's along both axes are the same, bit for bit, on any number of cores.
"""
