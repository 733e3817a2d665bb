"""Grade a folder of notebooks: whatever a submission does, the others get their marks.

Each submission runs in a kernel of its own, a separate process in an empty folder, with a time limit for each cell.
The marks do not come from there: `check` runs in the grader's process and only calls the student's functions over
there (see `remote_call.py`), so a notebook that redefines course.check, patches NumPy or prints a green tick gains
nothing. The course decides which exercises count, and that the function for conv2d_dx is called my_conv2d_dx.

Two things are not prevented. A function that calls the library's own solution passes, so look at a few submissions. And
a kernel may read, delete and send files with all rights of the person who grades, so grade notebooks of people you do
not know in a container.
"""

import csv
from pathlib import Path

from tqdm import tqdm

from minunet.course.checking import check
from minunet.course.exercises import by_notebook
from minunet.course.grading.student_kernel import StudentKernel
from minunet.course.grading.submission import notebook_of, read_cells
from minunet.errors import InputError
from minunet.files import replace_atomically


def grade_folder(folder: Path, out: Path, seconds: float) -> list[dict]:
    """Grade all notebooks in a folder and the folders in it; write the table, and return its rows.

    Raises
    ------
    InputError
        If there is no folder, or no notebook in it, if `out` exists or cannot be created, or if Jupyter is missing.
    """
    if out.exists():
        raise InputError(f"--out must be a new file, {out} exists; choose another --out")
    if not out.parent.is_dir():
        raise InputError(f"--out must be in a folder that exists, found no {out.parent}")
    if not seconds > 0:
        raise InputError(f"--seconds must be above 0, got {seconds:g}")
    paths = tqdm(find_submissions(folder), unit="notebook", disable=None)
    rows = [{"file": path.relative_to(folder).as_posix(), **grade(path, seconds)} for path in paths]
    write_grades(rows, out)
    return rows


def find_submissions(folder: Path) -> list[Path]:
    """Return all notebooks in a folder and the folders in it; raise InputError if there are none."""
    if not folder.is_dir():
        raise InputError(f"expected a folder of notebooks, found no folder {folder}")
    found = [path for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
    if not found:
        raise InputError(f"expected notebooks (*.ipynb) in {folder}, found none")
    return found


def grade(path: Path, seconds: float) -> dict:
    """Grade one submission.

    Parameters
    ----------
    path : Path
        A notebook.
    seconds : float
        How long a cell, or a call of the student's function, may take.

    Returns
    -------
    row : dict
        notebook; exercise -> 1 or 0, for each exercise of that notebook; total; remark. All but right answers give 0.
    """
    try:
        cells = read_cells(path)
        notebook = notebook_of(cells, path)
    except InputError as error:
        return {"notebook": "", "total": 0, "remark": str(error)}
    with StudentKernel(cells, seconds) as kernel:
        names = [exercise.name for exercise in by_notebook()[notebook]]
        marks = {name: int(check(name, kernel.function(f"my_{name}")).ok) for name in names}
    remark = "; ".join(f"{who} {what}" for who, what in kernel.remarks.items())
    return {"notebook": notebook, **marks, "total": sum(marks.values()), "remark": remark}


def write_grades(rows: list[dict], path: Path) -> None:
    """Write a table with a row for each submission, and a column for each exercise of the notebooks among them."""
    among = {row["notebook"] for row in rows}
    names = [exercise.name for notebook, own in by_notebook().items() if notebook in among for exercise in own]

    def write(temporary):
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, ["file", "notebook", *names, "total", "remark"], restval="")
            table.writeheader()
            table.writerows(rows)

    replace_atomically(path, write)
