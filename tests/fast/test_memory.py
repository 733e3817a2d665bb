"""Freed memory is kept: arrays made again and again are not cleared again and again by the operating system."""

import subprocess
import sys

import pytest

from minunet.fast.cpu.memory import keep_freed_memory

CODE = """
import resource, sys
import numpy as np
from minunet.fast.cpu.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(10_000_000, np.float32)  # 40 MB, made and dropped
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(choice):
    return int(subprocess.run([sys.executable, "-c", CODE, choice], capture_output=True, text=True, check=True).stdout)


def test_arrays_are_made_of_pages_that_are_there():
    if not keep_freed_memory():
        pytest.skip("only glibc's malloc can be told")
    assert page_faults("keep") < page_faults("as it is") / 5


@pytest.mark.parametrize("error", [OSError, AttributeError, TypeError])
def test_another_c_library_is_left_alone(monkeypatch, error):
    def no_library(name):
        raise error

    monkeypatch.setattr("ctypes.CDLL", no_library)
    assert keep_freed_memory() is False
