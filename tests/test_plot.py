"""``dctload plot``: what is drawn is what the files hold."""

import json

import numpy as np
import pytest
from conftest import jpeg_bytes, picture

from dctload import decode
from dctload.cli import main
from dctload.cli.plot import Survey, quality, survey

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def plot(capsys, tmp_path):
    """Run the command; returns its status, its JSON and what it wrote."""

    def run(*words):
        path = tmp_path / "out.png"
        status = main(["plot", *map(str, words), "-o", str(path), "--json"])
        found = json.loads(capsys.readouterr().out)
        assert found["picture"] == str(path)
        return status, found, path.read_bytes()

    return run


@pytest.mark.parametrize("name", ["420", "grey", "cmyk", "progressive", "one_pixel"])
def test_a_file_of_any_kind_is_drawn(name, jpeg_samples, tmp_path, plot):
    path = tmp_path / "some file.jpg"
    path.write_bytes(jpeg_samples[name])
    status, found, drawn = plot(path)
    assert (status, found["name"]) == (0, str(path))
    assert drawn.startswith(PNG)


def test_a_folder_is_counted_and_drawn(jpeg_samples, tmp_path, plot):
    names = ["420", "444", "grey", "cmyk", "progressive"]
    for name in names:
        (tmp_path / f"{name}.jpg").write_bytes(jpeg_samples[name])
    (tmp_path / "bad.jpg").write_bytes(jpeg_samples["420"][:500])
    (tmp_path / "text.jpg").write_bytes(b"no JPEG")
    status, found, drawn = plot(tmp_path)
    assert status == 1
    assert drawn.startswith(PNG)
    kinds = {"4:2:0": 1, "4:4:4": 1, "grey": 1, "CMYK": 1, "4:2:0 progressive": 1}
    assert found["kinds"] == kinds
    assert found["images"] == 5
    assert found["sizes"] == [[109, 75]] * 5
    assert {entry["name"].rpartition("/")[2] for entry in found["failed"]} == {
        "bad.jpg",
        "text.jpg",
    }


def test_a_limit_spreads_over_the_folder(jpeg_samples, tmp_path, plot):
    for i in range(10):
        name = "grey" if i >= 5 else "444"
        (tmp_path / f"{i}.jpg").write_bytes(jpeg_samples[name])
    assert plot(tmp_path, "--limit", 4)[1]["kinds"] == {"4:4:4": 2, "grey": 2}


@pytest.mark.parametrize("q", [1, 10, 50, 75, 90, 97, 100])
def test_qualities_are_those_the_files_were_written_with(q):
    image = decode(jpeg_bytes(picture(32, 32), quality=q))
    assert quality(image.qtables[0]) == q


def test_amplitudes_are_the_root_of_their_mean_square(jpeg_folder):
    paths = sorted(map(str, jpeg_folder.rglob("*.jpg")))
    squares = [
        np.square(plane.astype(np.float64)).mean((0, 1))
        for path in paths
        for plane in decode(path).dequantized().planes
    ]
    want = np.sqrt(np.reshape(squares, (-1, 3, 8, 8)).mean(0))
    np.testing.assert_allclose(survey(paths, 2).rms, want, rtol=1e-5)


def test_grey_says_nothing_of_chroma(jpeg_samples):
    found = Survey()
    found.add(decode(jpeg_samples["grey"]))
    assert found.counts.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [(b"no JPEG", 1, "x.jpg: not a JPEG file at byte 0"), (None, 2, "no JPEG files")],
)
def test_nothing_to_draw_is_one_line(content, status, words, tmp_path, capsys):
    path = tmp_path / "x.jpg"
    if content is not None:
        path.write_bytes(content)
    target = tmp_path if content is None else path
    assert main(["plot", str(target), "-o", str(tmp_path / "out.png")]) == status
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out.png").exists()


def test_other_formats_follow_the_name(jpeg_samples, tmp_path, capsys):
    (tmp_path / "a.jpg").write_bytes(jpeg_samples["420"])
    assert main(["plot", str(tmp_path), "-o", str(tmp_path / "a.svg")]) == 0
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()
    assert main(["plot", str(tmp_path), "-o", str(tmp_path / "a.nonsense")]) == 2
    assert "nonsense" in capsys.readouterr().err
