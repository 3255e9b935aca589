"""Data sets behind URLs: equal to local ones, and errors that name the URL."""

import functools
import http.server
import os
import pickle
import tarfile
import threading
import time

import pytest
import torch
from conftest import jpeg_bytes, picture
from torch.utils.data import ConcatDataset, Subset

from dctload import DataLoader, Files, ImageFolder, TarShards
from dctload import transforms as T

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

pytestmark = pytest.mark.timeout(60)

NUM = 14
TRANSFORM = T.Compose([T.RandomResizedCrop(16), T.SelectFrequencies("6")])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two classes with folders in folders, and the same files in two archives."""
    root = tmp_path_factory.mktemp("served")
    for i in range(NUM):
        path = root / "photos" / ("a" if i % 2 else "b/in-b") / f"{i:02}.jpg"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(jpeg_bytes(picture(40 + i, 36, i)))
    for k in range(2):
        with tarfile.open(root / f"shard-{k}.tar", "w") as tar:
            for path in sorted(root.glob("photos/*/**/*.jpg"))[k::2]:
                tar.add(path, path.relative_to(root / "photos"))
    return root


class Handler(http.server.SimpleHTTPRequestHandler):
    """Python's own, which lists folders, with parts of files."""

    serves_parts = True

    def send_head(self):
        wanted = self.headers.get("Range")
        path = self.translate_path(self.path)
        if not wanted or not self.serves_parts or not os.path.isfile(path):
            return super().send_head()
        size = os.path.getsize(path)
        start, _, end = wanted.removeprefix("bytes=").partition("-")
        first, last = int(start), min(int(end or size - 1), size - 1)
        file = open(path, "rb")
        file.seek(first)
        self.send_response(206)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        self.copyfile = lambda source, out: out.write(source.read(last + 1 - first))
        return file

    def end_headers(self):
        self.send_header("Accept-Ranges", "bytes" if self.serves_parts else "none")
        super().end_headers()

    def log_message(self, *args):
        pass


class WholeFilesOnly(Handler):
    serves_parts = False


def serve(root, handler):
    handler = functools.partial(handler, directory=str(root))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def http_root(root):
    server = serve(root, Handler)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def memory_root(root):
    memory = fsspec.filesystem("memory")
    memory.put(str(root), "/served", recursive=True)
    yield "memory://served"
    memory.rm("/served", recursive=True)


@pytest.fixture(params=["file", "memory", "http"])
def url(request, root, http_root, memory_root):
    return {"file": f"file://{root}", "memory": memory_root, "http": http_root}[
        request.param
    ]


def epoch(data, **options):
    options = {"shuffle": True, "seed": 4, **options}
    batches = list(DataLoader(data, 4, **options))
    return torch.cat([x for x, _ in batches]), torch.cat([t for _, t in batches])


def assert_same(got, want):
    for a, b in zip(got, want, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_folder_is_the_same_wherever_it_is(root, url, num_workers):
    here = ImageFolder(root / "photos", TRANSFORM)
    there = ImageFolder(f"{url}/photos", TRANSFORM)
    assert there.classes == here.classes == ["a", "b"]
    assert there.targets == here.targets
    assert there.fingerprint() == here.fingerprint()
    assert_same(epoch(there, num_workers=num_workers), epoch(here))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_archives_are_the_same_wherever_they_are(root, url, num_workers):
    here = TarShards(root / "shard-*.tar", TRANSFORM)
    there = TarShards([f"{url}/shard-0.tar", f"{url}/shard-1.tar"], TRANSFORM)
    assert len(there) == NUM
    assert there.fingerprint() == here.fingerprint()
    assert_same(epoch(there, num_workers=num_workers), epoch(here))


def test_patterns_find_archives(root, url):
    shards = TarShards(f"{url}/shard-*.tar")
    assert [os.path.basename(path) for path in shards.shards] == [
        "shard-0.tar", "shard-1.tar",
    ]  # fmt: skip


def test_files_subsets_and_mixtures(root, http_root, memory_root):
    names = sorted(p.relative_to(root) for p in root.glob("photos/*/**/*.jpg"))
    here = Files([root / name for name in names], transform=TRANSFORM)
    bases = (http_root, memory_root, str(root))
    urls = [f"{bases[i % 3]}/{name}" for i, name in enumerate(names)]
    there = Files(urls, transform=TRANSFORM)
    assert_same(epoch(there, num_workers=1), epoch(here))
    both = [ConcatDataset([Subset(d, [3, 1]), here]) for d in (there, here)]
    assert_same(*(epoch(data, num_workers=1) for data in both))
    x, target = there[5]
    assert x.shape == (6, 2, 2)
    assert target == 5
    assert_same(epoch(pickle.loads(pickle.dumps(there))), epoch(here))


def test_a_run_goes_on_elsewhere(root, http_root):
    """The state is of the samples, not of where they are."""
    here = DataLoader(ImageFolder(root / "photos", TRANSFORM), 4, shuffle=True, seed=1)
    want = [t.tolist() for _, t in here]
    first = DataLoader(here.dataset, 4, shuffle=True, seed=1)
    next(iter(first))
    there = ImageFolder(f"{http_root}/photos", TRANSFORM)
    second = DataLoader(there, 4, shuffle=True, num_workers=2)
    second.load_state_dict(first.state_dict())
    assert [t.tolist() for _, t in second] == want[1:]


# ---- what goes wrong ----


def test_what_is_not_there_is_named(http_root):
    for make in (
        lambda: ImageFolder(f"{http_root}/nothing"),
        lambda: TarShards(f"{http_root}/nothing.tar"),
    ):
        with pytest.raises(OSError, match="nothing") as caught:
            make()
        assert caught.value.filename.startswith(http_root)


@pytest.mark.parametrize("other_formats", ["convert", "skip", "error"])
def test_a_file_that_is_gone_follows_the_policy(root, http_root, other_formats):
    names = [f"{http_root}/photos/a/{i:02}.jpg" for i in (1, 3, 5)]
    names[1] = f"{http_root}/photos/a/gone.jpg"
    data = Files(names, transform=TRANSFORM, other_formats=other_formats)
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg") as caught:
        list(DataLoader(data, 3, num_workers=1))
    assert caught.value.filename == names[1]
    loader = DataLoader(data, 3, on_error="skip")
    ((_, target),) = loader
    assert target.tolist() == [0, 2]
    assert list(loader.stats.bad_files) == [names[1]]
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg"):
        data[1]


def test_a_server_without_parts_of_files_is_found_out(root):
    server = serve(root, WholeFilesOnly)
    try:
        url = f"http://127.0.0.1:{server.server_port}/shard-0.tar"
        with pytest.raises((OSError, ValueError), match=r"shard-0\.tar"):
            list(DataLoader(TarShards([url], TRANSFORM), 4))
    finally:
        server.shutdown()
        server.server_close()


def test_a_server_that_goes_away_is_an_error_of_the_file(root):
    server = serve(root, Handler)
    base = f"http://127.0.0.1:{server.server_port}"
    data = ImageFolder(f"{base}/photos", TRANSFORM)
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match=r"photos/a/01\.jpg"):
        list(DataLoader(data, 4, num_workers=1))


def test_without_fsspec_a_url_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(ImportError, match=r"pip install 'dctload\[remote\]'"):
        ImageFolder("s3://bucket/train")


# ---- ahead of time ----


class Slow(Files):
    """Answers after a while, as the network does."""

    def fetch(self, indices):
        time.sleep(0.05)
        return super().fetch(indices)


def test_batches_are_fetched_while_others_are_waited_for(memory_root):
    names = [f"{memory_root}/photos/a/{i:02}.jpg" for i in range(1, NUM, 2)]
    data = Slow(names * 8, transform=TRANSFORM)  # 28 batches of 2
    loader = DataLoader(data, 2, num_workers=1)
    start = time.monotonic()
    got = [t for _, target in loader for t in target.tolist()]
    assert got == list(range(56))
    # One after the other they take 1.4 s; 16 are under way at a time.
    assert time.monotonic() - start < 1
    assert loader.stats.read_s > 1.4
    assert loader.stats.bottleneck() == "read"


def test_a_server_that_does_not_answer_is_not_waited_for_longer_than_allowed(root):
    class Silent(Handler):
        def do_GET(self):
            time.sleep(2)
            super().do_GET()

    server = serve(root, Silent)
    try:
        url = f"http://127.0.0.1:{server.server_port}/photos/a/01.jpg"
        loader = DataLoader(Files([url], transform=TRANSFORM), timeout=0.2)
        start = time.monotonic()
        iterator = iter(loader)
        with pytest.raises(RuntimeError, match=r"timed out after 0\.2 seconds"):
            next(iterator)
        assert time.monotonic() - start < 1.5
        iterator.close()
    finally:
        server.shutdown()
        server.server_close()


def test_leaving_early_drops_what_is_under_way(memory_root):
    names = [f"{memory_root}/photos/a/01.jpg"] * 4000
    data = Slow(names, transform=TRANSFORM)
    before = threading.active_count()
    for _ in range(3):
        iterator = iter(DataLoader(data, 2, num_workers=1))
        next(iterator)
        iterator.close()
        assert list(iterator) == []
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
