"""The names that minunet hands on, and its version."""

import configparser
import importlib.metadata
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import minunet
from minunet.cli.main import main

ROOT = Path(__file__).parent.parent
NAMES = (
    "InputError Network Normalisation adam_step array_module batch_norm_backward batch_norm_forward "
    "conv2d_backward conv2d_forward crop_concat_backward "
    "crop_concat_forward dropout_backward dropout_forward elastic_deform flatten gradcheck init_moments init_unet "
    "init_velocity iou label_cells load_network max_pool_backward max_pool_forward measure_cells output_size "
    "pixel_error predict read_image "
    "relu_backward relu_forward save_network seg_score separate_touching sgd_step smallest_input_size "
    "softmax_cross_entropy_backward softmax_cross_entropy_forward to_device train unet_backward unet_forward "
    "up_conv_backward up_conv_forward v_info v_rand warping_error weight_map"
).split()


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there_and_says_what_it_is(name):
    assert callable(getattr(minunet, name))
    assert getattr(minunet, name).__doc__


def test_a_clone_in_the_working_directory_does_not_hide_the_package(tmp_path):
    """Its folder has the package's name, and without an __init__.py Python takes it for a package, an empty one."""
    (tmp_path / "minunet").mkdir()
    code = "import minunet; print(minunet.__version__)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.stdout.strip() == minunet.__version__, ended.stderr


def test_a_star_import_brings_the_public_names_and_no_modules():
    brought: dict = {}
    exec("from minunet import *", brought)
    del brought["__builtins__"]
    modules = {name for name, value in vars(minunet).items() if inspect.ismodule(value)}
    public = {name for name in vars(minunet) if not name.startswith("_")} - modules
    assert set(brought) == public
    assert set(NAMES) <= public
    assert not [name for name, value in brought.items() if inspect.ismodule(value)]


def test_the_version_is_written_in_one_place(capsys):
    assert minunet.__version__ == importlib.metadata.version("minunet")
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    version = setup["metadata"]["version"]
    assert not [path for path in (ROOT / "minunet").rglob("*.py") if f'"{version}"' in path.read_text()]
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"minunet {minunet.__version__}\n"


def test_type_checkers_are_told_that_there_are_types():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert "py.typed" in setup["options.package_data"]["minunet"].split()
    assert (ROOT / "minunet" / "py.typed").exists()
