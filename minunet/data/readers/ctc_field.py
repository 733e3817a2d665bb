"""The field of interest of the Cell Tracking Challenge: a band at the border of its frames is not annotated.

The challenge's annotators outline a cell if a part of it lies in the field, and then the whole cell; they leave out
those that lie in the band alone. So in the band a pixel without a label may be cell, and none of it is learnt or
measured pixel by pixel. SEG goes by whole cells, as in the challenge: cells of the truth that reach into the field are
compared as a whole, and those in the band alone do not count.
"""

from pathlib import Path

import numpy as np

from minunet.data.sample import Sample
from minunet.errors import InputError

BANDS = {  # pixels, from the challenge's "Annotation procedure"; 0 for the others
    50: "DIC-C2DH-HeLa Fluo-C2DL-Huh7 Fluo-C2DL-MSC Fluo-C3DH-H157 Fluo-N2DH-GOWT1 Fluo-N3DH-CE Fluo-N3DH-CHO "
    "PhC-C2DH-U373",
    25: "BF-C2DL-HSC BF-C2DL-MuSC Fluo-C3DL-MDA231 Fluo-N2DL-HeLa PhC-C2DL-PSC",
}


def field_of_interest_of(directory: Path) -> int:
    """Return the width of the band of a data set that the folder, or one above it, is named after; otherwise 0."""
    folder = directory.resolve()
    for part in (folder, *folder.parents):
        for band, names in BANDS.items():
            if part.name.lower() in names.lower().split():
                return band
    return 0


def in_the_field(sample: Sample, band: int) -> Sample:
    """Return a sample whose truth is unknown in the band, and whose cells for SEG reach into the field."""
    if not band or sample.uncut is None:
        return sample
    H, W = sample.labels.shape
    if 2 * band >= min(H, W):
        raise InputError(
            f"{sample.name}: expected a frame of more than {2 * band} pixels each way, since a band of {band} is "
            f"outside the field of interest, got {H}x{W}; give field_of_interest, 0 for none"
        )
    inside = np.zeros((H, W), bool)
    inside[band : H - band, band : W - band] = True
    known = inside if sample.known is None else inside & sample.known
    return sample._replace(known=known, uncut=np.where(np.isin(sample.uncut, sample.uncut[inside]), sample.uncut, 0))
