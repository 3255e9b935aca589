"""``dctload bench``: figures for the user's own files."""

import json

import pytest

from dctload.cli import main
from dctload.cli.bench import knee


@pytest.fixture
def report(capsys):
    """Run the command and return its JSON."""

    def run(*words):
        assert main(["bench", *map(str, words), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


class TestDecode:
    def test_it_reports_images_and_megabytes_a_second(self, jpeg_folder, report):
        got = report("decode", jpeg_folder, "--rounds", 2, "--threads", 2)
        assert (got["files"], got["left_out"], got["rounds"]) == (6, 0, 2)
        results = {result["name"]: result for result in got["results"]}
        ours = results["dctload decode_many, 1 thread"]
        assert ours["times_slower"] == 1
        megabytes = ours["images_per_second"] * got["nbytes"] / 6 / 1e6
        assert ours["mb_per_second"] == pytest.approx(megabytes)
        assert "dctload decode_many, 2 threads" in results

    def test_other_decoders_are_said_to_make_rgb(self, jpeg_folder, report):
        got = report("decode", jpeg_folder, "--rounds", 1)
        others = [r["name"] for r in got["results"] if "dctload" not in r["name"]]
        assert any(name.startswith("pillow") for name in others)
        assert all(name.endswith(", RGB") for name in others)

    def test_files_that_do_not_decode_are_counted(self, jpeg_samples, tmp_path, report):
        (tmp_path / "good.jpg").write_bytes(jpeg_samples["420"])
        (tmp_path / "bad.jpg").write_bytes(jpeg_samples["420"][:500])
        got = report("decode", tmp_path, "--rounds", 1)
        assert (got["files"], got["left_out"]) == (1, 1)

    def test_a_table_is_for_people(self, jpeg_folder, capsys):
        assert main(["bench", "decode", str(jpeg_folder), "--rounds", "1"]) == 0
        out = capsys.readouterr().out
        assert "6 files" in out
        assert "images/s" in out

    def test_a_folder_without_photographs_is_an_error(self, tmp_path, capsys):
        assert main(["bench", "decode", str(tmp_path)]) == 2
        assert "no JPEG files" in capsys.readouterr().err

    def test_where_none_decodes_the_first_are_named(self, tmp_path, capsys):
        for i in range(4):
            (tmp_path / f"{i}.jpg").write_bytes(b"no JPEG")
        assert main(["bench", "decode", str(tmp_path)]) == 2
        assert capsys.readouterr().err.splitlines() == [
            *(f"{tmp_path}/{i}.jpg: not a JPEG file at byte 0" for i in range(3)),
            "dctload: none of the 4 files can be decoded",
        ]


class TestLoad:
    def test_it_sweeps_the_threads(self, jpeg_folder, report, tmp_path):
        got = report(
            *("load", jpeg_folder, "--threads", 3, "--seconds", 0.05),
            *("--size", 32, "--batch-size", 4, "--plot", tmp_path / "curve.png"),
        )
        assert [point["threads"] for point in got["curve"]] == [1, 2, 3]
        assert all(point["images_per_second"] > 0 for point in got["curve"])
        assert got["knee"] in (1, 2, 3)
        assert (tmp_path / "curve.png").stat().st_size > 1000

    def test_more_files_than_a_batch_are_not_needed(self, jpeg_folder, report):
        got = report("load", jpeg_folder, "--threads", 1, "--seconds", 0.05)
        assert got["curve"][0]["images_per_second"] > 0

    def test_the_knee_is_where_nine_tenths_are_reached(self):
        rates = {1: 100, 2: 190, 4: 270, 8: 290, 16: 280}
        curve = [{"threads": n, "images_per_second": r} for n, r in rates.items()]
        assert knee(curve) == 4
