"""minunet: a U-Net you can read (Ronneberger, Fischer, Brox 2015).

The contract of every layer:

    y, cache = conv2d_forward(x, weight, bias)
    dx, dweight, dbias = conv2d_backward(dy, cache)

Pure pairs; gradients come back in the order of the forward's arguments; what the backward needs is in the cache.
Outputs are fresh arrays. One exception: the y of a ReLU is the very array that its cache holds, so copy it before you
change it. Arrays are NCHW, NumPy or CuPy, float32 to train and float64 to check.

From arrays to a trained network and a prediction:

    network = train(images, labels, steps=200)
    probabilities = predict(network, image)
    cells = label_cells(probabilities, network.threshold, network.split)
"""

import sys as _sys
from importlib import metadata as _metadata

if _sys.argv[:1] == ["-m"] and "minunet" in _sys.orig_argv:  # `python -m minunet` loads all this before `__main__.py`
    from minunet_command import end_at_once_on_ctrl_c as _end_at_once_on_ctrl_c

    _end_at_once_on_ctrl_c()

from minunet.backend import Constant, array_module, flatten, to_device
from minunet.data.elastic import elastic_deform
from minunet.data.normalisation import Normalisation
from minunet.data.readers.image_files import read_image
from minunet.data.weight_maps import separate_touching, weight_map
from minunet.errors import InputError
from minunet.gradcheck.adjoint import check_adjoint
from minunet.gradcheck.assertion import assert_gradients
from minunet.gradcheck.check import gradcheck
from minunet.gradcheck.report import Report
from minunet.gradcheck.second_order import check_second_order
from minunet.layers.batch_norm import batch_norm_backward, batch_norm_forward
from minunet.layers.conv import conv2d_backward, conv2d_forward
from minunet.layers.crop_concat import crop_concat_backward, crop_concat_forward
from minunet.layers.dropout import dropout_backward, dropout_forward
from minunet.layers.loss import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from minunet.layers.pool import max_pool_backward, max_pool_forward
from minunet.layers.relu import relu_backward, relu_forward
from minunet.layers.up_conv import up_conv_backward, up_conv_forward
from minunet.metrics import iou, label_cells, measure_cells, pixel_error, seg_score, v_info, v_rand, warping_error
from minunet.network.initialise import init_unet
from minunet.network.sizes import output_size, smallest_input_size
from minunet.network.trained import Network, load_network, save_network
from minunet.network.unet import unet_backward, unet_forward
from minunet.prediction.predict import predict
from minunet.training.on_arrays import train
from minunet.training.optimisers import adam_step, init_moments, init_velocity, sgd_step

__all__ = [
    "Constant",
    "InputError",
    "Network",
    "Normalisation",
    "Report",
    "adam_step",
    "array_module",
    "assert_gradients",
    "batch_norm_backward",
    "batch_norm_forward",
    "check_adjoint",
    "check_second_order",
    "conv2d_backward",
    "conv2d_forward",
    "crop_concat_backward",
    "crop_concat_forward",
    "dropout_backward",
    "dropout_forward",
    "elastic_deform",
    "flatten",
    "gradcheck",
    "init_moments",
    "init_unet",
    "init_velocity",
    "iou",
    "label_cells",
    "load_network",
    "max_pool_backward",
    "max_pool_forward",
    "measure_cells",
    "output_size",
    "pixel_error",
    "predict",
    "read_image",
    "relu_backward",
    "relu_forward",
    "save_network",
    "seg_score",
    "separate_touching",
    "sgd_step",
    "smallest_input_size",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "to_device",
    "train",
    "unet_backward",
    "unet_forward",
    "up_conv_backward",
    "up_conv_forward",
    "v_info",
    "v_rand",
    "warping_error",
    "weight_map",
]

try:
    __version__ = _metadata.version("minunet")  # it is written in setup.cfg
except _metadata.PackageNotFoundError:
    __version__ = "not installed"
