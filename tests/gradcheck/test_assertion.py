"""Asserting a gradient check: right pairs pass, and a failing one prints its whole report."""

import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from minunet import assert_gradients, gradcheck
from minunet.gradcheck.seed import seed_of_this_test

pytest_plugins = ["pytester"]
PAIR = """
    import numpy as np
    from minunet import assert_gradients, gradcheck

    def forward(x, weight, bias):
        return x @ weight + bias, (x, weight)

    def backward(dy, cache):
        x, weight = cache
        return dy @ weight.T, 3 * x.T @ dy, dy.mean(0)

    def right(dy, cache):
        x, weight = cache
        return dy @ weight.T, x.T @ dy, dy.sum(0)

    rng = np.random.default_rng(0)
    ARGS = rng.standard_normal((5, 4)), rng.standard_normal((4, 3)), rng.standard_normal(3)
"""
WHOLE_TABLE = [
    "*gradcheck FAILED: wrong*",
    "*argument*shape*compared*",
    "*x *(5, 4)*",
    "*weight*(4, 3)*",
    "*bias*(3,)*",
]
FINDINGS = ["*wrong in weight*", "*It is 3 times the numeric gradient*", "*wrong in bias*"]


def forward(x):
    return np.sin(x), x


def backward(dy, x):
    return dy * np.cos(x)


def wrong_backward(dy, x):
    return -dy * np.cos(x)


def test_assert_gradients(rng):
    x = rng.standard_normal((2, 3))
    assert assert_gradients(forward, backward, (x,)) is None
    with pytest.raises(AssertionError) as failure:
        assert_gradients(forward, wrong_backward, (x,), mode="directions")
    assert str(failure.value) == str(gradcheck(forward, wrong_backward, (x,), mode="directions"))
    assert "by directions" in str(failure.value)


@pytest.fixture
def run_tests(pytester, monkeypatch):
    """Return a function that runs tests, each given as its lines, in another pytest, with the plugin.

    It runs in this process, which is much faster, unless it is told to run in one of its own.
    On CI pytest's summary shortens no message, and so prints the report once more: as elsewhere here.
    """
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)

    def run(*tests, options=("-p", "minunet_pytest"), own_process=False):
        bodies = [textwrap.indent(lines, 8 * " ") for lines in tests]
        functions = [f"\n    def test_{number}():\n{body}\n" for number, body in enumerate(bodies)]
        pytester.makepyfile(PAIR + "".join(functions))
        start = pytester.runpytest_subprocess if own_process else pytester.runpytest_inprocess
        return start("-p", "no:cacheprovider", *options)

    return run


WAYS_TO_FAIL = (
    "assert gradcheck(forward, backward, ARGS)",
    "report = gradcheck(forward, backward, ARGS)\nassert report",
    "report = gradcheck(forward, backward, ARGS)\nassert report.ok",
    "assert gradcheck(forward, backward, ARGS).ok",
    "report = gradcheck(forward, backward, ARGS)\nassert report, report",
    "assert_gradients(forward, backward, ARGS)",
    "import unittest\nunittest.TestCase().assertTrue(gradcheck(forward, backward, ARGS))",
)


def test_a_failing_assert_prints_the_whole_report_once(run_tests):
    result = run_tests(*WAYS_TO_FAIL)
    result.assert_outcomes(failed=len(WAYS_TO_FAIL))
    _, *failures = re.split(r"^_+ test_\d _+$", str(result.stdout), flags=re.MULTILINE)
    for way, failure in zip(WAYS_TO_FAIL, failures, strict=True):
        pytest.LineMatcher(failure.splitlines()).fnmatch_lines(WHOLE_TABLE + FINDINGS)
        assert failure.count("wrong in weight[") == 1, way
    assert not [line for line in result.outlines if line.startswith("E") and "\\n  argument" in line]


def test_a_right_pair_prints_nothing_unless_a_test_wants_it_to_fail(run_tests):
    result = run_tests("assert gradcheck(forward, right, ARGS)", "assert not gradcheck(forward, right, ARGS)")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*gradcheck ok*"])
    assert str(result.stdout).count("worst relative error") == 1


@pytest.mark.slow
def test_the_report_reaches_the_terminal_from_parallel_workers(run_tests):
    pytest.importorskip("xdist", reason="pytest-xdist runs tests in parallel")
    options = ("-p", "minunet_pytest", "-p", "xdist", "-n", "1")
    result = run_tests("assert gradcheck(forward, backward, ARGS)", options=options, own_process=True)
    result.stdout.fnmatch_lines(WHOLE_TABLE + FINDINGS)


@pytest.mark.slow
def test_a_failure_of_the_plugin_hides_nothing(run_tests, pytester):
    pytester.makeconftest(
        """
        from minunet.gradcheck import report
        def fail(self): raise RuntimeError("from the report")
        report.Report.__str__ = report.Report.__repr__ = fail
        """
    )
    result = run_tests("report = gradcheck(forward, backward, ARGS)\nassert report.ok and 1 == 2", own_process=True)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert report.ok and 1 == 2*"])


def test_the_plugin_imports_nothing_heavy():
    code = "import sys, minunet_pytest; print([m for m in ('numpy', 'scipy', 'minunet') if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def drawn_dy():
    """Return the dy that gradcheck draws."""
    seen = []

    def backward_that_looks(dy, x):
        seen.append(dy.copy())
        return backward(dy, x)

    gradcheck(forward, backward_that_looks, (np.ones((2, 3)),))
    return seen[0]


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_a_dy_of_its_own(number, monkeypatch):
    own = drawn_dy()
    np.testing.assert_array_equal(drawn_dy(), own)
    monkeypatch.setenv(
        "PYTEST_CURRENT_TEST", f"test_assertion.py::test_each_test_has_a_dy_of_its_own[{3 - number}] (call)"
    )
    assert (drawn_dy() != own).all()


def test_the_seed_is_that_of_the_name_alone(monkeypatch):
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "a/test_a.py::TestA::test_b[1-2] (setup)")
    seed = seed_of_this_test()
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "b/test_a.py::TestA::test_b[1-2] (call)")
    assert seed_of_this_test() == seed != 0
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    assert seed_of_this_test() == 0
