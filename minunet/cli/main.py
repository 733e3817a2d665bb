"""The command line: `minunet COMMAND ...` or `python -m minunet COMMAND ...`.

Each command is one file: EXAMPLE says how to call it, `add_options` declares its options, and `run` does it and returns
the exit code. Only the file of the command that was asked for is imported, so that none waits for what another needs.
"""

import argparse
import signal
import sys
import warnings
from importlib import import_module
from typing import Any

from minunet import __version__
from minunet.cli.messages import in_options, let_go_of_stdout, print_error
from minunet.cli.parser import Parser
from minunet.errors import InputError
from minunet.fast.cpu.memory import keep_freed_memory
from minunet_command import raise_on_ctrl_c

COMMANDS = {  # what each one does, in the words of `minunet --help`
    "train": "train a network on your images or, with no options, on synthetic cells",
    "predict": "find the cells in images of any size; write them as numbers, outlines and a table",
    "evaluate": "measure a network on held-out images, compared with calling every pixel the more common class",
    "gradcheck": "check the gradients of every layer and a small U-Net",
    "summary": "print sizes, crops, parameters, FLOPs and memory of a network (Fig. 1)",
    "bench": "time what people run, then every 3x3 layer and a training step, and draw the speeds",
    "grade": "grade the notebooks that students handed in; write tables and feedback",
    "doctor": "print what a bug report needs, and test gradients and speed for some seconds",
}
FILES = {"bench": "bench.command"}  # of those commands that are a folder


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code.

    After one line on what was wrong with the input it is 2, after one on what the system has refused 1. Without a
    command, print the help.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    asked = next((name for name in arguments if name in COMMANDS), None)
    module: Any = import_module(f"minunet.cli.{FILES.get(asked, asked)}") if asked else None
    parser, commands = _parser(asked, module)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        commands.get(options.command, parser).refuse(unknown)
    if options.command is None:
        parser.print_help()
        return 0
    keep_freed_memory()
    command = commands[options.command]
    try:
        raise_on_ctrl_c()
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: print_error(_line(options, "warning", message, command))
            code = module.run(options)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BrokenPipeError:  # `| head -1` has read enough
        let_go_of_stdout()
        return 128 + 13  # as the shell has it, after SIGPIPE
    except (InputError, OSError) as error:
        print_error(_line(options, "error", error, command))
        return 2 if isinstance(error, InputError) else 1
    except MemoryError as error:
        remedy = "try a smaller --tile, fewer --base-channels or smaller images"
        print_error(f"minunet {options.command}: error: not enough memory: {error}; {remedy}")
        return 2
    except KeyboardInterrupt as error:
        print_error("interrupted")
        return 128 + (error.args[0] if error.args else signal.SIGINT)


def _line(options, kind: str, message, command: argparse.ArgumentParser) -> str:
    """Return an error or a warning as one line, in the words of the command."""
    return f"minunet {options.command}: {kind}: {in_options(' '.join(str(message).split()), command)}"


def _parser(asked: str | None, module: Any) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the whole command line, and that of each command by its name; `asked` has its options."""
    parser = Parser(
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
