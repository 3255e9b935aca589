"""Batches on a device, ready while the ones before are being used."""

import copy
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

# How many batches the consumer's kernels may lag behind its Python. Python can run
# far ahead of a GPU, and memory that a stream still reads is not given out again.
_MAX_LAG = 8


def move(batch: Any, device: torch.device, non_blocking: bool = True) -> Any:
    """The batch with every tensor in it on ``device``, in containers of its types.

    What has a ``to()`` moves itself: a packed sequence, transformers' features.
    """
    if _moves_itself(batch):
        try:
            return batch.to(device, non_blocking=non_blocking)
        except TypeError:  # many take the device only
            return batch.to(device)
    return _with_parts(batch, device, non_blocking, move)


def _move_plain(batch: Any, device: torch.device, non_blocking: bool) -> Any:
    """The same, but for what moves itself: :func:`tensors` may not find all of it."""
    if _moves_itself(batch):
        return batch
    return _with_parts(batch, device, non_blocking, _move_plain)


def _moves_itself(batch: Any) -> bool:
    return hasattr(batch, "to") and not isinstance(batch, (torch.Tensor, type))


def _with_parts(
    batch: Any, device: torch.device, non_blocking: bool, move: Callable[..., Any]
) -> Any:
    """A tensor on ``device``; of containers, one of the same type with moved parts."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=non_blocking)
    if isinstance(batch, Mapping):
        moved = {key: move(part, device, non_blocking) for key, part in batch.items()}
        return _like(batch, moved)
    if isinstance(batch, (list, tuple)):
        parts = [move(part, device, non_blocking) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    return batch


def _like(mapping: Mapping[Any, Any], parts: dict[Any, Any]) -> Any:
    """A mapping of the same type, made the way torch does it to pin memory."""
    if type(mapping) is dict:
        return parts
    try:
        if not isinstance(mapping, MutableMapping):
            return type(mapping)(parts)  # type: ignore[call-arg]
        like = copy.copy(mapping)  # with attributes of its own
        for key, part in parts.items():
            like[key] = part  # a Counter's update() would add
        return like
    except TypeError:
        return parts


def tensors(batch: Any) -> list[torch.Tensor]:
    """Every tensor in ``batch``; of what moves itself those that are attributes."""
    if isinstance(batch, torch.Tensor):
        return [batch]
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    elif _moves_itself(batch) and not isinstance(batch, (list, tuple)):
        inside = getattr(batch, "__dict__", {}).values()
        return [part for part in inside if isinstance(part, torch.Tensor)]
    if isinstance(batch, (list, tuple)):
        return [tensor for part in batch for tensor in tensors(part)]
    return []


def indexed(device: Any) -> torch.device:
    """The device, with the number that "cuda" means now."""
    out = torch.device(device)
    if str(out) == "cuda":
        out = torch.device("cuda", torch.cuda.current_device())
    return out


def side_stream(device: torch.device) -> Any:
    """A CUDA stream for copies; None where there are no streams.

    To be kept over epochs: memory belongs to the stream it was taken on, so new
    streams would take new memory.
    """
    if device.type != "cuda":
        return None
    cuda: Any = torch.cuda  # not annotated
    return cuda.Stream(device)


class Ahead:
    """Puts batches on a device, on a side stream, some ahead of the consumer.

    The copy of a batch is begun as soon as the batch is written, not when it is
    asked for; the consumer's stream waits for it, the consumer's thread does not.
    On devices other than CUDA batches are copied when asked for.

    Args:
        device: With its index.
        stream: From :func:`side_stream`.
        depth: Batches that are ready beside the one that is asked for.
    """

    def __init__(self, device: torch.device, stream: Any, depth: int = 2):
        self._device, self._depth, self._stream = device, depth, stream
        # (batch, beside it, event after its copy), or what went wrong instead.
        self._ready: deque[tuple[Any, Any, Any] | Exception] = deque()
        self._in_use: deque[Any] = deque()

    @property
    def device(self) -> torch.device:
        """Where batches are put."""
        return self._device

    @property
    def is_cuda(self) -> bool:
        """Copies are queued on a stream; Python does not wait for them."""
        return self._stream is not None

    def next(
        self,
        take: Callable[[], Any],
        finish: Callable[[Any], tuple[Any, Any]],
        could_take: Callable[[], bool],
    ) -> Any:
        """The next batch on the device, and what ``finish`` gave beside it.

        Args:
            take: Gives the next batch in whatever form, or None after the last one;
                runs on the side stream: what it queues, ``finish`` comes after.
            finish: Makes of it (batch, anything); runs on the side stream.
            could_take: Whether ``take`` would not have to wait.
        """
        if not self._ready and not self._put(take, finish):
            return None
        while self._could_look_ahead() and could_take():
            try:
                self._put(take, finish)
            except Exception as error:
                # The batches before it come first.
                self._ready.append(error)
        made = self._ready.popleft()
        if isinstance(made, Exception):
            raise made
        batch, beside, event = made
        if event is not None:
            self._hand_over(batch, event)
        # Last what moves itself, on the consumer's stream: it may have tensors that
        # only it knows of, and these must not be the side stream's.
        return move(batch, self._device, self.is_cuda), beside

    def close(self) -> None:
        """Let go of what nobody will ask for. Safe to call again."""
        self._ready.clear()
        self._in_use.clear()

    def _could_look_ahead(self) -> bool:
        if self._stream is None or len(self._ready) > self._depth:
            return False
        return not self._ready or not isinstance(self._ready[-1], Exception)

    def _side(self) -> AbstractContextManager[Any]:
        if self._stream is None:
            return nullcontext()
        context: AbstractContextManager[Any] = torch.cuda.stream(self._stream)
        return context

    def _put(
        self, take: Callable[[], Any], finish: Callable[[Any], tuple[Any, Any]]
    ) -> bool:
        """Begin to put the next batch on the device; False if there is none."""
        event = None
        with self._side():
            taken = take()
            if taken is None:
                return False
            batch, beside = finish(taken)
            # Only CUDA orders a copy before what its stream does next.
            batch = _move_plain(batch, self._device, self.is_cuda)
            if self._stream is not None:
                event = self._stream.record_event()
        self._ready.append((batch, beside, event))
        return True

    def _hand_over(self, batch: Any, event: Any) -> None:
        stream = torch.cuda.current_stream(self._device)
        stream.wait_event(event)
        # Its memory is the consumer's stream's from now on.
        for tensor in tensors(batch):
            if tensor.device == self._device:
                tensor.record_stream(stream)
        # All that the consumer has queued so far, the batch before included.
        self._in_use.append(stream.record_event())
        if len(self._in_use) > _MAX_LAG:
            self._in_use.popleft().synchronize()
