"""Runs that are killed at random moments end as if nobody had killed them; see benchmarks/kill_runs.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kill_runs.py"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the script forks, and kills by signals that Windows does not have")
def test_twenty_kills_lose_nothing():
    done = subprocess.run([sys.executable, SCRIPT, "20"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "each as if nobody had killed it" in done.stdout
