"""How good a network is on images that it has not seen, with the majority-class baseline beside it."""

import numpy as np

from minunet.data.sample import Sample
from minunet.metrics import majority_pixel_error, pixel_error
from minunet.predict import predict


def predict_samples(params, normalisation, samples: list[Sample], **options) -> list[np.ndarray]:
    """Return the probabilities (K, H, W) of each sample; `options` as for `predict`."""
    return [predict(params, sample.image, normalisation=normalisation, **options) for sample in samples]


def evaluate(samples: list[Sample], probabilities: list[np.ndarray]) -> list[dict]:
    """Return one row a sample: its name, pixel_error, and majority_pixel_error.

    The majority baseline calls every pixel the commoner class. A network that only ties with it has learnt nothing.
    """
    return [
        {
            "name": sample.name,
            "pixel_error": pixel_error(_is_cell(sample.labels), _is_cell(p.argmax(axis=0))),
            "majority_pixel_error": majority_pixel_error(_is_cell(sample.labels)),
        }
        for sample, p in zip(samples, probabilities, strict=True)
    ]


def mean(rows: list[dict]) -> dict:
    """Return the mean of each measure over the rows."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0] if name != "name"}


def table(rows: list[dict]) -> str:
    """Return the rows and their mean as text."""
    measures = [name for name in rows[0] if name != "name"]
    width = max(len("image"), *(len(row["name"]) for row in rows))
    lines = [f"{'image':<{width}}  " + "  ".join(f"{name:>20}" for name in measures)]
    for row in [*rows, {"name": "mean", **mean(rows)}]:
        lines.append(f"{row['name']:<{width}}  " + "  ".join(f"{row[name]:>20.4f}" for name in measures))
    return "\n".join(lines)


def _is_cell(labels: np.ndarray) -> np.ndarray:
    return (labels > 0).astype(np.uint8)
