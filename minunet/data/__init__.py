"""Data: readers, synthetic cells, the weight map, and tiles to train on."""

from minunet.data.augment import AUGMENTATIONS, Augmentation, augmented_tile
from minunet.data.bend import elastic_deform
from minunet.data.dsb2018 import read_dsb2018
from minunet.data.folder import read_folder
from minunet.data.image_io import read_image, read_labels, read_pages, read_stack
from minunet.data.isbi import read_isbi
from minunet.data.normalise import fit_normalisation, normalise
from minunet.data.prefetch import prefetch
from minunet.data.sample import Dataset, Sample
from minunet.data.synthetic import synthetic_cells, synthetic_dataset
from minunet.data.tiles import cut, mirror_pad, random_tile
from minunet.data.weight_map import separate_touching, weight_map
from minunet.data.weighting import loss_weights
from minunet.errors import InputError

FOLDER_READERS = {"isbi": read_isbi, "dsb2018": read_dsb2018, "folder": read_folder}


def load_data(spec: str, seed: int = 0) -> Dataset:
    """Return the data set that `spec` names: "synthetic", "isbi:DIR", "dsb2018:DIR" or "folder:DIR".

    `seed` draws the synthetic cells; files are read as they are.
    """
    if spec == "synthetic":
        return synthetic_dataset(seed)
    kind, _, directory = spec.partition(":")
    if kind not in FOLDER_READERS or not directory:
        forms = ", ".join(["synthetic", *(f"{name}:DIR" for name in FOLDER_READERS)])
        raise InputError(f"expected data in one of the forms {forms}, got {spec!r}; write the folder after the colon")
    return FOLDER_READERS[kind](directory)
