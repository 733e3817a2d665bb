"""What CuPy has: names.txt as a table."""

from pathlib import Path

LINES = [line for line in Path(__file__).with_name("names.txt").read_text().split("\n") if line and line[0] != "#"]
NAMES = {name: arguments for name, _, arguments in (line.rstrip(")").partition("(") for line in LINES)}


def check_name(name: str) -> None:
    """Raise AttributeError unless CuPy has a thing of this dotted name, or attributes under it."""
    if name not in NAMES and not any(known.startswith(name + ".") for known in NAMES):
        raise AttributeError(f"CuPy 14.2 has no {name}")


def check_arguments(name: str, args: tuple, kwargs: dict) -> None:
    """Raise TypeError if a function of CuPy does not take so many arguments, or not by these names."""
    known = [argument for argument in NAMES.get(name, "").split(", ") if argument]
    if not known:
        return  # CuPy does not tell
    if not any(argument.startswith("**") for argument in known):
        for keyword in set(kwargs) - set(known):
            raise TypeError(f"{name} of CuPy 14.2 has no argument {keyword!r}, only {', '.join(known)}")
    if len(args) > len(known) and not any(argument.startswith("*") for argument in known):
        raise TypeError(f"{name} of CuPy 14.2 takes {len(known)} arguments, got {len(args)}")
