"""Order and sharding: pure functions, so every property is checked directly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctload.data.sampler import (
    _CHUNK,
    InOrderSampler,
    Order,
    Permutation,
    Shard,
    ShuffledSampler,
    key,
)

SIZES = [0, 1, 2, 3, 10, 4096, 4097, 5000, 8192, 8193, 100_003]


def whole(order):
    return order.indices(0, order.num_samples)


@pytest.mark.parametrize("num", SIZES)
def test_every_sample_comes_exactly_once(num):
    got = Permutation(num, seed=3, epoch=1).take(np.arange(num))
    np.testing.assert_array_equal(np.sort(got), np.arange(num))


@pytest.mark.parametrize("num", [10, 4097])
def test_order_depends_on_seed_and_on_epoch(num):
    orders = {
        tuple(Permutation(num, seed, epoch).take(np.arange(num)))
        for seed in (0, 1, -1, 2**63, 2**64 - 2)
        for epoch in range(3)
    }
    assert len(orders) == 15


def test_order_is_fixed_for_ever():
    """A changed order would void every state saved by an earlier version."""
    small = Permutation(10, seed=7, epoch=1).take(np.arange(10))
    large = Permutation(1_281_167, seed=7, epoch=1).take(np.arange(5))
    assert small.tolist() == [2, 8, 5, 4, 6, 0, 9, 1, 3, 7]
    assert large.tolist() == [641663, 819194, 1224977, 990531, 1098858]


@pytest.mark.parametrize("num", [8, 5000])
def test_first_place_goes_to_every_sample_equally(num):
    """Chi-square over 8 bins, bound at p = 1e-6: a biased shuffle is far off."""
    trials = 4000
    first = [
        int(Permutation(num, s, 0).take(np.zeros(1, int))[0]) for s in range(trials)
    ]
    counts = np.bincount(np.array(first) * 8 // num, minlength=8)
    assert ((counts - trials / 8) ** 2 / (trials / 8)).sum() < 42


@pytest.mark.parametrize("num", [4096, 5000, 65536, 100_003])
def test_neighbours_do_not_stay_neighbours(num):
    order = Permutation(num, seed=1, epoch=0).take(np.arange(num)).astype(float)
    correlation = np.corrcoef(order[:-1], order[1:])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(num)
    next_to_each_other = (np.abs(np.diff(order)) == 1).sum()
    assert next_to_each_other < 2 + 5 * np.sqrt(2)  # Poisson of mean 2


def test_a_permutation_is_evaluated_anywhere_without_its_beginning():
    num = 10**12
    got = Permutation(num, seed=0, epoch=0).take(np.array([0, num - 1, num // 2]))
    assert len(set(got.tolist())) == 3
    assert ((got >= 0) & (got < num)).all()


def test_key_tells_the_order_of_its_parts():
    assert len({key(1, 2), key(2, 1), key(1), key(0, 1, 2), key(-1, 2)}) == 5


@given(
    num=st.integers(0, 60),
    world=st.integers(1, 9),
    first=st.integers(0, 60),
    tail=st.sampled_from(["pad", "drop", "uneven"]),
)
def test_ranks_share_what_is_left_as_their_tail_policy_says(num, world, first, tail):
    first = min(first, num)
    shares = [
        whole(Order(num, seed=1, epoch=2, shuffle=True, shard=shard, first=first))
        for shard in (Shard(rank, world, tail) for rank in range(world))
    ]
    left = Permutation(num, 1, 2).take(np.arange(first, num)).tolist()
    sizes = {len(share) for share in shares}
    together = sorted(np.concatenate(shares).tolist())
    if tail == "uneven":
        assert together == sorted(left)
        assert max(sizes) - min(sizes) <= 1
    elif tail == "drop":
        assert sizes == {len(left) // world}
        assert together == sorted(left[: len(left) // world * world])
    else:
        assert sizes == {-(-len(left) // world)}
        assert set(left) <= set(together) <= set(range(num))


@pytest.mark.parametrize("world", [1, 2, 3])
def test_all_ranks_together_consume_a_prefix_after_every_step(world):
    num, batch = 23, 4
    order = Permutation(num, 5, 0).take(np.arange(num)).tolist()
    ranks = [
        Order(num, seed=5, epoch=0, shuffle=True, shard=Shard(r, world, "uneven"))
        for r in range(world)
    ]
    for step in range(-(-num // (batch * world))):
        seen = [i for o in ranks for i in o.indices(0, (step + 1) * batch).tolist()]
        assert sorted(seen) == sorted(order[: ranks[0].position((step + 1) * batch)])


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (3, 2), (2, 5)])
def test_another_number_of_ranks_goes_on_where_the_first_stopped(before, after):
    num, taken = 50, 6
    first = [
        Order(num, seed=0, epoch=0, shuffle=True, shard=Shard(r, before))
        for r in range(before)
    ]
    position = first[0].position(taken)
    second = [
        Order(
            num, seed=0, epoch=0, shuffle=True, shard=Shard(r, after, "uneven"),
            first=position,
        )
        for r in range(after)
    ]  # fmt: skip
    seen = [i for o in first for i in o.indices(0, taken).tolist()]
    seen += [i for o in second for i in whole(o).tolist()]
    assert sorted(seen) == list(range(num))


def test_padding_repeats_the_first_samples_as_torch_does():
    from torch.utils.data import DistributedSampler

    for rank in range(4):
        sampler = InOrderSampler(range(10), Shard(rank, 4))
        want = DistributedSampler(range(10), 4, rank, shuffle=False)
        assert list(sampler) == list(want)
        assert len(sampler) == len(want)


def test_more_ranks_than_samples_still_gives_each_the_same_number():
    shares = [list(InOrderSampler(range(2), Shard(rank, 5))) for rank in range(5)]
    assert shares == [[0], [1], [0], [1], [0]]


def test_chunks_do_not_show():
    order = Order(3 * _CHUNK + 5, seed=1, epoch=1, shuffle=True)
    want = Permutation(order.num, 1, 1).take(np.arange(order.num))
    pieces, start = [], 0
    for size in [7, _CHUNK - 3, 2 * _CHUNK, 1, 500]:
        pieces.append(order.indices(start, start + size))
        start += size
    np.testing.assert_array_equal(np.concatenate(pieces), want[:start])
    np.testing.assert_array_equal(order.indices(3, 9), want[3:9])
    assert order.indices(order.num, order.num + 9).size == 0


def test_a_sampler_repeats_its_epoch_and_set_epoch_changes_it():
    sampler = ShuffledSampler(range(100), seed=3)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert sorted(sampler) == list(range(100))
    assert len(sampler) == sampler.num_samples == 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0), "world_size must be >= 1, got 0"),
        ((2, 2), r"rank must be in \[0, world_size = 2\), got 2"),
        ((0, 1, "wrap"), "tail must be one of .*, got 'wrap'"),
    ],
)
def test_a_wrong_shard_is_refused_with_the_value_it_got(arguments, message):
    with pytest.raises(ValueError, match=message):
        Shard(*arguments)


def test_without_torch_distributed_there_is_one_shard():
    assert Shard.from_torch() == Shard(0, 1, "pad")
