"""Every bug of the zoo is caught, as the kind of bug that it is; every correct layer passes at the same arguments."""

import pytest
from zoo import BUGS, CAGES, unet

from minunet import gradcheck


def slow_in_the_unet(bugs):
    """Mark what checks each of the network's numbers, one after the other."""
    return [pytest.param(bug, marks=pytest.mark.slow) if bug in unet.cage.bugs else bug for bug in bugs]


WRONG = [bug for bug in BUGS if bug.kind == "wrong"]
CORRECT = {
    (cage.cage.name, tuple(map(id, bug.args))): (cage.cage, bug.args)
    for cage in CAGES
    for bug in cage.cage.bugs
    if bug.kind not in ("vacuous", "nonfinite")
}.values()


def check(bug, **options):
    return gradcheck(bug.forward, bug.backward, bug.args, **options)


def assert_caught(bug, report):
    assert not report.ok, f"{bug.name}: passed\n{report}"
    found = [finding for finding in report.findings if finding.kind == bug.kind]
    assert found, f"{bug.name}: expected {bug.kind}\n{report}"
    if bug.culprit:
        assert any((finding.argument or "").startswith(bug.culprit) for finding in found), report


@pytest.mark.parametrize("bug", slow_in_the_unet(BUGS), ids=lambda bug: bug.name)
def test_is_caught(bug):
    assert_caught(bug, check(bug))


@pytest.mark.parametrize("bug", slow_in_the_unet(WRONG), ids=lambda bug: bug.name)
def test_is_caught_by_directions_and_the_culprit_is_named(bug):
    report = check(bug, mode="directions")
    assert report.mode == "directions"
    assert_caught(bug, report)


@pytest.mark.parametrize("mode", ["elements", "directions"])
@pytest.mark.parametrize("cage, args", CORRECT, ids=lambda value: getattr(value, "name", ""))
def test_correct_pair_passes_at_the_same_arguments(cage, args, mode):
    if mode == "elements" and args is unet.deep:
        pytest.skip("so many numbers are checked by directions, and so are the bugs at these arguments")
    report = gradcheck(cage.forward, cage.backward, args, mode=mode)
    assert report.ok, report
    assert not [finding for finding in report.findings if finding.kind != "kink"], report


def test_the_zoo_is_large_and_covers_every_layer():
    assert len(BUGS) >= 80
    assert all(len(cage.cage.bugs) >= 5 for cage in CAGES)
    assert len({bug.name for bug in BUGS}) == len(BUGS)
