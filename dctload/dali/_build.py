"""The plugin as a file: one that is there, or one compiled now.

A plugin works with one version of DALI (its symbols carry the version) and with any
Python. Its name says what it was made of: the version, and a digest of the sources,
the tables and the flags. So one of that name is right wherever it lies.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import frequencies
from ..transforms import emission

log = logging.getLogger("dctload")

_PACKAGE = Path(__file__).resolve().parent
PREBUILT = _PACKAGE / "prebuilt"

_FLAGS = (
    *("-std=c++20", "-O2", "-DNDEBUG", "-fPIC", "-shared", "-fvisibility=hidden"),
    # Without fused multiply-add steps are rounded as in Python: see geometry.cc.
    "-ffp-contract=off",
    # A symbol that DALI lacks is an error here, or when loading; a later one would
    # end the process.
    *("-pthread", "-Wl,-z,defs", "-Wl,-z,now"),
)
# DALI's libraries, found by these names where the process has them.
_LIBRARIES = ("-ldali", "-ldali_core", "-ldali_kernels")
_COMPILERS = ("g++", "clang++", "c++")


class CannotBuildError(Exception):
    """Why there is no plugin, for the user."""


def _sources() -> Path:
    """``csrc``: in the package if it was installed, beside it in a clone."""
    for folder in (_PACKAGE / "csrc", _PACKAGE.parent.parent / "csrc"):
        if (folder / "dali" / "plugin.cc").is_file():
            return folder
    raise CannotBuildError("the sources of the operators are not installed")


def cache_folder() -> Path:
    """Where compiled plugins are kept: $DCTLOAD_CACHE, else the user's cache."""
    if folder := os.environ.get("DCTLOAD_CACHE"):
        return Path(folder) / "dali"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "dctload" / "dali"


def tables() -> str:
    """``tables.inc``: the published subsets and the presets' statistics, in C++."""
    lines = ["const NamedSubset SUBSETS[] = {"]
    for name, subset in frequencies.PUBLISHED.items():
        lists = ", ".join(str(list(part)) for part in subset)
        lines.append(f'\t{{ "{name}", "({lists})" }},')
    lines += ["};", "const Preset PRESETS[] = {"]
    for name in emission.presets():
        for entry in emission._load(name)["entries"]:
            sizes = entry.get("min_size", 1), entry.get("max_size", 2**32 - 1)
            lines.append(f'\t{{ "{name}", "{entry.get("layout", "")}", ')
            lines.append(f"\t  {sizes[0]}u, {sizes[1]}u,")
            for key in ("mean", "std"):
                numbers = [float(x) for component in entry[key] for x in component]
                # repr() gives the digits that lead back to the same number.
                lines.append("\t  { " + ", ".join(map(repr, numbers)) + " },")
            lines.append("\t},")
    return "\n".join([*lines, "};", ""])


def _abi_flags(dali: Any) -> list[str]:
    """The ABI of std::string that DALI's libraries were built with."""
    flags = dali.sysconfig.get_compile_flags()
    return [flag for flag in flags if flag.startswith("-D")]


def file_name(dali: Any) -> str:
    """The plugin's name for the DALI that is installed."""
    digest = hashlib.blake2b(digest_size=8)
    folder = _sources()
    for path in [folder / "dctload.h", *sorted((folder / "dali").rglob("*.*"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    version = str(dali.__cuda_version__)
    for text in (tables(), *_FLAGS, *_abi_flags(dali), *_LIBRARIES, version):
        digest.update(text.encode() + b"\0")
    machine = platform.machine()
    return f"libdctload-dali{dali.__version__}-{machine}-{digest.hexdigest()}.so"


def _compiler() -> list[str]:
    if chosen := os.environ.get("CXX"):
        command = shlex.split(chosen)
        if shutil.which(command[0]):
            return command
        raise CannotBuildError(f"the C++ compiler CXX={chosen} is not there")
    for name in _COMPILERS:
        if shutil.which(name):
            return [name]
    raise CannotBuildError(
        "there is no C++ compiler: install g++ 11 or newer (apt install g++), or name "
        "one in the environment variable CXX"
    )


def compile_to(target: Path, dali: Any) -> None:
    """Compile the plugin; ``target`` appears when it is whole, or not at all."""
    folder = _sources()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as scratch:
        (Path(scratch) / "tables.inc").write_text(tables())
        made = Path(scratch) / target.name
        includes = [f"-I{scratch}", f"-I{folder / 'dali' / 'cuda'}"]
        includes += ["-isystem", dali.sysconfig.get_include_dir()]
        command = [*_compiler(), *_FLAGS, *includes, *_abi_flags(dali)]
        command += [str(folder / "dali" / "plugin.cc"), "-o", str(made)]
        command += [f"-L{dali.sysconfig.get_lib_dir()}", *_LIBRARIES]
        log.info("compiling the DALI operators: %s", shlex.join(command))
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if "error" in line]
            raise CannotBuildError(
                f"{command[0]} failed; it has to know C++20 (g++ 11, clang 14):\n"
                + "\n".join(errors[:5] or [done.stderr[-500:]])
            )
        os.replace(made, target)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock ends with the process at the latest."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _cached(name: str, dali: Any) -> Path:
    """The plugin in the cache, compiled by the first of those who want it."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / name
    if not target.exists():
        with _locked(folder / f"{name}.lock"):
            if not target.exists():
                compile_to(target, dali)
    return target


@contextlib.contextmanager
def plugin(dali: Any) -> Iterator[Path]:
    """The plugin's path, to be loaded before the context ends.

    Looked for beside this file, then in the cache; else compiled into the cache, or
    where that cannot be written into a folder that goes away.

    Raises:
        CannotBuildError: It cannot be had.
    """
    name = file_name(dali)
    if (PREBUILT / name).exists():
        yield PREBUILT / name
        return
    try:
        found = _cached(name, dali)
    except OSError as error:
        log.warning(
            "the DALI operators are compiled anew each time, for their cache cannot be "
            "written: %s; name another folder in DCTLOAD_CACHE",
            error,
        )
    else:
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="dctload-dali-") as scratch:
        target = Path(scratch) / name
        compile_to(target, dali)
        yield target
