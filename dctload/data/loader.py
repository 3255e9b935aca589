"""The loader: torch's ``DataLoader`` with C threads in place of processes."""

import functools
import logging
import os
import weakref
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
import torch.utils.data

from .. import _engine
from ..info import Limits
from ..transforms import batched
from ._buffers import Buffers, Ring
from ._direct import DirectPipeline
from ._draws import Progress
from ._errors import ErrorPolicy, OnError
from ._fit import Fit, FitPlan
from ._iterator import BatchIterator, Repairs
from ._order import LoaderOrder, make_sampler
from ._pipeline import Pipeline
from ._slow import compose
from ._step import Settings
from .device import Ahead, indexed, side_stream
from .sampler import Shard
from .sources import as_source
from .sources.base import DEFAULTS, Layout, Options
from .timing import LoaderStats

log = logging.getLogger("dctload")

STATE_VERSION = 1
_DEFAULT_PREFETCH = 2
# Attributes that are of no effect later.
_DECIDED = frozenset(
    (
        "transform layout dtype memory_format apply_orientation seed shard on_error "
        "max_errors transform_on fit"
    ).split()
)
# Images under way for each thread: two rounds of the widest decoder's lanes.
_IMAGES_PER_THREAD = 32

TransformOn = Literal["host", "device"]

_default_collate = torch.utils.data.default_collate


class DataLoader(torch.utils.data.DataLoader[Any]):
    """Batches of DCT coefficients, with the interface of torch's loader.

    Takes every argument of ``torch.utils.data.DataLoader``; these mean the same
    but for what processes have and threads do not:

    - ``num_workers`` is the number of C threads that read, decode and transform.
      0: the iterating thread does it, when a batch is asked for.
    - ``prefetch_factor`` is the number of batches under way in all, 2 by default,
      and more where batches are so small that threads would run dry.
    - ``persistent_workers``, ``worker_init_fn`` and ``multiprocessing_context``
      change nothing: threads run no Python and are kept between epochs.
    - ``in_order=False`` is permission, not made use of.

    Batches are ``[x, target]``. ``x`` is a tensor ``(N, C, H / 8, W / 8)``, or with
    ``layout="planes"`` a pair, luma and chroma; channel j is the frequency that
    ``SelectFrequencies`` lists at j.

    Without a sampler, order, shares and augmentation are pure functions of
    (seed, epoch, index): every ``iter()`` is the next epoch, whatever the number of
    workers or ranks. With torch.distributed in use each rank gets its share, whether
    the loader was made before ``init_process_group`` or after it.

    Args:
        dataset: An ``ImageFolder``, ``Files``, ``TarShards``; torchvision's
            ``ImageFolder``; a ``Subset`` or ``ConcatDataset`` of these; a Hugging
            Face data set; or any whose samples are (JPEG bytes or path, target).
        batch_size: As in torch, like all that follow up to ``in_order``.
        shuffle: A new order each epoch.
        sampler: Indices from elsewhere.
        batch_sampler: Lists of indices from elsewhere.
        num_workers: Threads.
        collate_fn: Called with the list of samples (tensor, target).
        pin_memory: Batches in page-locked memory, if there is CUDA.
        drop_last: Leave out a last batch that is not full.
        timeout: Seconds after which waiting for a batch raises ``RuntimeError``.
        worker_init_fn: Never called.
        multiprocessing_context: Not used.
        generator: Its seed is the default of ``seed``.
        prefetch_factor: Batches under way.
        persistent_workers: Always so.
        pin_memory_device: Not used; memory is pinned for CUDA.
        in_order: Batches always come in order.
        transform: A dctload transform, in place of the data set's.
        layout: ``"concat"`` (default) or ``"planes"``, likewise, as the next three.
        dtype: Of ``x``; default ``torch.float32``.
        memory_format: ``torch.channels_last`` or ``torch.contiguous_format``.
        apply_orientation: Turn images upright as their EXIF data say; default True.
        seed: Of order and augmentation. None: from ``generator`` or torch's seed,
            with torch.distributed that of rank 0, which takes a collective call: as
            the loader is made, or else at the first ``iter()`` or ``state_dict()``.
        shard: This process's share; default what ``Shard.from_torch()`` gives when
            it is needed, if neither sampler is given.
        on_error: What to do about a file that cannot be read or decoded: ``"raise"``,
            ``"replace"`` it by another sample, always the same one, or ``"skip"`` it,
            which makes its batch shorter and moves no other sample.
        max_errors: How many files may fail, as a count, or as a float a share of
            the data set; then ``TooManyErrors``.
        device: Where batches are put, copied while the batch before is in use.
        transform_on: ``"host"`` (default) transforms on the threads and sends
            finished batches; ``"device"`` sends the coefficients that each crop can
            see and transforms them there, which leaves the CPU only the decoding.
        fit: What to do if sizes differ: ``"crop"`` to the smallest of the batch,
            ``"pad"`` to the largest, or give a ``"list"`` of tensors, each rounded
            up to whole blocks. Boxes, masks and keypoints get their image's size.
        reuse_buffers: A batch is overwritten some batches later. Saves memory
            only; batches that are let go are used again anyway. Of no effect with
            a CUDA ``device``.
        limits: Refuse larger images.

    Attributes:
        stats: What the loader has done and where the time went.

    One thread at a time; other loaders are independent. Iterators may be left at
    any point. After a fork, the child's ``iter()`` makes threads of its own.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: torch.Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        transform: Any = None,
        layout: Layout | None = None,
        dtype: torch.dtype | None = None,
        memory_format: torch.memory_format | None = None,
        apply_orientation: bool | None = None,
        seed: int | None = None,
        shard: Shard | None = None,
        on_error: OnError = "raise",
        max_errors: int | float | None = None,
        device: Any = None,
        transform_on: TransformOn = "host",
        fit: Fit | None = None,
        reuse_buffers: bool = False,
        limits: Limits | None = None,
    ):
        if fit is not None and fit not in get_args(Fit):
            raise ValueError(f"fit must be one of {get_args(Fit)}, got {fit!r}")
        if limits is not None and not isinstance(limits, Limits):
            raise TypeError(f"limits must be a dctload.Limits, got {limits!r}")
        _check_device(transform_on, device)
        options = Options(transform, layout, dtype, memory_format, apply_orientation)
        source = as_source(dataset, options)
        own = make_sampler(source, batch_size, shuffle, sampler, batch_sampler, shard)
        super().__init__(
            dataset,
            batch_size,
            None,
            sampler if own is None else own,
            batch_sampler,
            num_workers,
            collate_fn,
            pin_memory,
            drop_last,
            timeout,
            worker_init_fn,
            multiprocessing_context,
            generator,
            prefetch_factor=prefetch_factor,
            persistent_workers=persistent_workers,
            pin_memory_device=pin_memory_device,
        )
        # Under the names of the arguments: frameworks rebuild loaders by these.
        self.in_order = in_order
        self.transform, self.layout, self.dtype = transform, layout, dtype
        self.memory_format, self.apply_orientation = memory_format, apply_orientation
        self.seed, self.shard = seed, shard
        self.on_error, self.max_errors, self.fit = on_error, max_errors, fit
        self.device, self.reuse_buffers, self.limits = device, reuse_buffers, limits
        self.transform_on = transform_on

        self._options = options.over(source.options).over(DEFAULTS)
        self._plan = self._make_plan()
        if transform_on == "device":
            batched.check(self._plan)
        elif not self._plan.native:
            log.warning(
                "transforming in Python, many times slower: %s",
                "; ".join(self._plan.why_not),
            )
        self.stats = LoaderStats(num_threads=num_workers)
        self._policy = ErrorPolicy(on_error, max_errors, len(source), self.stats)
        self._source = source
        is_random = bool(shuffle or self._plan.num_draws)
        self._order = LoaderOrder(self, source, own, is_random)
        self._engine: Any = None
        self._memory: Buffers | None = None
        self._streams: dict[torch.device, Any] = {}
        self._fingerprint: str | None = None
        self._live: weakref.WeakSet[BatchIterator] = weakref.WeakSet()
        self._progress = Progress()
        self._start: Progress | None = None
        self._next_epoch = 0

    def __setattr__(self, name: str, value: Any) -> None:
        now = vars(self)
        if name in _DECIDED and "_next_epoch" in now and now[name] is not value:
            raise ValueError(f"{name} is decided when a DataLoader is made")
        super().__setattr__(name, value)

    # ---- iterating --------------------------------------------------------------

    def __iter__(self) -> Any:
        """Begin the next epoch, or go on where a loaded state says."""
        self._follow_sampler()
        start = self._start or Progress(self._next_epoch)
        self._start, self._next_epoch = None, start.epoch + 1
        self._progress = start
        draws, num_batches = self._order.draws(start)
        engine, depth = self._get_engine(), self._depth()
        settings = Settings(
            self._source,
            self._plan,
            self._order.seed(),
            bool(self._options.apply_orientation),
            depth,
            self.limits,
            self.timeout,
            self.transform_on == "device",
        )
        name, others = self._source.name, self._order.others
        repairs = Repairs(self._policy, self.stats, name, others)
        iterator = BatchIterator(
            self._make_pipeline(engine, settings, draws, repairs),
            num_batches,
            None if self._collates_by_default() else self.collate_fn,
            self._auto_collation,
            self._make_ahead(),
            start,
            functools.partial(self._received, start.epoch),
            self.stats,
            engine,
        )
        self._live.add(iterator)
        return iterator

    def close(self) -> None:
        """End all iterations and the threads. The loader can be used again."""
        for iterator in list(self._live):
            iterator.close()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def check_worker_number_rationality(self) -> None:
        """Nothing: torch's warning is about processes."""

    def set_epoch(self, epoch: int) -> None:
        """Make the next ``iter()`` that of ``epoch``. Not needed: epochs count up."""
        epoch = int(epoch)
        self._order.set_epoch(epoch)
        if self._start is not None and self._start.epoch == epoch:
            return
        self._start, self._next_epoch = None, epoch
        if not self._is_iterating():
            self._progress = Progress(epoch)

    @property
    def num_shares(self) -> int:
        """How many ranks share an epoch, as far as the loader knows."""
        return self._order.num_shares

    def reshard(self, shard: Shard) -> None:
        """Take another share from the next ``iter()`` on.

        Unless a seed was given, every rank has to call this, as they agree on one.
        """
        self._order.reshard(shard)

    @property
    def _is_accelerate_prepared(self) -> bool:
        """Asked for by ``accelerator.prepare``, which would rebuild the loader."""
        raise RuntimeError(
            "accelerator.prepare() would turn this loader into a plain torch loader, "
            "which decodes in Python, one image at a time. Use "
            "dctload.accelerate.prepare(accelerator, loader) for it, and "
            "accelerator.prepare() for the rest."
        )

    # ---- state --------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What the consumer has received, in JSON's types, of constant size.

        After an epoch's last batch it is the start of the next epoch, so no epoch
        comes out empty.
        """
        self._follow_sampler()
        progress = self._progress
        state = {
            "version": STATE_VERSION,
            "seed": self._order.seed(),
            "epoch": progress.epoch,
            "position": progress.position,
            "fingerprint": self._get_fingerprint(),
        }
        if self._order.foreign is not None:
            state["sampler"] = progress.sampler or self._order.foreign.at_start()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next ``iter()`` go on where ``state_dict`` was taken.

        Number of workers, batch size and number of ranks may differ; the seed
        becomes that of the state. With ``drop_last`` the rest of the epoch has no
        batch if less than a batch is left of it. Nothing is read or replayed, but for
        a sampler of the user's: one with ``state_dict`` and ``load_state_dict`` goes
        on by itself. Any other is asked again for all indices of the epoch, and must
        give the same ones: draw from the sampler's ``generator`` or torch's default
        one, whose state is kept, or from what ``set_epoch`` gave. If it gives others,
        the next ``iter()``'s first batch raises ``ValueError``.

        Raises:
            ValueError: The state is of another data set, order or version.
            RuntimeError: An iteration is under way, which would not be changed.
        """
        if self._is_iterating():
            raise RuntimeError(
                "load_state_dict() while an iteration is under way: load before "
                "iter(), or close() the iterator or the loader first"
            )
        version = state_dict.get("version")
        if version != STATE_VERSION:
            raise ValueError(f"state version must be {STATE_VERSION}, got {version}")
        found, own = state_dict["fingerprint"], self._get_fingerprint()
        if found != own:
            raise ValueError(
                "the state is of another data set or order: its fingerprint is "
                f"{found}, this loader's {own}"
            )
        seed = int(state_dict["seed"])
        if self.seed is not None and self.seed != seed:
            log.warning("seed=%d gives way to the state's %d", self.seed, seed)
        self._order.set_seed(seed)
        self._order.asked_epoch()  # from before
        start = Progress(
            int(state_dict["epoch"]),
            int(state_dict["position"]),
            state_dict.get("sampler"),
        )
        self._start = self._progress = start

    # ---- parts ----------------------------------------------------------------------

    def _received(self, epoch: int, progress: Progress | None) -> None:
        """The consumer has a batch, or, with None, has seen the end of an epoch."""
        if progress is not None:
            self._progress = progress
        elif self._progress.epoch == epoch:
            self._progress = Progress(epoch + 1)

    def _make_pipeline(
        self, engine: Any, settings: Settings, draws: Any, repairs: Repairs
    ) -> Any:
        """What turns draws into batches."""
        buffers = self._buffers(settings.depth)
        parts = engine, settings, buffers, draws, repairs.repair, self.stats
        recipe = None
        if not settings.on_device:
            recipe = settings.plan.recipe(settings.upright)
        if recipe is None:
            return Pipeline(*parts)
        return DirectPipeline(*parts, recipe=recipe)

    def _make_plan(self) -> Any:
        options = self._options
        transforms = compose(options.transform)
        how = str(options.layout), options.dtype, options.memory_format
        if self.fit is not None:
            return FitPlan(transforms, self.fit, *how)
        return transforms.plan(*how)

    def _follow_sampler(self) -> None:
        """Scripts choose an epoch by ``loader.sampler.set_epoch()``, too."""
        epoch = self._order.asked_epoch()
        if epoch is not None:
            self.set_epoch(epoch)

    def _is_iterating(self) -> bool:
        return any(not iterator.closed for iterator in self._live)

    def _collates_by_default(self) -> bool:
        return self._auto_collation and self.collate_fn is _default_collate

    def _depth(self) -> int:
        """Batches under way: enough that no thread runs dry."""
        if self.num_workers == 0:
            return 1
        size = self.batch_size or getattr(self.batch_sampler, "batch_size", None) or 1
        enough = -(-_IMAGES_PER_THREAD * self.num_workers // size)
        return max(self.prefetch_factor or _DEFAULT_PREFETCH, enough)

    def _make_ahead(self) -> Ahead | None:
        """What copies batches to the device, all on one stream."""
        if self.device is None:
            return None
        device = indexed(self.device)
        if device not in self._streams:
            self._streams[device] = side_stream(device)
        return Ahead(device, self._streams[device])

    def _buffers(self, depth: int) -> Buffers:
        """Memory for the batches under way and the one in use, kept over epochs."""
        if self._memory is not None:
            return self._memory
        to_cuda = torch.device(self.device or "cpu").type == "cuda"
        wanted = self.pin_memory or to_cuda
        packs = self.transform_on == "device"
        # Torch knows when a copy out of page-locked memory has ended, a ring does
        # not; and packed batches have no size of their own.
        kind = Ring if self.reuse_buffers and not (to_cuda or packs) else Buffers
        options = self._options
        memory = kind(
            torch.uint8 if packs else options.dtype or torch.float32,
            # In use, under way, and one that is being made.
            depth + 2,
            pin=wanted and torch.cuda.is_available(),
            channels_last=options.memory_format is torch.channels_last and not packs,
        )
        if kind is Buffers:  # a ring is for one iteration
            self._memory = memory
        return memory

    def _get_engine(self) -> Any:
        """Threads of this process."""
        if self._engine is None or self._engine.pid != os.getpid():
            self._engine = _engine.Engine(self.num_workers)
            self.stats.new_engine(self.num_workers)
        return self._engine

    def _get_fingerprint(self) -> str:
        if self._fingerprint is None:
            self._fingerprint = f"{self._source.fingerprint()}-{self._order.kind()}"
        return self._fingerprint

    def __getstate__(self) -> dict[str, Any]:
        """Without threads and iterations: a copy starts where this one stands."""
        gone = ("_engine", "_live", "_plan", "_memory")
        return {**vars(self), **dict.fromkeys(gone), "_streams": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._live, self._plan = weakref.WeakSet(), self._make_plan()


def _check_device(transform_on: str, device: Any) -> None:
    if transform_on not in get_args(TransformOn):
        raise ValueError(
            f"transform_on must be one of {get_args(TransformOn)}, got {transform_on!r}"
        )
    if device is not None:
        torch.device(device)  # raises what an iteration would
    if transform_on == "device" and device is None:
        raise ValueError('transform_on="device" needs a device, e.g. device="cuda"')
