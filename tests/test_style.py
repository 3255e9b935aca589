"""The limits the code holds itself to."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Above what is usual here: nobody should run into these while working.
MAX_C_FILE, MAX_LIBRARY_FILE, MAX_OTHER_FILE = 660, 550, 700
MAX_PUBLIC_HEADER = 800  # half of it is what users have to know
MAX_C_FUNCTION, MAX_PYTHON_FUNCTION = 55, 60
WORDS = r"\b(TODO|FIXME|XXX|HACK)\b"


def tracked(*patterns):
    """Files under version control, or all there are in an unpacked archive."""
    try:
        git = ["git", "-C", str(ROOT), "ls-files", "--", *patterns]
        names = subprocess.run(git, check=True, capture_output=True, text=True).stdout
        paths = [ROOT / name for name in names.splitlines()]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for pattern in patterns for path in ROOT.rglob(pattern)]
    return [path for path in paths if path.is_file()]


def ids(path):
    return str(path.relative_to(ROOT))


C_FILES = tracked("csrc/*.c", "csrc/*.h")
PYTHON_FILES = tracked("dctload/*.py", "tests/*.py", "benchmarks/*.py", "examples/*.py")


@pytest.mark.parametrize("path", C_FILES, ids=ids)
def test_c_files_have_a_licence_and_fit_in_a_head(path):
    lines = path.read_text(encoding="ascii").splitlines()
    assert lines[0] == "/* SPDX-License-Identifier: MIT */"
    if not path.name.endswith("_template.h"):
        public = path.name == "dctload.h"
        assert len(lines) <= (MAX_PUBLIC_HEADER if public else MAX_C_FILE)


def c_functions(text):
    """(name, code lines) of each function; bodies start and end in column 0."""
    body = re.compile(r"^(\w+)\((?:[^;{}]*)\)\n\{\n(.*?)^\}", re.M | re.S)
    for match in body.finditer(text):
        code = re.sub(r"/\*.*?\*/", "", match[2], flags=re.S)
        yield match[1], sum(1 for line in code.splitlines() if line.strip())


@pytest.mark.parametrize("path", C_FILES, ids=ids)
def test_c_functions_fit_on_a_screen(path):
    if path.name.endswith("_template.h"):
        return
    found = dict(c_functions(path.read_text()))
    assert {name: n for name, n in found.items() if n > MAX_C_FUNCTION} == {}


def test_the_function_counter_sees_functions():
    """Guards the two tests above against a pattern that matches nothing."""
    text = (ROOT / "csrc" / "cpu.c").read_text()
    assert {"list_has", "cpu_detect", "cpu_has"} <= dict(c_functions(text)).keys()


@pytest.mark.parametrize("path", PYTHON_FILES, ids=ids)
def test_python_files_and_functions_are_short(path):
    text = path.read_text()
    library = path.is_relative_to(ROOT / "dctload")
    assert len(text.splitlines()) <= (MAX_LIBRARY_FILE if library else MAX_OTHER_FILE)
    long = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            has_docstring = ast.get_docstring(node, clean=False) is not None
            body = node.body[has_docstring:] or node.body
            length = body[-1].end_lineno - body[0].lineno + 1
            if length > MAX_PYTHON_FUNCTION:
                long[node.name] = length
    assert long == {}


@pytest.mark.parametrize("path", [*C_FILES, *PYTHON_FILES], ids=ids)
def test_nothing_is_left_for_later(path):
    if path != Path(__file__):
        assert re.findall(WORDS, path.read_text()) == []


def test_the_library_does_not_print():
    """Only the command line writes to the terminal."""
    library = [
        path
        for path in tracked("dctload/*.py")
        if not path.is_relative_to(ROOT / "dctload" / "cli")
    ]
    assert library
    assert [ids(p) for p in library if re.search(r"\bprint\(", p.read_text())] == []
