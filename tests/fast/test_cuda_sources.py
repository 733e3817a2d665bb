"""Every CUDA source compiles for GPUs from Volta (2017) to Hopper, without spilling registers; no GPU is needed."""

from pathlib import Path

import nvidia_compilers as nvidia
import pytest

from minunet.fast.cuda import loader
from minunet.gpu import TF32_CAPABILITY

SOURCES = sorted(path.stem for path in Path(loader.__file__).parent.glob("*.cu"))
CAPABILITIES = (70, 75, 80, 90)  # V100; T4, as in Colab; A100; H100 and H200
REGISTERS = {  # at most; a thread may have 255
    "batch_norm": 64,
    "conv_tf32": 128,  # with 512 threads on a multiprocessor there are no more
    "crop_concat": 64,
    "gather": 32,
    "loss": 64,
    "optimisers": 32,
    "pool": 32,
    "relu": 32,
    "up_conv": 32,
    "winograd": 128,
}
WIDE_REGISTERS = {"conv_tf32": 168}  # with 64-bit indices, where few arrays need them
VARIANTS = [("float32", "int", 4), ("float64", "long long", 4), ("float32", "int", 2)]
TF32_VARIANTS = [("float32", "int", 4), ("float32", "long long", 4)]
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not nvidia.ARE_THERE, reason="NVRTC or ptxas is not there to compile the CUDA sources"),
]


def test_every_source_has_a_limit_and_is_installed():
    assert sorted(REGISTERS) == SOURCES
    assert "*.cu" in Path(loader.__file__).parents[3].joinpath("setup.cfg").read_text()


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("source", SOURCES)
def test_compiles_without_spills(tmp_path, source, capability):
    if source == "conv_tf32" and capability < TF32_CAPABILITY:
        pytest.skip("it is not taken there: GPUs have TF32 from compute capability 8.0 on")
    if capability not in nvidia.architectures():
        pytest.skip(f"this NVRTC does not compile for {capability}")
    for variant in TF32_VARIANTS if source == "conv_tf32" else VARIANTS:
        index = variant[1]
        limit = REGISTERS[source] if index == "int" else WIDE_REGISTERS.get(source, REGISTERS[source])
        code, warnings = nvidia.ptx(loader.read(source, *variant), capability)
        assert not warnings
        for kernel in nvidia.kernels(code, capability, tmp_path):
            print(f"{kernel.name}, {variant[0]}, {index}, sm_{capability}: {kernel.registers} registers")
            assert kernel.spilled == 0
            assert kernel.registers <= limit
            assert kernel.shared <= 48 * 1024  # a block may have as much without asking for more


PAIRS = {  # which kernels of winograd.cu read pixels two at a time, and which write them so
    "evaluate_tiles": b"ld.global.v2",
    "interpolate_tiles_transposed": b"ld.global.v2",
    "interpolate_tiles": b"st.global.v2",
    "evaluate_tiles_transposed": b"st.global.v2",
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_pixels_are_read_and_written_in_pairs(variant):
    code, _ = nvidia.ptx(loader.read("winograd", *variant), 80)
    _, *entries = code.split(b".entry ")
    found = {entry[: entry.index(b"(")].decode(): entry for entry in entries}
    for kernel, instruction in PAIRS.items():
        assert instruction in found[kernel], kernel
