"""The tests of the network and of prediction once more on CuPy: its strict stand-in, and the real one on a GPU."""

import pytest
from run_on_device import on_device

globals().update(
    on_device(
        "network/test_unet",
        only=(
            "test_the_network_gives_the_sizes_of_the_trace",
            "test_gradients_have_the_structure_of_the_parameters",
            "test_without_dx_only_the_gradients_of_the_parameters_come_back",
            "test_float32_stays_float32",
            "test_forward_and_backward_change_nothing_they_are_given",
            "test_the_gradients_of_skip_and_pool_add_up_at_the_fork",
            "test_cutting_one_path_changes_the_gradient_of_every_level",
            "test_a_network_that_ignores_its_skips_gets_its_gradient_through_the_pool_alone",
            "test_dropout_acts_on_the_bottom",
            "test_dropout_depends_on_the_generator_alone",
            "test_no_dropout_needs_no_generator_and_draws_nothing",
            "test_backward_is_the_slope_along_a_random_direction",
        ),
    )
)
globals().update(
    on_device(
        "prediction/test_predict",
        only=(
            "test_tiles_equal_one_shot",
            "test_tiles_pool_the_same_windows_where_outputs_are_no_multiples_of_the_pooling",
        ),
    )
)
pytestmark = pytest.mark.usefixtures("cupy")
