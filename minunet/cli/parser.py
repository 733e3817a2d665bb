"""The parser of the command line: argparse's, with one line for a value that cannot be."""

import argparse
import difflib
import sys
from typing import NoReturn

from minunet.cli.messages import options_of

WORDS = {"invalid int value: ": "expected a whole number, got ", "invalid float value: ": "expected a number, got "}
LONGEST = 300  # characters of what argparse says: a user may have pasted a file
ELSEWHERE = {"--lr": "--learning-rate", "--epochs": "--steps", "--gpu": "--device"}  # what other programs call it


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

    def refuse(self, unknown: list[str]) -> NoReturn:
        """End with an error on arguments that are unknown, and say which option the first may have been meant for."""
        flags = list(options_of(self).values())
        written = unknown[0].partition("=")[0]
        close = [ELSEWHERE.get(written), *difflib.get_close_matches(written, flags, n=1, cutoff=0.7)]
        meant = next((f"; did you mean {flag}?" for flag in close if flag in flags), "")
        self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
