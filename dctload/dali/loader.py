"""The loader on top of a DALI pipeline: dctload's order, DALI's threads and copies."""

from typing import Any

import torch

from ..data._buffers import Buffers
from ..data.device import indexed
from ..data.loader import DataLoader
from ..data.sources import ImageFolder
from . import _plugin
from ._pipeline import DaliPipeline
from ._recipe import Recipe

_TIMES = ("read_ns", "work_ns", "idle_ns", "transform_ns")


class _Counters:
    """In the engine's place: DALI's threads do not say how long they worked."""

    num_threads = 0

    def __init__(self) -> None:
        self.files = self.in_nbytes = 0

    def stats(self) -> dict[str, int]:
        """What ``LoaderStats.add_engine`` takes."""
        counts = {"files": self.files, "in_nbytes": self.in_nbytes}
        return {**dict.fromkeys(_TIMES, 0), **counts}

    def close(self) -> None:
        """Nothing to close."""


class DALILoader(DataLoader):
    """Batches of DCT coefficients, made by a DALI pipeline.

    Takes the arguments of :class:`dctload.DataLoader` and gives the same batches, bit
    for bit: order, shares, augmentation and ``state_dict()`` are the same functions of
    (seed, epoch, index). What differs is who does the work: DALI's threads read and
    decode, and with a CUDA ``device`` DALI copies, from memory that it has pinned.

    Args:
        dataset: As for ``DataLoader``; or a folder of class folders, for
            ``dctload.ImageFolder``.
        *args: As for ``DataLoader``.
        **options: Likewise. ``num_workers`` is the number of DALI's threads, at least
            1; ``prefetch_factor`` the depth of its queue, 2 by default; ``timeout``
            changes nothing. ``fit`` and ``transform_on="device"`` cannot be had, and
            ``dtype`` cannot be bfloat16, which DALI lacks.

    Transforms may be ``RandomResizedCrop``; or ``Resize`` to a height and a width; or
    ``Resize`` to one number and a ``CenterCrop`` that is not larger; then
    ``RandomHorizontalFlip``; and ``SelectFrequencies`` and ``Normalize``. For others
    use ``DataLoader``, or :func:`dctload.dali.source`.

    Raises:
        ImportError: There is no operator for the DALI that is installed.
        TypeError: A transform or option that a pipeline cannot carry out.
    """

    def __init__(self, dataset: Any, *args: Any, **options: Any):
        _plugin.load()
        if options.get("fit") is not None:
            raise TypeError("DALILoader has no fit: all samples have one size")
        if options.get("transform_on", "host") == "device":
            raise TypeError(
                "DALILoader has no transform_on='device': its operator transforms on "
                "the host; use DataLoader"
            )
        if isinstance(dataset, (str, bytes)) or hasattr(dataset, "__fspath__"):
            dataset = ImageFolder(dataset)
        super().__init__(dataset, *args, **options)
        self._recipe = Recipe.of(self._plan, bool(self._options.apply_orientation))
        self._max_batch_size()

    def _max_batch_size(self) -> int:
        """What the pipeline has to be ready for."""
        if self.batch_size is not None:
            return int(self.batch_size)
        size = getattr(self.batch_sampler, "batch_size", None)
        if size is None and self.batch_sampler is not None:
            raise TypeError(
                "DALI has to know the largest batch: give the batch_sampler an "
                "attribute batch_size"
            )
        return int(size or 1)

    def _get_engine(self) -> Any:
        if self._engine is None:
            self._engine = _Counters()
            self.stats.new_engine(max(self.num_workers, 1))
        return self._engine

    def _depth(self) -> int:
        return self.prefetch_factor or 2

    def _buffers(self, depth: int) -> Buffers:
        """Where batches are copied out of DALI's memory, which it writes again."""
        wanted = indexed(self.device or "cpu")
        if wanted.type != "cuda":
            return super()._buffers(depth)
        dtype = self._options.dtype or torch.float32
        memory_format = self._options.memory_format
        return _OnDevice(dtype, wanted, memory_format is torch.channels_last)

    def _make_pipeline(
        self, engine: Any, settings: Any, draws: Any, repairs: Any
    ) -> Any:
        return DaliPipeline(
            settings,
            self._recipe,
            self._buffers(settings.depth),
            draws,
            repairs.repair,
            self.stats,
            engine,
            self._max_batch_size(),
            max(self.num_workers, 1),
            indexed(self.device or "cpu"),
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        _plugin.load()
        super().__setstate__(state)


class _OnDevice(Buffers):
    """Memory on a device, which torch keeps and reuses by itself."""

    def __init__(self, dtype: torch.dtype, device: torch.device, channels_last: bool):
        super().__init__(dtype, 0, channels_last=channels_last)
        self._device = device

    def _lease(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape, dtype=self._dtype, device=self._device)
