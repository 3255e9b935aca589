"""Importing the package is cheap and has no effect."""

import subprocess
import sys

import pytest

import dctload


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_loads_no_torch_and_nothing_heavy():
    heavy = "{'torch', 'torchvision', 'matplotlib', 'PIL', 'numpy', 'dctload._core'}"
    assert run(f"import sys, dctload; print(*{heavy} & sys.modules.keys())") == []


def test_import_starts_no_thread():
    code = "import dctload, os; print(len(os.listdir('/proc/self/task')))"
    if not sys.platform.startswith("linux"):
        code = "import dctload, threading; print(threading.active_count())"
    assert run(code) == ["1"]


@pytest.mark.parametrize("name", dctload.__all__)
def test_every_public_name_is_there(name):
    assert getattr(dctload, name) is not None


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'decoed'"):
        dctload.decoed  # noqa: B018


def test_the_stub_declares_the_same_names():
    """Type checkers read __init__.pyi; it must not fall behind."""
    import ast
    from pathlib import Path

    stub = Path(dctload.__file__).with_suffix(".pyi")
    declared = {
        alias.asname
        for node in ast.walk(ast.parse(stub.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared >= set(dctload.__all__) - {"__version__"}
