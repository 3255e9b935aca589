"""Where a loader's time goes, and what that says."""

import time
from dataclasses import dataclass, field

# A wait below this share of the time is no bottleneck.
_NOTABLE = 0.05


@dataclass
class LoaderStats:
    """What a loader has done since it was made, or since :meth:`reset`.

    Times of the threads are summed over the threads; the others are those of
    the thread that iterates. Counters grow; reading them costs nothing.

    Attributes:
        images: Samples delivered.
        batches: Batches delivered.
        files: Files that the threads have read, ahead of delivery.
        nbytes: Their bytes.
        converted: Images that took the slow way through Pillow: not JPEG, or
            CMYK. Each costs milliseconds of the iterating thread.
        slow: Images transformed in Python since a transform has no native plan.
        errors: Failures met, each time a file is met.
        replaced: Samples that another took the place of.
        skipped: Samples left out of their batch.
        bad_files: Name and reason of each file that failed, at most 1,000.
        read_s: Threads, reading files and headers. High: storage is slow.
        decode_s: Threads, decoding. What one wants to see high, as the next.
        transform_s: Threads, transforming.
        idle_s: Threads, without work. High: the consumer is slow, or ``depth``
            too small.
        python_s: Preparing and assembling batches. High: collate_fn, a slow data
            set, conversions.
        wait_for_producer_s: The consumer waiting for a batch. High: the loader
            binds; give it threads.
        wait_for_consumer_s: Between a batch and the request for the next. High:
            the training step binds, the loader is fast enough.
        depth: Batches in the pipeline at the last request.
        num_threads: Of the engine.
    """

    images: int = 0
    batches: int = 0
    files: int = 0
    nbytes: int = 0
    converted: int = 0
    slow: int = 0
    errors: int = 0
    replaced: int = 0
    skipped: int = 0
    bad_files: dict[str, str] = field(default_factory=dict)
    read_s: float = 0.0
    decode_s: float = 0.0
    transform_s: float = 0.0
    idle_s: float = 0.0
    python_s: float = 0.0
    wait_for_producer_s: float = 0.0
    wait_for_consumer_s: float = 0.0
    depth: int = 0
    num_threads: int = 0
    _engine: dict[str, int] = field(default_factory=dict, repr=False)

    def reset(self) -> None:
        """Forget everything but the number of threads."""
        fresh = LoaderStats(num_threads=self.num_threads, _engine=self._engine)
        vars(self).update(vars(fresh))

    def new_engine(self, num_threads: int) -> None:
        """From now on an engine counts that has counted nothing yet."""
        self.num_threads, self._engine = num_threads, {}

    def add_engine(self, now: dict[str, int]) -> None:
        """Add what the engine has counted since the last look at it."""
        before, self._engine = self._engine, now
        delta = {name: count - before.get(name, 0) for name, count in now.items()}
        self.read_s += delta["read_ns"] * 1e-9
        self.decode_s += (delta["work_ns"] - delta["transform_ns"]) * 1e-9
        self.transform_s += delta["transform_ns"] * 1e-9
        self.idle_s += delta["idle_ns"] * 1e-9
        self.files += delta["files"]
        self.nbytes += delta["in_nbytes"]

    @property
    def work_s(self) -> float:
        """Seconds of the threads, decoding and transforming."""
        return self.decode_s + self.transform_s

    @property
    def elapsed_s(self) -> float:
        """Seconds in and between the calls for batches."""
        return self.python_s + self.wait_for_producer_s + self.wait_for_consumer_s

    @property
    def images_per_s(self) -> float:
        """Samples delivered per second, the consumer's time included."""
        return self.images / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def mb_per_s(self) -> float:
        """Megabytes (10^6) of files read per second, the same way."""
        return self.nbytes / 1e6 / self.elapsed_s if self.elapsed_s else 0.0

    def bottleneck(self) -> str:
        """The stage that binds: consumer, python, read, work, or none."""
        total = self.elapsed_s
        if not total:
            return "none"
        shares = {
            "consumer": self.wait_for_consumer_s / total,
            "python": self.python_s / total,
            "producer": self.wait_for_producer_s / total,
        }
        largest = max(shares, key=lambda name: shares[name])
        if largest != "producer":
            return largest
        return "read" if self.read_s > self.work_s else "work"

    def advice(self) -> str:
        """One sentence: what binds and what to change."""
        wait = self.wait_for_producer_s / self.elapsed_s if self.elapsed_s else 0.0
        advice = {
            "none": "Nothing has been loaded yet.",
            "consumer": "The consumer binds: a faster loader would gain at most "
            f"{wait:.0%}.",
            "python": "Python in the iterating thread binds: collate_fn, a data set "
            "in Python, transforms without a native plan, or conversions "
            f"({self.converted + self.slow} images took a slow way).",
            "read": "Reading files binds: raise num_workers to read more at once, or "
            "move the data to faster storage.",
            "work": "Decoding and transforming bind: raise num_workers, up to the "
            "number of cores.",
        }
        if self.bottleneck() == "consumer" and wait < _NOTABLE:
            return "The consumer binds: the loader is fast enough."
        return advice[self.bottleneck()]

    def report(self) -> str:
        """A table of the times, and what binds."""
        total = self.elapsed_s or 1.0
        threads = max(self.read_s + self.work_s + self.idle_s, 1e-9)
        rows = [
            f"{self.images:,} images in {self.batches:,} batches, "
            f"{self.images_per_s:,.0f} images/s, {self.mb_per_s:,.1f} MB/s",
            "iterating thread",
            _row("waiting for batches", self.wait_for_producer_s, total),
            _row("python", self.python_s, total),
            _row("the consumer's", self.wait_for_consumer_s, total),
            f"{self.num_threads} threads, summed",
            _row("read", self.read_s, threads),
            _row("decode", self.decode_s, threads),
            _row("transform", self.transform_s, threads),
            _row("idle", self.idle_s, threads),
        ]
        if self.converted or self.slow:
            rows.append(
                f"{self.converted} converted, {self.slow} transformed in Python"
            )
        if self.errors:
            rows.append(
                f"{len(self.bad_files)} bad files: {self.errors} errors, "
                f"{self.replaced} samples replaced, {self.skipped} skipped"
            )
        return "\n".join([*rows, self.advice()])


def _row(what: str, seconds: float, total: float) -> str:
    return f"  {what:<22}{seconds:>10.2f} s {seconds / total:>6.0%}"


class Clock:
    """Splits the iterating thread's time between the three that share it."""

    def __init__(self, stats: LoaderStats):
        self._stats = stats
        self._last = time.perf_counter()

    def _lap(self) -> float:
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        return passed

    def consumer(self) -> None:
        """Account the time since the last call to the consumer."""
        self._stats.wait_for_consumer_s += self._lap()

    def python(self) -> None:
        """Account it to Python."""
        self._stats.python_s += self._lap()

    def producer(self) -> None:
        """Account it to waiting for the threads."""
        self._stats.wait_for_producer_s += self._lap()
