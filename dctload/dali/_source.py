"""The way into a pipeline that needs no operator: ``fn.external_source``."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch


def _flat(batch: Any) -> Iterator[np.ndarray]:
    """The tensors of a batch, depth first, as arrays on the same memory."""
    if isinstance(batch, torch.Tensor):
        if batch.dtype == torch.bfloat16:
            raise TypeError("DALI has no bfloat16; use float16 or float32")
        # Not torch's tensors: DALI takes them for GPU memory where a driver is missing.
        yield batch.numpy()
    elif isinstance(batch, (list, tuple)):
        for part in batch:
            yield from _flat(part)
    else:
        raise TypeError(f"a batch must hold tensors, got {type(batch).__name__}")


def source(loader: Any) -> Callable[[], tuple[np.ndarray, ...]]:
    """Bring the batches of a loader into a pipeline.

    This needs no compiled operator. DALI copies what it is given, which takes more
    time than the operator, and does not know the loader's threads: for what
    ``fn.dctload.decode`` does, use that.

    Args:
        loader: A :class:`dctload.DataLoader`, or any loader of batches of tensors;
            ``drop_last=True`` unless the pipeline takes batches of different sizes.

    Returns:
        A callable for ``fn.external_source(source(loader), num_outputs=2)``: each
        call gives the arrays of one batch, ``x`` and the targets (luma, chroma and the
        targets for ``layout="planes"``). ``StopIteration`` ends an epoch; the next
        call begins the next one.
    """
    batches: Iterator[Any] | None = None

    def next_batch() -> tuple[np.ndarray, ...]:
        nonlocal batches
        if batches is None:
            batches = iter(loader)
        try:
            return tuple(_flat(next(batches)))
        except StopIteration:
            batches = None
            raise

    return next_batch
