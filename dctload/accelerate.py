"""Hugging Face Accelerate with a dctload loader.

``accelerator.prepare`` builds a plain torch loader around the data set of the one
it is given. That would decode in Python, one image at a time, so a dctload loader
refuses it; :func:`prepare` does the same job and keeps the engine.
"""

from collections.abc import Iterator
from typing import Any

import torch

try:
    from accelerate.data_loader import DataLoaderStateMixin  # type: ignore
    from accelerate.state import GradientState  # type: ignore
except ImportError as error:
    raise ImportError("dctload.accelerate needs: pip install accelerate") from error

from .data import DataLoader, Shard
from .data.device import move


def prepare(accelerator: Any, loader: DataLoader) -> Any:
    """Make ``loader`` part of ``accelerator``, in place of ``accelerator.prepare``.

    Batches come on the accelerator's device. Each process gets its share: give
    ``DataLoader`` neither a sampler nor a shard. Resume by ``state_dict``, not by
    ``skip_first_batches``, which builds a plain loader as well.

    Args:
        accelerator: An ``accelerate.Accelerator``.
        loader: A loader that no iteration of is under way.

    Returns:
        A loader of the same batches that accelerate knows the end of, as it needs
        for gradient accumulation. With several processes ``gather_for_metrics``
        keeps the samples that ``Shard``'s tail policy repeats.

    >>> accelerator = accelerate.Accelerator()                 # doctest: +SKIP
    >>> model, optimizer = accelerator.prepare(model, optimizer)   # doctest: +SKIP
    >>> loader = dctload.accelerate.prepare(accelerator, loader)   # doctest: +SKIP
    """
    if not isinstance(loader, DataLoader):
        raise TypeError(
            f"prepare() is for dctload loaders, got {type(loader).__name__}"
        )
    processes = accelerator.num_processes
    if processes > 1 and loader.shard is None:
        loader.reshard(Shard(accelerator.process_index, processes))
    prepared = _Prepared(loader, accelerator.device)
    accelerator._dataloaders.append(prepared)
    return prepared


class _Prepared(DataLoaderStateMixin, torch.utils.data.DataLoader[Any]):  # type: ignore
    """A dctload loader in the hands of accelerate.

    Not torch's attributes but the dctload loader's, whom it asks for all that it
    does not have.
    """

    _is_accelerate_prepared = True

    def __init__(self, loader: DataLoader, device: torch.device):
        self.__dict__.update(
            base_dataloader=loader,
            device=device,
            gradient_state=GradientState(),
            _drop_last=loader.drop_last,
            _received=None,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["base_dataloader"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __len__(self) -> int:
        return len(self.base_dataloader)

    def __iter__(self) -> Any:
        self.begin()
        if self.base_dataloader.num_shares > 1:
            self.remainder = -1
        batches = iter(self.base_dataloader)
        try:
            yield from self._look_ahead(batches)
        finally:
            batches.close()
            self.end()

    def _look_ahead(self, batches: Any) -> Iterator[Any]:
        """One batch ahead, for the last one has to be known as such."""
        state = self.base_dataloader.state_dict
        current = next(batches, None)
        while current is not None:
            self._received = state()
            following = next(batches, None)
            self.end_of_dataloader = following is None
            yield move(current, self.device)
            current = following
        self._received = None

    def state_dict(self) -> Any:
        """What was yielded; the loader itself may be a batch further."""
        return self._received or self.base_dataloader.state_dict()

    def load_state_dict(self, state_dict: Any) -> None:
        """Let the next iteration go on where ``state_dict`` was taken."""
        self.base_dataloader.load_state_dict(state_dict)
        self._received = None

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration that of ``epoch``."""
        self.base_dataloader.set_epoch(epoch)
        self._received = None

    @property
    def total_batch_size(self) -> int:
        """Samples of all processes in one step."""
        loader = self.base_dataloader
        return int(loader.batch_size or 1) * int(loader.num_shares)
