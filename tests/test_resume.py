"""Order, shares and randomness of the loader, and going on after a stop."""

import contextlib
import json
import random
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from conftest import jpeg_bytes, picture
from torch.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from dctload import DataLoader, Files
from dctload import transforms as T
from dctload.data import Shard

pytestmark = pytest.mark.timeout(120)

N, BATCH, EPOCHS = 10, 4, 2  # 3 batches an epoch, the last one short
RANDOM = T.Compose([T.RandomResizedCrop(16), T.SelectFrequencies("6")])


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    root = tmp_path_factory.mktemp("ten")
    for i in range(N):
        (root / f"{i}.jpg").write_bytes(jpeg_bytes(picture(40 + i, 36, i)))
    return [root / f"{i}.jpg" for i in range(N)]


@pytest.fixture
def make(paths):
    """make(...) is a loader of the ten files; their targets are their numbers."""

    def build(batch_size=BATCH, **options):
        options = {"shuffle": True, "seed": 7, **options}
        return DataLoader(Files(paths, transform=RANDOM), batch_size, **options)

    return build


def take(loader, batches):
    """The next ``batches`` batches, crossing epoch ends as training does."""
    out = []
    while len(out) < batches:
        for x, target in loader:
            out.append((target.tolist(), x))
            if len(out) == batches:
                break
    return out


def assert_same(got, want):
    assert [targets for targets, _ in got] == [targets for targets, _ in want]
    for (_, x), (_, y) in zip(got, want, strict=True):
        assert torch.equal(x, y)


def samples(batches):
    """{(target, content)} whatever the batches."""
    return [
        (target, x[i].numpy().tobytes())
        for targets, x in batches
        for i, target in enumerate(targets)
    ]


def through_json(state):
    return json.loads(json.dumps(state))


# ---- the contract ----


@pytest.mark.parametrize("workers_after", [0, 1, 4])
@pytest.mark.parametrize("stop", range(3 * EPOCHS + 1))
def test_resume_anywhere_repeats_nothing(make, stop, workers_after):
    """Stopping after any batch, even on an epoch's edge, changes nothing seen.

    The state goes through JSON and a loader with another number of workers:
    neither may matter.
    """
    want = take(make(num_workers=4), 3 * EPOCHS)

    first = make(num_workers=4)
    seen = take(first, stop)
    state = through_json(first.state_dict())

    second = make(num_workers=workers_after)
    second.load_state_dict(state)
    assert_same(seen + take(second, 3 * EPOCHS - stop), want)


@pytest.mark.parametrize("stop", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("batch_after", [1, 3, 10])
def test_resume_with_another_batch_size_gives_the_rest_of_the_epoch(
    make, stop, batch_after
):
    want = samples(take(make(), 3 * EPOCHS))
    first = make()
    seen = samples(take(first, stop))
    second = make(batch_after)
    second.load_state_dict(through_json(first.state_dict()))
    epochs_left = EPOCHS - stop // 3
    rest = []
    for _ in range(epochs_left):
        rest += samples((t.tolist(), x) for x, t in second)
    assert seen + rest == want


def test_less_than_a_larger_batch_is_left_out_with_drop_last(make):
    loader = make(seed=3)
    for _ in zip(range(2), loader, strict=False):
        state = loader.state_dict()
    again = make(batch_size=7, drop_last=True)
    again.load_state_dict(state)
    iterator = iter(again)
    assert len(iterator) == 0
    assert list(iterator) == []
    assert again.state_dict()["epoch"] == 1
    assert len(list(again)) == len(again) > 0


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (2, 3), (5, 2)])
def test_resume_with_another_number_of_ranks_loses_and_repeats_nothing(
    make, before, after
):
    first = [make(1, shard=Shard(r, before)) for r in range(before)]
    seen = [s for loader in first for s in samples(take(loader, 1))]
    states = [through_json(loader.state_dict()) for loader in first]
    assert all(state == states[0] for state in states)
    second = [make(2, shard=Shard(r, after, "uneven")) for r in range(after)]
    for loader in second:
        loader.load_state_dict(states[0])
        seen += samples((t.tolist(), x) for x, t in loader)
    assert sorted(seen) == sorted(samples(take(make(), 3)))


def test_a_state_is_json_of_constant_size(make):
    loader = make()
    assert set(loader.state_dict()) == {
        "version", "seed", "epoch", "position", "fingerprint",
    }  # fmt: skip
    sizes = set()
    for _ in loader:
        state = loader.state_dict()
        assert through_json(state) == state
        sizes.add(len(json.dumps(state)))
    assert len(sizes) == 1


def test_a_state_is_what_was_received_not_what_was_read_ahead(make):
    loader = make(2, num_workers=2, prefetch_factor=8)
    positions = []
    for _ in loader:
        state = loader.state_dict()
        positions.append((state["epoch"], state["position"]))
    assert positions == [(0, 2), (0, 4), (0, 6), (0, 8), (1, 0)]


def test_no_epoch_comes_out_empty_after_a_stop_at_its_end(make):
    loader = make()
    for _ in loader:
        state = loader.state_dict()
    resumed = make()
    resumed.load_state_dict(state)
    assert len(list(resumed)) == 3


def test_an_iterator_knows_how_many_batches_are_left(make):
    loader = make()
    take(loader, 1)
    resumed = make()
    resumed.load_state_dict(loader.state_dict())
    assert len(resumed) == 3
    assert len(iter(resumed)) == 2


def test_loading_under_way_is_refused_not_ignored(make):
    loader = make()
    state = loader.state_dict()
    iterator = iter(loader)
    with pytest.raises(RuntimeError, match=r"while an iteration is under way"):
        loader.load_state_dict(state)
    iterator.close()
    loader.load_state_dict(state)


def test_the_state_of_another_data_set_or_order_is_refused(make, paths):
    state = make().state_dict()
    other = DataLoader(Files(paths[::-1], transform=RANDOM), BATCH, shuffle=True)
    for loader in (other, make(shuffle=False), make(shuffle=None, sampler=range(N))):
        with pytest.raises(ValueError, match="of another data set or order"):
            loader.load_state_dict(state)
    with pytest.raises(ValueError, match="state version must be 1, got 2"):
        make().load_state_dict({**state, "version": 2})


def test_a_state_brings_its_seed(make):
    first = make(seed=None)
    want = take(first, 6)
    again = make(seed=None)
    again.load_state_dict({**first.state_dict(), "epoch": 0, "position": 0})
    assert_same(take(again, 6), want)


# ---- order and randomness ----


def test_every_epoch_has_a_new_order_and_each_sample_once(make):
    loader = make()
    epochs = [[t for x, targets in loader for t in targets.tolist()] for _ in range(4)]
    assert all(sorted(epoch) == list(range(N)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_break_abandons_the_epoch(make):
    loader = make()
    for _ in loader:
        break
    assert_same(take(loader, 3), take(make(), 6)[3:])


# As loaders of dctload have it, and as scripts for torch's do it.
SET_EPOCH = {
    "loader": lambda loader, epoch: loader.set_epoch(epoch),
    "sampler": lambda loader, epoch: loader.sampler.set_epoch(epoch),
    "batch_sampler": lambda loader, epoch: loader.batch_sampler.sampler.set_epoch(
        epoch
    ),
}


@pytest.mark.parametrize("way", SET_EPOCH)
def test_set_epoch_chooses_the_next_epoch(make, way):
    loader = make()
    SET_EPOCH[way](loader, 1)
    assert loader.state_dict()["epoch"] == 1
    assert_same(take(loader, 3), take(make(), 6)[3:])
    SET_EPOCH[way](loader, 1)
    assert_same(take(loader, 3), take(make(), 6)[3:])
    assert loader.state_dict()["epoch"] == 2


@pytest.mark.parametrize("way", SET_EPOCH)
def test_set_epoch_of_the_epoch_resumed_keeps_the_position(make, way):
    """Trainers call it at the start of every epoch, the resumed one too."""
    loader = make()
    seen = take(loader, 4)
    resumed = make()
    SET_EPOCH[way](resumed, 0)
    resumed.load_state_dict(loader.state_dict())
    SET_EPOCH[way](resumed, 1)
    assert_same(seen + take(resumed, 2), take(make(), 6))


def test_augmentation_depends_on_seed_epoch_and_index_alone(make):
    """Neither workers, batch size, shares nor order change what a sample is."""
    want = sorted(samples(take(make(), 3)))
    loaders = [
        [make(3, num_workers=3)],
        [make(1)],
        [make(shuffle=False)],
        [make(3, shard=Shard(r, 3, "uneven")) for r in range(3)],
        [make(shuffle=False, sampler=SubsetRandomSampler(range(N)))],
    ]
    for ranks in loaders:
        got = samples((t.tolist(), x) for loader in ranks for x, t in loader)
        assert sorted(got) == want
    assert sorted(samples(take(make(seed=8), 3))) != want
    assert sorted(samples(take(make(), 6)[3:])) != want


def test_samples_that_a_sampler_repeats_are_augmented_differently(make):
    loader = make(6, shuffle=False, sampler=[3, 3, 3, 5, 3, 5])
    got = samples(take(loader, 1))
    assert len(set(got)) == 6
    assert samples(take(make(6, shuffle=False, sampler=[3, 3, 3, 5, 3, 5]), 1)) == got


@pytest.mark.parametrize("tail", ["pad", "drop", "uneven"])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("world", [2, 3, 4])
def test_ranks_have_the_number_of_batches_that_their_length_says(
    make, tail, drop_last, world
):
    loaders = [
        make(2, shard=Shard(r, world, tail), drop_last=drop_last) for r in range(world)
    ]
    batches = [[t.tolist() for _, t in loader] for loader in loaders]
    assert [len(b) for b in batches] == [len(loader) for loader in loaders]
    got = sorted(t for rank in batches for batch in rank for t in batch)
    if tail == "pad" and not drop_last:
        assert set(got) == set(range(N))
    if tail == "uneven" and not drop_last:
        assert got == list(range(N))
    if tail != "uneven":
        assert len({len(b) for b in batches}) == 1


def test_seed_none_takes_the_generators_or_torchs(make):
    def order(**options):
        return [targets for targets, _ in take(make(seed=None, **options), 3)]

    one = torch.Generator().manual_seed(1)
    assert order(generator=one) == order(generator=torch.Generator().manual_seed(1))
    assert order(generator=one) != order(generator=torch.Generator().manual_seed(2))
    torch.manual_seed(3)
    first = order()
    torch.manual_seed(3)
    assert order() == first
    before = torch.get_rng_state()
    order()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_shard_beside_a_sampler_is_refused(make):
    with pytest.raises(ValueError, match="the sampler shares"):
        make(shuffle=None, sampler=range(N), shard=Shard(0, 2))


# ---- samplers of others ----


class Counting:
    """A sampler with a state of its own."""

    def __init__(self):
        self.at = 0

    def __len__(self):
        return N

    def __iter__(self):
        while self.at < N:
            self.at += 1
            yield (self.at * 3) % N
        self.at = 0

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


FOREIGN = {
    "negative": lambda: {"sampler": [-1, -2, 3, 4, -5, 5, 6, 7]},
    "list": lambda: {"sampler": [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]},
    "random": lambda: {"sampler": RandomSampler(range(N))},
    "random-generator": lambda: {
        "sampler": RandomSampler(range(N), generator=generator())
    },
    "subset": lambda: {"sampler": SubsetRandomSampler(range(N), generator=generator())},
    "weighted": lambda: {"sampler": WeightedRandomSampler([1.0] * N, N)},
    "distributed": lambda: {"sampler": DistributedSampler(range(2 * N), 2, 1, seed=3)},
    "own-state": lambda: {"sampler": Counting()},
    "batches": lambda: {"batch_sampler": [[1, 2, 3, 4], [5, 6], [7, 8, 9, 0]]},
    "random-batches": lambda: {
        "batch_sampler": BatchSampler(RandomSampler(range(N)), BATCH, False)
    },
}


@pytest.mark.parametrize("stop", range(7))
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_sampler_resumes_too(paths, kind, stop):
    def build():
        torch.manual_seed(21)
        options = FOREIGN[kind]()
        size = {} if "batch_sampler" in options else {"batch_size": BATCH}
        if kind == "distributed":
            data = Files([*paths, *paths], transform=RANDOM)
        else:
            data = Files(paths, transform=RANDOM)
        return DataLoader(data, num_workers=2, seed=1, **size, **options)

    want = take(build(), 6)
    first = build()
    seen = take(first, stop)
    state = through_json(first.state_dict())
    # Torch's own generator is for the user to restore, as trainers do.
    rng = torch.get_rng_state()

    second = build()
    torch.set_rng_state(rng)
    second.load_state_dict(state)
    assert_same(seen + take(second, 6 - stop), want)


class Buckets(torch.utils.data.Sampler):
    """Draws from Python's generator, which nobody restores."""

    def __len__(self):
        return N

    def __iter__(self):
        order = list(range(N))
        random.shuffle(order)
        yield from order


@pytest.mark.parametrize("batches", [False, True])
def test_a_sampler_that_gives_other_indices_again_is_found_out(paths, batches):
    def build(seed):
        random.seed(seed)
        sampler = Buckets()
        if batches:
            order = {"batch_sampler": BatchSampler(sampler, BATCH, False)}
        else:
            order = {"sampler": sampler, "batch_size": BATCH}
        return DataLoader(Files(paths, transform=RANDOM), **order)

    first = build(1)
    seen = take(first, 2)
    state = through_json(first.state_dict())
    again = build(1)
    again.load_state_dict(state)
    random.seed(1)
    assert_same(seen + take(again, 1), take(build(1), 3))
    other = build(1)
    other.load_state_dict(state)
    random.seed(2)
    with pytest.raises(ValueError, match="does not give the indices again"):
        next(iter(other))


# ---- kill ----

CHILD = textwrap.dedent(
    """
    import json, os, sys
    import numpy as np
    from dctload import DataLoader, Files
    from dctload import transforms as T

    folder, state, log, num = sys.argv[1:]
    paths = [os.path.join(folder, f"{i}.jpg") for i in range(10)]
    data = Files(paths, transform=T.RandomResizedCrop(16))
    loader = DataLoader(data, 3, shuffle=True, seed=9, num_workers=2)
    if os.path.exists(state):
        loader.load_state_dict(json.load(open(state)))
    done = 0
    print("ready", flush=True)
    while done < int(num):
        for x, target in loader:
            line = json.dumps([target.tolist(), float(x.double().sum())])
            # One write, then one rename: a kill falls before or after each.
            new = {"state": loader.state_dict(), "line": line}
            with open(log, "a") as f:
                f.write(json.dumps(new) + "\\n")
            done += 1
            if done == int(num):
                break
    """
)


def killed_run(folder, tmp_path, num, kills, seed):
    """The lines of a run that is killed and goes on by its log; kills that hit."""
    rng = np.random.default_rng(seed)
    state, log = tmp_path / f"state{seed}", tmp_path / f"log{seed}"
    lines, hits = [], 0
    while len(lines) < num:
        left = num - len(lines)
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(state), str(log), str(left)],
            stdout=subprocess.PIPE,
        )
        child.stdout.readline()
        if hits < kills:
            # Up to twice what a whole run takes: anywhere in it.
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(rng.uniform(0, 0.0008 * num))
            child.kill()
        child.communicate(timeout=60)
        assert child.returncode in (0, -signal.SIGKILL)
        hits += child.returncode != 0
        text = log.read_text() if log.exists() else ""
        lines = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        log.write_text("".join(json.dumps(line) + "\n" for line in lines))
        if lines:
            state.write_text(json.dumps(lines[-1]["state"]))
    return [line["line"] for line in lines], hits


def check_kills(folder, tmp_path, kills):
    num = 400
    want, _ = killed_run(folder, tmp_path, num, 0, 10**6)
    seed = 0
    while kills > 0:
        got, hits = killed_run(folder, tmp_path, num, kills, seed)
        assert got == want
        kills -= hits
        seed += 1


def test_a_run_that_is_killed_repeats_and_loses_nothing(paths, tmp_path):
    check_kills(paths[0].parent, tmp_path, 2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_kills_repeat_and_lose_nothing(paths, tmp_path):
    check_kills(paths[0].parent, tmp_path, 100)
