"""The ``dctload`` command.

Each subcommand is a module here with ``add_parser(subparsers)`` and ``run(args)``,
imported when it is asked for, so ``dctload info`` does not wait for torch.

Exit status: 0 all is well; 1 the answer is no (a file is bad, a run failed); 2 the
command could not be carried out (wrong arguments, no such file, a missing package).
"""

import argparse
import importlib
import io
import os
import sys

import dctload
from dctload.errors import DctloadError

# name: one line for `dctload --help`
COMMANDS = {
    "info": "what JPEG files hold: size, subsampling, kind, tables",
    "verify": "decode every file of a folder and name each bad one",
    "stats": "mean and deviation of every frequency, for normalisation",
    "plot": "pictures of a file or of a data set: sizes, quality, frequencies",
    "bench": "how fast decoding and loading are, on your own files",
    "train": "train a network on a folder of JPEG files",
    "models": "the networks, and what they cost beside RGB ones",
    "demo": "a small data set, loaded, trained on and plotted",
}


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser; only the ``chosen`` subcommand's module is imported."""
    parser = argparse.ArgumentParser(prog="dctload", description=dctload.__doc__)
    parser.description = "Train and serve vision models straight from JPEG files."
    parser.add_argument(
        "--version", action="version", version=f"dctload {dctload.__version__}"
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        if name == chosen:
            importlib.import_module(f"{__name__}.{name}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=text)
    return parser


def _run(argv: list[str]) -> int:
    """Import, parse and run the subcommand; errors become one line."""
    chosen = next((word for word in argv if not word.startswith("-")), None)
    try:
        args = _parser(chosen).parse_args(argv)
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except (DctloadError, FloatingPointError) as error:
        print(f"dctload: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output has had enough. Nothing more can be said there,
        # and the interpreter must not try when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"dctload: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except (ImportError, ValueError) as error:
        if os.environ.get("DCTLOAD_TRACEBACK"):
            raise
        print(f"dctload: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ndctload: interrupted", file=sys.stderr)
        return 130


def main(argv: list[str] | None = None) -> int:
    """Run the command line ``argv`` (by default the process's own).

    Returns:
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")  # file names are bytes
    return _run(sys.argv[1:] if argv is None else argv)
