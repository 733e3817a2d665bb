"""Every CUDA source compiles for the GPUs of today, without spilling registers; no GPU is needed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from minunet.fast.cuda import loader

NVCC = shutil.which("nvcc", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/cuda/bin"]))
SOURCES = sorted(path.stem for path in Path(loader.__file__).parent.glob("*.cu"))
ARCHITECTURES = ("sm_80", "sm_90")  # A100; H100 and H200
REGISTERS = {  # a thread may have 255; with 64 or fewer, 1024 threads are at work on each multiprocessor
    "crop_concat": 64,
    "gather": 32,
    "loss": 64,
    "optimisers": 32,
    "pool": 32,
    "relu": 32,
    "up_conv": 32,
    "winograd": 128,
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NVCC is None, reason="nvcc is not there to compile the CUDA sources"),
]


def test_every_source_has_a_limit_and_is_installed():
    assert sorted(REGISTERS) == SOURCES
    assert "*.cu" in Path(loader.__file__).parents[3].joinpath("setup.cfg").read_text()


@pytest.mark.parametrize(
    ("dtype", "index", "tile"), [("float32", "int", 4), ("float64", "long long", 4), ("float32", "int", 2)]
)
@pytest.mark.parametrize("source", SOURCES)
def test_compiles_without_spills(tmp_path, source, dtype, index, tile):
    path = tmp_path / f"{source}.cu"
    text = loader.read(source, dtype, index, tile)
    path.write_text(text)
    targets = [f"-gencode=arch=compute_{name[3:]},code={name}" for name in ARCHITECTURES]
    command = [NVCC, "-std=c++17", "-fatbin", *targets, "-Xptxas", "-v", "-Werror", "all-warnings", path.name]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    kernels = re.findall(r"__global__ void (\w+)\(", text)
    report = re.findall(
        r"function '(\w+)' for '(\w+)'.*?(\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers",
        result.stderr,
        re.DOTALL,
    )
    assert {entry[:2] for entry in report} == {(kernel, name) for kernel in kernels for name in ARCHITECTURES}
    for kernel, name, stores, loads, registers in report:
        assert (stores, loads) == ("0", "0"), f"{kernel} spills on {name}"
        assert int(registers) <= REGISTERS[source], f"{kernel} takes {registers} registers on {name}"
