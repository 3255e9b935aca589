"""Leaving a loader at any point: no hang, no leak, nothing written afterwards."""

import gc
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import torch
from conftest import jpeg_bytes, picture
from interrupts import interrupted

from dctload import DataLoader, Files
from dctload import transforms as T
from dctload.data._pipeline import Pipeline

pytestmark = pytest.mark.timeout(60)

NUM = 40


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("forty")
    for i in range(NUM):
        (root / f"{i:02}.jpg").write_bytes(jpeg_bytes(picture(100 + i, 80, i)))
    transform = T.Compose([T.RandomResizedCrop(64), T.SelectFrequencies("24")])
    return Files(sorted(root.iterdir()), transform=transform)


def num_threads():
    return len(os.listdir("/proc/self/task"))


def rss():
    """Resident bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def targets(loader):
    return [t for _, target in loader for t in target.tolist()]


@pytest.mark.parametrize("num_workers", [0, 1, 4])
@pytest.mark.parametrize("leave", ["break", "exception", "close", "forget"])
def test_an_iteration_may_be_left_at_any_point(data, num_workers, leave):
    loader = DataLoader(data, 4, num_workers=num_workers)
    for stop in range(12):
        iterator = iter(loader)
        try:
            for i, _ in enumerate(iterator):
                if i == stop:
                    if leave == "close":
                        iterator.close()
                    elif leave == "exception":
                        raise KeyError
                    break
        except KeyError:
            pass
        del iterator
    assert targets(loader) == list(range(NUM))


def test_a_closed_iterator_gives_nothing_more(data):
    iterator = iter(DataLoader(data, 4, num_workers=2))
    next(iterator)
    iterator.close()
    assert list(iterator) == []
    iterator.close()


def test_a_closed_loader_has_no_threads_and_can_be_used_again(data):
    before = num_threads()
    loader = DataLoader(data, 4, num_workers=3)
    iterator = iter(loader)
    next(iterator)
    assert num_threads() == before + 3
    loader.close()
    assert num_threads() == before
    assert list(iterator) == []
    assert targets(loader) == list(range(NUM))
    loader.close()
    loader.close()


def test_a_forgotten_loader_ends_its_threads(data):
    gc.collect()
    before = num_threads()
    iterator = iter(DataLoader(data, 4, num_workers=3))
    next(iterator)
    del iterator
    gc.collect()
    assert num_threads() == before


def test_threads_live_from_the_first_iteration_over_all_epochs(data):
    before = num_threads()
    loader = DataLoader(data, 4, num_workers=2)
    assert num_threads() == before
    for _ in range(3):
        targets(loader)
        assert num_threads() == before + 2


class Fails(torch.utils.data.Dataset):
    """Raises at its second sample."""

    def __init__(self, error, path):
        self.error, self.path = error, path

    def __len__(self):
        return 20

    def __getitem__(self, index):
        if index == 1:
            raise self.error("no sample")
        return self.path, index


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_errors_of_a_data_set_do_not_keep_what_was_left(data, error):
    mine = Fails(error, data.name(0))
    gc.collect()
    gc.disable()
    try:
        for _ in range(4):
            loader = DataLoader(
                mine, 2, num_workers=2, on_error="skip", transform=data.transform
            )
            for _ in range(2):
                try:
                    next(iter(loader))
                except ValueError:
                    pass
            del loader
        alive = sum(isinstance(thing, Pipeline) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert alive == 0


@pytest.mark.parametrize("fit", [None, "pad"])
def test_files_that_fail_in_python_do_not_keep_what_was_left(data, tmp_path, fit):
    """Their errors are kept with the batches, and must not keep these in turn."""
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    names = [data.name(0), str(broken), "/missing", data.name(1)] * 10
    mixed = Files(names, transform=T.Resize(80) if fit else data.transform)
    loader = DataLoader(mixed, 2, num_workers=2, on_error="skip", fit=fit)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            for _ in loader:
                break
        alive = sum(type(thing) is Pipeline for thing in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 1  # the last one, while the loader refers to it


def test_views_of_memory_may_die_together_with_an_error(data, tmp_path):
    """Python's collector crashes on a circle of a memoryview and its reader."""
    script = f"""
        import gc
        import dctload

        def circle():
            view = memoryview(open({data.name(0)!r}, "rb").read()[:-200])
            for read in (dctload.decode, lambda view: dctload.decode_many([view])):
                try:
                    read(view)
                except dctload.CorruptJPEGError as error:
                    kept = error

        for _ in range(20):
            circle()
            gc.collect()
        print("fine")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")


def test_batches_given_away_never_change(data):
    loader = DataLoader(data, 3, num_workers=4, seed=1)
    kept = [(x, x.clone()) for _ in range(4) for x, _ in loader]
    assert all(torch.equal(x, copy) for x, copy in kept)


def test_a_part_of_a_batch_keeps_its_memory(data):
    """A view of one sample must not be overwritten when the batch is let go."""
    loader = DataLoader(data, 4, num_workers=2, seed=1)
    kept = []
    for _ in range(3):
        for x, _ in loader:
            kept.append((x[1:2], x[1:2].clone()))
    assert all(torch.equal(view, copy) for view, copy in kept)


@pytest.mark.parametrize("layout", ["concat", "planes"])
def test_memory_that_was_let_go_is_used_again(data, layout):
    loader = DataLoader(data, 10, num_workers=1, layout=layout)
    addresses = set()
    for _ in range(20):
        for x, _ in loader:
            tensors = x if layout == "planes" else [x]
            addresses |= {tensor.data_ptr() for tensor in tensors}
    assert len(addresses) <= 8 * len(tensors)  # of 80 batches


def test_reused_buffers_are_few_and_stay_whole_for_a_while(data):
    loader = DataLoader(data, 4, num_workers=0, reuse_buffers=True, seed=1)
    want = [x.clone() for x, _ in DataLoader(data, 4, seed=1)]
    kept = []
    for x, expected in zip((x for x, _ in loader), want, strict=True):
        assert torch.equal(x, expected)
        kept.append(x)
    assert len({x.data_ptr() for x in kept}) < len(kept)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_several_iterations_of_several_loaders_do_not_disturb_each_other(
    data, num_workers
):
    one = DataLoader(data, 7, num_workers=num_workers)
    two = DataLoader(data, 5, num_workers=num_workers, shuffle=True, seed=2)
    outer = []
    for _, target in one:
        outer += target.tolist()
        assert sorted(targets(two)) == list(range(NUM))
        # The same loader within itself, whole and in part.
        assert targets(one) == list(range(NUM))
        next(iter(one))
    assert outer == list(range(NUM))


def test_loaders_in_several_threads_are_independent(data):
    results = []

    def run():
        results.append(targets(DataLoader(data, 3, num_workers=2)))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [list(range(NUM))] * 4


def test_waiting_longer_than_the_timeout_is_an_error(data, tmp_path):
    """A file that never comes: a named pipe nobody writes to."""
    fifo = tmp_path / "never.jpg"
    os.mkfifo(fifo)
    loader = DataLoader(Files([fifo], transform=T.RandomResizedCrop(32)), 1,
                        num_workers=1, timeout=0.3)  # fmt: skip
    start = time.monotonic()
    with pytest.raises((RuntimeError, OSError)):
        next(iter(loader))
    assert time.monotonic() - start < 20


# ---- processes ----


def in_child(function):
    """Run ``function`` in a forked child; returns its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if function() else 2
        finally:
            os._exit(status)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hang"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("num_workers", [0, 3])
def test_after_a_fork_the_child_has_threads_of_its_own(data, num_workers):
    loader = DataLoader(data, 4, num_workers=num_workers)
    iterator = iter(loader)
    next(iterator)

    def child():
        try:
            next(iterator)
        except RuntimeError as error:
            return "another process" in str(error) and targets(loader) == [*range(NUM)]
        return False

    assert in_child(child) == 0
    rest = [t for _, target in iterator for t in target.tolist()]
    assert rest == list(range(4, NUM))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_may_forget_the_parents_iteration(data):
    loader = DataLoader(data, 4, num_workers=2)
    holder = [iter(loader)]
    next(holder[0])

    def child():
        holder.clear()
        gc.collect()
        return True

    assert in_child(child) == 0
    assert len(list(holder[0])) == 9


def run_script(text, *arguments, **options):
    command = [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


SCRIPT = """
    import glob, sys, time
    from dctload import DataLoader, Files
    from dctload import transforms as T
    data = Files(sorted(glob.glob(sys.argv[1] + "/*")) * 50, transform=T.CenterCrop(64))
    loader = DataLoader(data, 4, num_workers=int(sys.argv[2]))
    iterator = iter(loader)
    next(iterator)
    print("ready", flush=True)
"""


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_interpreter_ends_in_the_middle_of_an_epoch(data, num_workers):
    folder = os.path.dirname(data.name(0))
    child = run_script(SCRIPT, folder, num_workers, stderr=subprocess.PIPE)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (0, "ready\n", "")


KINDS = {
    "in one go": {},
    "a sampler": {"sampler": range(NUM)},
    "planned in Python": {"fit": "pad", "transform": T.Resize(32)},
    "made in Python": {"transform": [lambda image: image, T.CenterCrop(64)]},
    "put on a device": {"device": "cpu"},
}


# In the callback of a weak reference Python itself swallows it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_after_ctrl_c_at_any_place_the_state_goes_on(data, kind, num_workers):
    """The iterator does not: a batch may be lost in it."""
    data = Files([data.name(i) for i in range(12)], transform=data.transform)
    options = {"num_workers": num_workers, **KINDS[kind]}
    if "sampler" in options:
        options["sampler"] = range(12)
    loader = DataLoader(data, 4, **options)
    again = DataLoader(data, 4, **options)
    for place in itertools.count(1):  # at 0 nothing has been begun
        loader.set_epoch(0)
        iterator = iter(loader)
        first = next(iterator)[1].tolist()
        if not interrupted(lambda: next(iterator), place, "dctload/data"):  # noqa: B023
            break
        with pytest.raises(RuntimeError, match="interrupted"):
            next(iterator)
        again.load_state_dict(loader.state_dict())
        assert first + targets(again) == list(range(12)), place
    assert place > 20


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_interpreter_ends_while_another_thread_iterates(data, num_workers):
    """A daemon thread may have an error then, but not free or used memory."""
    loop = """
        import threading
        begun = threading.Event()
        def iterate():
            while True:
                for _ in DataLoader(data, 64, num_workers=int(sys.argv[2])):
                    begun.set()
        threading.Thread(target=iterate, daemon=True).start()
        begun.wait()
        time.sleep(0.1)
    """
    folder = os.path.dirname(data.name(0))
    script = textwrap.dedent(SCRIPT) + textwrap.dedent(loop)
    for _ in range(3):
        child = run_script(script, folder, num_workers, stderr=subprocess.DEVNULL)
        child.communicate(timeout=30)
        assert child.returncode == 0


@pytest.mark.parametrize("num_workers", [0, 2])
def test_ctrl_c_stops_a_running_loader(data, num_workers):
    loop = textwrap.dedent(SCRIPT) + textwrap.dedent(
        """
        try:
            while True:
                for _ in loader:
                    pass
        except KeyboardInterrupt:
            print("interrupted", len(list(loader)), flush=True)
        """
    )
    folder = os.path.dirname(data.name(0))
    child = run_script(loop, folder, num_workers, stderr=subprocess.PIPE)
    child.stdout.readline()
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (0, "interrupted 500\n", "")


# ---- memory ----


@pytest.mark.parametrize("num_workers", [0, 2])
def test_memory_is_flat_over_200_epochs_with_early_breaks(data, num_workers):
    loader = DataLoader(data, 4, num_workers=num_workers, shuffle=True)

    def epochs(num):
        for epoch in range(num):
            for i, _ in enumerate(loader):
                if i == epoch % 11:
                    break

    epochs(60)
    gc.collect()
    before, objects = rss(), len(gc.get_objects())
    epochs(200)
    gc.collect()
    # Keeping the batches would take 29 MB; the allocators of a process that has run
    # a thousand tests before grow by up to 7 MB on their own.
    assert rss() - before < 12 << 20
    assert len(gc.get_objects()) - objects < 200


def test_errors_do_not_leak(data, tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8 no more")
    bad = Files([tmp_path / "x.jpg"] * 40, transform=data.transform)
    loader = DataLoader(bad, 4, num_workers=2)

    def epochs(num):
        for _ in range(num):
            with pytest.raises(Exception, match=r"x\.jpg"):
                list(loader)

    epochs(50)
    gc.collect()
    before = rss()
    epochs(200)
    gc.collect()
    # It levels off 2 MB higher, after some hundreds of epochs.
    assert rss() - before < 6 << 20
