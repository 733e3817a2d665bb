"""What a command prints: lines that nobody has to read, and errors in the words of the command line.

The package says `base_channels`, where the user wrote `--base-channels`.
"""

import argparse
import contextlib
import os
import re
import sys


def in_options(message: str, command: argparse.ArgumentParser) -> str:
    """Return an error message with each setting called by the option of `command` that gives it.

    Four forms are known: "depth must be ..." at the beginning, "rotations=8" and "`invert`" anywhere, and any name that
    only code would write, with an underscore in it.
    """
    return with_flags(message, options_of(command))


def with_flags(message: str, flags: dict[str, str]) -> str:
    """Return what `in_options` does, for these {name in code: option}."""
    for dest, flag in flags.items():
        message = message.replace(f"`{dest}`", flag)
        message = re.sub(rf"(?<![\w.-]){dest}=(?=[\w.\"])", f"{flag} ", message)
        message = re.sub(rf"^{dest}(?= must )", flag, message)
        if "_" in dest:
            message = re.sub(rf"(?<![\w.-]){dest}(?![\w.(])", flag, message)
    return message


def options_of(command: argparse.ArgumentParser) -> dict[str, str]:
    """Return {name in code: option}, such as base_channels: --base-channels."""
    flags = re.findall(r"(?<!\S)--[a-z]+(?:-[a-z]+)*", command.format_help())
    return {flag.removeprefix("--").replace("-", "_"): flag for flag in flags}


def print_line(text: str) -> None:
    """Print to stdout at once. If it is closed (`| head -1`), say so on stderr, and let the work go on."""
    try:
        print(text, flush=True)
    except OSError as error:
        let_go_of_stdout()
        print_error(f"minunet: the output goes nowhere any more ({error.strerror}), the work goes on")


def print_error(text: str) -> None:
    """Print a line to stderr; if it is closed, nobody can be told."""
    with contextlib.suppress(OSError):
        if sys.stderr is not None:  # else `print` would take stdout
            print(text, file=sys.stderr, flush=True)


def let_go_of_stdout() -> None:
    """Send to nowhere what would go to stdout, so that Python does not fail on it again when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
