"""How long does a page take? python notebooks/minutes.py counts its words, cells and exercises, and prints minutes.

An estimate for planning, not a measurement: nobody has timed students yet.
"""

from pathlib import Path

from nbformat import NotebookNode

from editions import read_source, tag_of

WORDS = 150  # that a student reads in a minute, with the formulas in between
CODE, EXERCISE, QUESTION = 1, 12, 6  # minutes for each code cell of the lesson, exercise and open question


def minutes(notebook: NotebookNode) -> tuple[int, int]:
    """Return the minutes to read and run a page, and those for its exercises and questions, both rounded to tens."""
    tags = [tag_of(cell) for cell in notebook.cells]
    text = [cell.source for cell in notebook.cells if cell.cell_type == "markdown" and tag_of(cell) is None]
    code = sum(cell.cell_type == "code" and tag_of(cell) is None for cell in notebook.cells)
    reading = len(" ".join(text).split()) / WORDS + code * CODE
    exercises = tags.count("exercise") * EXERCISE + tags.count("answer") * QUESTION
    return _to_tens(reading), _to_tens(exercises)


def _to_tens(number: float) -> int:
    return max(10, 10 * round(number / 10))


if __name__ == "__main__":
    for path in sorted((Path(__file__).parent / "source").glob("[0-9][0-9]_*.py")):
        print(path.stem, "{} + {}".format(*minutes(read_source(path))))
