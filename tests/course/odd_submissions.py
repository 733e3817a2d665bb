"""Files that a teacher's inbox holds: name -> (bytes; student; points of three exercises; remark).

1 stands for all points of an exercise, p for a part, 0 for none; "" for a file that is not run. Each is of page 03.
"""

import json

from hostile_submissions import CHECKS, PRIVATE_FOLDER, RIGHT, STUBS, notebook

PAGE = "03_relu_and_max_pool"
HERE = PRIVATE_FOLDER.decode()


def changed(*cells, **fields) -> bytes:
    """Return a notebook with other fields at its top."""
    return json.dumps(json.loads(notebook(*cells)) | fields).encode()


def of_vs_code() -> bytes:
    """Cells with the editor's own metadata and without ids, as in format 4.4; sources are lists of lines."""
    cells = []
    for source in [*RIGHT, *CHECKS]:
        lines = [line + "\n" for line in source.split("\n")]
        lines[-1] = lines[-1].rstrip("\n")
        metadata = {"vscode": {"languageId": "python"}}
        cells.append(
            {"cell_type": "code", "metadata": metadata, "source": lines, "outputs": [], "execution_count": None}
        )
    kernel = {"display_name": ".venv (3.12.1)", "language": "python", "name": "python3"}
    return changed(cells=cells, nbformat_minor=2, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def of_colab() -> bytes:
    """Ids in the metadata, a cell that installs, and outputs in Colab's own format."""
    first = "try:\n    import minunet\nexcept ImportError:\n    %pip install -q minunet"
    output = {"output_type": "execute_result", "data": {"application/vnd.google.colaboratory.intrinsic+json": {}}}
    cells = [
        {"cell_type": "code", "source": cell, "metadata": {"id": f"Xq{i}", "colab": {}}, "outputs": [output]}
        for i, cell in enumerate([first, *RIGHT, *CHECKS])
    ]
    return changed(cells=cells, nbformat_minor=0, metadata={"colab": {"provenance": []}, "accelerator": "GPU"})


def with_large_outputs() -> bytes:
    """30 MB, such as of an animation in HTML."""
    book = json.loads(notebook(*RIGHT))
    book["cells"][0]["outputs"] = [{"output_type": "display_data", "data": {"text/html": "x" * 30_000_000}}]
    return json.dumps(book).encode()


def of_format_3() -> bytes:
    cells = [{"cell_type": "code", "input": cell.split("\n"), "language": "python"} for cell in RIGHT]
    for cell in cells:
        cell["input"] = [line + "\n" for line in cell["input"]]
    cells.append({"cell_type": "code", "input": ['print "of Python 2"'], "language": "python"})
    return json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}).encode()


def with_windows_line_ends() -> bytes:
    cells = [cell.replace("\n", "\r\n") for cell in [*RIGHT, *CHECKS]]
    text = json.dumps(json.loads(notebook(*cells)), indent=1).replace("\n", "\r\n")
    return b"\xef\xbb\xbf" + text.encode()


MERGE = b'{"cells": [\n<<<<<<< HEAD\n' + notebook(*RIGHT)[11:] + b"\n=======\n>>>>>>> solved\n"
REORDERED = [RIGHT[2], RIGHT[3], RIGHT[1], RIGHT[0]]  # the imports come last
FORKS = f"""
import os
for _ in range(120):
    try:
        if os.fork() == 0:
            os.execv('/bin/sleep', ['{HERE}/forked', '300'])
    except OSError:
        break
"""
AWAITS = "import asyncio\nawait asyncio.sleep(1e6)"
PRINTS = "import os\nfor _ in range(100):\n    os.write(1, b'x' * 10**6)\nprint('y' * 10**8)"
WRITES_HOME = f"""
import os, pathlib, pwd
for home in (pathlib.Path.home, lambda: pathlib.Path(pwd.getpwuid(os.getuid()).pw_dir), lambda: pathlib.Path('{HERE}')):
    try:
        (home() / 'minunet_was_here').write_text('mine')
    except (OSError, KeyError):
        pass
"""
PATCHES = """
import numpy, minunet.course as course, minunet.course.exercises as exercises
numpy.zeros = numpy.ones = numpy.allclose = numpy.array_equal = lambda *args, **kwargs: True
numpy.asarray = numpy.ascontiguousarray = lambda x, *args: 1 / 0
course.check = lambda *args: True
exercises.find = lambda name: None
"""
PATCHED_AND_RIGHT = "course.check = np.allclose = np.array_equal = lambda *args, **kwargs: True"
OTHER_COURSE = [
    "import numpy as np",
    "def my_sigmoid(x):\n    return 1 / (1 + np.exp(-x))",
    "assert my_sigmoid(0) == 0.5",
]
LATIN_1 = notebook("# f\u00fcr mich\n" + RIGHT[0], *RIGHT[1:]).replace(b"\\u00fc", b"\xfc")
LONG = "Zoe Mueller " * 18  # as long as a file's name may be

ODD = {
    f"anna/{PAGE}.ipynb": (MERGE, "anna", "", "the file is damaged, or is not a notebook"),
    "ben/homework.ipynb": (notebook(*OTHER_COURSE), "ben", "", "it has no exercise of the course"),
    f"cleo/{PAGE}.ipynb": (b"", "cleo", "", "the file is damaged, or is not a notebook"),
    f"dora/{PAGE}.ipynb": (with_large_outputs(), "dora", "111", ""),
    f"Copy of {PAGE} emil.ipynb": (notebook(*RIGHT), "emil", "111", ""),
    f"fred_{PAGE}-Copy1.ipynb": (notebook(*RIGHT), "fred", "111", ""),
    f"Kopie von {PAGE} (2)_gina.ipynb": (notebook(*RIGHT), "gina", "111", ""),
    "hans/06_weighted_softmax.ipynb": (notebook(*RIGHT), "hans", "111", "is named after 06_weighted_softmax"),
    f"ines/{PAGE}.ipynb": (of_vs_code(), "ines", "111", ""),
    f"jana/{PAGE}.ipynb": (of_colab(), "jana", "111", ""),
    f"kurt/{PAGE}.ipynb": (of_format_3(), "kurt", "111", "cell 5 stops with SyntaxError"),
    f"lena/{PAGE}.ipynb": (with_windows_line_ends(), "lena", "111", ""),
    f"mona/{PAGE}.ipynb": (notebook(*REORDERED), "mona", "111", ""),
    f"nils/{PAGE}.ipynb": (notebook(*STUBS[:2], *RIGHT[2:], *RIGHT[2:]), "nils", "011", ""),
    f"olga/{PAGE}.ipynb": (notebook(*RIGHT, AWAITS), "olga", "111", "cell 5 takes longer than"),
    f"paul/{PAGE}.ipynb": (notebook(*RIGHT, PRINTS), "paul", "111", ""),
    f"quin/{PAGE}.ipynb": (notebook(*RIGHT, FORKS), "quin", "111", ""),
    f"rosa/{PAGE}.ipynb": (notebook(*RIGHT, WRITES_HOME), "rosa", "111", ""),
    f"sven/{PAGE}.ipynb": (
        notebook(*RIGHT, PATCHES),
        "sven",
        "000",
        "cell 5 names a function of NumPy or minunet, and replaces it",
    ),
    f"tina/{PAGE}.ipynb": (
        notebook(*RIGHT, PATCHED_AND_RIGHT),
        "tina",
        "111",
        "cell 5 names a function of NumPy or minunet",
    ),
    f"Zo\u00eb \u674e\u96f7 \u0141ukasz/{PAGE}.ipynb": (
        notebook(*RIGHT),
        "Zo\u00eb \u674e\u96f7 \u0141ukasz",
        "111",
        "",
    ),
    f"{LONG.strip()}/{PAGE}.ipynb": (notebook(*RIGHT), LONG.strip(), "111", ""),
    f"\U00020000\U00020001/{PAGE}.ipynb": (notebook(*RIGHT), "\U00020000\U00020001", "111", ""),
    f"m\udcfcller_{PAGE}.ipynb": (notebook(*RIGHT), "m\u00fcller", "111", ""),
    f"uwe/{PAGE}.ipynb": (LATIN_1, "uwe", "111", "read as Latin-1"),
    f"vera/{PAGE}.ipynb.txt": (notebook(*RIGHT), "vera", "111", ""),
    "wim/solution.py": (b"print(1)", "wim", "", "is no notebook"),
}
