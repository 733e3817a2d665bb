"""Many arrays copied into one by the kernel of `gather.cu`; CuPy's `concatenate` takes one for each that is large."""

from collections.abc import Sequence

import numpy as np

from minunet.backend import Array, array_module
from minunet.fast.cuda.loader import address, contiguous, launch

SOURCE = "gather"


def gather(arrays: Sequence[Array]) -> Array:
    """Return the elements of all arrays, one array after the other, (size,), in the first one's dtype."""
    xp, dtype = array_module(arrays[0]), arrays[0].dtype
    arrays = [contiguous(x, dtype) for x in arrays]
    sizes = [x.size for x in arrays]
    table = xp.asarray(np.array([[address(x) for x in arrays], np.cumsum([0, *sizes[:-1]])], np.int64))
    y = xp.empty(sum(sizes), dtype)
    launch(SOURCE, "gather", y.size, y, table, y.size, len(arrays))
    return y
