"""What the documentation shows is run, in a folder such as a user might have.

    ```python    executed; examples at a >>> prompt must print what they show
    ```diff      the new version of it is executed
    ```console   commands after $ must print what they show
    ```sh        not run here: installation, and what takes minutes

The blocks of a page share their variables, from top to bottom.
"""

import contextlib
import doctest
import io
import re
import shlex
import shutil
from pathlib import Path

import pytest
from conftest import jpeg_bytes, picture

from dctload.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
KINDS = {"python", "diff", "console", "sh", ""}


def blocks(page):
    """(line, kind, code) of each fenced block."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        yield text.count("\n", 0, match.start()) + 2, match[1], match[2]


def new_version(diff):
    return "".join(
        line[1:] if line[:1] in "+ " else line
        for line in diff.splitlines(keepends=True)
        if not line.startswith("-")
    )


def run_examples(code, names, where):
    test = doctest.DocTestParser().get_doctest(code, names, where, where, 0)
    test.globs = names  # the parser has made a copy
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(test, out=report.write, clear_globs=False)
    assert runner.failures == 0, report.getvalue()


def run_console(code, where):
    """Each command, and the output that follows it up to the next."""
    for part in re.split(r"^\$ ", code, flags=re.M)[1:]:
        command, _, want = part.partition("\n")
        program, *argv = shlex.split(command, comments=True)
        assert program == "dctload", f"{where}: only dctload is run, not {program}"
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            main(argv)
        if want.strip():
            got = out.getvalue()
            same = doctest.OutputChecker().check_output(want, got, FLAGS)
            assert same, f"{where}: {command}\n{got}\n--- but the page shows\n{want}"


def run(page):
    if page.name == "dali.md":
        import dali_setup  # noqa: F401 - skips where DALI is not there
    names = {"__name__": "__main__"}
    for line, kind, code in blocks(page):
        where = f"{page.name}:{line}"
        if kind == "console":
            run_console(code, where)
        elif kind == "python" and ">>>" in code:
            run_examples(code, names, where)
        elif kind in ("python", "diff"):
            code = new_version(code) if kind == "diff" else code
            exec(compile("\n" * (line - 1) + code, page.name, "exec"), names)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """The folder that the pages talk of: two sets of two classes, single files."""
    monkeypatch.chdir(tmp_path)
    for part, num in (("train", 24), ("val", 8)):
        for i in range(num):
            folder = tmp_path / "photos" / part / ("cat" if i % 2 else "dog")
            folder.mkdir(parents=True, exist_ok=True)
            pixels = picture(320 - i, 240, seed=i)
            (folder / f"{i:02}.jpg").write_bytes(jpeg_bytes(pixels))
    good = jpeg_bytes(picture(227, 149), subsampling="4:2:0")
    (tmp_path / "cat.jpg").write_bytes(good)
    (tmp_path / "broken.jpg").write_bytes(good[:4000])
    shutil.copytree(tmp_path / "photos", tmp_path / "new")
    (tmp_path / "new" / "train" / "cat" / "01.jpg").write_bytes(good[:1000])
    return tmp_path


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_on_the_page_runs(page, photos):
    run(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_of_a_known_kind(page):
    """A typing error in the kind would leave a block unchecked."""
    assert {kind for _, kind, _ in blocks(page)} <= KINDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text)
    local = [t for t in targets if "://" not in t and not t.startswith("mailto:")]
    assert [t for t in local if not (page.parent / t).exists()] == []


def test_a_wrong_example_is_found(tmp_path):
    """Guards the tests above against a runner that runs nothing."""
    page = tmp_path / "page.md"
    for code in (
        "```python\nassert False\n```\n",
        "```python\n>>> 1 + 1\n3\n```\n",
        "```diff\n-pass\n+assert False\n```\n",
        "```console\n$ dctload info nothing.jpg\nall is well\n```\n",
    ):
        page.write_text(code)
        with pytest.raises(AssertionError):
            run(page)
