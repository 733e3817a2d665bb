"""Many images of ordinary size: each is a task for whatever worker is free, and a lost worker costs its own images."""

import collections
from collections.abc import Iterable, Iterator

import numpy as np

from minunet.network.trained import Network
from minunet.prediction.predict import predict

AHEAD = 2  # images for each thread of the workers: one that is predicted, and one that waits


def predict_images(network: Network | dict, images: Iterable[np.ndarray], client, **options) -> Iterator[np.ndarray]:
    """Yield the probabilities (K, H, W) of each image, in the order of the images.

    Only a few images are on their way at a time, however many there are: the next one is read when a result is taken.

    Parameters
    ----------
    network : Network, or parameters as from `init_unet`
        It is sent to each worker once.
    images : arrays, (H, W) or (C, H, W) each
    client : distributed.Client
    **options : as for `minunet.predict`
    """
    sent_once = client.submit(_itself, network, pure=False)  # a task, so that it is there again if its worker is lost
    waiting: collections.deque = collections.deque()
    for image in images:
        waiting.append(client.submit(predict, sent_once, image, pure=False, **options))
        del image  # before the next one is read
        if len(waiting) >= AHEAD * max(1, sum(client.nthreads().values())):
            yield waiting.popleft().result()  # and the worker may forget it
    while waiting:
        yield waiting.popleft().result()


def _itself(network):
    return network
