"""The examples in docstrings print what they say."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
import torch

import dctload

# Run as programs, or need what not every machine has.
LEFT_OUT = {"dctload.__main__", "dctload.cli.__main__", "dctload._ffi_build"}


def modules():
    found = pkgutil.walk_packages(dctload.__path__, "dctload.")
    return sorted(module.name for module in found if module.name not in LEFT_OUT)


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings(name):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").startswith("dctload"):
            raise
        pytest.skip(str(error))
    names = {"dctload": dctload, "np": np, "torch": torch, **vars(module)}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(module, extraglobs=names, optionflags=flags)
    assert result.failed == 0


def test_there_are_examples():
    """Guards the test above against finding none."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [
        test
        for name in ("dctload.image", "dctload.models._registry")
        for test in finder.find(importlib.import_module(name))
    ]
    assert sum(len(test.examples) for test in tests) >= 3
