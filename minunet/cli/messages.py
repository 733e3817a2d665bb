"""Errors in the words of the command line: the package says `base_channels`, where the user wrote `--base-channels`."""

import argparse
import re


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
