"""Grade a folder of notebooks: read all, run each in a sandbox, write tables, feedback and the open questions.

OUT/grades.csv            one row a student
OUT/submissions.csv       one row a notebook, with the points of each exercise, and remarks
OUT/feedback/NAME.html    for each student
OUT/questions/NN-1.html   the answers to one open question, with its rubric
OUT/journal.jsonl         what is graded already; OUT/folder.txt which folder; OUT/anonymous.key makes the
                          anonymous names
"""

import os
from dataclasses import dataclass
from pathlib import Path

from minunet.course.grading import questions
from minunet.course.grading.feedback import write_feedback
from minunet.course.grading.grade import Graded
from minunet.course.grading.grade_all import Journal, grade_all
from minunet.course.grading.sandbox import choose
from minunet.course.grading.similarity import remarks_on_similar
from minunet.course.grading.students import apply_map, read_map
from minunet.course.grading.submission import Submission, read_submissions
from minunet.course.grading.tables import aliases_of, counted, write_students, write_submissions
from minunet.errors import InputError

ATTEMPTS = ("best", "last")
OF = "folder.txt"
LONGEST = 86_400  # seconds


@dataclass(frozen=True)
class Settings:
    """How to grade."""

    seconds: float = 60  # the limit for a cell, and for a call of a student's function
    jobs: int = os.cpu_count() or 1  # submissions at a time
    attempt: str = "best"  # which of several counts
    map: Path | None = None  # a table FOUND,STUDENT
    container: str | None = None  # an image
    solutions: Path = questions.SOLUTIONS  # the notebooks with solutions, for the rubrics


def grade_folder(folder: Path, out: Path, settings: Settings, say=print) -> list[Graded]:
    """Grade all notebooks in a folder, and write the folder `out`; return a row for each notebook.

    What `out` has graded already, with the same content, is not run again.

    Raises
    ------
    InputError
        If there is no folder, or no notebook in it, if `out` is no folder of an earlier grading, or if Jupyter or
        the container is missing.
    """
    _refuse_bad_settings(folder, out, settings)
    known = read_map(settings.map) if settings.map else {}
    submissions = [_with_student(submission, known) for submission in read_submissions(folder)]
    where = choose(settings.container, folder)
    if where.warning:
        say(f"warning: {where.warning}")
    out.mkdir(exist_ok=True)
    (out / OF).write_text(str(folder.resolve()), encoding="utf-8")
    journal = Journal(out / "journal.jsonl")
    try:
        grade_all(submissions, journal, settings.seconds, where, settings.jobs)
    except BaseException:  # Ctrl-C, too: what is graded so far can be read
        try:
            write_results(submissions, journal, known, out, settings)
        except Exception as error:
            say(f"warning: the results so far are not written, {error}; they are kept in {journal.path}")
        raise
    return write_results(submissions, journal, known, out, settings)


def write_results(
    submissions: list[Submission], journal: Journal, known: dict[str, str], out: Path, settings: Settings
) -> list[Graded]:
    """Write the tables, the feedback and the open questions of what is graded so far; return its rows."""
    similar = remarks_on_similar(submissions)
    rows: list[Graded] = []
    for submission in submissions:
        if row := journal.rows.get(submission.key):
            more = [similar[submission.key]] if submission.key in similar else []
            rows.append({**row, "student": submission.student, "remarks": [*row["remarks"], *more]})
    chosen = counted(rows, {submission.key: submission.attempt for submission in submissions}, settings.attempt)
    aliases = aliases_of(dict.fromkeys([*chosen, *known.values()]), out / "anonymous.key")
    absent: dict[str, dict[str, Graded]] = {student: {} for student in known.values() if student not in chosen}
    write_students(chosen | absent, aliases, out / "grades.csv")
    write_submissions(rows, chosen, out / "submissions.csv")
    write_feedback(chosen, aliases, out / "feedback")
    keys = {row["key"] for own in chosen.values() for row in own.values()}
    questions.write_questions(submissions, keys, aliases, out / "questions", settings.solutions)
    return rows


def _with_student(submission: Submission, known: dict[str, str]) -> Submission:
    """Return a submission with the student that the teacher's table names, or with a remark if it names none."""
    if not known:
        return submission
    student = apply_map(submission.student, submission.file, known)
    return submission if student is None else submission._replace(student=student)


def _refuse_bad_settings(folder: Path, out: Path, settings: Settings) -> None:
    if out.suffix.lower() == ".csv":
        raise InputError(f"--out is a folder now, for tables and feedback, got {out}; try --out {out.with_suffix('')}")
    if out.exists() and not (out / OF).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out must be a new folder, or one of an earlier grading, {out} is neither; choose another")
    if not out.parent.is_dir():
        raise InputError(f"--out must be in a folder that exists, found no {out.parent}")
    if (out / OF).is_file() and (before := (out / OF).read_text(encoding="utf-8")) != str(folder.resolve()):
        raise InputError(f"--out must be a folder of its own for each folder graded, {out} is that of {before}")
    if not settings.seconds > 0:
        raise InputError(f"--seconds must be above 0, got {settings.seconds:g}")
    if settings.seconds > LONGEST:
        raise InputError(f"--seconds must be at most {LONGEST:,}, which is a day, got {settings.seconds:g}")
    if settings.jobs < 1:
        raise InputError(f"--jobs must be at least 1, got {settings.jobs}")
    if settings.attempt not in ATTEMPTS:
        raise InputError(f"--attempt must be one of {', '.join(ATTEMPTS)}, got {settings.attempt!r}")
