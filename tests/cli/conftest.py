"""What the tests of the commands share: a run to use up, and a command that must fail."""

import shutil

import pytest

from minunet.cli.main import main


@pytest.fixture
def data(cells_folder):
    """Return four images of a bright square each, as --data takes them."""
    return f"folder:{cells_folder}"


@pytest.fixture
def run(tmp_path, finished_run):
    """Return the folder of a short run that is over."""
    return shutil.copytree(finished_run, tmp_path / "run")


@pytest.fixture
def refused(capsys):
    """Return a function that runs a command which must fail, and returns the one line that it prints."""

    def line_of(*arguments):
        assert main([str(argument) for argument in arguments]) == 2
        out, err = capsys.readouterr()
        lines = err.splitlines()
        assert out == ""
        assert len(lines) == 1
        assert lines[0].startswith(f"minunet {arguments[0]}: error: ")
        return lines[0]

    return line_of
