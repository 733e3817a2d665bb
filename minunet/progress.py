"""Progress bars that start no thread: the Python of a browser (Pyodide, JupyterLite) has none."""

from tqdm import tqdm


class ProgressBar(tqdm):
    """A bar of tqdm, without the thread that tqdm starts to redraw bars whose steps have become slow."""

    monitor_interval = 0
