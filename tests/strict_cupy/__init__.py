"""A strict stand-in for CuPy over NumPy: what would fail, or wait for the GPU, on the real one shows without a GPU.

    with strict_cupy.installed() as cupy:    `import cupy` finds the stand-in, and so does minunet.backend
        with strict_cupy.no_trips():         what reads device memory from the host raises HiddenTripError

It refuses what CuPy refuses: to become a NumPy array unasked, operands of both kinds, names and arguments that CuPy
14.2 lacks (names.txt, made by make_names.py from its wheel). It also refuses what CuPy lets pass at a price, masks
and index arrays of the host, which are copied to the GPU each time.
CUDA kernels run on it, one thread after the other, where there is a C++ compiler (raw_module.py).

It stays beside tests/gpu_on_cpu, which has the real CuPy but needs Linux on x86-64, a compiler, a network and 1 GB of
packages: this needs NumPy alone. So the README's test command runs the lines for GPUs on every machine, and
tells at once where a name, an argument or an array of the host would be refused.

What it cannot show: speed, rounding, races between streams, and most indices out of range (CuPy wraps them, this
raises, but for take_along_axis).
"""

from strict_cupy.arrays import HiddenTripError, ndarray, no_trips
from strict_cupy.modules import installed
