"""Files of weights: tensors and plain values that ``torch.save`` wrote."""

import os
from typing import Any

import torch
from torch import nn


def read_saved(path: str | os.PathLike[str]) -> Any:
    """What ``torch.save`` wrote to ``path``, on the CPU; no code is run.

    Raises:
        ValueError: It is another file, or holds more than tensors and plain values.
        OSError: It cannot be read.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # of any class: what torch happens upon in the file
        raise ValueError(
            f"{os.fspath(path)}: no tensors and plain values that torch.save wrote"
        ) from error


def load_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Give ``model`` the weights of a checkpoint or a state dictionary.

    Raises:
        ValueError: The file holds none, or those of another network.
        OSError: It cannot be read.
    """
    state = read_saved(path)
    weights = state.get("model", state) if isinstance(state, dict) else None
    if not isinstance(weights, dict):
        raise ValueError(f"{os.fspath(path)}: no checkpoint and no state dictionary")
    have, want = _shapes(weights), _shapes(model.state_dict())
    names = [*want, *(name for name in have if name not in want)]
    other = [name for name in names if have.get(name) != want.get(name)]
    if other:
        first = other[0]
        raise ValueError(
            f"{os.fspath(path)}: weights of another network, or for another number of "
            f"classes: {len(other)} differ, first {first}, "
            f"{have.get(first, 'nothing')} in place of {want.get(first, 'nothing')}"
        )
    model.load_state_dict(weights)


def _shapes(weights: dict[str, Any]) -> dict[str, str]:
    """Of each tensor, in words; of anything else what it is."""
    return {
        name: str(tuple(value.shape))
        if isinstance(value, torch.Tensor)
        else type(value).__name__
        for name, value in weights.items()
    }
