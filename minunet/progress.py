"""Progress bars that start no thread: the Python of a browser (Pyodide, JupyterLite) has none."""

import sys

from tqdm import tqdm


class ProgressBar(tqdm):
    """A bar of tqdm, without the thread that tqdm starts to redraw bars whose steps have become slow."""

    monitor_interval = 0

    def __init__(self, *args, disable: bool | None = None, **options) -> None:
        """Take what tqdm takes; where there is no stderr, show no bar."""
        super().__init__(*args, disable=True if sys.stderr is None else disable, **options)
