"""The layers as CUDA kernels.

`minunet/layers` computes whole arrays at once. A kernel computes the same, but is written for one thread, which
computes a few elements. Each `.cu` file is one lesson, and all but winograd.cu and conv_tf32.cu fit on a page. The
`.py` file that launches its kernels has the name of its layer; it takes CuPy arrays of float32 and float64.
`loader.py` compiles and launches. `products.py` multiplies matrices by cuBLAS. `optimisers.py` and `gather.py` are no
layers: the first changes all parameters of a network by one kernel, for which the second copies their gradients into
one array.

The tests compile the sources for GPUs from 2017 on, and `conv_tf32.cu`, which needs tensor cores with TF32, for those
from 2020 on. They run every kernel on the CPU, thread after thread, against the readable layer. For what has run on a
GPU see benchmarks/README.md.
"""
