"""Errors in the words of the command line: the package says `base_channels`, where the user wrote `--base-channels`."""

import argparse
import re
import sys
from typing import NoReturn

WORDS = {"invalid int value: ": "expected a whole number, got ", "invalid float value: ": "expected a number, got "}
LONGEST = 300  # characters of what argparse says: a user may have pasted a file


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong with a value, without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and end with exit code 2; the usage too, if an argument is unknown or missing."""
        for theirs, words in WORDS.items():
            message = message.replace(theirs, words)
        if len(message) > LONGEST:
            message = message[:LONGEST] + " ..."
        if not message.startswith("argument "):
            super().error(message)
        print(f"{self.prog}: error: {message}; {self.prog} --help lists the options", file=sys.stderr)
        raise SystemExit(2)


def in_options(message: str, command: argparse.ArgumentParser) -> str:
    """Return an error message with each setting called by the option of `command` that gives it.

    Three forms are known: "depth must be ..." at the beginning, "rotations=8" anywhere, and any name that only code
    would write, with an underscore in it.
    """
    for dest, flag in options_of(command).items():
        message = re.sub(rf"(?<![\w.-]){dest}=(?=[\w.])", f"{flag} ", message)
        message = re.sub(rf"^{dest}(?= must )", flag, message)
        if "_" in dest:
            message = re.sub(rf"(?<![\w.-]){dest}(?![\w.(])", flag, message)
    return message


def options_of(command: argparse.ArgumentParser) -> dict[str, str]:
    """Return {name in code: option}, such as base_channels: --base-channels."""
    flags = re.findall(r"(?<!\S)--[a-z]+(?:-[a-z]+)*", command.format_help())
    return {flag.removeprefix("--").replace("-", "_"): flag for flag in flags}
