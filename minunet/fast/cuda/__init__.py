"""The layers as CUDA kernels: what `minunet/layers` says in array operations, said once more for a single thread.

Each `.cu` file is a lesson of a page or less; the `.py` file beside it is its layer, with the same arguments, results
and errors as the readable one, for CuPy arrays of float32 and float64. `loader.py` compiles and launches.

Nothing here has run on a GPU yet. The sources compile for sm_80 and sm_90, and the tests run every kernel on the CPU,
thread after thread, against the readable layer.
"""
