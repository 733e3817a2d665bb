"""The command `minunet`, before its libraries are there.

To load NumPy, SciPy and the rest takes a second. Ctrl-C meanwhile would show a traceback from somewhere inside them, or
be lost in an import that takes any error for a missing library. So until all is loaded, Ctrl-C ends the process at
once. Afterwards it raises KeyboardInterrupt, as always, and the command says where its work stands.

This file is no part of the package `minunet`, since whatever is imported from a package loads its `__init__.py` first.
"""

import os
import signal

INTERRUPTED = 128 + signal.SIGINT  # as the shell has it


def main() -> int:
    """Run the command; return its exit code."""
    end_at_once_on_ctrl_c()
    from minunet.cli.main import main as run_command

    try:
        try:
            return run_command()
        finally:
            end_at_once_on_ctrl_c()  # while Python clears up
    except KeyboardInterrupt:  # in the moment before the command is ready for it, or after
        return INTERRUPTED


def end_at_once_on_ctrl_c() -> None:
    """Let Ctrl-C end the process, unless somebody has decided otherwise: `&` in a script switches it off."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end_at_once)


def raise_on_ctrl_c() -> None:
    """Take `end_at_once_on_ctrl_c` back."""
    if signal.getsignal(signal.SIGINT) is _end_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_at_once(number: int, frame) -> None:
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)
