"""Statistics of data sets: exact, stable, and what Normalize makes of them."""

import json
from importlib import resources

import numpy as np
import pytest

import dctload
from dctload import cli
from dctload import transforms as T
from dctload.analysis import Moments, collect
from dctload.transforms.emission import presets


@pytest.fixture(scope="module")
def files(jpeg_folder):
    return sorted(str(path) for path in jpeg_folder.rglob("*.jpg"))


@pytest.fixture(scope="module")
def collected(files):
    return collect(files, (32, 96))


def samples(files, size, layout):
    view = [T.Resize(size if size <= 64 else round(size * 256 / 224))]
    compose = T.Compose([*view, T.CenterCrop(size)])
    out = []
    for path in files:
        x = compose(dctload.decode(path)).to_tensor(layout=layout)
        parts = x if layout == "planes" else x.split(64)
        if layout == "planes":
            parts = (parts[0], *parts[1].split(64))
        out.append([part.reshape(64, -1).double().numpy() for part in parts])
    return [np.concatenate([one[c] for one in out], axis=1) for c in range(3)]


def test_moments_do_not_lose_digits_to_a_large_mean():
    rng = np.random.default_rng(0)
    values = rng.normal(1e7, 1, (3, 40, 50))
    whole = Moments.none(3)
    for part in np.array_split(values, 7, axis=1):
        whole.merge(Moments.of(part))
    flat = values.reshape(3, -1)
    np.testing.assert_allclose(whole.mean, flat.mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(whole.std, flat.std(axis=1), rtol=1e-9)
    assert (whole.count == 2000).all()


@pytest.mark.parametrize("layout", ["planes", "concat"])
@pytest.mark.parametrize("size", [32, 96])
def test_statistics_are_those_of_all_blocks(files, collected, layout, size):
    (entry,) = [
        e for e in collected["entries"] if (e["layout"], e["size"]) == (layout, size)
    ]
    for c, values in enumerate(samples(files, size, layout)):
        assert entry["blocks"][c] == values.shape[1]
        np.testing.assert_allclose(entry["mean"][c], values.mean(axis=1), atol=2e-3)
        std = values.std(axis=1)
        np.testing.assert_allclose(entry["std"][c], std, rtol=1e-4, atol=1e-4)


def test_normalising_gives_mean_0_and_deviation_1(files, collected):
    compose = T.Compose([T.Resize(110), T.CenterCrop(96), T.Normalize(collected)])
    x = np.stack([compose(dctload.decode(f)).to_tensor().numpy() for f in files])
    np.testing.assert_allclose(x.mean(axis=(0, 2, 3)), 0, atol=2e-3)
    np.testing.assert_allclose(x.std(axis=(0, 2, 3)), 1, atol=2e-3)


def test_each_size_belongs_to_one_entry(collected):
    normalize = T.Normalize(collected)
    small, large = [e for e in collected["entries"] if e["layout"] == "concat"]
    assert small["max_size"] + 1 == large["min_size"]
    for size in (8, 32, 55, 56, 96, 4096):
        mean, _ = normalize.vectors("concat", size)
        want = small if size <= small["max_size"] else large
        np.testing.assert_array_equal(mean, want["mean"])


@pytest.mark.parametrize("name", presets())
def test_every_preset_says_how_it_was_made(name):
    content = json.loads(
        (resources.files("dctload.transforms") / "presets" / f"{name}.json").read_text()
    )
    assert content["command"]
    mean, std = T.Normalize(name).vectors("concat", 32)
    assert mean.shape == std.shape == (3, 64)


def test_the_command_writes_what_normalize_reads(jpeg_folder, tmp_path, capsys):
    path = tmp_path / "stats.json"
    arguments = [str(jpeg_folder), "--size", "32", "--output", str(path)]
    assert cli.main(["stats", *arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(path.read_text())
    assert printed["images"] == 6
    assert T.Normalize(str(path)).vectors("planes", 32)[0].shape == (3, 64)


def test_the_command_names_files_it_cannot_use(jpeg_folder, tmp_path, capsys):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8 no more")
    assert cli.main(["stats", str(jpeg_folder), str(bad), "--size", "32"]) == 1
    assert f"{bad}: the data end too early at byte " in capsys.readouterr().err


def test_no_statistics_are_made_of_no_image(tmp_path, capsys):
    bad, out = tmp_path / "bad.jpg", tmp_path / "stats.json"
    bad.write_bytes(b"no JPEG")
    assert cli.main(["stats", str(bad), "--output", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f"{bad}: not a JPEG file at byte 0",
        "dctload: none of the 1 files can be decoded",
    ]
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--size", "20"], "multiples of 16, got 20"), ([], "no JPEG files in ")],
)
def test_what_the_command_cannot_do_is_one_line(arguments, words, tmp_path, capsys):
    assert cli.main(["stats", str(tmp_path), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert captured.err.count("\n") == 1


def test_unknown_statistics_are_named():
    with pytest.raises(ValueError, match="imagenet"):
        T.Normalize("no such thing")


@pytest.mark.parametrize("content", [b"text", b"\xff\xd8\xff", b"[1]", b'{"mean": 1}'])
def test_files_that_are_no_statistics_are_named(content, tmp_path):
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mine\.json: no statistics that `dctload"):
        T.Normalize(path)
