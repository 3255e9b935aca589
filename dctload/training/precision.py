"""Which number format a device is fast in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Precision:
    """Autocast to ``dtype`` on a kind of device; float32 means no autocast."""

    device_type: str
    dtype: torch.dtype

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context in which the forward pass runs."""
        enabled = self.dtype != torch.float32
        context: AbstractContextManager[None] = torch.autocast(
            self.device_type, self.dtype if enabled else None, enabled=enabled
        )
        return context

    @property
    def needs_scaler(self) -> bool:
        """Whether gradients underflow unless the loss is scaled."""
        return self.dtype == torch.float16

    @property
    def name(self) -> str:
        """The format's name, as :func:`pick_precision` takes it."""
        return str(self.dtype).removeprefix("torch.")


def cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this CPU multiplies bfloat16 itself; False where nobody can say."""
    try:
        words = set(cpuinfo.read_text().split())
    except OSError:
        return False
    return bool(words & {"avx512_bf16", "amx_bf16"})


def pick_precision(name: str, device: torch.device) -> Precision:
    """Turn "auto", "float32", "bfloat16" or "float16" into a precision.

    "auto" is bfloat16 where the device computes in it, float16 on older GPUs,
    and float32 elsewhere.

    Raises:
        ValueError: Another name.
    """
    if name == "auto":
        if device.type == "cuda":
            name = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        else:
            fast = device.type == "cpu" and cpu_has_bfloat16()
            name = "bfloat16" if fast else "float32"
    if name not in ("float32", "bfloat16", "float16"):
        choices = "auto, float32, bfloat16, float16"
        raise ValueError(f"precision must be one of {choices}, got {name!r}")
    return Precision(device.type, getattr(torch, name))
