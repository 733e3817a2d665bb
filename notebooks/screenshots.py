"""Photograph the executed notebooks in JupyterLab: python notebooks/screenshots.py FOLDER [02 07 ...].

Writes FOLDER/NN_name-01.png, -02.png ...: one picture per screen, from top to bottom, for you to look at.
"""

import argparse
import sys
from pathlib import Path

from lab import browser, missing, open_notebook, screens, serve

NOTEBOOKS = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="FOLDER")
    parser.add_argument("numbers", nargs="*", metavar="NN", help="such as 02; default all")
    options = parser.parse_args()
    if why := missing():
        print(f"error: {why}", file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    with serve(NOTEBOOKS) as address, browser() as driver:
        for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
            if not options.numbers or path.name[:2] in options.numbers:
                open_notebook(driver, address(path.name))
                for number in screens(driver):
                    driver.save_screenshot(str(options.out / f"{path.stem}-{number:02}.png"))
                print(f"{path.stem}: {number} screens", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
