"""One process a device, as torchrun starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def process_group(device: str) -> Iterator[torch.device]:
    """Join the other processes if torchrun started several; yield the device.

    ``"cuda"`` becomes this process's own GPU. Outside torchrun nothing is set up.
    """
    chosen = torch.device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield chosen
        return
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(chosen)
    torch.distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield chosen
    finally:
        torch.distributed.destroy_process_group()


def is_first() -> bool:
    """Whether this process is the one that reports and writes."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return True
    return distributed.get_rank() == 0
