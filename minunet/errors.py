"""The one error that minunet raises on purpose."""


class InputError(ValueError):
    """Input that cannot be used; the message says what was expected, what came, and the remedy.

    The command line prints the message as one line and ends with exit code 2.
    """
