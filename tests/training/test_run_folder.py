"""The folder of a run: one process at a time, and nothing that a killed one has left gets in the way."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from minunet.errors import InputError
from minunet.training import folder_lock, run_folder
from minunet.training.folder_lock import LOCK, FolderInUseError, locked
from minunet.training.run_folder import check_out, made_and_held, new_folder

HOLD = """
import sys, time
from pathlib import Path
from minunet.training.folder_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Return another process, which holds the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_told_who_holds_the_folder_until_that_one_is_killed(tmp_path, other):
    message = rf"must be free, but process {other.pid} on \S+, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d, writes to it"
    with pytest.raises(FolderInUseError, match=message), locked(tmp_path):
        pass
    with pytest.raises(FolderInUseError, match=message):
        check_out(str(tmp_path))
    other.kill()
    other.wait()
    assert (tmp_path / LOCK).exists()  # which is all that is left of it
    with new_folder(str(tmp_path), "") as folder:
        assert folder == tmp_path
    assert not tmp_path.exists()  # nothing was written


def test_the_lock_is_gone_with_the_block(tmp_path):
    for _ in range(2):
        with locked(tmp_path):
            assert str(os.getpid()) in (tmp_path / LOCK).read_text()
        assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_removed_meanwhile_is_not_held(tmp_path, monkeypatch):
    """The file is removed between opening and locking it, by the process that held it; so it is locked anew."""
    lock, opened = folder_lock._lock, []

    def lock_late(descriptor):
        opened.append(descriptor)
        if len(opened) == 1:
            (tmp_path / LOCK).unlink()
        lock(descriptor)

    monkeypatch.setattr(folder_lock, "_lock", lock_late)
    with locked(tmp_path):
        assert len(opened) == 2
        with pytest.raises(FolderInUseError), locked(tmp_path):
            pass


def test_a_disk_without_locks_is_said_and_used(tmp_path, monkeypatch):
    def no_locks(descriptor):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(folder_lock, "_lock", no_locks)
    with pytest.warns(UserWarning, match="on a disk without locks"), locked(tmp_path):
        pass


def test_processes_that_ask_at_once_get_folders_of_their_own(tmp_path):
    all_have_one = threading.Barrier(8)

    def claim(_):
        with new_folder(None, str(tmp_path / "runs" / "cells")) as folder:
            (folder / "result").write_text("")
            all_have_one.wait(timeout=30)
        return folder.name

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(claim, range(8))) == [f"cells-{number}" for number in range(1, 9)]


def test_one_of_those_that_ask_at_once_for_a_folder_gets_it(tmp_path):
    all_have_asked = threading.Barrier(8)

    def claim(_):
        try:
            with new_folder(str(tmp_path / "two"), "") as folder:
                (folder / "result").write_text("")
                all_have_asked.wait(timeout=30)
                return "got it"
        except InputError:  # it is in use, or by then holds the result
            all_have_asked.wait(timeout=30)
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(claim, range(8))) == ["got it", *["refused"] * 7]


def test_what_another_process_has_written_since_the_first_look_is_left_alone(tmp_path, monkeypatch):
    """Another process holds the folder between the two looks, and writes a whole run."""
    monkeypatch.setattr(run_folder, "remove_unfinished", lambda folder: (folder / "checkpoint.npz").write_text(""))
    message = "must be a new or empty folder, got .*, which holds files; choose another --out or continue it"
    with pytest.raises(InputError, match=message), new_folder(str(tmp_path / "run"), ""):
        pass


def test_what_a_killed_run_leaves_is_no_obstacle(tmp_path):
    (tmp_path / ".minunet-0123456789abcdef.npz").write_text("half")
    (tmp_path / ".curves-ab12cd_4").mkdir()
    (tmp_path / LOCK).write_text("process 1 on another machine")
    with new_folder(str(tmp_path), "") as folder:
        assert [path.name for path in folder.iterdir()] == [LOCK]


def test_a_folder_that_stays_empty_is_removed_again_and_one_with_results_stays(tmp_path):
    with pytest.raises(KeyboardInterrupt), new_folder(str(tmp_path / "a"), ""):
        raise KeyboardInterrupt
    assert not (tmp_path / "a").exists()
    with made_and_held(tmp_path / "b"):
        (tmp_path / "b" / "result").write_text("")
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["result"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(OSError, match=r"^could not make the folder .*run: Permission denied; choose another folder$"):
        made_and_held(tmp_path / "run").__enter__()
    with pytest.raises(OSError, match=r"^could not make the folder .*runs: Permission denied; choose another folder$"):
        new_folder(None, str(tmp_path / "runs" / "synthetic")).__enter__()


def test_a_file_in_place_of_the_folder_of_runs_is_said(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(OSError, match=r"^could not make the folder .*runs: File exists; choose another folder$"):
        new_folder(None, str(tmp_path / "runs" / "synthetic")).__enter__()


def test_a_folder_in_which_nothing_can_be_written_is_said(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match=r"^could not write to .*: Read-only file system; choose another folder, or copy"):
        locked(tmp_path).__enter__()
