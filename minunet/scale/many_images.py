"""Many images of ordinary size: each is a task for whatever worker is free, and a lost worker costs its own images."""

from collections.abc import Iterable, Iterator

import numpy as np

from minunet.network.trained import Network
from minunet.prediction.predict import predict
from minunet.scale.extras import need


def predict_images(network: Network | dict, images: Iterable[np.ndarray], client, **options) -> Iterator[np.ndarray]:
    """Yield the probabilities (K, H, W) of each image, in the order of the images.

    Parameters
    ----------
    network : Network, or parameters as from `init_unet`
        It is sent to each worker once.
    images : arrays, (H, W) or (C, H, W) each
    client : distributed.Client
    **options : as for `minunet.predict`
    """
    dask = need("dask")
    network, task = dask.delayed(network, traverse=False), dask.delayed(predict)
    futures = client.compute([task(network, image, **options) for image in images])
    while futures:
        future = futures.pop(0)  # so that the worker may forget the result
        yield future.result()
