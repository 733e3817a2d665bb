"""Which submissions read alike: a remark for the teacher, who knows whether two students worked together.

A solution of five lines leaves little room, so nothing is said of a short text, nor of what many wrote.
"""

import ast
import re
import warnings
from collections import Counter

from minunet.course.grading.submission import Submission

LENGTH = 5  # words and signs in a row that are compared
FEWEST = 60  # such pieces; in a shorter text, chance is too likely
ALIKE = 0.9  # the share of the pieces from which a remark is made
COMMON = 0.2, 3  # pieces in more than this share of the submissions, and in more than so many, do not count


def remarks_on_similar(submissions: list[Submission]) -> dict[str, str]:
    """Return {key of a submission: remark} for those whose functions read like those of another student."""
    remarks = {}
    for notebook in sorted({submission.notebook for submission in submissions} - {""}):
        own = [submission for submission in submissions if submission.notebook == notebook]
        pieces = _without_common({submission.key: fingerprint(submission.cells) for submission in own}, own)
        for one in own:
            others = [other for other in own if other.student != one.student and len(pieces[other.key]) >= FEWEST]
            shares = {other.key: _share(pieces[one.key], pieces[other.key]) for other in others}
            best = max(others, key=lambda other: shares[other.key], default=None)
            if best is not None and len(pieces[one.key]) >= FEWEST and shares[best.key] >= ALIKE:
                share = f"{shares[best.key]:.0%}"
                remarks[one.key] = f"{share} of its functions read as in {best.file}: did they work together?"
    return remarks


def fingerprint(cells: dict[int, str]) -> set[tuple[str, ...]]:
    """Return each LENGTH words and signs in a row of the functions my_..., without comments and docstrings."""
    pieces = set()
    for source in cells.values():
        if "def my_" in source:
            words = re.findall(r"\w+|[^\w\s]", _plain(source))
            pieces |= {tuple(words[i : i + LENGTH]) for i in range(len(words) - LENGTH + 1)}
    return pieces


def _plain(source: str) -> str:
    """Return the code as Python would write it, or, if it is no Python, as it is, without comments."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's, about the student's code
            tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        return ast.unparse(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return re.sub(r"#.*", "", source)


def _without_common(pieces: dict[str, set], submissions: list[Submission]) -> dict[str, set]:
    share, few = COMMON
    students = {submission.key: submission.student for submission in submissions}
    who = {(piece, students[key]) for key, own in pieces.items() for piece in own}
    counts = Counter(piece for piece, _ in who)
    most = max(share * len(set(students.values())), few)
    return {key: {piece for piece in own if counts[piece] <= most} for key, own in pieces.items()}


def _share(one: set, other: set) -> float:
    return len(one & other) / max(len(one | other), 1)
