"""The numbers of Fig. 1 for any U-Net and input size, computed without running the network."""

from typing import NamedTuple

from minunet.network.checks import check_norm, check_numbers
from minunet.network.sizes import trace

CONV_3X3, CONV_3X3_NORM = "conv 3x3", "conv 3x3, norm"


class LayerRow(NamedTuple):
    """One convolutional layer: 18 of 3x3, 4 up-convolutions and one 1x1 make the paper's 23."""

    name: str
    kind: str  # conv 3x3, up-conv 2x2 or conv 1x1; "conv 3x3, norm" if a batch normalisation follows
    in_channels: int
    out_channels: int
    height: int  # of the output
    width: int
    parameters: int
    macs: int  # multiply-accumulates of the forward pass; a FLOP count is twice that

    @property
    def is_3x3(self) -> bool:
        return self.kind in (CONV_3X3, CONV_3X3_NORM)


def layer_rows(
    height: int,
    width: int,
    in_channels: int = 1,
    num_classes: int = 2,
    base_channels: int = 64,
    depth: int = 4,
    norm: str | None = None,
) -> list[LayerRow]:
    """Return every convolutional layer from input to head, for a batch of one; raises if a size does not fit.

    The row of a 3x3 convolution counts the parameters of the batch normalisation behind it, if there is one.
    """
    check_norm(norm)
    check_numbers(in_channels=in_channels, num_classes=num_classes, base_channels=base_channels, depth=depth)
    rows_axis, columns_axis = trace(height, depth, "height"), trace(width, depth, "width")
    in_channels, num_classes, base_channels = (
        int(in_channels),
        int(num_classes),
        int(base_channels),
    )  # they may overflow
    widths = [base_channels * 2**level for level in range(depth + 1)]
    down = list(zip([*rows_axis.down, rows_axis.bottom], [*columns_axis.down, columns_axis.bottom], strict=True))
    up = list(zip(rows_axis.up, columns_axis.up, strict=True))

    rows, C = [], in_channels
    for level, (F, size) in enumerate(zip(widths, down, strict=True)):
        name = f"encode.{level}" if level < depth else "bottom"
        rows += _double_conv(name, C, F, size, norm)
        C = F
    for level in reversed(range(depth)):
        F, size = widths[level], up[level]
        doubled = (size[0] + 4, size[1] + 4)  # the output of the up-convolution, before two valid convolutions
        rows.append(_row(f"decode.{level}.up", "up-conv 2x2", 2 * F, F, doubled, 4, 1))
        rows += _double_conv(f"decode.{level}", 2 * F, F, size, norm)
    rows.append(_row("head", "conv 1x1", base_channels, num_classes, up[0], 1, 1))
    return rows


def memory(rows: list[LayerRow], height: int, width: int, itemsize: int = 4) -> dict[str, int]:
    """Return two numbers of bytes: of the convolutions' outputs, and of the cache for the backward pass.

    The cache holds the input, the output of every ReLU (each is the next layer's x), of every pool and of every
    concatenation, and a byte for the winner of every pool; with batch normalisation, also what each of them puts out
    before scale and shift. Parameters and statistics are not counted.
    """
    height, width = int(height), int(width)
    outputs = sum(row.out_channels * row.height * row.width for row in rows)
    kept = rows[0].in_channels * height * width
    winners = 0
    for row in rows:
        pixels = row.height * row.width
        if row.is_3x3:
            kept += row.out_channels * pixels * (2 if row.kind == CONV_3X3_NORM else 1)
        if row.kind == "up-conv 2x2":
            kept += 2 * row.out_channels * pixels
        if row.name.startswith("encode") and row.name.endswith("conv2"):
            winners += row.out_channels * pixels // 4
    return {"outputs": itemsize * outputs, "cache": itemsize * (kept + winners) + winners}


def summary(height: int, width: int, **network) -> str:
    """Return the table that `minunet summary` prints; `network` as for `layer_rows`."""
    rows = layer_rows(height, width, **network)
    depth, wide = network.get("depth", 4), 12 if network.get("norm") is None else 14
    lines = [f"{'layer':<18} {'kind':<{wide}} {'channels':>13} {'output':>11} {'parameters':>11} {'GFLOP':>8}"]
    for row in rows:
        channels, size = f"{row.in_channels} -> {row.out_channels}", f"{row.height}x{row.width}"
        lines.append(
            f"{row.name:<18} {row.kind:<{wide}} {channels:>13} {size:>11} {row.parameters:>11,} {2e-9 * row.macs:>8.2f}"
        )
    flops, used = 2e-9 * sum(row.macs for row in rows), memory(rows, height, width)
    axes = {"sizes": height} if height == width else {"heights": height, "widths": width}
    lines += ["", *(_crop_line(name, n, depth) for name, n in axes.items())]
    lines += [
        f"input {height}x{width} -> output {rows[-1].height}x{rows[-1].width}, {len(rows)} convolutional layers",
        f"parameters {sum(row.parameters for row in rows):,}",
        f"forward {flops:.2f} GFLOP, forward and backward about {3 * flops:.1f} GFLOP",
        f"convolution outputs {used['outputs'] / 1e6:.0f} MB, cache for the backward pass {used['cache'] / 1e6:.0f} MB "
        "(float32, batch of 1)",
    ]
    return "\n".join(lines)


def _crop_line(axes: str, n: int, depth: int) -> str:
    followed = trace(n, depth)
    skips = ", ".join(f"{size} - 2 * {crop}" for size, crop in zip(followed.down, followed.crops(), strict=True))
    return f"skip {axes}, cropped: {skips}"


def _double_conv(name: str, C: int, F: int, size: tuple[int, int], norm: str | None) -> list[LayerRow]:
    before = (size[0] + 2, size[1] + 2)
    kind, vectors = (CONV_3X3, 1) if norm is None else (CONV_3X3_NORM, 2)  # a bias; or gamma and beta
    return [
        _row(f"{name}.conv1", kind, C, F, before, 9, 9, vectors),
        _row(f"{name}.conv2", kind, F, F, size, 9, 9, vectors),
    ]


def _row(
    name: str, kind: str, C: int, F: int, size: tuple[int, int], taps: int, taps_per_pixel: int, vectors: int = 1
) -> LayerRow:
    H, W = size
    return LayerRow(name, kind, C, F, H, W, taps * C * F + vectors * F, taps_per_pixel * C * F * H * W)
