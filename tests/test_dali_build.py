"""Finding and building the plugin: once, whoever asks, and with words if it fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import jpeg_bytes, picture
from dali_setup import CACHE, decode

from dctload.dali import _build, _plugin

USE = """
import dctload.dali
from nvidia.dali import Pipeline, fn
import numpy as np
def use():
    data = np.frombuffer(open({path!r}, "rb").read(), np.uint8)
    pipe = Pipeline(1, 1, None)
    with pipe:
        files = fn.external_source(lambda: [data])
        pipe.set_outputs(fn.dctload.decode(files, size=16))
    pipe.build()
    assert pipe.run()[0].shape() == [(192, 2, 2)]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_bytes(picture(40, 30)))
    return path


@pytest.fixture
def compiler(tmp_path):
    """A compiler that counts how often it is called."""
    script = tmp_path / "c++"
    script.write_text(f'#!/bin/sh\necho x >>{tmp_path}/calls\nsleep 1\nexec g++ "$@"\n')
    script.chmod(0o755)
    return script


def start(code, file, **environment):
    """A process that runs ``code``, in which ``use()`` decodes ``file``."""
    code = USE.format(path=str(file)) + code
    known = {"DCTLOAD_CACHE": os.environ["DCTLOAD_CACHE"]}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **known, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    return errors


def test_loading_again_is_harmless(file):
    """A second copy of an operator would end the process."""
    code = """if True:
    import importlib, sys
    from nvidia.dali import plugin_manager
    use()
    importlib.reload(dctload.dali)
    dctload.dali.load()
    use()
    for name in [name for name in sys.modules if name.startswith("dctload.dali")]:
        del sys.modules[name]
    import dctload.dali
    use()
    """
    finish(start(code, file))


@pytest.mark.slow
def test_a_plugin_that_somebody_else_has_loaded(file):
    from nvidia import dali

    with _build.plugin(dali) as path:
        before = (
            f"import nvidia.dali.plugin_manager as m\nm.load_library({str(path)!r})\n"
        )
    process = subprocess.run(
        [sys.executable, "-c", before + USE.format(path=str(file)) + "use()"],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert process.returncode == 0, process.stderr


@pytest.mark.slow
def test_processes_that_race_compile_once(file, compiler, tmp_path):
    environment = {"DCTLOAD_CACHE": str(tmp_path / "cache"), "CXX": str(compiler)}
    processes = [start("use()", file, **environment) for _ in range(3)]
    for process in processes:
        finish(process)
    assert (tmp_path / "calls").read_text().count("x") == 1
    left = sorted(path.suffix for path in (tmp_path / "cache" / "dali").iterdir())
    assert left == [".lock", ".so"]


@pytest.mark.slow
def test_a_cache_that_cannot_be_written(file, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    environment = {"DCTLOAD_CACHE": str(tmp_path / "file"), "TMPDIR": str(tmp_path)}
    errors = finish(start("use()", file, **environment))
    assert "their cache cannot be written" in errors
    assert not list(tmp_path.glob("dctload-dali-*"))


NO_OPERATORS = """if True:
    import torch
    from nvidia.dali import fn
    for touch in (
        lambda: fn.dctload.decode,
        lambda: dctload.dali.load(),
        lambda: dctload.dali.DALILoader("."),
    ):
        try:
            touch()
        except ImportError as error:
            assert {words!r} in str(error), error
            assert "dctload.dali.source(loader)" in str(error), error
        else:
            raise AssertionError
    batches = dctload.dali.source([[torch.ones(2, 3), torch.zeros(2)]])
    pipe = Pipeline(2, 1, None)
    with pipe:
        pipe.set_outputs(*fn.external_source(batches, 2))
    pipe.build()
    assert pipe.run()[0].shape() == [(3,), (3,)]
"""


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PATH": "/nonexistent"}, "install g++"),
        pytest.param(
            {"CXX": "/nonexistent/c++"},
            "CXX=/nonexistent/c++ is not there",
            marks=pytest.mark.slow,
        ),
        pytest.param({"CXX": "false"}, "has to know C++20", marks=pytest.mark.slow),
    ],
    ids=["no compiler", "a wrong name", "a compiler that fails"],
)
def test_without_operators_the_error_says_what_to_do(
    file, tmp_path, environment, words
):
    environment = {"CXX": "", "DCTLOAD_CACHE": str(tmp_path / "empty"), **environment}
    errors = finish(start(NO_OPERATORS.format(words=words), file, **environment))
    assert words in errors


@pytest.mark.slow
def test_a_damaged_plugin_is_an_import_error(file, tmp_path):
    from nvidia import dali

    target = tmp_path / "dali" / _build.file_name(dali)
    target.parent.mkdir()
    target.write_bytes(b"")
    code = NO_OPERATORS.format(words=target.name)
    finish(start(code, file, DCTLOAD_CACHE=str(tmp_path)))


def test_one_that_was_built_before_goes_first(tmp_path, monkeypatch):
    from nvidia import dali

    monkeypatch.setattr(_build, "PREBUILT", tmp_path)
    monkeypatch.setenv("CXX", "false")
    (tmp_path / _build.file_name(dali)).write_bytes(b"")
    with _build.plugin(dali) as path:
        assert path.parent == tmp_path


@pytest.mark.slow
def test_the_command_builds_into_the_cache(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "dctload.dali"],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.exists()
    assert path.name.startswith("libdctload-dali")
    assert path.is_relative_to(os.environ.get("DCTLOAD_CACHE", CACHE))


def test_names_tell_versions_and_sources_apart(monkeypatch):
    from nvidia import dali

    name = _build.file_name(dali)
    monkeypatch.setattr(dali, "__version__", "2.0.1")
    assert _build.file_name(dali) != name
    monkeypatch.undo()
    monkeypatch.setattr(_build, "tables", lambda: "other")
    assert _build.file_name(dali) != name


def test_a_core_of_another_header_is_refused(monkeypatch):
    """Structs of other sizes would be silent nonsense."""

    class Ffi:
        def sizeof(self, name):
            return 1

    monkeypatch.setattr(_plugin, "ffi", Ffi())
    with pytest.raises(ImportError, match="build it again"):
        _plugin._bind(_plugin.load())


def test_tables_hold_what_the_package_holds():
    text = _build.tables()
    for name in ("24", "192", "imagenet", "cifar10"):
        assert f'"{name}"' in text


def test_the_plugin_works_in_this_process(file):
    assert decode([file.read_bytes()], size=16)[0][0].shape == (192, 2, 2)
