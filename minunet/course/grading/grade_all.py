"""Grade many submissions at a time, each in a worker of a pool; what is done is kept, so a second call goes on.

A worker that a submission ends takes its neighbours with it. They are graded again, one at a time, and only the one
that ends its worker a second time gets no marks.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from minunet.course.grading.grade import Graded, grade, graded
from minunet.course.grading.sandbox import Sandbox
from minunet.course.grading.submission import Submission
from minunet.errors import InputError
from minunet.progress import ProgressBar

SECONDS_TO_END = 5
ENDED = "it ended the process that grades it; look at it yourself, in a container"


class Journal:
    """The file to which each graded submission is added, so that a grading that was stopped goes on where it was."""

    def __init__(self, path: Path):
        self.path = path
        self.rows: dict[str, Graded] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError, RecursionError):  # the last line, if it was being written
                    if _is_graded(row := json.loads(line)):
                        self.rows[row["key"]] = row

    def add(self, row: Graded) -> None:
        """Append a row, so that it is on disk before the next submission is begun."""
        self.rows[row["key"]] = row
        with open(self.path, "a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(row))
            file.flush()
            os.fsync(file.fileno())


def _is_graded(row: Any) -> bool:
    """Tell whether a line of the journal is a submission that was graded; one that is none is graded again."""
    texts = {"file": str, "student": str, "notebook": str, "key": str}
    if not _has(row, {**texts, "marks": dict, "remarks": list}):
        return False
    marks = list(row["marks"].values())
    if not all(_has(mark, {"points": float, "ok": bool, "lines": list}) for mark in marks):
        return False
    said = [*row["remarks"], *(line for mark in marks for line in mark["lines"])]
    return all(isinstance(text, str) for text in said)


def _has(row: Any, types: dict[str, type]) -> bool:
    """Tell whether a dict has just these keys, with values of these types."""
    is_dict = isinstance(row, dict) and row.keys() == types.keys()
    return is_dict and all(isinstance(row[name], kind) for name, kind in types.items())


def grade_all(submissions: list[Submission], journal: Journal, seconds: float, where: Sandbox, jobs: int) -> None:
    """Grade what is not in the journal yet, `jobs` at a time, and show the progress with the time left."""
    open_ones = {submission.key: submission for submission in submissions if submission.key not in journal.rows}
    with ProgressBar(total=len(open_ones), desc="grading", unit="notebook", disable=None, smoothing=0.1) as progress:

        def keep(row: Graded) -> None:
            journal.add(row)
            progress.update()
            del open_ones[row["key"]]

        suspects = _run(list(open_ones.values()), seconds, where, jobs, keep)
        while suspects or open_ones:
            for suspect in suspects:
                if _run([suspect], seconds, where, 1, keep):
                    keep(graded(suspect, {}, [ENDED]))
            suspects = _run(list(open_ones.values()), seconds, where, jobs, keep)


def _run(
    submissions: list[Submission], seconds: float, where: Sandbox, jobs: int, keep: Callable[[Graded], None]
) -> list[Submission]:
    """Grade submissions; if a worker of the pool is ended, stop, and return those that were being graded then."""
    if not submissions:
        return []
    context = multiprocessing.get_context("spawn")
    waiting = submissions[::-1]
    running: dict[Future, Submission] = {}
    pool = ProcessPoolExecutor(min(jobs, len(submissions)), context, _begin_worker, (list(sys.path),))
    try:
        _refuse_if_none_starts(pool)
        while waiting or running:
            while waiting and len(running) < jobs:
                submission = waiting.pop()
                future = pool.submit(_grade, submission, seconds, where)
                running[future] = submission
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                row = future.result()
                del running[future]
                keep(row)
        pool.shutdown()
    except BrokenProcessPool:
        return list(running.values())
    finally:
        _end_workers()
    return []


def _refuse_if_none_starts(pool: ProcessPoolExecutor) -> None:
    """Raise InputError if a worker ends before it has a submission: then no submission is to blame."""
    try:
        pool.submit(int).result()
    except BrokenProcessPool as error:
        remedy = 'is memory left? A script that calls this needs: if __name__ == "__main__"'
        raise InputError(f"grading needs processes of its own, and they end at their start; {remedy}") from error


def _end_workers() -> None:
    """End the workers of a pool, if any; each ends its student's process first."""
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join(SECONDS_TO_END)
        child.kill()


def _begin_worker(path: list[str]) -> None:
    """Let Ctrl-C reach the main process alone, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path[:] = path


def _grade(submission: Submission, seconds: float, where: Sandbox) -> Graded:
    """Grade a submission in a worker; if the worker is asked to end meanwhile, the student's process ends first."""

    def stop(*args):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        return grade(submission, seconds, where)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
