"""`minunet grade`: grade the notebooks that students handed in, and write a table."""

import argparse
import itertools
from pathlib import Path

from minunet.course.contest import write_leaderboard
from minunet.course.grading.grade import grade_folder

HELP = "grade the notebooks that students handed in, and write a table"
EXAMPLE = "minunet grade submissions --out week1.csv"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument(
        "folder", metavar="DIR", help="folder with the notebooks; those in folders within it count, too"
    )
    table = "the table, a new file; default grades.csv or, where that exists, grades-2.csv, -3, ..."
    command.add_argument("--out", metavar="FILE", help=table)
    command.add_argument("--seconds", type=float, default=60, metavar="S", help="time limit for a cell; default 60")
    command.add_argument(
        "--contest", metavar="HELD_OUT", help="DIR holds an entry of label images per folder: write the leaderboard"
    )


def run(options) -> int:
    """Grade each notebook of a folder; write a table."""
    out = Path(options.out) if options.out else _new_table()
    if options.contest:
        rows = write_leaderboard(options.folder, options.contest, out)
        best = f"the best {rows[0]['entry']} with SEG {rows[0]['seg']:.3f}"
        print(f"{len(rows)} entries, {best}; written to {out}")
        return 0
    rows = grade_folder(Path(options.folder), out, options.seconds)
    remarks = sum(bool(row["remark"]) for row in rows)
    print(f"{len(rows)} notebooks graded, {remarks} with a remark; written to {out}")
    return 0


def _new_table() -> Path:
    """Return grades.csv or, where that exists, the first of grades-2.csv, grades-3.csv, ... that does not."""
    numbered = (Path(f"grades-{number}.csv") for number in itertools.count(2))
    return next(path for path in itertools.chain([Path("grades.csv")], numbered) if not path.exists())
