"""The readable layers: one forward/backward pair per file; the docstring of `minunet` has the contract.

All pairs can be imported from here. `minunet/fast/layers.py` has the same names, and the network takes its layers from
there; import them from here instead, and the same network runs on the readable layers alone.
"""

from minunet.layers.batch_norm import (
    BatchNormCache,
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_predict,
    fold_batch_norm,
    update_running,
)
from minunet.layers.conv import Conv2dCache, conv2d_backward, conv2d_forward
from minunet.layers.conv_norm_relu import conv2d_norm_relu_backward, conv2d_norm_relu_forward
from minunet.layers.conv_relu import conv2d_relu_backward, conv2d_relu_forward
from minunet.layers.crop_concat import CropConcatCache, crop_concat_backward, crop_concat_forward
from minunet.layers.dropout import DropoutCache, dropout_backward, dropout_forward
from minunet.layers.loss import (
    SoftmaxCrossEntropyCache,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
)
from minunet.layers.pool import MaxPoolCache, max_pool_backward, max_pool_forward
from minunet.layers.relu import ReluCache, relu_backward, relu_forward
from minunet.layers.up_conv import UpConvCache, up_conv_backward, up_conv_forward
