"""Files are written whole or not at all, and nothing unfinished stays for long."""

import errno
import os
import stat

import pytest

from minunet import files
from minunet.errors import InputError
from minunet.files import looks_empty, remove_unfinished, replace_atomically


def write(text):
    return lambda path: path.write_text(text)


def no_space(*args, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_on_the_disk_before_it_takes_the_old_ones_place(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        operation = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, n=name, do=operation: (calls.append(n), do(*args)))
    replace_atomically(tmp_path / "a.txt", write("new"))
    assert (tmp_path / "a.txt").read_text() == "new"
    assert calls[:2] == ["fsync", "replace"]
    assert calls[2:] == (["fsync"] if os.name == "posix" else [])  # of the folder


@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_a_full_disk_is_said_in_one_line_and_the_old_file_is_kept(tmp_path, monkeypatch, operation):
    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(os, operation, no_space)
    with pytest.raises(
        OSError, match=r"^could not write .*a\.txt: No space left on device; what was there before is k"
    ):
        replace_atomically(tmp_path / "a.txt", write("new"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_file_may_be_read_by_those_who_may_read_others(tmp_path):
    (tmp_path / "plain").write_text("")
    replace_atomically(tmp_path / "a.txt", write("new"))
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "a.txt")]
    assert modes[0] == modes[1]


def test_windows_is_asked_again_while_another_program_has_the_file_open(tmp_path, monkeypatch):
    replace, refusals, waits = os.replace, [1, 2], []

    def busy_at_first(*paths):
        if refusals:
            refusals.pop()
            raise PermissionError(errno.EACCES, "Access is denied")
        replace(*paths)

    monkeypatch.setattr(os, "replace", busy_at_first)
    monkeypatch.setattr(files.time, "sleep", waits.append)
    with pytest.raises(OSError, match="Access is denied"):  # elsewhere this is no matter of time
        replace_atomically(tmp_path / "a.txt", write("new"))
    assert waits == [] and len(refusals) == 1
    refusals.append(2)
    monkeypatch.setattr(files, "IS_WINDOWS", True)
    replace_atomically(tmp_path / "a.txt", write("new"))
    assert waits == [0.05, 0.1]
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_folder_that_is_gone_is_said(tmp_path):
    with pytest.raises(InputError, match="expected a file in a folder that exists"):
        replace_atomically(tmp_path / "gone" / "a.txt", write("new"))


def test_only_what_minunet_has_left_unfinished_is_removed(tmp_path):
    users = [".config-mine.json", ".curves-settings", "curves.png", ".minunet.lock"]
    for name in [*users, ".minunet-0123456789abcdef.npz"]:
        (tmp_path / name).write_text("")
    users += [".config-settings", ".log-old"]
    for name, inside in {users[-2]: "my.json", users[-1]: "log.csv", ".curves-ab12cd_4": "curves.png"}.items():
        (tmp_path / name).mkdir()  # the last one as minunet 0.2 left it
        (tmp_path / name / inside).write_text("half")
    remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(users)


def test_a_folder_of_hidden_files_looks_empty(tmp_path):
    (tmp_path / ".DS_Store").write_text("")
    assert looks_empty(tmp_path)
    (tmp_path / "a.txt").write_text("")
    assert not looks_empty(tmp_path)
