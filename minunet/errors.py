"""The error that minunet raises for input that it cannot use."""


class InputError(ValueError):
    """Input that cannot be used; the message says what was expected, what came, and the remedy.

    The command line prints the message as one line and ends with exit code 2.
    """
