"""What the tests of the DALI operators share; they skip where DALI is not there."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nvidia.dali", reason="needs NVIDIA DALI: pip install '.[dali]'")
if not shutil.which("g++") and not shutil.which("clang++"):
    pytest.skip("needs a C++ compiler", allow_module_level=True)

# Compiled once for many test runs, and not where the user's own is.
CACHE = Path(tempfile.gettempdir()) / f"dctload-test-cache-{os.getuid()}"
os.environ.setdefault("DCTLOAD_CACHE", str(CACHE))

from nvidia.dali import Pipeline, fn, types  # noqa: E402

import dctload.dali  # noqa: E402, F401


def pipeline(graph, batch_size, num_threads=2, **options):
    """A pipeline with what ``graph()`` gives as outputs, built."""
    # Nothing runs ahead, so that what is counted and fed is known.
    options = {"device_id": None, "prefetch_queue_depth": 1, **options}
    pipe = Pipeline(batch_size, num_threads, seed=5, **options)
    with pipe:
        outputs = graph()
        pipe.set_outputs(*(outputs if isinstance(outputs, list) else [outputs]))
    pipe.build()
    return pipe


def arrays(outputs):
    """Each output as a list of arrays, one for each sample."""
    return [[np.array(sample) for sample in output.as_cpu()] for output in outputs]


def feed(samples):
    """The same samples in each batch; files as bytes, or arrays."""
    made = [
        np.frombuffer(sample, np.uint8) if isinstance(sample, bytes) else sample
        for sample in samples
    ]
    return fn.external_source(lambda: made)


def run(operator, files, num_threads=2, inputs=None, **constants):
    """One batch of an operator of ``fn.dctload``, by its name.

    ``inputs`` are the arguments that differ from sample to sample.
    """

    def graph():
        columns = {name: feed(values) for name, values in (inputs or {}).items()}
        return getattr(fn.dctload, operator)(feed(files), **columns, **constants)

    return arrays(pipeline(graph, len(files), num_threads).run())


def decode(files, num_threads=2, inputs=None, **constants):
    return run("decode", files, num_threads, inputs, **constants)


def dtype(name):
    return {
        "float32": types.FLOAT,
        "float16": types.FLOAT16,
        "int16": types.INT16,
        "int8": types.INT8,
    }[name]


def run_script(code, data):
    """What a process of its own, with ``data`` as its input, writes to its output."""
    done = subprocess.run(
        [sys.executable, "-c", code], input=data, capture_output=True, timeout=100
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
