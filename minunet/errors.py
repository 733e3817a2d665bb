"""The error that minunet raises for input that it cannot use."""

import reprlib

_short = reprlib.Repr()
_short.maxlevel, _short.maxstring, _short.maxother = 2, 80, 80


class InputError(ValueError):
    """Input that cannot be used; the message says what was expected, what came, and the remedy.

    The command line prints the message as one line and ends with exit code 2.
    """


def shown(value: object) -> str:
    """Return a value as an error message shows it: as Python writes it, but of a long one only its ends."""
    return _short.repr(value)
