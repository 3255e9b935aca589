"""The command line, as a user meets it."""

import json
import os
import subprocess
import sys

import pytest

import dctload
from dctload.cli import COMMANDS, _common, main
from dctload.cli import verify as verify_module


def lines(text):
    return text.strip().splitlines()


@pytest.fixture
def broken_folder(jpeg_samples, tmp_path):
    """Two good files, one with a warning, and three bad ones."""
    data = jpeg_samples["420"]
    files = {
        "a/good.jpg": data,
        "a/truncated.jpg": data[: len(data) // 2],
        "b/grey.JPEG": jpeg_samples["grey"],
        "b/trailing.jpg": data + b"some more",
        "b/text file.jpg": b"no JPEG at all",
        "b/empty.jpg": b"",
        "b/ignored.txt": b"not looked at",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["--version"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out == f"dctload {dctload.__version__}\n"


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["--help"])
    assert exit_info.value.code == 0
    out = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n    {name} " not in out] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main([command, "--help"])
    assert exit_info.value.code == 0
    assert f"usage: dctload {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv", [[], ["nonsense"], ["info"], ["verify", "--threads=0"]]
)
def test_wrong_usage_ends_with_status_2(argv, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(argv)
    assert exit_info.value.code == 2
    assert "usage: dctload" in capsys.readouterr().err


def test_info_tells_a_file_in_a_line(broken_folder, capsys):
    path = str(broken_folder / "a" / "good.jpg")
    assert main(["info", path]) == 0
    out = capsys.readouterr().out
    assert out == f"{path}: 109x75, YCbCr 4:2:0, sequential\n"


def test_info_tells_each_component(broken_folder, capsys):
    assert main(["info", "-v", str(broken_folder / "a" / "good.jpg")]) == 0
    components = lines(capsys.readouterr().out)[1:]
    assert len(components) == 3
    assert "sampling 2x2, 109x75 samples, 14x10 blocks" in components[0]
    assert "sampling 1x1, 55x38 samples, 7x5 blocks" in components[1]


def test_info_as_json_has_a_line_a_file(broken_folder, capsys):
    assert main(["info", "--json", str(broken_folder)]) == 1
    found = {
        entry["name"].rpartition("/")[2]: entry
        for entry in map(json.loads, lines(capsys.readouterr().out))
    }
    assert found["good.jpg"]["width"] == 109
    assert found["good.jpg"]["components"][1]["blocks_w"] == 7
    assert found["grey.JPEG"]["subsampling"] == "grey"
    assert found["text file.jpg"]["offset"] == 0
    assert "ignored.txt" not in found


def test_info_goes_on_after_a_bad_file(broken_folder, capsys):
    paths = [str(broken_folder / name) for name in ("b/empty.jpg", "a/good.jpg")]
    assert main(["info", *paths]) == 1
    captured = capsys.readouterr()
    assert len(lines(captured.out)) == 1
    assert captured.err == f"{paths[0]}: not a JPEG file at byte 0\n"


def test_verify_passes_good_files(jpeg_folder, capsys):
    assert main(["verify", str(jpeg_folder)]) == 0
    assert lines(capsys.readouterr().out)[0].startswith("6 files, 0 bad (")


def test_verify_names_each_bad_file_with_its_reason(broken_folder, capsys):
    assert main(["verify", str(broken_folder)]) == 1
    out = lines(capsys.readouterr().out)
    names = [line.partition(": ")[0] for line in out[:3]]
    assert [name.rpartition("/")[2] for name in names] == [
        "truncated.jpg",
        "empty.jpg",
        "text file.jpg",
    ]
    assert all(" at byte " in line for line in out[:3])
    assert out[3].startswith("6 files, 3 bad (")


@pytest.mark.parametrize("threads", ["1", "3"])
def test_verify_reports_as_json(broken_folder, capsys, threads, monkeypatch):
    """However the files fall into chunks and on threads."""
    monkeypatch.setattr(verify_module, "CHUNK_FILES", int(threads))
    assert main(["verify", "--json", "--threads", threads, str(broken_folder)]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["files"], report["good"], report["warned"]) == (6, 3, 1)
    assert sum(report["reasons"].values()) == len(report["bad"]) == 3
    assert list(report["warnings"].values()) == [1]
    assert all(entry["reason"] and entry["name"] for entry in report["bad"])


def test_verify_finds_damage_behind_a_good_header(broken_folder, capsys):
    main(["verify", "--json", str(broken_folder / "a")])
    (bad,) = json.loads(capsys.readouterr().out)["bad"]
    size = (broken_folder / "a" / "truncated.jpg").stat().st_size
    assert size // 4 < bad["offset"] <= size


@pytest.mark.parametrize("command", ["info", "verify"])
def test_a_missing_path_is_one_line(command, capsys):
    assert main([command, "no/such/folder"]) == 2
    err = capsys.readouterr().err
    assert err == "dctload: no/such/folder: No such file or directory\n"


@pytest.mark.parametrize("command", ["info", "verify"])
def test_a_folder_without_jpegs_is_one_line(command, tmp_path, capsys):
    assert main([command, str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"dctload: no JPEG files in {tmp_path}\n"


def test_an_unreadable_file_is_a_bad_one(tmp_path, jpeg_samples, capsys):
    (tmp_path / "good.jpg").write_bytes(jpeg_samples["444"])
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    assert main(["verify", str(tmp_path)]) == 1
    assert "dangling.jpg: No such file or directory" in capsys.readouterr().out


def test_names_that_are_no_text_come_out_as_they_are(tmp_path, jpeg_samples):
    """File names are bytes; where one is not UTF-8, that is no error."""
    path = os.fsencode(tmp_path) + b"/\xe9t\xe9.jpg"
    with open(path, "wb") as file:
        file.write(jpeg_samples["420"][:500])
    done = subprocess.run(
        [sys.executable, "-m", "dctload", "verify", str(tmp_path)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    assert done.returncode == 1
    assert done.stdout.startswith(path + b": ")
    assert done.stderr == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has /dev/full")
def test_a_full_disk_is_one_line(broken_folder):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dctload", "info", str(broken_folder / "a")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == "dctload: No space left on device\n"


def test_a_reader_that_stops_is_no_error(broken_folder):
    """``dctload info DIR | head -1`` ends without a traceback."""
    many = [str(broken_folder / "a" / "good.jpg")] * 3000
    command = [sys.executable, "-m", "dctload", "info", *many]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_an_interrupt_is_one_line(monkeypatch, jpeg_folder, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(verify_module, "verify", interrupt)
    assert main(["verify", str(jpeg_folder)]) == 130
    assert lines(capsys.readouterr().err)[-1] == "dctload: interrupted"


class Terminal:
    """A stream that says it is a terminal and keeps what it is told."""

    def __init__(self, is_tty):
        self.text, self.isatty = "", lambda: is_tty

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_progress_shows_on_a_terminal_only():
    for is_tty in (False, True):
        stream = Terminal(is_tty)
        with _common.Progress(2, "files", stream) as progress:
            progress.update(2, ", 1 bad")
        assert ("2 of 2 files" in stream.text) == is_tty
        assert stream.text.endswith("\r\x1b[K") == is_tty


def test_reasons_are_free_of_names_and_places():
    error = dctload.CorruptJPEGError(
        "a: b.jpg: bad Huffman code at byte 81204 of 90311", name="a: b.jpg"
    )
    assert _common.reason(error) == "bad Huffman code"
