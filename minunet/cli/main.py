"""The command line: `minunet COMMAND ...` or `python -m minunet COMMAND ...`.

Each command is one file: EXAMPLE says how to call it, `add_options` declares its options, and `run` does it and returns
the exit code. Only the file of the command that was asked for is imported, so that none waits for what another needs.
"""

import argparse
import sys
from importlib import import_module
from typing import Any

from minunet import __version__
from minunet.cli.messages import in_options
from minunet.errors import InputError

COMMANDS = {  # what each one does, in the words of `minunet --help`
    "train": "train a network on your images or, with no options, on synthetic cells",
    "predict": "write, for images of any size, the probability of cell and the class of each pixel",
    "evaluate": "measure a network on held-out images, compared with calling every pixel the more common class",
    "gradcheck": "check the gradients of every layer and a small U-Net",
    "summary": "print sizes, crops, parameters, FLOPs and memory of a network (Fig. 1)",
    "bench": "time every 3x3 layer and a training step, and draw the speeds",
    "grade": "grade the notebooks that students handed in; write tables and feedback",
}
FILES = {"bench": "bench.command"}  # of those commands that are a folder


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code, or 2 after one line on what was wrong with the input.

    Without a command, print the help.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    asked = next((name for name in arguments if name in COMMANDS), None)
    module: Any = import_module(f"minunet.cli.{FILES.get(asked, asked)}") if asked else None
    parser, commands = _parser(asked, module)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        commands.get(options.command, parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if options.command is None:
        parser.print_help()
        return 0
    try:
        return module.run(options)
    except (InputError, OSError) as error:
        message = in_options(" ".join(str(error).split()), commands[options.command])
        print(f"minunet {options.command}: error: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser(asked: str | None, module: Any) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Return the parser of the whole command line, and that of each command by its name; `asked` has its options."""
    parser = argparse.ArgumentParser(
        prog="minunet",
        description="A U-Net you can read: train it, let it find cells, and check its gradients.",
        epilog="minunet COMMAND --help lists the options of a command. To begin with: minunet train",
    )
    parser.add_argument("--version", action="version", version=f"minunet {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, what in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        if name == asked:
            command.epilog = f"example: {module.EXAMPLE}"
            module.add_options(command)
    return parser, commands.choices
