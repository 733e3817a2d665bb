"""The open questions, gathered: one page a question, with its rubric and the answers of all students.

The question and the rubric come from the course's notebooks with solutions: the rubric is the answer that stands there.
"""

import html
import itertools
import json
import re
from pathlib import Path
from typing import NamedTuple

import minunet
from minunet.course.grading.feedback import html_page, write_page
from minunet.course.grading.submission import Submission
from minunet.errors import InputError

SOLUTIONS = Path(minunet.__file__).resolve().parents[1] / "notebooks" / "solutions"
MARK = "*Your answer:*"
BEGIN = "**Question"


class Question(NamedTuple):
    """An open question of a notebook."""

    id: str  # of the cell for the answer
    text: str
    rubric: str


def read_questions(notebook: str, folder: Path = SOLUTIONS) -> list[Question]:
    """Return the questions of a notebook, in order; none where there is no such notebook with solutions."""
    path = folder / f"{notebook}.ipynb"
    if not path.is_file():
        return []
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        questions, before = [], ""
        for cell in cells:
            text = "".join(cell["source"])
            if "answer" in cell["metadata"].get("tags", []):
                questions.append(Question(cell["id"], before[max(before.rfind(BEGIN), 0) :], text))
            before = text if cell["cell_type"] == "markdown" else before
        return questions
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"expected a notebook of the course with solutions, {path} is damaged") from error


def write_questions(
    submissions: list[Submission], keys: set[str], aliases: dict[str, str], out: Path, folder: Path = SOLUTIONS
) -> int:
    """Write a page for each question of the notebooks whose submissions count; return how many there are."""
    among = [submission for submission in submissions if submission.key in keys]
    written = 0
    for notebook in sorted({submission.notebook for submission in among} - {""}):
        own = [submission for submission in among if submission.notebook == notebook]
        for number, question in enumerate(read_questions(notebook, folder), start=1):
            answers = {aliases[one.student]: _answer(one, question) for one in own}
            page = question_page(f"{notebook.replace('_', ' ')}, question {number}", question, answers)
            out.mkdir(exist_ok=True)
            write_page(page, out / f"{notebook}-{number}.html")
            written += 1
    return written


def question_page(title: str, question: Question, answers: dict[str, str]) -> str:
    """Return a page with a question, its rubric, and each answer below the student's anonymous name."""
    empty = [alias for alias, answer in answers.items() if not answer]
    body = [f"<h1>{html.escape(title)}</h1>", _paragraphs(question.text)]
    body += [f'<section style="color:#009E73"><h3>Rubric</h3>{_paragraphs(question.rubric)}</section>']
    body += [f"<h2>Answers: {len(answers) - len(empty)} of {len(answers)}</h2>"]
    for alias, answer in sorted(answers.items()):
        if answer:
            body += [f'<section style="color:#555"><h3>{alias}</h3><pre>{html.escape(answer)}</pre></section>']
    body += [f'<p class="open">No answer: {", ".join(sorted(empty))}</p>'] if empty else []
    return html_page(title, body)


def _paragraphs(text: str) -> str:
    """Return text as HTML, a paragraph for each block of lines; indented lines are code and stay as they are."""
    blocks = re.sub(r"\*\*([A-Z][^*]*)\*\*", r"<b>\1</b>", html.escape(text)).split("\n\n")
    return "".join(f"<pre>{block}</pre>" if block.startswith("    ") else f"<p>{block}</p>" for block in blocks)


def _answer(submission: Submission, question: Question) -> str:
    """Return what a student wrote into the cell of a question, without the words that stood there before.

    Some editors give cells new ids. Then the answer is the cell of text after the one with the question.
    """
    if question.id in submission.answers:
        return submission.answers[question.id].replace(MARK, "").strip()
    texts = list(submission.answers.values())
    for text, following in itertools.pairwise(texts):
        if question.text[:200] in text:
            return following.replace(MARK, "").strip()
    return ""
