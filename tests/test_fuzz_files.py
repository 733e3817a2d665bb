"""Damaged and made-up files are read right, or refused in one line; `benchmarks/fuzz_files.py` is the long form."""

import numpy as np
import pytest
from fuzz import run_folders
from fuzz.kinds import COUNTS, maker
from fuzz.watch import outcome_of


def outcomes(kind, folder, count):
    """Return what becomes of the first mutants of a kind, as the long form with another seed makes them."""
    mutant_of = maker(kind, folder)
    return [outcome_of(mutant_of(np.random.default_rng([2026, list(COUNTS).index(kind), i]))) for i in range(count)]


@pytest.mark.parametrize("kind", COUNTS)
def test_a_mutant_is_read_right_or_refused_in_one_line(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(run_folders, "BY_COMMAND", 0)
    found = outcomes(kind, tmp_path, 30)
    assert [outcome for outcome in found if outcome.what not in ("right", "refused")] == []
    assert {outcome.what for outcome in found} == {"right", "refused"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["checkpoint", "configuration", "log"])
def test_a_command_reads_a_mutant_right_or_refuses_it_in_one_line(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(run_folders, "BY_COMMAND", 1)
    found = outcomes(kind, tmp_path, 40)
    assert [outcome for outcome in found if outcome.what not in ("right", "refused")] == []
