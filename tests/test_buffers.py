"""Memory that batches were in comes back when nobody holds them any more."""

import types
import weakref

import torch

from dctload.data._buffers import Buffers

SHAPE = (1, 64, 256)


def owner_of(buffers):
    """A weak reference to the array that the newest tensor's memory is."""
    newest = list(buffers._watches.values())[-1]
    return weakref.ref(newest.memory)


def test_memory_of_a_dead_batch_is_used_again():
    buffers = Buffers(torch.float32, keep=2)
    places = {buffers.take(16, [SHAPE])[0].data_ptr() for _ in range(50)}
    assert len(places) == 1
    held = [buffers.take(16, [SHAPE])[0] for _ in range(40)]
    assert len({tensor.data_ptr() for tensor in held}) == 40


def test_memory_of_many_dead_batches_is_not_kept():
    buffers = Buffers(torch.float32, keep=2)
    held, memory = [], []
    for _ in range(40):
        held.append(buffers.take(16, [SHAPE])[0])
        memory.append(owner_of(buffers))
    held.clear()
    assert sum(ref() is not None for ref in memory) <= 2 * 2 * 2
    (_last,) = buffers.take(16, [SHAPE])
    assert sum(ref() is not None for ref in memory) <= 2 * 2


def test_a_batch_may_outlive_what_gave_its_memory():
    buffers = Buffers(torch.float32, keep=2)
    (tensor,) = buffers.take(16, [SHAPE])
    tensor.fill_(3)
    del buffers
    assert (tensor == 3).all()


def test_no_python_runs_as_a_batch_dies():
    """Where Ctrl-C would be lost: Python drops what a callback raises."""
    buffers = Buffers(torch.float32, keep=2)
    _held = buffers.take(16, [SHAPE, SHAPE])
    callbacks = {type(watch.__callback__) for watch in buffers._watches.values()}
    assert callbacks == {types.BuiltinMethodType}
