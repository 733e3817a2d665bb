"""A slide that was killed at any moment goes on, or begins anew; what is not of a slide is left alone."""

import json
import os
import subprocess
import sys

import pytest

from minunet import save_network
from minunet.errors import InputError

pytest.importorskip("zarr", reason="needs Zarr: python -m pip install -e '.[scale]'")
pytest.importorskip("distributed", reason="needs Dask: python -m pip install -e '.[scale]'")

import zarr
from test_open_image import MICROMETRES, write_ome_zarr
from test_slide import contents

from minunet.scale.earlier_try import old_result
from minunet.scale.ome_zarr import axis_of
from minunet.scale.slide import predict_slide
from minunet.training.folder_lock import LOCK

ABOUT = {"image": "/a.zarr"}
OURS = {"minunet": {**ABOUT, "finished": False}}
SECOND, THIRD = {"zarr_format": 2}, {"zarr_format": 3, "node_type": "group"}


@pytest.mark.parametrize(
    "files",
    [
        {},
        {LOCK: "process 1"},
        {LOCK: "", ".zgroup": ""},
        {".zgroup.0a1b.partial": '{"zarr', ".zattrs": json.dumps(OURS)},
        {".zgroup": json.dumps(SECOND), ".zattrs": json.dumps(OURS)[:30]},
        {".zgroup": json.dumps(SECOND), ".zattrs.0a1b.partial": ""},
        {"zarr.0a1b.partial": ""},
        {"zarr.json": json.dumps(THIRD | {"attributes": OURS})[:50]},
    ],
)
def test_a_group_that_is_not_whole_is_begun_anew(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert old_result(tmp_path, ABOUT) is None
    assert set(os.listdir(tmp_path)) <= {LOCK}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_whole_group_is_gone_on_with_and_its_halves_of_files_are_removed(tmp_path, zarr_format):
    zarr.open_group(str(tmp_path), mode="w", zarr_format=zarr_format, attributes=OURS)
    (tmp_path / "0" / "1").mkdir(parents=True)
    before = contents(tmp_path)
    for name in ("zarr.0a1b.partial", "0/.zarray.0a1b.partial", "0/1/2.0a1b.partial"):
        (tmp_path / name).write_text("{")
    assert old_result(tmp_path, ABOUT).attrs["minunet"] == OURS["minunet"]
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "files",
    [
        {"notes.txt": "", ".zgroup": ""},
        {".zgroup": json.dumps(SECOND), ".zattrs": json.dumps({"title": "slides"})},
        {".zattrs": json.dumps(OURS | {"title": "slides"})},
        {".zgroup": json.dumps(SECOND), "0/.zarray": "{}"},
        {".zgroup": json.dumps(SECOND), ".zattrs": json.dumps({"minunet": 3})},
        {"zarr.json": json.dumps(THIRD | {"node_type": "array"})},
        {"zarr.json": json.dumps(THIRD | {"attributes": {"title": "slides"}})},
    ],
)
def test_what_is_not_of_a_slide_is_left_alone(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    before = contents(tmp_path)
    with pytest.raises(InputError, match="--out must be new, or "):
        old_result(tmp_path, ABOUT)
    assert contents(tmp_path) == before


KILLED = """
import os, sys
import distributed, zarr
from minunet import load_network
from minunet.scale.slide import predict_slide

CHANGES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link")
network, image, out, step, last = *sys.argv[1:4], *map(int, sys.argv[4:])
done = 0

def watch(event, arguments):
    '''Count what is done to files of the result; end the process at once before the next one is.'''
    global done
    if event in CHANGES and out in str(arguments[0]) and (event != "open" or arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        done += 1
        if done > limit:
            os._exit(9)

for limit in range(0, last, step):
    child = os.fork()
    if child == 0:
        sys.addaudithook(watch)
        out = f"{out}-{limit}.zarr"
        with distributed.Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
            predict_slide(load_network(network), image, out, client, block=64, progress=False)
        os._exit(0)
    print(limit, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process for each moment")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_slide_is_killed_before_each_change_of_a_file(tmp_path, image, network, client, zarr_format):
    """Before every sixth of the first 60 changes, which make the folder, the group and the arrays; then every 50th."""
    path = write_ome_zarr(
        tmp_path / "image.zarr", image[:, :90, :60], [axis_of("c"), *MICROMETRES], zarr_format=zarr_format
    )
    save_network(tmp_path / "network.npz", network)
    predict_slide(network, path, tmp_path / "whole.zarr", client, block=64)
    whole = contents(tmp_path / "whole.zarr")
    killed = 0
    for step, last in ((6, 60), (50, 200)):
        code = [sys.executable, "-c", KILLED, tmp_path / "network.npz", path, tmp_path / f"by{step}", step, last]
        done = subprocess.run(list(map(str, code)), capture_output=True, text=True, check=True)
        for limit, status in (map(int, line.split()) for line in done.stdout.splitlines()):
            out = tmp_path / f"by{step}-{limit}.zarr"
            assert status in (0, 9), done.stderr
            killed += status == 9
            predict_slide(network, path, out, client, block=64, progress=False)
            assert contents(out) == whole, f"killed before change {limit}"
    assert killed > 8
