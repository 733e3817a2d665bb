"""Make slides for the six weeks from the executed pages: python notebooks/slides.py FOLDER [1 2 ...]

Writes FOLDER/week1.html ...: open one in a browser, and press S for the speaker's notes. On the slides are a page's
titles, pictures, equations, exercises and questions; the text between them is in the notes. A browser loads reveal.js,
which turns the pages, from the web. For a room without internet, open FOLDER/week1.html?print-pdf at home and print it.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from editions import METADATA, tag_of
from minunet.errors import InputError

NOTEBOOKS = Path(__file__).resolve().parent
WEEKS = {
    1: ("01", "02"),
    2: ("03", "04"),
    3: ("05", "06"),
    4: ("07", "16", "08"),
    5: ("09", "10", "17"),
    6: ("14", "18", "20"),
}
STYLE = """<style>
.reveal h1 {font-size: 64px;} .reveal h2, .reveal h3 {font-size: 44px;}
.reveal img {max-height: 68vh; max-width: 100%; width: auto; margin: 0 auto;}
.reveal .jp-RenderedMarkdown, .reveal .jp-RenderedHTMLCommon {font-size: 28px;}
.reveal .jp-RenderedMarkdown pre {font-size: 22px; width: fit-content; margin: 1em auto; box-shadow: none;}
.reveal .jp-RenderedImage {text-align: center;}
</style>"""
BLOCK = r"^```\n.*?^```$|^\$\$.*?\$\$$"  # a drawing in characters, or an equation on lines of its own
ASKS = r"^(?=\*\*(?:Exercise|Question)\b)"


def main() -> int:
    """Write the slides of the weeks asked for, or of all; return 0, or 1 after a line that says what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="FOLDER")
    parser.add_argument("weeks", nargs="*", type=int, metavar="N", help="such as 1; default all")
    options = parser.parse_args()
    try:
        if unknown := set(options.weeks) - set(WEEKS):
            raise InputError(f"a week must be one of {', '.join(map(str, WEEKS))}, got {min(unknown)}")
        options.out.mkdir(parents=True, exist_ok=True)
        for week in options.weeks or WEEKS:
            notebook = week_of(week)
            (options.out / f"week{week}.html").write_text(as_html(notebook, week), encoding="utf-8")
            print(f"week{week}.html: {sum(map(_begins_a_slide, notebook.cells))} slides", flush=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def week_of(week: int, folder: Path = NOTEBOOKS) -> NotebookNode:
    """Return the slides of one week as a notebook, whose cells have the metadata that nbconvert asks for."""
    slides = nbformat.v4.new_notebook(metadata=METADATA)
    slides.cells.append(_cell(f"{STYLE}\n\n# Week {week}", "slide"))
    for number in WEEKS[week]:
        for path in sorted(folder.glob(f"{number}_*.ipynb")):
            slides.cells += slides_of(nbformat.read(path, as_version=4))
    return slides


def slides_of(page: NotebookNode) -> list[NotebookNode]:
    """Return the slides of an executed page: what is shown, each followed by its notes."""
    slides: list[NotebookNode] = []
    heading, unsaid = "", ""  # the title of the section, and its text that is in no notes yet
    for cell in page.cells:
        if cell.cell_type == "markdown" and tag_of(cell) != "answer":
            for title, text in _sections(cell.source):
                heading = title or heading
                unsaid += f"\n\n{text}"
                for shown in _shown(title, text):
                    kind, title = "slide" if title else "subslide", ""
                    slides += [_cell(f"{heading}\n\n{shown}", kind), _cell(unsaid.strip() or heading, "notes")]
                    unsaid = ""
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                slides += [_cell(heading, "subslide"), _picture(output), _cell(unsaid.strip() or heading, "notes")]
                unsaid = ""
    return slides


def as_html(notebook: NotebookNode, week: int) -> str:
    """Convert to slides, as `jupyter nbconvert --to slides --no-input` does."""
    try:
        from nbconvert import SlidesExporter
    except ImportError as error:
        raise InputError("slides need nbconvert: python -m pip install -e '.[notebooks]'") from error
    exporter = SlidesExporter(exclude_input=True, exclude_output_prompt=True, reveal_theme="simple")
    exporter.reveal_transition, exporter.reveal_number = "none", "c/t"
    html, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": f"minunet, week {week}"}})
    return html


def _sections(source: str) -> list[tuple[str, str]]:
    """Return (heading or "", the text below it) for each section that a cell holds a part of."""
    parts = re.split(r"^(#{1,3} [A-Z0-9].*)$", source, flags=re.MULTILINE)
    return [(title, text.strip()) for title, text in zip(["", *parts[1::2]], parts[::2], strict=True) if title or text]


def _shown(title: str, text: str) -> list[str]:
    """Return the parts of a section's text that belong on slides."""
    if title.startswith("# "):
        return [text.split("\n\n")[0]]
    if "In three lines" in title:
        return [text]
    told, *asked = re.split(ASKS, text, maxsplit=1, flags=re.MULTILINE)
    blocks = "\n\n".join(re.findall(BLOCK, told, re.DOTALL | re.MULTILINE)[:2])
    return [part for part in (blocks, *asked) if part]


def _picture(output: NotebookNode) -> NotebookNode:
    cell = nbformat.v4.new_code_cell("picture", metadata={"slideshow": {"slide_type": "-"}})
    cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": output.data["image/png"]})]
    return cell


def _cell(source: str, kind: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(source, metadata={"slideshow": {"slide_type": kind}})


def _begins_a_slide(cell: NotebookNode) -> bool:
    return cell.metadata.slideshow.slide_type in ("slide", "subslide")


if __name__ == "__main__":
    sys.exit(main())
