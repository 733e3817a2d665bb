"""A 3x3 convolution of the network, by its shape: what it costs at least, and which of them a network has."""

from typing import NamedTuple

from minunet.network.summary import layer_rows

ITEMSIZE = 4  # bytes, float32


class Layer(NamedTuple):
    """A valid 3x3 convolution of one image."""

    C: int
    F: int
    height: int  # of x
    width: int

    @property
    def flops(self) -> int:
        """Of the direct convolution, forward; the backward pass has twice as many."""
        return 2 * 9 * self.C * self.F * (self.height - 2) * (self.width - 2)

    @property
    def intensity(self) -> float:
        """FLOPs for each byte that must be moved at least: x and weight in, y out."""
        read = self.C * self.height * self.width + 9 * self.C * self.F
        written = self.F * (self.height - 2) * (self.width - 2)
        return self.flops / (ITEMSIZE * (read + written))

    def __str__(self):
        size = self.height if self.height == self.width else f"{self.height}x{self.width}"
        return f"{self.C} -> {self.F} at {size}"


def layers_of(network: dict) -> list[Layer]:
    """Return each shape of 3x3 convolution once, in the order of the forward pass.

    `network` as for `layer_rows`: height, width, in_channels, base_channels, depth.
    """
    rows = [row for row in layer_rows(**network) if row.kind == "conv 3x3"]
    return list(dict.fromkeys(Layer(row.in_channels, row.out_channels, row.height + 2, row.width + 2) for row in rows))
