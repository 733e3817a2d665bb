"""One page of HTML for each student: the verdict of every exercise, its hint, and what is open.

Whatever comes from a submission is escaped, and the page allows no scripts. A student sees no remark about others.
"""

import html
import re
from pathlib import Path

from minunet.course.exercises import by_notebook
from minunet.course.grading.grade import FOR_TEACHER, Graded, Mark, handed_in, most_points, total
from minunet.files import replace_atomically

RIGHT, PARTLY, OPEN = "#009E73", "#E69F00", "#D55E00"
STYLE = """
body { font-family: sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em; line-height: 1.4 }
section { border-left: 6px solid; padding: 0.1em 1em; margin: 1em 0 }
section h3 { display: flex; justify-content: space-between; margin: 0.3em 0; font-size: 1em }
pre { color: black; overflow-x: auto; white-space: pre-wrap; font-family: monospace; margin: 0.3em 0 }
p, h1, h2 { color: black } .open { color: #555 }
"""
LONGEST_NAME = 60  # bytes of a student's name in the name of a file
POLICY = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"


def write_feedback(chosen: dict[str, dict[str, Graded]], aliases: dict[str, str], folder: Path) -> dict[str, Path]:
    """Write the page of each student into a folder; return {student: path}."""
    folder.mkdir(exist_ok=True)
    notebooks = handed_in(chosen)
    written = {}
    for student, own in chosen.items():
        page = feedback_page(student, own, notebooks)
        written[student] = folder / f"{_file_name(student)}-{aliases[student]}.html"
        write_page(page, written[student])
    return written


def feedback_page(student: str, own: dict[str, Graded], notebooks: list[str]) -> str:
    """Return the page of one student; `notebooks` are those that anybody has handed in."""
    points = sum(total(row) for row in own.values())
    body = [f"<h1>{html.escape(student)}: {points:g} of {most_points(notebooks)} points</h1>"]
    body += [
        "<p>Each exercise gives up to one point. A part of it is given for the steps that passed before the first "
        "that failed: the shapes, a tiny case, further cases, the gradient check.</p>"
    ]
    for name in notebooks:
        body += _notebook(name, own.get(name))
    return html_page(student, body)


def html_page(title: str, body: list[str]) -> str:
    """Return a whole page; the title is escaped here, and the lines of the body are HTML already."""
    head = f'<meta charset="utf-8">{POLICY}<title>{html.escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body></html>\n"


def write_page(page: str, path: Path) -> None:
    """Write a page; half characters, which JSON can hold and UTF-8 cannot, become question marks."""
    replace_atomically(path, lambda temporary: temporary.write_text(page, encoding="utf-8", errors="replace"))


def _notebook(name: str, row: Graded | None) -> list[str]:
    exercises = by_notebook()[name]
    title = name.replace("_", " ")
    if row is None:
        return [f"<h2>{title}: 0 of {len(exercises)}</h2>", '<p class="open">Open: no notebook was handed in.</p>']
    parts = [f"<h2>{title}: {total(row):g} of {len(exercises)}</h2>"]
    parts += [f'<p class="open">{html.escape(row["file"])}</p>']
    parts += [_exercise(exercise, mark) for exercise, mark in row["marks"].items()]
    cells = [remark for remark in row["remarks"] if remark.startswith(("cell ", "given up"))]
    cells = [remark for remark in cells if FOR_TEACHER not in remark]
    if cells:
        items = "".join(f"<li>{html.escape(remark)}</li>" for remark in cells)
        parts += ["<p>When your notebook was run from top to bottom, without its checks:</p>", f"<ul>{items}</ul>"]
    undone = [exercise for exercise, mark in row["marks"].items() if not mark["ok"]]
    open_ones = f"Open: {', '.join(undone)}." if undone else "Nothing is open here."
    parts += [f'<p class="open">{open_ones} Your answers to questions in words are read by your teacher.</p>']
    return parts


def _exercise(name: str, mark: Mark) -> str:
    colour, sign = (RIGHT, "&#10003;") if mark["ok"] else (PARTLY if mark["points"] else OPEN, "&#10007;")
    head = f"<h3><span>{sign} {name}</span><span>{mark['points']:g}</span></h3>"
    lines = html.escape("\n".join(mark["lines"]))
    return f'<section style="color:{colour}">{head}<pre>{lines}</pre></section>'


def _file_name(student: str) -> str:
    name = re.sub(r"[^\w-]+", "_", student).encode("utf-8", "replace")[:LONGEST_NAME]
    return name.decode("utf-8", "ignore").strip("_") or "student"
