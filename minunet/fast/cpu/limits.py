"""What this process may use of the machine: cores, and bytes of memory. The limits of a container count.

A container, or a job on a cluster, often has fewer cores and less memory than the machine it runs on. Linux keeps these
limits in files, one folder for each control group (cgroup), nested as the groups are.
"""

import contextlib
import functools
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
# The variables of the environment that say how many threads a process takes for products of matrices
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
CGROUP_FILES = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))  # versions 2, 1


class Memory(NamedTuple):
    """Bytes of memory."""

    total: int
    free: int  # the process can take so many more before the system runs out, or ends it


def memory() -> Memory | None:
    """Return the memory of this machine or container; None where the system does not say, as in a browser."""
    try:
        import psutil
    except ImportError:
        return None
    machine = psutil.virtual_memory()
    total, free = machine.total, machine.available
    for group in _own_cgroups("memory"):
        for limit_file, used_file in CGROUP_FILES:
            limit, used = _number_in(group / limit_file), _number_in(group / used_file)
            if limit is not None and used is not None and limit < machine.total:
                total, free = min(total, limit), min(free, max(0, limit - used + _can_be_given_back(group)))
    return Memory(total, free)


def cores() -> int:
    """Return how many cores this process may use."""
    return min(len(bound_to()), cores_by_time())


def bound_to() -> set[int]:
    """Return the numbers of the cores to which this process is bound; all of them where the system binds none."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


@functools.cache  # the limit of a container is the same until it ends, and to read it takes a while
def cores_by_time() -> int:
    """Return how many cores' worth of processor time the control groups let this process have, at least 1."""
    shares = [share for group in _own_cgroups("cpu") if (share := _share_of_time(group)) is not None]
    return max(1, math.ceil(min(shares))) if shares else sys.maxsize


def _share_of_time(group: Path) -> float | None:
    """Return the seconds of processor time that a group may take in each second; None if it has no such limit."""
    quota, period = _number_in(group / "cpu.cfs_quota_us"), _number_in(group / "cpu.cfs_period_us")  # version 1
    with contextlib.suppress(OSError, ValueError):
        words = (group / "cpu.max").read_text(encoding="ascii").split()  # version 2, such as 150000 100000
        quota, period = (int(word) if word.isdigit() else None for word in words)
    return quota / period if quota and period else None


def _own_cgroups(controller: str) -> Iterator[Path]:
    """Yield the folder of each control group that limits this process, from the inside out; none but on Linux.

    `controller` is what is limited: cpu or memory. In version 1 each has groups of its own.
    """
    try:
        lines = OWN_CGROUPS.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeError):
        return
    for line in lines:  # such as 0::/jobs/17 or, in version 1, 9:memory:/jobs/17 or 4:cpu,cpuacct:/jobs/17
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = CGROUPS / controller if controllers else CGROUPS
        inside = root / path.lstrip("/")
        yield inside
        if inside != root:
            yield from (folder for folder in inside.parents if folder.is_relative_to(root))


def _can_be_given_back(group: Path) -> int:
    """Return the bytes of files that the group keeps in memory and that the system may drop at any time."""
    try:
        rows = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        return int(rows.get("inactive_file", 0))
    except (OSError, ValueError):
        return 0


def _number_in(file: Path) -> int | None:
    """Return the whole number in a file; None if there is none, or the word max."""
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
