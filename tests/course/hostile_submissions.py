"""Submissions that a teacher meets: name -> (cells, or the bytes of the file; points of three exercises; remark).

1 stands for all points of an exercise, p for a part, 0 for none. Each is of page 03.
"""

import json

PRIVATE_FOLDER = b"FOLDER_OF_ALL"  # the tests put in its place a folder that no submission should reach
QUICK_LIMIT = 4  # seconds for a cell
RIGHT = [
    "import numpy as np\nfrom minunet import course\nCORNERS = [(0, 0), (0, 1), (1, 0), (1, 1)]",
    "def my_relu_backward(dy, cache):\n    return dy * (cache.y > 0)",
    "def my_max_pool_forward(x):\n    corners = np.stack([x[:, :, i::2, j::2] for i, j in CORNERS])\n"
    "    return corners.max(axis=0), corners.argmax(axis=0)",
    "def my_max_pool_backward(dy, cache):\n    N, C, H, W = dy.shape\n    dx = np.zeros((N, C, 2 * H, 2 * W))\n"
    "    for k, (i, j) in enumerate(CORNERS):\n        dx[:, :, i::2, j::2] = dy * (cache.winner == k)\n    return dx",
]
STUBS = [RIGHT[0], *(cell.split("\n")[0] + "\n    ..." for cell in RIGHT[1:])]
CHECKS = [
    'course.check("relu_backward", my_relu_backward)',
    'course.check("max_pool_forward", my_max_pool_forward)',
    'course.check("max_pool_backward", my_max_pool_backward)',
]


def notebook(*cells):
    """Return the bytes of a notebook with these cells of code."""
    rows = [{"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": cell} for i, cell in enumerate(cells)]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": rows}).encode()


def _relu(body):
    """Return the right notebook with another my_relu_backward."""
    return [RIGHT[0], "def my_relu_backward(dy, cache):\n    " + body.replace("\n", "\n    "), *RIGHT[2:]]


DELETES = "import pathlib\nfor path in pathlib.Path('FOLDER_OF_ALL/submissions').glob('*.ipynb'):\n    path.unlink()"
EXECUTES = """
import json
for cell in json.load(open('FOLDER_OF_ALL/neighbour.ipynb'))['cells']:
    exec(cell['source'])
"""
LEAVES = """
import subprocess, sys
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)', 'FOLDER_OF_ALL/left'], start_new_session=True)
"""
FORGES = """
import os
class Right:
    ok, points, remarks, lines, name = True, 1.0, (), [], 'relu_backward'
import minunet.course.checking as checking
import minunet.course.grading.remote_call as remote_call
course.check = checking.check = lambda name, function: Right()
checking.all_equal = np.allclose = np.array_equal = lambda *args, **kwargs: True
checking.difference = lambda *args: 0.0
remote_call.pack_result = lambda result, args: ({'ok': True, 'points': 1}, [])
print('RIGHT: relu_backward')
"""
EQUAL_TO_ALL = """
class EqualToAll(np.ndarray):
    __eq__ = __ne__ = lambda self, other: True
my_relu_backward = lambda dy, cache: np.zeros(dy.shape).view(EqualToAll)
"""
BOMB = """
import os
class Bomb:
    def __reduce__(self):
        return os.mkdir, ('FOLDER_OF_ALL/unpickled',)
my_relu_backward = lambda dy, cache: np.array([[[[Bomb()]]]])
"""
DEAF = "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True:\n    pass"
HTML = "def my_relu_backward(dy, cache):\n    raise ValueError('<script>alert(1)</script><img src=x onerror=alert(1)>')"
WRITES_ALL_PIPES = """
import os
for pipe in range(3, 12):
    try:
        os.write(pipe, b'RIGHT' * 100)
    except OSError:
        pass
"""
SOLUTION = "from minunet.course.exercises import find\nmy_relu_backward = find('relu_backward').solution"

HOSTILE = {
    "quits": ([RIGHT[0], "quit()", *RIGHT[1:]], "111", "cell 2 calls quit() or exit()"),
    "sys_exits": ([*RIGHT, "import sys\nsys.exit(3)"], "111", "cell 5 calls quit() or exit()"),
    "function_exits": (_relu("raise SystemExit"), "011", ""),
    "ends_its_process": ([*RIGHT, "import os\nos._exit(3)", *CHECKS], "111", "cell 5 ends its process"),
    "function_ends_its_process": (_relu("import os\nos._exit(3)"), "011", "my_relu_backward ends its process"),
    "forks": ([*RIGHT, "import os\nchild = os.fork()"], "111", ""),
    "deletes_its_neighbours": ([*RIGHT, DELETES], "111", "cell 5 names a notebook file"),
    "executes_a_neighbour": ([*STUBS, EXECUTES], None, "cell 5 names a notebook file"),  # None: see the test
    "leaves_a_process": ([*RIGHT, LEAVES], "111", ""),
    "never_ends": ([*RIGHT, "while True:\n    pass"], "111", "cell 5 takes longer than 4 s"),
    "never_ends_and_is_deaf": ([*RIGHT, DEAF], "111", "cell 5 takes longer than 4 s and cannot be interrupted"),
    "catches_all": (
        [*RIGHT, "while True:\n    try:\n        pass\n    except Exception:\n        pass"],
        "111",
        "cell 5",
    ),
    "function_never_ends": (_relu("while True:\n    pass"), "011", "my_relu_backward takes longer than 4 s"),
    "prints_megabytes": ([*RIGHT, "for _ in range(40):\n    print('x' * 10**6)"], "111", ""),
    "wants_all_memory": ([*RIGHT, "np.ones((1_000_000, 1_000_000))"], "111", "MemoryError"),
    "returns_too_much": (_relu("return np.zeros(40_000_000)"), "011", "my_relu_backward returns more than"),
    "reads_input": ([*RIGHT, "input()"], "111", "cell 5 stops with"),
    "forges_verdicts": (
        [*STUBS, FORGES, *CHECKS],
        "000",
        "cell 5 names a function of NumPy or minunet, and replaces it",
    ),
    "redefines_check": ([*STUBS, "course.check = lambda *args: True", *CHECKS], "000", "and replaces it"),
    "equal_to_all": ([*RIGHT, EQUAL_TO_ALL], "p11", ""),
    "sends_a_pickle": ([*RIGHT, BOMB], "011", ""),
    "writes_to_all_pipes": ([*RIGHT, WRITES_ALL_PIPES], "111", "cell 5 returns more than"),
    "checks_another_function": ([*STUBS, 'course.check("relu_backward", lambda dy, cache: dy)'], "000", ""),
    "takes_the_solution": ([RIGHT[0], SOLUTION, *RIGHT[2:]], "111", "cell 2 names the stored solutions"),
    "no_checks": (RIGHT, "111", ""),
    "missing_cells": ([RIGHT[0], RIGHT[2], *CHECKS], "010", ""),
    "duplicated_cells": ([*RIGHT, *STUBS[1:], *RIGHT[1:], *CHECKS], "111", ""),
    "no_function": ([*RIGHT, "my_relu_backward = 3"], "011", ""),
    "syntax_error": ([*RIGHT, "def ("], "111", "cell 5 stops with SyntaxError"),
    "magics": ([*RIGHT, "%matplotlib inline\n!echo hello"], "111", ""),
    "injected_html": ([*RIGHT, HTML], "011", ""),
    "half_a_file": (b'{"cells": [', "", "the file is damaged, or is not a notebook"),
    "a_list": (b"[1, 2]", "", "the file is damaged, or is not a notebook"),
    "deep_json": (b"[" * 100_000, "", "the file is damaged, or is not a notebook"),
    "bytes": (b"\xff\xfe\x00", "", "the file is damaged, or is not a notebook"),
    "another_notebook": (notebook("print(1)"), "", "it has no exercise of the course"),
    "utf_16": (notebook(*RIGHT).decode().encode("utf-16"), "111", "the file is in UTF-16, not UTF-8"),
}
