"""The parser of the command line: argparse's, with one line for a value that cannot be."""

import argparse
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
