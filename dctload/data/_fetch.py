"""The compressed images of batches, in order, and ahead of time where that helps."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

from ._step import Draw
from .sources.base import Inputs, Source
from .timing import Clock, LoaderStats

# Remote files under way at a time: latencies overlap within a batch, and beyond it
# if it is small.
_REMOTE_IMAGES = 256
_REMOTE_BATCHES = 2, 16


class Fetcher:
    """Asks a source for the images of draws.

    A local source answers at once, with paths or addresses. A remote one is asked
    in threads, a few batches ahead.
    """

    def __init__(
        self,
        source: Source,
        draws: Iterator[Draw],
        stats: LoaderStats,
        timeout: float = 0,
    ):
        self._source, self._draws, self._stats = source, draws, stats
        self._timeout = timeout or None
        self._under_way: deque[tuple[Draw | None, Future[Inputs]]] = deque()
        self._pool: ThreadPoolExecutor | None = None

    def next(self, clock: Clock) -> tuple[Draw, Inputs] | None:
        """The next draw and its images; None after the last one."""
        if self._source.is_remote:
            return self._next_remote(clock)
        draw = next(self._draws, None)
        return None if draw is None else (draw, self._source.fetch(draw.indices))

    def close(self) -> None:
        """Drop what is under way. Safe to call again."""
        self._draws = iter(())
        self._under_way.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _next_remote(self, clock: Clock) -> tuple[Draw, Inputs] | None:
        ahead = 1
        while len(self._under_way) < ahead:
            try:
                draw = next(self._draws, None)
            except Exception as error:  # raised after the batches before it
                failed: Future[Inputs] = Future()
                failed.set_exception(error)
                self._under_way.append((None, failed))
                break
            if draw is None:
                break
            least, most = _REMOTE_BATCHES
            ahead = min(max(_REMOTE_IMAGES // len(draw.indices), least), most)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(ahead, "dctload-fetch")
            self._under_way.append((draw, self._pool.submit(self._timed, draw)))
        if not self._under_way:
            return None
        draw, future = self._under_way[0]
        clock.python()
        if not wait([future], self._timeout).done:
            clock.producer()
            raise RuntimeError(f"DataLoader timed out after {self._timeout:g} seconds")
        clock.producer()
        self._under_way.popleft()
        inputs = future.result()
        assert draw is not None
        return draw, inputs

    def _timed(self, draw: Draw) -> Inputs:
        start = time.perf_counter()
        inputs = self._source.fetch(draw.indices)
        self._stats.read_s += time.perf_counter() - start
        return inputs
