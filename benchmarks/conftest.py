"""One core for everything that is compared, and the peers that are there."""

import os
from collections.abc import Iterator
from pathlib import Path

import peers
import pytest


@pytest.fixture(scope="session")
def libjpeg(tmp_path_factory) -> Path:
    """The program that runs the system's libjpeg."""
    program = peers.build_libjpeg_peer(tmp_path_factory.mktemp("libjpeg"))
    if program is None:
        pytest.skip("no C compiler, or no jpeglib.h (package libjpeg-dev)")
    return program


@pytest.fixture
def one_core() -> Iterator[None]:
    """This process, and those it starts, on the last core it may use."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield
    os.sched_setaffinity(0, before)
