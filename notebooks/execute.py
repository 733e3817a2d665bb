"""Run a notebook as a reader would; refuse what a page must not show: an error, a warning, a path of this machine."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import matplotlib.font_manager  # noqa: F401  builds its cache now, so that no page shows the message about it
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from claims import cell_that_tells, false_claims
from editions import METADATA, where
from minunet.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
SECONDS_PER_CELL = 600
HIDDEN = (  # pages are built without real data, which may not be published, and with the dy that a reader gets
    "MINUNET_DATA",
    "MINUNET_QUICK",
    "PYTEST_CURRENT_TEST",
)


def execute(
    notebook: NotebookNode, name: str, folder: Path, quick: bool = False, claims: list[tuple[str, str]] | None = None
) -> NotebookNode:
    """Run all cells in place, in `folder`, and return the notebook with outputs that are the same every time.

    `claims` are the marked numbers of its sentences, as claims_of gives them.

    Raises
    ------
    InputError
        If a cell fails, warns, takes longer than SECONDS_PER_CELL, or shows what differs from machine to machine; or if
        a claim does not hold.
    """
    with tempfile.TemporaryDirectory() as profile:
        environment = {key: value for key, value in os.environ.items() if key not in HIDDEN}
        environment |= {"IPYTHONDIR": profile, "PYTHONPATH": _path_to_minunet(), "PYTHONHASHSEED": "0"}
        environment |= {"MINUNET_QUICK": "1"} if quick else {}
        begun = []
        if claims:
            notebook.cells.append(cell_that_tells(claims))
        client = NotebookClient(
            notebook,
            timeout=SECONDS_PER_CELL,
            record_timing=False,
            coalesce_streams=True,  # one block for what a cell prints, however slowly it comes
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            on_cell_execute=lambda cell, cell_index: begun.append(cell_index),
        )
        try:
            client.execute(env=environment, stderr=subprocess.DEVNULL)  # the kernel's own messages
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            place = where(name, begun[-1] + 1, notebook.cells[begun[-1]].source)
            raise InputError(f"{place}: {_in_one_line(error)}") from error
    if claims and (fault := false_claims(claims, notebook.cells.pop())):
        raise InputError(f"{name}: {fault}")
    notebook.metadata = METADATA
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            if fault := fault_of(output):
                raise InputError(f"{where(name, number, cell.source)}: {fault}")
    return notebook


def _path_to_minunet() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def _in_one_line(error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}"
    return str(error).strip().split("\n")[0]


def fault_of(output: NotebookNode) -> str | None:
    """Return what is wrong with an output, or None."""
    if output.output_type == "stream" and output.name == "stderr":
        return f"it warns: {output.text.strip().splitlines()[0]}"
    text = output.text if output.output_type == "stream" else json.dumps(output.get("data", {}))
    if address := re.search(r"[\w.]+ at 0x[0-9a-f]{6,}", text):
        return f"it shows an address, which changes every time: {address[0]}; assign it to _"
    for path in {str(ROOT), str(Path.home()), tempfile.gettempdir()}:
        if re.search(rf"(?<![\w/]){re.escape(path)}/", text):
            return f"it shows a path of this machine, under {path}"
    return None
