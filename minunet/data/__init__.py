"""Data: readers, synthetic cells, the weight map, and tiles to train on."""

from minunet.data.augment import AUGMENTATIONS, Augmentation, augmented_tile
from minunet.data.elastic import elastic_deform
from minunet.data.normalisation import Normalisation, fit_normalisation, normalisation_of, normalise
from minunet.data.prefetching import prefetch
from minunet.data.readers.ctc import read_ctc
from minunet.data.readers.dsb2018 import read_dsb2018
from minunet.data.readers.folder import read_folder
from minunet.data.readers.image_files import read_image, read_labels, read_pages, read_stack
from minunet.data.readers.isbi import read_isbi
from minunet.data.readers.load import load_data
from minunet.data.sample import Dataset, Sample, check_classes
from minunet.data.synthetic.cells import synthetic_cells, synthetic_dataset
from minunet.data.tiles import cut, mirror_pad, random_tile
from minunet.data.weight_maps import separate_touching, weight_map
from minunet.data.weighting import loss_weights
