"""Every threshold of `minunet/fast`, with its unit. `python benchmarks/conv.py` measured those for the CPU."""

# Which convolution (see plan.py)
WINOGRAD_ROWS_CHANNELS = 32  # channels, in and out forward, in or out backward: with fewer, the direct way is quicker
WIDE = 200  # columns of x: on wider images products of a single row are slow
WINOGRAD_CHANNELS = 256  # channels in or out, and half as many out or in, for Winograd along both axes
WINOGRAD_CHANNELS_WIDE = 64  # channels in and out, on wide images
WINOGRAD_TILES = 24  # tiles of 4x4 pixels in an image of y: with fewer, it is the kernels' transforms that cost more
IM2COL_PIXELS = 256  # pixels in an image of y: up to so many, reading the kernels takes longest
FEW_CHANNELS = 4  # channels in, at most, for which the columns of the kernel become channels

# When several cores share a layer of Winograd's ways along both axes: with less work, threads mostly wait
PARALLEL_MULTIPLICATIONS = 5 * 10**7  # multiplications of a convolution: some milliseconds
PIXELS_PER_KERNEL = 16  # pixels of y for each core and kernel, from which on the cores share rows and not channels

# When each core takes a tile of its own (see network/tiles_at_once.py)
SIDE_BY_SIDE = 2**22  # numbers of a layer at full resolution, at most: a tile keeps about thirty times as many

# How much is worked on at a time by Winograd's ways along both axes, so that it stays in a core's cache
WINOGRAD_BAND = 2**15  # tiles times channels, in and out together, in a band of Winograd's convolution, about
WINOGRAD_CHUNK = 2**15  # tiles times channels in a chunk of its transforms, about

# How much is worked on at a time on images by rows
BAND = 2**18  # numbers of the larger of x and y in a band, at most
SMALL_BAND = 2**17  # numbers in a band that is made only to give another core something to do, at least
SMALL_BANDS = 4  # so many of them are made, at most
PRODUCTS = 2**17  # numbers of dtaps of several rows at a time, at most
SMALL_PRODUCT = 10**6  # multiplications up to which OpenBLAS multiplies without packing
IM2COL_PARTS = 8  # parts of the kernels, at most: each of them reads all columns
LONG_PRODUCTS = 64  # channels, in and out, from which on several rows share a product

# How much is worked on at a time in an optimiser's step
OPTIMISER_CHUNK = 2**15  # numbers of each of its arrays

# How much is worked on at a time on a GPU
CUDA_CHUNK = 2**28  # elements of V, or of M, in a chunk of images: 1 GiB in float32. See benchmarks/README.md
CUDA_BLOCKS = (
    264  # blocks of 64x64 numbers of dU that are worked on at the same time, at least: two for each of 132 cores
)
CUDA_SLAB = (
    512  # tiles in a slab, at least: with fewer, adding up the slabs would cost more than it saves. Not measured
)
# The same for tensor cores, whose tiles have 4x16 pixels of dy. Not measured
CUDA_TF32_SLAB = 8
