"""`minunet grade`: grade the notebooks that students handed in; write tables and feedback."""

import argparse
from pathlib import Path

from minunet.course.contest import write_leaderboard
from minunet.course.grading.grade_folder import ATTEMPTS, Settings, grade_folder

EXAMPLE = "minunet grade submissions --out week1 --jobs 4"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    default = Settings()
    command.add_argument(
        "folder", metavar="DIR", help="folder with the notebooks; those in folders and zip files within it count, too"
    )
    command.add_argument(
        "--out",
        metavar="DIR",
        help="folder for the results, default grades; a stopped grading goes on; of a contest: the table",
    )
    command.add_argument(
        "--jobs", type=int, default=default.jobs, metavar="N", help="notebooks at a time; default all cores"
    )
    command.add_argument("--seconds", type=float, default=60, metavar="S", help="time limit for a cell; default 60")
    command.add_argument("--attempt", choices=ATTEMPTS, default="best", help="which of several counts; default best")
    command.add_argument(
        "--map", type=Path, metavar="FILE", help="table FOUND,STUDENT: what a file name says, who it is"
    )
    command.add_argument("--container", metavar="IMAGE", help="run each notebook in a container of podman or docker")
    command.add_argument(
        "--solutions", type=Path, default=default.solutions, metavar="DIR", help="notebooks with the rubrics"
    )
    command.add_argument(
        "--contest", metavar="HELD_OUT", help="DIR holds an entry of label images per folder: write the leaderboard"
    )


def run(options) -> int:
    """Grade each notebook of a folder; write the results."""
    if options.contest:
        table = Path(options.out or "leaderboard.csv")
        rows = write_leaderboard(options.folder, options.contest, table)
        print(f"{len(rows)} entries, the best {rows[0]['entry']} with SEG {rows[0]['seg']:.3f}; written to {table}")
        return 0
    settings = Settings(
        options.seconds, options.jobs, options.attempt, options.map, options.container, options.solutions
    )
    out = Path(options.out or "grades")
    graded = grade_folder(Path(options.folder), out, settings)
    remarks = sum(bool(row["remarks"]) for row in graded)
    students = len({row["student"] for row in graded})
    print(f"{len(graded)} notebooks of {students} students graded, {remarks} with a remark; written to {out}")
    return 0
