"""Data: readers, synthetic cells, the weight map, and tiles to train on."""

from minunet.data.augment import AUGMENTATIONS, Augmentation, augmented_tile
from minunet.data.bend import elastic_deform
from minunet.data.ctc import read_ctc
from minunet.data.dsb2018 import read_dsb2018
from minunet.data.folder import read_folder
from minunet.data.image_io import read_image, read_labels, read_pages, read_stack
from minunet.data.isbi import read_isbi
from minunet.data.load import load_data
from minunet.data.normalise import fit_normalisation, normalisation_of, normalise
from minunet.data.prefetch import prefetch
from minunet.data.sample import Dataset, Sample, check_classes
from minunet.data.synthetic import synthetic_cells, synthetic_dataset
from minunet.data.tiles import cut, mirror_pad, random_tile
from minunet.data.weight_map import separate_touching, weight_map
from minunet.data.weighting import loss_weights
