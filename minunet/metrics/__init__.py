"""How well a proposed segmentation agrees with the truth: the measures of the challenges, one idea a file.

`pixels` compares pixel by pixel. `v_rand_v_info` compares which pixels belong together. `warping` forgives borders that
are only shifted. `seg` matches cell by cell. `thresholds` chooses the best threshold, as the EM challenge does.
`evaluation` takes all measures of a list of images at once. `cells` numbers and measures the cells of a prediction, and
`touching` tells those apart that touch.
"""

from minunet.metrics.cells import label_cells, measure_cells
from minunet.metrics.evaluation import evaluate
from minunet.metrics.pixels import iou, majority_pixel_error, pixel_error, pixel_error_f_score
from minunet.metrics.regions import components, watershed
from minunet.metrics.seg import seg_score
from minunet.metrics.thresholds import best_over_thresholds
from minunet.metrics.v_rand_v_info import info_scores, rand_scores, v_info, v_rand
from minunet.metrics.warping import warping_error
