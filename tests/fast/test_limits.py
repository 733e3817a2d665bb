"""The cores and the memory that a process may use: those of the machine, or of the container that it is in."""

import os
import sys
from types import SimpleNamespace

import pytest

from minunet.fast.cpu import limits

GB = 10**9


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function that writes the files of control groups; the machine has 64 GB, 32 of them free, 8 cores."""
    psutil = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(total=64 * GB, available=32 * GB))
    monkeypatch.setitem(sys.modules, "psutil", psutil)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(limits, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(limits, "OWN_CGROUPS", tmp_path / "own")

    def write(own, **files):
        (tmp_path / "own").write_text(own)
        for path, text in files.items():
            file = tmp_path / "cgroup" / path.replace("__", "/").replace("_of_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")
        limits.cores_by_time.cache_clear()  # it is read once in a process

    limits.cores_by_time.cache_clear()
    yield write
    limits.cores_by_time.cache_clear()


def test_without_containers_the_machine_counts(machine):
    assert limits.memory() == (64 * GB, 32 * GB)
    assert limits.cores() == 8


def test_a_container_counts(machine):
    machine("0::/\n", memory_of_max=4 * GB, memory_of_current=3 * GB, cpu_of_max="150000 100000")
    assert limits.memory() == (4 * GB, GB)
    assert limits.cores() == 2  # one and a half


def test_files_that_the_system_may_drop_are_free(machine):
    machine("0::/\n", memory_of_max=4 * GB, memory_of_current=3 * GB, memory_of_stat=f"anon 1\ninactive_file {2 * GB}")
    assert limits.memory() == (4 * GB, 3 * GB)


def test_the_group_outside_counts_too(machine):
    outer = {"jobs__memory_of_max": 2 * GB, "jobs__memory_of_current": GB}
    machine("0::/jobs/17\n", jobs__17__memory_of_max="max", jobs__17__memory_of_current=GB, **outer)
    assert limits.memory() == (2 * GB, GB)


def test_the_first_version_of_control_groups(machine):
    files = {"memory__memory.limit_in_bytes": 3 * GB, "memory__memory.usage_in_bytes": GB}
    files |= {"cpu__cpu.cfs_quota_us": 300000, "cpu__cpu.cfs_period_us": 100000}  # seen from within the container
    machine("9:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n", **files)
    assert limits.memory() == (3 * GB, 2 * GB)
    assert limits.cores() == 3
    machine("3:cpu:/\n", **files | {"cpu__cpu.cfs_quota_us": -1})
    assert limits.cores() == 8


def test_the_smallest_limit_of_all_groups_counts(machine, monkeypatch):
    files = {"cpu_of_max": "max 100000", "jobs__cpu_of_max": "20000 10000", "jobs__17__cpu_of_max": "500000 100000"}
    machine("0::/jobs/17\n", **files)
    assert limits.cores() == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {5}, raising=False)  # as after `taskset -c 5`
    assert limits.cores() == 1


def test_less_than_a_core_is_one(machine):
    machine("0::/\n", cpu_of_max="10000 100000")
    assert limits.cores() == 1


def test_a_group_without_limits_is_the_machine(machine):
    machine("0::/\n", memory_of_max="max", memory_of_current=GB, cpu_of_max="max 100000")
    assert limits.memory() == (64 * GB, 32 * GB)
    assert limits.cores() == 8


def test_where_nothing_is_known_nothing_is_claimed(machine, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)  # importing it raises ImportError
    assert limits.memory() is None
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # macOS and Windows
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert limits.cores() == 1
