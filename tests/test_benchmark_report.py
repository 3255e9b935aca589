"""RESULTS.md is computed, its losses too."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import report

    yield report
    del sys.modules["report"]


def _results(ratio, floor):
    row = {
        "name": "decode_many",
        "peer": "somebody",
        "ours": 100.0 * ratio,
        "theirs": 100.0,
        "ratio": ratio,
        "spread": [ratio - 0.1, ratio + 0.1],
        "floor": floor,
        "note": "",
    }
    machine = {
        "date": "2026-01-02",
        "commit": "abc",
        "changed": True,
        "cpu": "a CPU",
        "cores": 2,
        "load": 0.1,
        "clock": "cpu",
        "packages": {"somebody": "1.2"},
        "system": "Linux",
        "python": "3.12",
        "variants": "portable",
    }
    section = {
        "title": "Decoding: x",
        "text": "One thread.",
        "corpus": {"files": 10, "bytes": 20_000},
        "rows": [row],
        "machine": machine,
    }
    return {"decode x": section}


@pytest.mark.parametrize(
    ("ratio", "floor", "lost"),
    [
        (2.0, None, None),
        (2.0, 1.5, None),
        (2.0, 3.0, "2.00x, short of 3x"),
        (0.5, None, "0.50x."),
        (0.98, None, None),
    ],
)
def test_what_is_behind_or_short_of_its_goal_is_a_loss(report, ratio, floor, lost):
    page = report.render(_results(ratio, floor))
    losses = page.split("## Where we lose")[1]
    assert (lost or "In no row above.") in losses
    assert ("**missed**" in page) == (floor is not None and ratio < floor)


def test_a_note_says_of_which_row_it_is(report):
    results = _results(2.0, None)
    results["decode x"]["rows"][0]["note"] = "22 % of its time"
    assert "\n- decode_many: 22 % of its time\n" in report.render(results)


def test_dates_are_in_order_and_one_is_said_once(report):
    results = _results(2.0, None)
    assert "\nMeasured 2026-01-02.\n" in report.render(results)
    for day in range(3, 9):
        later = _results(2.0, None)["decode x"]
        later["machine"]["date"] = f"2026-01-{day:02}"
        results[f"decode {day}"] = later
        assert f"Measured 2026-01-02 to 2026-01-{day:02}." in report.render(results)


def test_a_table_names_commit_files_and_rounds(report):
    page = report.render(_results(2.0, None))
    assert "commit abc with local changes" in page
    assert "10 files of 2.0 KB" in page
    assert "somebody 1.2" in page
    assert "2.00x (1.90-2.10)" in page
