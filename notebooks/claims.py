"""What a page says about the library and about its own results: does it still hold?

A number in a sentence may carry a mark with the value that it stands for, as a field of an f-string:

    The largest difference is 2e-06<!--{difference:.0e}-->.

Marks stand in the sources only. Building a page works them out after its last cell, and refuses a number that is
something else. The library's source that a page prints is compared with the library of today without running the page.
"""

import ast
import contextlib
import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

MARK = re.compile(r"<!--(\{[^\n]+?\})-->")
MARKED = re.compile(r"([\w.,+-]*\w)" + MARK.pattern)
NUMBER = re.compile(r" *[-+]?\d[\d.,]*(?:e[-+]?\d+)?")


def without_marks(text: str) -> str:
    """Return a text as its readers see it."""
    return MARK.sub("", text)


def claims_of(path: Path) -> list[tuple[str, str]]:
    """Return (the number in the sentence, the field that makes it) for each mark of a source."""
    return MARKED.findall(path.read_text(encoding="utf-8"))


def cell_that_tells(claims: list[tuple[str, str]]) -> NotebookNode:
    """Return a cell that prints what each claim should say."""
    fields = ", ".join(f"f{field!r}" for _, field in claims)
    return nbformat.v4.new_code_cell(f"import json\nprint(json.dumps([{fields}]))")


def false_claims(claims: list[tuple[str, str]], cell: NotebookNode) -> str:
    """Return the claims that are not what the cell printed, in words; empty if all are."""
    said = json.loads("".join(output.text for output in cell.outputs))
    pairs = zip(claims, said, strict=True)
    return "; ".join(f"the text says {number}, {field} is {now}" for (number, field), now in pairs if number != now)


def old_sources(executed: NotebookNode) -> list[str]:
    """Return the calls of course.show_source whose output is not the library's source of today."""
    names = imports_of(executed)
    return [call for call, shown in _printed(executed) if shown != _source_of_today(call, names)]


def cells_that_print_otherwise(executed: NotebookNode, stored: NotebookNode) -> list[str]:
    """Return the first line of each cell whose printed text is not that of the stored page, numbers aside.

    Numbers differ from processor to processor in their last digits, or say how long something took.
    """
    pairs = zip(executed.cells, stored.cells, strict=False)  # pages of different lengths differ in their sources, too
    changed = [now for now, then in pairs if _text_without_numbers(now) != _text_without_numbers(then)]
    return [cell.source.split("\n")[0] for cell in changed]


def _text_without_numbers(cell: NotebookNode) -> str:
    outputs = cell.get("outputs", [])
    texts = [o.text if o.output_type == "stream" else o.get("data", {}).get("text/plain", "") for o in outputs]
    return NUMBER.sub("#", "\n".join(texts))


def imports_of(notebook: NotebookNode) -> dict:
    """Return the names that the imports of a page bring, without those that are missing here, such as CuPy."""
    names: dict = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    with contextlib.suppress(ImportError):
                        exec(ast.unparse(node), names)
    return names


def _printed(executed: NotebookNode) -> list[tuple[str, str]]:
    """Return (call, its output) for each cell that ends with course.show_source(...)."""
    printed = []
    for cell in executed.cells:
        *_, last = ast.parse(cell.source).body if cell.cell_type == "code" and cell.source else [None]
        if isinstance(last, ast.Expr) and (call := ast.unparse(last)).startswith("course.show_source("):
            shown = [o.data["text/plain"] for o in cell.outputs if o.output_type == "execute_result"]
            printed.append((call, "".join(shown)))
    return printed


def _source_of_today(call: str, names: dict) -> str | None:
    try:
        return eval(call, names).data
    except (AttributeError, ImportError, NameError):  # the library no longer has it
        return None
