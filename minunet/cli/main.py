"""The command line: `minunet COMMAND ...` or `python -m minunet COMMAND ...`.

Each command is one file: HELP says what it does, EXAMPLE how to call it, `add_options` declares its options, and `run`
does it and returns the exit code.
"""

import argparse
import signal
import sys
import warnings

from minunet import __version__
from minunet.cli import doctor, evaluate, gradcheck, grade, predict, summary, train
from minunet.cli.bench import command as bench
from minunet.cli.messages import in_options, let_go_of_stdout, print_error
from minunet.cli.parser import Parser
from minunet.errors import InputError
from minunet.fast.cpu.memory import keep_freed_memory

COMMANDS = {
    "train": train,
    "predict": predict,
    "evaluate": evaluate,
    "gradcheck": gradcheck,
    "summary": summary,
    "bench": bench,
    "grade": grade,
    "doctor": doctor,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code.

    After one line on what was wrong with the input it is 2, after one on what the system has refused 1. Without a
    command, print the help.
    """
    parser, commands = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        commands.get(options.command, parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if options.command is None:
        parser.print_help()
        return 0
    keep_freed_memory()
    command = commands[options.command]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: print_error(_line(options, "warning", message, command))
            code = COMMANDS[options.command].run(options)
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


def _parser() -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the whole command line, and that of each command by its name."""
    parser = Parser(
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
