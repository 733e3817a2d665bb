"""benchmarks/gpu.sh goes on when a part fails, tells so at the end, and keeps what was printed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.sh"
pytestmark = pytest.mark.skipif(not shutil.which("timeout"), reason="needs bash and timeout, as Linux has them")


def run(folder, python, sanitizer=False, out=None):
    """Run a copy of the script in `folder`, with this line of shell as `python`; return code, output and results."""
    for name in ("benchmarks", "bin"):
        (folder / name).mkdir()
    shutil.copy(SCRIPT, folder / "benchmarks")
    programs = {"python": python, "nvidia-smi": "echo a GPU", "git": "echo a commit"}
    if sanitizer:
        programs["compute-sanitizer"] = 'echo "pool $MINUNET_GPU_POOL: $*"'
    for name, line in programs.items():
        path = folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    environment |= {"OUT": str(out)} if out else {}
    script = ["bash", str(folder / "benchmarks" / "gpu.sh")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True)
    results = [path.read_text() for path in (folder / "benchmarks").glob("results/gpu-*.txt")]
    return done.returncode, done.stdout + done.stderr, results


def test_every_part_runs_and_the_results_are_kept(tmp_path):
    python = '[ "$1" = -c ] || echo "TF32=$CUPY_TF32 ${MINUNET_CONVOLUTION:-auto} $*"'
    code, printed, (results,) = run(tmp_path, python, sanitizer=True)
    assert code == 0 and printed == results
    parts = [
        "gpu_versions.py",
        "latency.py --device gpu",
        "bench --device gpu --against torch",
        "graphs.py",
        "pytest -n 0 -m gpu",
        "train --device gpu",
        "--tool memcheck",
    ]
    places = [results.index(part) for part in parts]
    assert places == sorted(places)
    assert results.count("clocks, power, temperature: a GPU") == 9
    assert all(f"TF32={how} -m minunet bench" in results for how in ("0 auto", "1 auto", "1 winograd"))
    assert "pool off: --tool memcheck" in results and results.endswith("every part passed\n")


def test_it_goes_on_when_parts_fail_and_the_exit_code_tells(tmp_path):
    fails = 'case "$*" in *pytest*) exit 3;; *latency*) exit 4;; *torch*) exit 1;; esac; echo "ran $*"'
    code, _, (results,) = run(tmp_path, fails)
    assert code == 1
    assert "ran -m minunet bench --device gpu --rounds 3" in results and "ran -m minunet train" in results
    assert "left out: compute-sanitizer" in results or shutil.which("compute-sanitizer")
    assert "FAILED  latency: exit code 4\nFAILED  tests on the GPU: exit code 3\n" in results


def test_results_are_copied_after_each_part_and_a_failing_sanitizer_is_no_failure(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    line = f'case "$*" in *latency*) cp {out}/gpu-*.txt {tmp_path}/early.txt;; esac; echo "path $PYTHONPATH $*"'
    code, _, (results,) = run(tmp_path, line, out=out)
    assert code == 0 and f"path {tmp_path}" in results
    assert "gpu_versions.py" in (tmp_path / "early.txt").read_text()
    assert [path.read_text() for path in out.glob("gpu-*.txt")] == [results]


def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path):
    code, printed, results = run(tmp_path, "exit 1")
    assert code == 2 and results == []
    assert printed == "CuPy is not installed, or finds no GPU: there is nothing to run here\n"
