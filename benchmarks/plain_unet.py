"""The other side of `against_unet.py`: a plain U-Net in PyTorch, as a framework's tutorial has it, and its training.

Padded 3x3 convolutions, batch normalisation and ReLU, twice a level; 16 channels at full resolution, depth 3; Adam with
half a cosine down to 0, random crops that are flipped and turned, unweighted cross-entropy. It reads and splits the
data as minunet does, so both see the same images, and writes the probabilities of the held-out ones.

    python benchmarks/plain_unet.py dsb2018:DIR --minutes 5 --seed 0 --out probabilities.npz
"""

import argparse
import itertools
import math
import time
from pathlib import Path

import numpy as np
import torch

from minunet.data import load_data
from minunet.data.normalisation import fit_normalisation, normalise

CHANNELS, DEPTH = 16, 3
RATE = 1e-3
nn = torch.nn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--crop", type=int, default=128, help="side of a crop, in pixels")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    dataset = load_data(options.data)
    normalisation = fit_normalisation(dataset.train)
    images = [normalise(sample.image, normalisation) for sample in dataset.train]
    labels = [sample.labels for sample in dataset.train]
    network = PlainUnet(len(images[0]), dataset.num_classes).to(memory_format=torch.channels_last)
    steps = train(network, images, labels, options)
    print(f"{steps} steps of {options.batch} crops of {options.crop}")
    held_out = [normalise(sample.image, normalisation) for sample in dataset.validation]
    np.savez(options.out, *[predict(network, image) for image in held_out])


class DoubleConv(nn.Sequential):
    def __init__(self, C: int, F: int):
        layers = [(nn.Conv2d(c, F, 3, padding=1, bias=False), nn.BatchNorm2d(F), nn.ReLU(inplace=True)) for c in (C, F)]
        super().__init__(*itertools.chain(*layers))


class PlainUnet(nn.Module):
    """Logits (N, K, H, W) of x (N, C, H, W), whose sides are multiples of 2**DEPTH."""

    def __init__(self, in_channels: int, num_classes: int):
        super().__init__()
        widths = [CHANNELS * 2**level for level in range(DEPTH + 1)]
        self.down = nn.ModuleList(DoubleConv(C, F) for C, F in itertools.pairwise([in_channels, *widths]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * F, F, 2, stride=2) for F in widths[:-1])
        self.after = nn.ModuleList(DoubleConv(2 * F, F) for F in widths[:-1])
        self.head = nn.Conv2d(CHANNELS, num_classes, 1)

    def forward(self, x):
        skips = []
        for level in self.down:
            x = level(nn.functional.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        skips.pop()
        for up, after in zip(reversed(self.up), reversed(self.after), strict=True):
            x = after(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(x)


def train(network: nn.Module, images: list[np.ndarray], labels: list[np.ndarray], options) -> int:
    """Train for some minutes; return the number of steps."""
    rng = np.random.default_rng(options.seed)
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    network.train()
    began = time.perf_counter()
    for step in itertools.count():
        done = (time.perf_counter() - began) / (60 * options.minutes)
        if done >= 1:
            return step
        for group in optimiser.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * done))
        crops = [random_crop(images, labels, rng, options.crop) for _ in range(options.batch)]
        x = torch.from_numpy(np.stack([image for image, _ in crops])).to(memory_format=torch.channels_last)
        truth = torch.from_numpy(np.stack([label for _, label in crops]).astype(np.int64))
        loss = nn.functional.cross_entropy(network(x), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    raise AssertionError("the clock stands still")


def random_crop(images: list[np.ndarray], labels: list[np.ndarray], rng, size: int):
    """Return a crop (C, size, size) of a random image, in one of the eight orientations, and its labels."""
    number = rng.integers(len(images))
    image, label = images[number], labels[number]
    H, W = label.shape
    top, left = rng.integers(max(1, H - size + 1)), rng.integers(max(1, W - size + 1))
    image, label = image[:, top : top + size, left : left + size], label[top : top + size, left : left + size]
    short = [(0, size - n) for n in label.shape]
    image, label = np.pad(image, ((0, 0), *short), mode="reflect"), np.pad(label, short, mode="reflect")
    turns, mirrored = rng.integers(4), rng.integers(2)
    image, label = np.rot90(image, turns, (1, 2)), np.rot90(label, turns)
    if mirrored:
        image, label = image[:, :, ::-1], label[:, ::-1]
    return np.ascontiguousarray(image, np.float32), np.ascontiguousarray(label)


def predict(network: nn.Module, image: np.ndarray) -> np.ndarray:
    """Return the probabilities (K, H, W) of an image (C, H, W), mirrored up to multiples of 2**DEPTH."""
    network.eval()
    _, H, W = image.shape
    whole = [(0, -n % 2**DEPTH) for n in (H, W)]
    x = torch.from_numpy(np.pad(image, ((0, 0), *whole), mode="reflect").astype(np.float32)[None])
    with torch.no_grad():
        return torch.softmax(network(x), dim=1)[0, :, :H, :W].numpy()


if __name__ == "__main__":
    main()
