"""Numbers on the command line that no run can have: one line and exit code 2, before any work."""

import pytest

from minunet.cli.main import main

HUGE = str(10**30)
NUMBERS = {
    "train": {
        "--steps": ["-1", "0", HUGE, "1e9", "nan"],
        "--minutes": ["-1", "0", "nan", "inf", "1e308"],
        "--seed": ["-1", "1.5", "-" + HUGE],
        "--base-channels": ["-1", "0", "1000000", "20000", HUGE],
        "--depth": ["-1", "0", "13", "9999", HUGE],
        "--tile": ["-1", "0", "1e9", "1000000004", HUGE],
        "--batch": ["-1", "0", HUGE],
        "--dropout-rate": ["-1", "1", "nan", "inf"],
        "--learning-rate": ["-1", "0", "nan", "inf", "1e300"],
        "--momentum": ["-1", "1", "nan", "inf"],
    },
    "evaluate": {"--tile": ["-1", "0", "1e9", "99999999996", HUGE], "--rotations": ["-1", "0", "nan", HUGE]},
    "predict image.png": {
        "--tile": ["-1", "0", "1e9", "99999999996", HUGE],
        "--rotations": ["-1", "3"],
        "--min-area": ["-1", "1.5", "nan"],
    },
    "predict image.zarr --out out.zarr": {"--block": ["-1", "0", "nan", HUGE], "--tile": ["-1", HUGE]},
    "summary": {
        "--input": ["-1", "0", "573", "nan", HUGE, "9" * 5000],
        "--base-channels": ["-1", "0", "1000000", HUGE],
        "--in-channels": ["-1", "0", HUGE],
        "--num-classes": ["-1", "0", HUGE],
        "--depth": ["-1", "0", "13", "9999", HUGE],
    },
    "bench": {
        "--input": ["-1", "0", "573", "99999999996"],
        "--base-channels": ["-1", "0", "1000000"],
        "--depth": ["-1", "0", "13", "9999"],
        "--rounds": ["-1", "0", HUGE],
    },
    "grade .": {"--jobs": ["-1", "0", "nan"], "--seconds": ["-1", "0", "nan", "inf", "1e308"]},
}
CASES = [
    (command, option, value) for command, own in NUMBERS.items() for option, values in own.items() for value in values
]


@pytest.mark.parametrize(("command", "option", "value"), CASES)
def test_a_number_that_cannot_be_is_refused_in_one_line(command, option, value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for place in ("cli.train", "training.measured"):
        monkeypatch.setattr(f"minunet.{place}.load_data", lambda *data: pytest.fail("the work was begun"))
    try:
        code = main([*command.split(), f"{option}={value}"])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    name = command.split()[0]
    assert len(err.splitlines()) == 1 and err.startswith(f"minunet {name}: error: ") and len(err) < 450
    assert list(tmp_path.iterdir()) == []
