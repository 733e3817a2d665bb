"""Many images of ordinary size: each is a task for whatever worker is free, and a lost worker costs its own images."""

from collections.abc import Iterable, Iterator

import numpy as np

from minunet.prediction.predict import predict
from minunet.scale.extras import need


def predict_images(params: dict, images: Iterable[tuple], client, **options) -> Iterator[np.ndarray]:
    """Yield the probabilities (K, H, W) of each image, in the order of the images.

    Parameters
    ----------
    params : as from `init_unet`
        They are sent to each worker once.
    images : iterable of (image (C, H, W), normalisation)
    client : distributed.Client
    **options : as for `minunet.predict`
    """
    network = need("dask").delayed(params, traverse=False)
    task = need("dask").delayed(_predict)
    futures = [client.compute(task(network, *image, options)) for image in images]
    while futures:
        future = futures.pop(0)  # so that the worker may forget the result
        yield future.result()


def _predict(params: dict, image: np.ndarray, normalisation, options: dict) -> np.ndarray:
    return predict(params, image, normalisation=normalisation, **options)
