"""Checkpoints that are either the old one or the new one, never half of one."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from .._weights import read_saved

VERSION = 1


def save_checkpoint(path: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write ``state`` to ``path`` so that a crash leaves the previous file whole.

    The bytes go to another name in the same folder, reach the disk, and then
    take the name in one step.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # By way of memory: torch's own writer hides what the disk says.
    data = io.BytesIO()
    torch.save({"version": VERSION, **state}, data)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException as error:
        os.unlink(name)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say where it is
        raise


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint; it holds tensors and plain values, no code.

    Raises:
        ValueError: The file is a checkpoint of another version, or none.
        OSError: It cannot be read.
    """
    state = read_saved(path)
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise ValueError(f"{os.fspath(path)}: no checkpoint of version {VERSION}")
    return state


def rng_state() -> dict[str, Any]:
    """Return the state of torch's generators, on the CPU and on each GPU."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}


def set_rng_state(state: dict[str, Any]) -> None:
    """Put back what :func:`rng_state` returned; other GPUs' states are left out."""
    torch.set_rng_state(state["cpu"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
