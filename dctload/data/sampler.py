"""Which samples, in which order, on which rank: pure functions of a few integers.

An epoch's order is a permutation of the data set keyed by (seed, epoch). It is
computed where it is asked for, so it needs no memory, starts at any position
at once, and is the same whatever the number of threads or ranks.

A position counts samples of all ranks. Rank r of W takes the positions first +
r, first + r + W, ..., where first is where the epoch was begun (or resumed). So
what all ranks have consumed is a prefix of the order after every step, and a
run can go on with another batch size or number of ranks.
"""

import logging
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import RandomSampler, SequentialSampler

log = logging.getLogger("dctload")

Tail = Literal["pad", "drop", "uneven"]
Indices = npt.NDArray[np.int64]
UInts = npt.NDArray[np.uint64]

_MASK64 = (1 << 64) - 1
# Below this a permutation is made by sorting: a Feistel network is a poor
# shuffle of a handful of values, and a table of this size costs nothing.
_SORT_BELOW = 1 << 12
# Four rounds of a random function give a pseudorandom permutation (Luby and
# Rackoff); the round function here is only a good mixer, hence twice as many.
_ROUNDS = 8
# Positions computed at a time: NumPy's cost per call is spread over these.
_CHUNK = 4096


def mix64(value: int) -> int:
    """Scramble 64 bits: the finaliser of splitmix64, a bijection."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK64
    return value ^ (value >> 31)


def key(*parts: int) -> int:
    """Make one 64-bit key of several integers; their order matters."""
    result = 0
    for part in parts:
        result = mix64(result ^ mix64(part & _MASK64))
    return result


def _mix64_array(values: UInts) -> UInts:
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


class Permutation:
    """A keyed permutation of ``range(num)``, evaluated where asked.

    Uses O(1) memory: an alternating Feistel network on the smallest power of
    two that holds ``num``, where a value outside ``range(num)`` is sent through
    again until it falls inside (at most twice on average). Immutable, so it may
    be shared by threads.

    >>> order = Permutation(10, seed=7, epoch=0)
    >>> sorted(order.take(np.arange(10)).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    def __init__(self, num: int, seed: int, epoch: int):
        if num < 0:
            raise ValueError(f"num must be >= 0, got {num}")
        self.num = num
        base = key(seed, epoch)
        self._table: Indices | None = None
        if num <= _SORT_BELOW:
            counter = np.arange(num, dtype=np.uint64) + np.uint64(base)
            self._table = np.argsort(_mix64_array(counter), kind="stable")
            return
        bits = (num - 1).bit_length()
        self._low_bits = np.uint64(bits // 2)
        self._low = np.uint64((1 << (bits // 2)) - 1)
        self._high = np.uint64((1 << (bits - bits // 2)) - 1)
        self._keys = [np.uint64(key(base, i)) for i in range(_ROUNDS)]

    def take(self, positions: npt.NDArray[np.integer]) -> Indices:
        """Return the values at ``positions``, all within ``range(num)``."""
        if self._table is not None:
            values: Indices = self._table[positions]
            return values
        found = self._network(positions.astype(np.uint64))
        outside = np.flatnonzero(found >= self.num)
        while outside.size:
            found[outside] = self._network(found[outside])
            outside = outside[found[outside] >= self.num]
        return found.astype(np.int64)

    def _network(self, values: UInts) -> UInts:
        """One pass of the network: a bijection on the power of two."""
        low = values & self._low
        high: UInts = values >> self._low_bits
        for i, round_key in enumerate(self._keys):
            if i % 2:
                high ^= _mix64_array(low + round_key) & self._high
            else:
                low ^= _mix64_array(high + round_key) & self._low
        high <<= self._low_bits
        high |= low
        return high


def checked(indices: Any, num: int, giver: str) -> Indices:
    """Indices of the user's as an array, those below 0 counted from the end.

    Raises:
        IndexError: The data set has no such sample.
    """
    found: Indices = np.asarray(indices, dtype=np.int64)
    wrong = (found < -num) | (found >= num)
    if wrong.any():
        raise IndexError(
            f"{giver} gave index {found[wrong][0]} of a data set of {num} samples"
        )
    return np.where(found < 0, found + num, found)


def is_distributed() -> bool:
    """Whether torch.distributed is in use."""
    dist = torch.distributed
    return dist.is_available() and dist.is_initialized()


@dataclass(frozen=True)
class Shard:
    """This process's share of every epoch.

    Attributes:
        rank: Which of the shares, from 0.
        world_size: How many shares there are.
        tail: What happens to the samples that do not divide evenly. ``"pad"``
            repeats some from the start of the epoch's order, ``"drop"`` leaves
            them out: both give every rank the same number of batches.
            ``"uneven"`` gives every sample once, so some ranks get one more;
            for evaluation without collective calls.
    """

    rank: int = 0
    world_size: int = 1
    tail: Tail = "pad"

    def __post_init__(self) -> None:
        if self.world_size < 1:
            raise ValueError(f"world_size must be >= 1, got {self.world_size}")
        if not 0 <= self.rank < self.world_size:
            raise ValueError(
                f"rank must be in [0, world_size = {self.world_size}), got {self.rank}"
            )
        if self.tail not in get_args(Tail):
            raise ValueError(f"tail must be one of {get_args(Tail)}, got {self.tail!r}")

    @classmethod
    def from_torch(cls, tail: Tail = "pad") -> "Shard":
        """Take rank and world size from torch.distributed, if it is in use."""
        dist = torch.distributed
        if not is_distributed():
            return cls(tail=tail)
        return cls(dist.get_rank(), dist.get_world_size(), tail)

    def num_samples(self, left: int) -> int:
        """How many samples this rank takes of ``left`` that all share."""
        if self.tail == "drop":
            return left // self.world_size
        if self.tail == "pad":
            return -(-left // self.world_size)
        return max(0, -(-(left - self.rank) // self.world_size))

    def positions(self, num: int, first: int, start: int, stop: int) -> Indices:
        """Positions in the epoch's order of this rank's samples start to stop.

        Args:
            num: Samples in the data set.
            first: Position at which the ranks began to share.
            start: First of this rank's samples wanted, counted from ``first``.
            stop: One past the last.
        """
        mine = np.arange(start, stop, dtype=np.int64)
        mine *= self.world_size
        mine += first + self.rank
        if self.tail == "pad" and mine.size and mine[-1] >= num:
            past = mine >= num
            mine[past] = (mine[past] - num) % num
        return mine


class Order:
    """One rank's sequence of indices for one epoch, from some position on.

    Not thread-safe: it keeps the chunk it computed last.
    """

    def __init__(
        self,
        num: int,
        *,
        seed: int,
        epoch: int,
        shuffle: bool,
        shard: Shard | None = None,
        first: int = 0,
    ):
        if not 0 <= first <= num:
            raise ValueError(f"position must be in [0, {num}], got {first}")
        self.num, self.first = num, first
        self.shard = shard or Shard()
        self.num_samples = self.shard.num_samples(num - first)
        self._permutation = Permutation(num, seed, epoch) if shuffle else None
        self._chunk_start = 0
        self._chunk = np.empty(0, np.int64)

    def indices(self, start: int, stop: int) -> Indices:
        """This rank's samples ``start`` to ``stop``, cut off at its last one."""
        stop = min(stop, self.num_samples)
        begin = start - self._chunk_start
        if begin < 0 or stop - self._chunk_start > self._chunk.size:
            self._compute(start, max(stop, start + _CHUNK))
            begin = 0
        return self._chunk[begin : begin + stop - start]

    def position(self, taken: int) -> int:
        """Position over all ranks when each has taken ``taken`` samples."""
        return min(self.first + taken * self.shard.world_size, self.num)

    def _compute(self, start: int, stop: int) -> None:
        stop = min(stop, self.num_samples)
        positions = self.shard.positions(self.num, self.first, start, stop)
        take = self._permutation.take if self._permutation else np.asarray
        self._chunk_start, self._chunk = start, take(positions)


class _EpochOrder:
    """What the two samplers below share: the order of the current epoch."""

    def __init__(
        self,
        data_source: Sized,
        *,
        seed: int = 0,
        shuffle: bool,
        shard: Shard | None = None,
    ):
        self.data_source = data_source
        self.seed, self.shuffle = seed, shuffle
        self._shard = shard or Shard()
        self._follows_torch = False
        self._was_asked = False  # for its length or order
        self.epoch = 0
        # Until the loader has seen it; it counts epochs by itself.
        self.asked_epoch: int | None = None

    @property
    def shard(self) -> Shard:
        """This process's share."""
        if self._follows_torch and is_distributed():
            found = Shard.from_torch()
            if found != self._shard and self._was_asked:
                log.warning(
                    "torch.distributed came into use after the loader's length or an "
                    "epoch was asked for: from now on it gives share %d of %d",
                    found.rank,
                    found.world_size,
                )
            # Kept if the process group ends: an epoch more is like those before.
            self._shard = found
        return self._shard

    @shard.setter
    def shard(self, shard: Shard) -> None:
        self._shard, self._follows_torch = shard, False

    def follow_torch(self) -> None:
        """Let the share be torch.distributed's, from when that is in use.

        Scripts may make their loaders before they call ``init_process_group``.
        """
        self._follows_torch = True

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration gives."""
        self.epoch = self.asked_epoch = int(epoch)

    def order(self, epoch: int, first: int = 0) -> Order:
        """The order of ``epoch`` from position ``first`` on."""
        shard, self._was_asked = self.shard, True
        return Order(
            len(self.data_source),
            seed=self.seed,
            epoch=epoch,
            shuffle=self.shuffle,
            shard=shard,
            first=first,
        )

    def __iter__(self) -> Iterator[int]:
        order = self.order(self.epoch)
        for start in range(0, order.num_samples, _CHUNK):
            yield from order.indices(start, start + _CHUNK).tolist()

    def __len__(self) -> int:
        shard, self._was_asked = self.shard, True
        return shard.num_samples(len(self.data_source))


class ShuffledSampler(_EpochOrder, RandomSampler):
    """The keyed order as a torch sampler.

    It is a ``RandomSampler`` so that frameworks see that the loader shuffles.
    Unlike torch's it draws no random number: ``set_epoch`` chooses the order.
    """

    def __init__(self, data_source: Sized, seed: int = 0, shard: Shard | None = None):
        super().__init__(data_source, seed=seed, shuffle=True, shard=shard)
        self.replacement = False
        self._num_samples = None
        self.generator = None


class InOrderSampler(_EpochOrder, SequentialSampler):
    """The data set's own order, sharded, as a torch sampler."""

    def __init__(self, data_source: Sized, shard: Shard | None = None):
        super().__init__(data_source, shuffle=False, shard=shard)
