"""A standard error that claims to be a terminal, so that progress bars are drawn into it."""

import io


class Terminal(io.StringIO):
    """Use it as `monkeypatch.setattr(sys, "stderr", terminal := Terminal())`, and read `terminal.getvalue()`."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True
