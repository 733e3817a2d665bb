"""The bug zoo: wrong backward passes (and a few wrong forward passes), each of which gradcheck must catch.

A file a layer. Each bug is the layer's own pass with one mistake in it, of the kind that people make.
"""

from zoo import batch_norm, conv2d, crop_concat, dropout, loss, max_pool, relu, unet, up_conv

CAGES = (conv2d, relu, max_pool, up_conv, crop_concat, dropout, batch_norm, loss, unet)
BUGS = [bug for cage in CAGES for bug in cage.cage.bugs]
