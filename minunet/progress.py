"""Progress on a terminal as a bar; in a file, which may be the log of a job on a cluster, as a line now and then."""

import contextlib
import sys
import time
from collections.abc import Iterator

from tqdm import tqdm


class ProgressBar(tqdm):
    """A bar of tqdm, without the thread that tqdm starts to redraw bars whose steps have become slow.

    The Python of a browser (Pyodide, JupyterLite) has no threads. Where standard error is no terminal, `disable=None`
    writes a line for every tenth of the work, but none within SECONDS of the last one, and one after LONGEST at the
    latest. In a notebook, there is neither.
    """

    monitor_interval = 0
    SECONDS, LONGEST = 30, 600

    def __init__(self, *args, disable: bool | None = None, **options) -> None:
        """Take what tqdm takes; where there is no stderr, show no bar."""
        super().__init__(*args, disable=True if sys.stderr is None else disable, **options)
        self.writes_lines = self.disable and disable is None and sys.stderr is not None and not _in_a_notebook()
        self.what, self.of = options.get("desc"), options.get("unit", "it")
        self.began = self.told = time.monotonic()  # when the last line was written
        self.n_began = self.n_told = self.n

    def update(self, n: float | None = 1) -> bool | None:
        """Count n more; write a line if it is time."""
        if not self.writes_lines:
            return super().update(n)
        self.n += n or 0
        silence = time.monotonic() - self.told
        is_a_tenth = self.total and self.n - self.n_told >= self.total / 10
        if silence >= self.LONGEST or (silence >= self.SECONDS and is_a_tenth):
            with contextlib.suppress(OSError, ValueError):
                print(self.line(), file=sys.stderr, flush=True)
            self.told, self.n_told = time.monotonic(), self.n
        return None

    def __iter__(self) -> Iterator:
        """Yield the items; count each when the next one is asked for."""
        if not self.writes_lines:
            yield from super().__iter__()
            return
        for item in self.iterable:
            yield item
            self.update()

    def line(self) -> str:
        """Return how far the work is, such as "training: 160 of 800 steps, 1.2 minutes, about 4.8 left, loss=0.21"."""
        minutes = (time.monotonic() - self.began) / 60
        unit = self.of if self.of == "s" else f"{self.of}s"
        parts = [f"{self.n} of {self.total} {unit}" if self.total else f"{self.n} {unit}", f"{minutes:.1f} minutes"]
        done = self.n - self.n_began
        if self.total and done > 0:
            parts.append(f"about {minutes * (self.total - self.n) / done:.1f} left")
        if postfix := getattr(self, "postfix", None):
            parts.append(postfix)
        return (f"{self.what}: " if self.what else "") + ", ".join(parts)


def _in_a_notebook() -> bool:
    return "ipykernel" in sys.modules
