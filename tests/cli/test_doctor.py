"""`minunet doctor`: what a bug report needs, in lines and never in tracebacks, whatever is missing or broken."""

import builtins
import sys

import numpy as np
import pytest
import threadpoolctl

import minunet
from minunet.cli import doctor, machine
from minunet.cli.main import main
from minunet.fast.cpu import limits


@pytest.fixture
def quick(monkeypatch):
    """Leave out what takes time: two layers are checked, and nothing is timed."""
    every = doctor.cases()
    monkeypatch.setattr(doctor, "cases", lambda: {name: every[name] for name in ("relu", "max_pool")})
    monkeypatch.setattr(doctor, "speed", lambda: (True, "10 GFLOP/s", []))


def printed(capsys):
    """Return {name: [what is said]} of all lines."""
    out, err = capsys.readouterr()
    assert err == ""
    rows = {}
    for line in out.splitlines():
        rows.setdefault(line[:14].strip(), []).append(line[14:])
    return rows


def cannot_import(monkeypatch, broken, error):
    """Let the import of a module fail in this way."""
    monkeypatch.delitem(sys.modules, broken, raising=False)
    real = builtins.__import__

    def importing(name, *args, **kwargs):
        if name.partition(".")[0] == broken:
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", importing)


def test_it_says_what_a_bug_report_needs(quick, monkeypatch, capsys):
    monkeypatch.setenv("MINUNET_QUICK", "1")
    assert main(["doctor"]) == 0
    rows = printed(capsys)
    assert rows["minunet"][0].startswith(f"{minunet.__version__} in ")
    assert rows["Python"][0].startswith("{}.{}.{}".format(*sys.version_info))
    assert rows["numpy"] == [np.__version__]
    for name in ("system", "cores", "memory", "scipy", "matplotlib", "pillow", "BLAS", "CuPy", "GPU"):
        assert rows[name][0]
    assert "MINUNET_QUICK=1" in rows["environment"]
    assert rows["gradients"][0].startswith("right in all of relu, max_pool, ")
    assert rows["verdict"] == ["all is well"]


def test_the_facts_alone_take_no_time(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "cases", None)
    assert main(["doctor", "--no-test"]) == 0
    assert "gradients" not in printed(capsys)


@pytest.mark.slow
def test_it_times_a_product_and_a_step(capsys):
    assert main(["doctor"]) == 0
    rows = printed(capsys)
    assert "GFLOP/s in a product of matrices" in rows["speed"][0]
    assert "unet" in rows["gradients"][0]


def test_a_wrong_gradient_is_named(quick, monkeypatch, capsys):
    forward, _, args = doctor.cases()["relu"]
    monkeypatch.setattr(doctor, "cases", lambda: {"relu": (forward, lambda dy, cache: dy, args)})
    assert main(["doctor"]) == 1
    rows = printed(capsys)
    assert rows["gradients"] == ["WRONG in relu; minunet gradcheck relu says where"]
    assert rows["verdict"] == ["something is wrong: send these lines with your report"]


def test_a_test_that_fails_is_a_line_and_the_rest_goes_on(quick, monkeypatch, capsys):
    monkeypatch.setenv("MINUNET_CONVOLUTION", "fastest")
    monkeypatch.setattr(doctor, "cases", lambda: 1 / 0)
    assert main(["doctor"]) == 1
    rows = printed(capsys)
    assert rows["gradients"] == ["the test failed: ZeroDivisionError: division by zero"]
    assert rows["speed"] == ["10 GFLOP/s"]
    assert "MINUNET_CONVOLUTION=fastest" in rows["environment"]


def test_a_missing_threadpoolctl_is_a_line(quick, monkeypatch, capsys):
    cannot_import(monkeypatch, "threadpoolctl", ModuleNotFoundError("No module named 'threadpoolctl'"))
    assert main(["doctor"]) == 0
    rows = printed(capsys)
    assert rows["BLAS"] == ["unknown: ModuleNotFoundError: No module named 'threadpoolctl'"]
    assert any("pip install threadpoolctl" in hint for hint in rows["hint"])


def test_a_blas_that_nobody_knows_is_a_line(quick, monkeypatch, capsys):
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: [])
    assert main(["doctor"]) == 0
    assert printed(capsys)["BLAS"] == ["threadpoolctl finds none that it knows: NumPy decides about threads by itself"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ModuleNotFoundError("No module named 'cupy'", name="cupy"), "not installed"),
        (
            ImportError("libcudart.so.13: cannot open\nhelp"),
            "cannot be imported: ImportError: libcudart.so.13: cannot open",
        ),
        (
            RuntimeError("CuPy is not correctly installed"),
            "cannot be imported: RuntimeError: CuPy is not correctly installed",
        ),
    ],
)
def test_a_broken_cupy_is_a_line(quick, monkeypatch, capsys, error, line):
    cannot_import(monkeypatch, "cupy", error)
    assert main(["doctor"]) == 0
    rows = printed(capsys)
    assert rows["CuPy"] == [line]
    assert rows["GPU"][0].startswith("none")


def test_hints_about_blas(monkeypatch):
    def library(threads, architecture):
        return [{"user_api": "blas", "num_threads": threads, "architecture": architecture}]

    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    monkeypatch.setattr(limits, "cores", lambda: 2)
    monkeypatch.setattr(limits, "memory", lambda: limits.Memory(8 * 10**9, 4 * 10**9))
    monkeypatch.setattr(machine, "blas", lambda: library(2, "Haswell"))
    assert machine.hints() == []
    monkeypatch.setattr(machine, "blas", lambda: library(8, "Haswell"))
    assert machine.hints() == ["BLAS uses 8 threads on 2 cores: OPENBLAS_NUM_THREADS=2 is quicker"]
    monkeypatch.setattr(machine, "blas", lambda: library(1, "Prescott"))
    one, old = machine.hints()
    assert (
        one.startswith("BLAS uses 1 of 2 cores") and old == "BLAS uses its Prescott kernels, those for old processors"
    )
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    assert machine.hints()[1].startswith("OPENBLAS_CORETYPE chooses the kernels of BLAS by hand")
    monkeypatch.setattr(limits, "memory", lambda: limits.Memory(8 * 10**9, 3 * 10**8))
    assert machine.hints()[2] == "only 0.3 GB of memory are free; close other programs"


def test_a_slow_product_is_a_hint(monkeypatch):
    monkeypatch.setattr(doctor, "_fastest", lambda passes: 1.0)  # seconds, for 2 GFLOP
    monkeypatch.setattr(doctor.minunet_side, "step_passes", lambda network, device: [])
    ok, line, found = doctor.speed()
    assert ok and line == "2 GFLOP/s in a product of matrices, 1.00 s for a step of minunet train"
    assert len(found) == 1 and found[0].startswith("a product of matrices is slow, below 5 GFLOP/s")
