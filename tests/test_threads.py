"""The engine: batches in flight, files, cancelling, forks, signals."""

import _thread
import errno
import gc
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import jpeg_bytes, picture

from dctload import _native as native
from dctload._engine import Batch, Engine
from dctload._recipes import Outcomes, make_recipe

THREADS = [0, 1, 4]
MISSING = b"/nonexistent/a.jpg"


@pytest.fixture(scope="module")
def files(jpeg_samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    paths = []
    for i in range(8):
        for name, data in jpeg_samples.items():
            path = folder / f"{i}-{name}.jpg"
            path.write_bytes(data)
            paths.append(os.fsencode(path))
    return paths


def _statuses(batch, n):
    return set(batch.items["status"][:n].tolist())


@pytest.mark.parametrize("num_threads", THREADS)
class TestWork:
    def test_batches_in_flight_together_all_end(self, files, num_threads):
        engine = Engine(num_threads)
        batches = [Batch(len(files)) for _ in range(5)]
        for batch in batches:
            batch.set_paths(files)
            engine.submit_read(batch, len(files))
        for batch in reversed(batches):
            assert engine.wait(batch) == 0
            assert _statuses(batch, len(files)) == {native.OK}
            for i in (0, 7, len(files) - 1):
                with open(files[i], "rb") as file:
                    assert batch.data(i) == file.read()
        engine.close()

    def test_a_file_that_cannot_be_read_fails_alone(self, files, num_threads, tmp_path):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        bad = [MISSING, os.fsencode(tmp_path), os.fsencode(pipe)]
        paths = [files[0], *bad, files[1]]
        engine, batch = Engine(num_threads), Batch(5)
        batch.set_paths(paths)
        engine.submit_read(batch, 5)
        engine.wait(batch)
        got = [batch.error(i, "x") for i in range(5)]
        assert got[0] is None
        assert got[4] is None
        assert [error.errno for error in got[1:4]] == [
            errno.ENOENT,
            errno.EISDIR,
            errno.EINVAL,
        ]

    def test_skipped_items_are_left_alone(self, files, num_threads):
        engine, batch = Engine(num_threads), Batch(3)
        batch.set_paths(files[:3])
        batch.items["skip"][1] = 1
        batch.items["status"][1] = 77
        engine.submit_read(batch, 3)
        engine.wait(batch)
        assert batch.items["status"].tolist() == [0, 77, 0]

    def test_an_empty_file_is_no_jpeg(self, num_threads, tmp_path):
        (tmp_path / "empty.jpg").touch()
        engine, batch = Engine(num_threads), Batch(1)
        batch.set_paths([os.fsencode(tmp_path / "empty.jpg")])
        engine.submit_read(batch, 1)
        engine.wait(batch)
        assert "empty" in str(batch.error(0, "empty"))

    def test_the_statistics_count_files_and_bytes(self, files, num_threads):
        engine, batch = Engine(num_threads), Batch(len(files))
        batch.set_paths(files)
        engine.submit_read(batch, len(files))
        engine.wait(batch)
        stats = engine.stats()
        assert stats["files"] == len(files)
        assert stats["in_nbytes"] == sum(os.path.getsize(f) for f in files)
        assert stats["read_ns"] > 0

    def test_an_engine_may_go_before_its_batches(self, files, num_threads):
        engine, batch = Engine(num_threads), Batch(len(files))
        batch.set_paths(files)
        engine.submit_read(batch, len(files))
        engine.close()
        assert _statuses(batch, len(files)) <= {native.OK, native.lib.DCTLOAD_CANCELLED}

    def test_it_may_be_closed_while_another_thread_waits(self, files, num_threads):
        """What has begun is done, the rest is cancelled, and nothing comes later."""
        for _ in range(5):
            num = 20_000
            engine, batch, left = Engine(num_threads), Batch(num), []
            batch.set_paths(files[:1] * num)
            engine.submit_read(batch, num)
            handle = engine._engine

            def wait(handle=handle, batch=batch, left=left):
                left.append(native.lib.dctload_wait(handle, batch.pointer, -1))

            thread = threading.Thread(target=wait)
            thread.start()
            engine.close()
            with pytest.raises(ValueError, match="closed"):
                engine.submit_read(batch, num)
            thread.join(10)
            assert left == [0]
            ends = {native.OK, native.lib.DCTLOAD_CANCELLED}
            assert _statuses(batch, num) <= ends
            limits = native.limits(None)
            refused = native.lib.dctload_submit_read(handle, batch.pointer, 1, limits)
            assert refused == native.lib.DCTLOAD_BAD_ARGUMENT

    def test_a_batch_may_go_while_it_is_worked_on(self, files, num_threads):
        engine = Engine(num_threads)
        for _ in range(20):
            batch = Batch(len(files))
            batch.set_paths(files)
            engine.submit_read(batch, len(files))
            del batch  # no cycle holds it


def test_a_view_of_the_items_keeps_the_batch():
    items = Batch(3).items
    gc.collect()
    items["skip"] = 5
    assert items["skip"].tolist() == [5, 5, 5]


class TestMistakes:
    def test_a_batch_is_submitted_once_at_a_time(self, files):
        engine, batch = Engine(0), Batch(2)
        batch.set_paths(files[:2])
        engine.submit_read(batch, 2)
        with pytest.raises(ValueError, match="engine"):
            engine.submit_read(batch, 2)

    def test_more_items_than_the_batch_has_are_refused(self):
        with pytest.raises(ValueError, match="engine"):
            Engine(0).submit_read(Batch(2), 3)

    def test_a_closed_engine_says_so(self):
        engine = Engine(2)
        engine.close()
        engine.close()
        with pytest.raises(ValueError, match="closed"):
            engine.submit_read(Batch(1), 1)


class TestCancel:
    def test_what_has_not_begun_is_dropped(self, files):
        engine, batch = Engine(0), Batch(len(files))
        batch.set_paths(files)
        engine.submit_read(batch, len(files))
        engine.cancel(batch)
        assert engine.wait(batch) == 0
        assert _statuses(batch, len(files)) == {native.lib.DCTLOAD_CANCELLED}
        assert "cancelled" in str(batch.error(0, "x"))

    def test_other_batches_go_on(self, files):
        engine = Engine(2)
        dropped, kept = Batch(len(files)), Batch(len(files))
        for batch in (dropped, kept):
            batch.set_paths(files)
            engine.submit_read(batch, len(files))
        engine.cancel(dropped)
        engine.wait(kept)
        assert _statuses(kept, len(files)) == {native.OK}
        engine.wait(dropped)

    def test_a_cancelled_batch_can_be_used_again(self, files):
        engine, batch = Engine(0), Batch(1)
        batch.set_paths(files[:1])
        engine.submit_read(batch, 1)
        engine.cancel(batch)
        engine.submit_read(batch, 1)
        engine.wait(batch)
        assert batch.error(0, "x") is None


def test_waiting_no_time_returns_what_is_left(files):
    engine, batch = Engine(0), Batch(4)
    batch.set_paths(files[:4])
    engine.submit_read(batch, 4)
    assert engine.wait(batch, timeout=0) == 4
    assert engine.wait(batch, timeout=5) == 0


def test_no_thread_starts_before_the_first_submission(files):
    before = len(os.listdir("/proc/self/task"))
    engine, batch = Engine(3), Batch(1)
    assert len(os.listdir("/proc/self/task")) == before
    batch.set_paths(files[:1])
    engine.submit_read(batch, 1)
    engine.wait(batch)
    assert len(os.listdir("/proc/self/task")) == before + 3
    engine.close()
    assert len(os.listdir("/proc/self/task")) == before


def _in_child(action):
    """Run ``action`` in a forked child; what it returns must be true."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if action() else 1)
        except BaseException:
            os._exit(2)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hangs"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("num_threads", THREADS)
def test_after_a_fork_the_parent_s_engine_is_inert(files, num_threads):
    engine, batch, fresh = Engine(num_threads), Batch(len(files)), Batch(1)
    batch.set_paths(files)
    engine.submit_read(batch, len(files))

    def child():
        fresh.set_paths(files[:1])
        with pytest.raises(ValueError, match="engine"):
            engine.submit_read(fresh, 1)
        engine.cancel(batch)
        left = native.lib.dctload_wait(engine._engine, batch.pointer, 10)
        engine.close()
        own = Engine(num_threads)
        own.submit_read(fresh, 1)
        return left <= len(files) and own.wait(fresh) == 0

    assert _in_child(child) == 0
    assert engine.wait(batch) == 0
    assert _statuses(batch, len(files)) == {native.OK}


@pytest.mark.parametrize("num_threads", [0, 2])
def test_control_c_ends_a_wait(files, num_threads):
    """Python takes the signal between two slices of the wait."""
    num = 200_000
    engine, batch = Engine(num_threads), Batch(num)
    batch.set_paths(files[:1] * num)
    engine.submit_read(batch, num)
    timer = threading.Timer(0.15, _thread.interrupt_main)
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        engine.wait(batch)
    engine.abandon(batch)
    assert time.monotonic() - start < 5
    timer.join()


def test_reads_go_before_other_work(files):
    """A batch to read, submitted later, is done while another is not begun."""
    engine, work, read = Engine(0), Batch(1), Batch(1)
    with open(files[0], "rb") as file:
        work.set_data([file.read()])
    engine.submit_read(work, 1)
    engine.wait(work)
    nbytes = 128 * int(work.items["info"]["components"]["blocks_w"].sum()) ** 2
    memory = np.empty(nbytes, np.uint8)
    assert work.place_planes(0, 1, memory) == (1, 0)
    engine.submit_decode(work, 1)
    read.set_paths(files[:1])
    engine.submit_read(read, 1)
    engine.wait(read)
    assert native.lib.dctload_wait(engine._engine, work.pointer, 0) == 1
    assert engine.wait(work) == 0


def _c_compiler_with(tmp_path, *flags):
    """A compiler that makes running programs with ``flags``, or a skip."""
    compiler = os.environ.get("CC", "cc")
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    command = [compiler, *flags, "-o", str(tmp_path / "probe"), str(probe)]
    try:
        subprocess.run(command, check=True, capture_output=True)
        subprocess.run([tmp_path / "probe"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no C compiler that takes {' '.join(flags)}: {error}")
    return compiler


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_thread_sanitizer_finds_no_race(jpeg_samples, tmp_path):
    """The C engine alone, driven by tests/threads_tsan.c."""
    compiler = _c_compiler_with(tmp_path, "-fsanitize=thread")
    root = Path(__file__).resolve().parent.parent
    program = tmp_path / "threads_tsan"
    sources = [str(path) for path in sorted((root / "csrc").rglob("*.c"))]
    sources = [path for path in sources if "/dali/" not in path]
    flags = ["-std=gnu11", "-O1", "-g", "-fsanitize=thread", f"-I{root / 'csrc'}"]
    subprocess.run(
        [
            *(compiler, *flags, "-o", str(program)),
            *(str(root / "tests" / "threads_tsan.c"), *sources, "-lm", "-pthread"),
        ],
        check=True,
    )
    files = []
    for name in ("420", "444", "grey", "progressive", "restarts", "one_pixel"):
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(jpeg_samples[name])
        files.append(str(path))
    # More Huffman tables than are kept when nobody uses them.
    for i in range(40):
        path = tmp_path / f"own tables {i}.jpg"
        path.write_bytes(jpeg_bytes(picture(40, 24, i), optimize=True))
        files.append(str(path))
    done = subprocess.run([program, *files], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


# ---- memory of files ----


def _sample(engine, batch, num):
    """Sample the first items whole, to memory that is then forgotten."""
    output = native.make_output(16, 16, "planes", "float32", False, [range(64)] * 3)
    out = [np.empty((num, n), np.uint8) for n in native.output_nbytes(output)]
    batch.items["geometry"] = np.zeros(len(batch), native.GEOMETRY_DTYPE)
    for axis in ("x", "y"):
        batch.items["geometry"]["num_" + axis] = 1
        step = batch.items["geometry"][axis][:, 0]
        step["hi"] = step["out_size"] = 16
        step["step"] = step["filter"] = 1
    for k, array in enumerate(out):
        batch.set_out(num, k, array.ctypes.data, array.shape[1])
    engine.submit_sample(batch, num, output=output)
    engine.wait(batch)


def _read(engine, batch, num):
    engine.submit_read(batch, num)
    engine.wait(batch)


@pytest.mark.parametrize("num_threads", THREADS)
def test_files_that_are_sampled_are_forgotten(files, num_threads):
    files = [path for path in files if b"420" in path][:8]
    engine, batch = Engine(num_threads), Batch(8)
    batch.set_paths(files)
    _read(engine, batch, 8)
    _sample(engine, batch, 8)
    assert _statuses(batch, 8) == {native.OK}
    with pytest.raises(ValueError, match="item 3 is not in memory"):
        batch.data(3)
    _sample(engine, batch, 8)
    assert isinstance(batch.error(0, "x"), ValueError)  # not read by itself
    _read(engine, batch, 8)
    _sample(engine, batch, 8)
    assert _statuses(batch, 8) == {native.OK}


def test_files_stay_as_long_as_an_item_is_left_to_others(files):
    engine, batch = Engine(1), Batch(2)
    batch.set_paths(files[:2])
    _read(engine, batch, 2)
    batch.items["skip"][0] = 1
    _sample(engine, batch, 2)
    assert batch.data(0) == Path(os.fsdecode(files[0])).read_bytes()


def test_bytes_given_are_not_forgotten(jpeg_samples):
    engine, batch = Engine(1), Batch(1)
    batch.set_data([jpeg_samples["420"]])
    _read(engine, batch, 1)
    _sample(engine, batch, 1)
    assert batch.data(0) == jpeg_samples["420"]


@pytest.mark.parametrize("num_threads", THREADS)
@pytest.mark.parametrize("offset", [5, 7, 11])
def test_bytes_that_change_behind_our_back_do_not_leave_the_planes(
    num_threads, offset, jpeg_samples
):
    """Height, width and sampling of another file, after planes were made for this."""
    data = bytearray(jpeg_samples["420"])
    engine, batch = Engine(num_threads), Batch(1)
    batch.set_data([data])
    engine.submit_read(batch, 1)
    engine.wait(batch)
    memory = np.full(1 << 20, 0xA5, np.uint8)
    assert batch.place_planes(0, 1, memory) == (1, 0)
    data[data.index(b"\xff\xc0") + offset] ^= 0x13
    engine.submit_decode(batch, 1)
    engine.wait(batch)
    with pytest.raises(ValueError, match="<it>"):
        raise batch.error(0, "<it>")
    assert (memory == 0xA5).all()
    engine.close()


def test_images_alike_are_counted_once_they_have_planes(jpeg_samples):
    """Of one size, one behind the other; none from the end of the batch on."""
    engine, batch = Engine(1), Batch(4)
    batch.set_data([jpeg_samples["420"]] * 3 + [jpeg_samples["grey"]])
    _read(engine, batch, 4)
    assert batch.count_alike(0, 4) == 0
    memory = np.empty(1 << 20, np.uint8)
    assert batch.place_planes(0, 4, memory) == (4, 0)
    counts = [batch.count_alike(first, 4) for first in range(5)]
    assert counts == [3, 2, 1, 1, 0]
    assert batch.count_alike(0, 2) == 2
    assert batch.count_alike(3, 2) == 0


class Whimsical(Sequence):
    """Gives bytes, and views of them from some question on."""

    def __init__(self, items, num_bytes):
        self.items, self.num_bytes = items, num_bytes

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        self.num_bytes -= 1
        return self.items[i] if self.num_bytes >= 0 else memoryview(self.items[i])


@pytest.mark.parametrize("num_bytes", range(10))
def test_items_that_are_made_anew_are_what_they_were_taken_for(jpeg_samples, num_bytes):
    items = [jpeg_samples["420"], jpeg_samples["grey"]]
    batch = Batch(2)
    batch.set_data(Whimsical(items, num_bytes))
    assert [batch.data(i) for i in range(2)] == items


# ---- all in one go ----


def _load(engine, batch, num, part=None):
    """Load the first items; returns the luma tensors."""
    output = native.make_output(16, 16, "planes", "float32", False, [range(64)] * 3)
    out = [np.zeros((num, n), np.uint8) for n in native.output_nbytes(output)]
    batch.out = out  # as long as there is the batch
    part = part or {"kind": "RESIZE", "filter": 1, "width": 16, "height": 16}
    recipe = make_recipe([part], 2, True)
    for k, array in enumerate(out):
        batch.set_out(num, k, array.ctypes.data, array.shape[1])
    ids = np.arange(num)
    engine.submit_load(batch, ids, None, output, recipe, (-1, 0))
    return out[0]


@pytest.mark.parametrize("num_threads", THREADS)
def test_files_are_loaded_and_none_stays_in_memory(files, num_threads):
    engine, batch = Engine(num_threads), Batch(len(files))
    batch.set_paths(files)
    luma = _load(engine, batch, len(files))
    assert engine.wait(batch) == 0
    cmyk = [i for i, path in enumerate(files) if b"cmyk" in path]
    assert _statuses(batch, len(files)) == {native.OK}
    assert np.flatnonzero(batch.items["skip"]).tolist() == cmyk
    assert batch.num_failed(len(files)) == len(cmyk)
    # The same files come again and again, whichever thread had them.
    kinds = [Path(os.fsdecode(path)).stem.split("-")[1] for path in files]
    for i, kind in enumerate(kinds):
        assert (luma[i] == luma[kinds.index(kind)]).all()
        assert luma[i].any() == (kind != "cmyk")
    with pytest.raises(ValueError, match="item 3 is not in memory"):
        batch.data(3)
    assert engine.stats()["files"] == len(files)
    engine.close()


@pytest.mark.parametrize("num_threads", THREADS)
def test_a_file_that_cannot_be_loaded_fails_alone(files, num_threads, tmp_path):
    pipe, empty = tmp_path / "pipe", tmp_path / "empty"
    os.mkfifo(pipe)
    empty.write_bytes(b"")
    paths = [files[0], MISSING, *map(os.fsencode, (tmp_path, pipe, empty)), files[1]]
    engine, batch = Engine(num_threads), Batch(6)
    batch.set_paths(paths)
    _load(engine, batch, 6)
    engine.wait(batch)
    assert batch.error(0, "") is batch.error(5, "") is None
    errors = [batch.error(i, "a name") for i in range(1, 5)]
    assert [getattr(error, "errno", None) for error in errors] == [
        errno.ENOENT,
        errno.EISDIR,
        errno.EINVAL,
        None,
    ]
    assert "not a JPEG" in str(errors[3])


def test_bytes_are_loaded_too_and_stay_the_caller_s(jpeg_samples):
    engine, batch = Engine(1), Batch(3)
    batch.set_data([jpeg_samples["420"], jpeg_samples["444"], b"no image"])
    _load(engine, batch, 3)
    engine.wait(batch)
    assert batch.data(0) == jpeg_samples["420"]
    assert batch.error(1, "") is None
    assert "not a JPEG" in str(batch.error(2, "a name"))


def test_loads_that_have_not_begun_are_dropped(files):
    engine, batch = Engine(0), Batch(8)
    batch.set_paths(files[:8])
    _load(engine, batch, 8)
    engine.cancel(batch)
    assert engine.wait(batch) == 0
    assert _statuses(batch, 8) == {native.lib.DCTLOAD_CANCELLED}
    batch.set_paths(files[:8])
    _load(engine, batch, 8)
    engine.wait(batch)
    assert _statuses(batch, 8) == {native.OK}


def test_an_image_without_a_geometry_is_left_out(files):
    engine, batch = Engine(0), Batch(1)
    batch.set_paths(files[:1])
    _load(engine, batch, 1, {"kind": "RANDOM_CROP", "width": 4096, "height": 16})
    engine.wait(batch)
    assert batch.items["skip"][0]
    assert batch.error(0, "") is None


@pytest.mark.parametrize(
    "part",
    [
        {"kind": "RANDOM_RESIZED_CROP"},
        {"kind": "RANDOM_CROP", "first_draw": 1},
        {"kind": "AUGMENT", "num_turns": 1},
        {"kind": "AUGMENT", "num_turns": 0x40000000, "first_draw": 1},
        {"kind": "AUGMENT", "num_choices": 1, "num_levels": 1},
        {"kind": "AUGMENT", "num_levels": 1, "outcomes": Outcomes(2)},
    ],
)
def test_a_recipe_that_lacks_numbers_or_outcomes_is_refused(files, part):
    engine, batch = Engine(1), Batch(1)
    batch.set_paths(files[:1])
    with pytest.raises(ValueError, match="engine"):
        _load(engine, batch, 1, part)


@pytest.mark.parametrize("num_threads", [1, 4])
def test_files_with_tables_of_their_own_share_what_they_can(num_threads):
    """More tables than a thread or an engine keeps; each file comes twice."""
    data = [jpeg_bytes(picture(60, 48, i), optimize=True) for i in range(120)]
    engine, batch, twice = Engine(num_threads), Batch(240), [*data, *data]
    batch.set_data(twice)
    luma = _load(engine, batch, 240)
    engine.wait(batch)
    assert _statuses(batch, 240) == {native.OK}
    alone = Batch(1)
    for i in range(120):
        assert (luma[i] == luma[120 + i]).all()
        if i % 10 == 0:
            alone.set_data([data[i]])
            fresh = Engine(0)
            (want,) = _load(fresh, alone, 1)
            fresh.wait(alone)
            assert (luma[i] == want).all()


def test_a_path_that_is_not_there_is_refused():
    batch = Batch(2)
    text, starts = b"a\0b\0", np.array([0, 2])
    batch.set_paths_of(text, starts, np.array([1, 0]))
    for wrong in (2, -1):
        with pytest.raises(IndexError, match=f"index {wrong} of 2 paths"):
            batch.set_paths_of(text, starts, np.array([0, wrong]))


class TestThreadsOfTheCaller:
    """Work in somebody else's pool, through the C interface."""

    @pytest.fixture
    def batch(self, files):
        batch = Batch(len(files))
        batch.set_paths(files)
        engine = Engine(0)
        engine.submit_read(batch, len(files))
        engine.wait(batch)
        return batch

    @staticmethod
    def planes(batch):
        """Memory for all planes, given to the items."""
        items = batch.items
        sizes = items["info"]["components"]
        nbytes = int((sizes["blocks_w"].astype(int) * sizes["blocks_h"]).sum()) * 128
        memory = np.full(nbytes, 0xAB, np.uint8)
        assert batch.place_planes(0, len(batch), memory)[0] == len(batch)
        return memory

    @staticmethod
    def work(batch, num_threads):
        """Let as many threads work on what was begun."""

        def one():
            worker = native.lib.dctload_alloc_worker()
            native.lib.dctload_work(batch.pointer, worker)
            native.lib.dctload_free_worker(worker)

        threads = [threading.Thread(target=one) for _ in range(num_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive()

    @pytest.mark.parametrize("num_threads", [1, 2, 7])
    def test_gives_what_the_engine_gives(self, batch, num_threads):
        num, expected = len(batch), self.planes(batch)
        engine = Engine(0)
        engine.submit_decode(batch, num)
        engine.wait(batch)
        for _ in range(2):  # a batch may be begun again
            made = self.planes(batch)
            status = native.lib.dctload_begin_decode(
                batch.pointer, num, native.ffi.NULL, 0
            )
            assert status == native.OK
            self.work(batch, num_threads)
            assert _statuses(batch, num) == {native.OK}
            assert (made == expected).all()

    def test_leaves_alone_what_failed_or_is_to_be_skipped(self, batch):
        made = self.planes(batch)
        batch.items["status"][3] = native.NOT_JPEG
        batch.items["skip"][4] = 1
        start, end = (int(batch.items["planes"][i][0]) for i in (3, 5))
        begin = native.lib.dctload_begin_decode
        assert begin(batch.pointer, len(batch), native.ffi.NULL, 0) == native.OK
        self.work(batch, 2)
        assert batch.items["status"][3] == native.NOT_JPEG
        at = start - made.ctypes.data
        assert (made[at : at + end - start] == 0xAB).all()

    def test_no_more_items_than_there_are(self, batch):
        begin = native.lib.dctload_begin_decode
        status = begin(batch.pointer, len(batch) + 1, native.ffi.NULL, 0)
        assert native.STATUS_NAMES[status] == "BAD_ARGUMENT"
        native.lib.dctload_free_worker(native.ffi.NULL)
