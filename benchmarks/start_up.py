"""How long commands take to start: milliseconds of the processor, the least of some runs, each in a process of its own.

    python benchmarks/start_up.py [--runs 5]

Python and NumPy alone are there to compare with. The image is so small that predicting it takes next to nothing.
What imports what, and how long that takes, says python -X importtime -m minunet --help
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 64  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "small.png"
        Image.fromarray(np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE)).save(image)
        commands = {
            "python": ["-c", "pass"],
            "import numpy": ["-c", "import numpy"],
            "import minunet": ["-c", "import minunet"],
            "minunet --help": ["-m", "minunet", "--help"],
            "minunet summary": ["-m", "minunet", "summary"],
            f"minunet predict, {SIDE}x{SIDE}": ["-m", "minunet", "predict", str(image), "--out", f"{folder}/out"],
        }
        for name, command in commands.items():
            print(
                f"{name:<28}{min(milliseconds(command, f'{folder}/out') for _ in range(1 + runs)):>6.0f} ms", flush=True
            )


def milliseconds(command: list[str], out: str) -> float:
    """Return the processor's time of one run; what it has written goes first."""
    shutil.rmtree(out, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


if __name__ == "__main__":
    main()
