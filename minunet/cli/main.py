"""The command line: `minunet COMMAND ...` or `python -m minunet COMMAND ...`.

Each command is one file: HELP says what it does, EXAMPLE how to call it, `add_options` declares its options, and `run`
does it and returns the exit code.
"""

import argparse
import sys

from minunet import __version__
from minunet.cli import evaluate, gradcheck, grade, predict, summary, train
from minunet.cli.bench import command as bench
from minunet.cli.messages import in_options
from minunet.errors import InputError

COMMANDS = {
    "train": train,
    "predict": predict,
    "evaluate": evaluate,
    "gradcheck": gradcheck,
    "summary": summary,
    "bench": bench,
    "grade": grade,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code, or 2 after one line on what was wrong with the input.

    Without a command, print the help.
    """
    parser, commands = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        commands.get(options.command, parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if options.command is None:
        parser.print_help()
        return 0
    try:
        return COMMANDS[options.command].run(options)
    except (InputError, OSError) as error:
        message = in_options(" ".join(str(error).split()), commands[options.command])
        print(f"minunet {options.command}: error: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Return the parser of the whole command line, and that of each command by its name."""
    parser = argparse.ArgumentParser(
        prog="minunet",
        description="A U-Net you can read: train it, let it find cells, and check its gradients.",
        epilog="minunet COMMAND --help lists the options of a command. To begin with: minunet train",
    )
    parser.add_argument("--version", action="version", version=f"minunet {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, module in COMMANDS.items():
        what = module.HELP
        description = what[0].upper() + what[1:] + "."
        command = commands.add_parser(name, help=what, description=description, epilog=f"example: {module.EXAMPLE}")
        module.add_options(command)
    return parser, commands.choices
