"""The tables: one row a student over all notebooks, and one row a submission."""

import csv
import hashlib
import secrets
from collections.abc import Iterable
from pathlib import Path

from minunet.course.exercises import by_notebook
from minunet.course.grading.grade import Graded, handed_in, most_points, total
from minunet.files import replace_atomically

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a text that begins with one of these


def counted(rows: list[Graded], attempts: dict[str, tuple], which: str) -> dict[str, dict[str, Graded]]:
    """Return {student: {notebook: the attempt that counts}}, the best one or the last one; equals go to the last."""
    chosen: dict[str, dict[str, Graded]] = {}
    for row in sorted(rows, key=lambda row: attempts[row["key"]]):
        own = chosen.setdefault(row["student"], {})
        if not row["notebook"]:
            continue
        best = own.get(row["notebook"])
        if best is None or which == "last" or total(row) >= total(best):
            own[row["notebook"]] = row
    return chosen


def write_students(chosen: dict[str, dict[str, Graded]], aliases: dict[str, str], path: Path) -> None:
    """Write a row for each student: all points, the points of each notebook, how many remarks there are."""
    notebooks = handed_in(chosen)
    of = most_points(notebooks)
    rows = []
    for student, own in sorted(chosen.items()):
        points = {name: total(row) for name, row in own.items()}
        remarks = sum(len(row["remarks"]) for row in own.values())
        everything = {"points": round(sum(points.values()), 2), "of": of, "remarks": remarks or ""}
        rows.append({"student": student, "anonymous": aliases[student], **everything, **points})
    _write(path, ["student", "anonymous", "points", "of", *notebooks, "remarks"], rows)


def write_submissions(rows: list[Graded], chosen: dict[str, dict[str, Graded]], path: Path) -> None:
    """Write a row for each submission: the points of each exercise, and the remarks in words."""
    among = {row["notebook"] for row in rows}
    names = [exercise.name for notebook, own in by_notebook().items() if notebook in among for exercise in own]
    keys = {row["key"] for own in chosen.values() for row in own.values()}
    table = []
    for row in sorted(rows, key=lambda row: row["file"]):
        points = {name: mark["points"] for name, mark in row["marks"].items()}
        known = {name: row[name] for name in ("file", "student", "notebook")}
        rest = {"counts": "yes" if row["key"] in keys else "no", "points": total(row)}
        table.append({**known, **rest, **points, "remark": "; ".join(row["remarks"])})
    _write(path, ["file", "student", "notebook", "counts", *names, "points", "remark"], table)


def aliases_of(students: Iterable[str], key_file: Path) -> dict[str, str]:
    """Return {student: a name that tells nothing}, the same each time as long as the file with the key is kept."""
    if not key_file.exists():
        replace_atomically(key_file, lambda temporary: temporary.write_text(secrets.token_hex(16), "ascii"))
    key = key_file.read_bytes()
    digests = {student: hashlib.blake2b(student.encode(), key=key, digest_size=4).hexdigest() for student in students}
    return {student: f"s-{digest}" for student, digest in digests.items()}


def _write(path: Path, columns: list[str], rows: list[dict]) -> None:
    def write(temporary):
        with open(temporary, "w", newline="", encoding="utf-8", errors="replace") as file:
            table = csv.DictWriter(file, columns, restval="")
            table.writeheader()
            table.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)

    replace_atomically(path, write)


def _harmless(value):
    return "'" + value if isinstance(value, str) and value.startswith(FORMULA) else value
