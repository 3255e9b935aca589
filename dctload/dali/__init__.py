"""JPEG coefficients inside NVIDIA DALI pipelines.

Importing this makes ``fn.dctload.decode``, ``fn.dctload.decode_raw`` and
``fn.dctload.peek_shape`` appear, and the same in DALI's dynamic mode. The operators
are compiled for the DALI that is installed when they are first wanted, which takes some
seconds once. Import it before ``nvidia.dali.experimental.dynamic``, and best before
``nvidia.dali``: it sets ``DALI_MALLOC_POOL_THRESHOLD`` unless that is set.

Where the operators cannot be had, this says so in the log; touching ``fn.dctload`` or
making a :class:`DALILoader` raises the ImportError. :func:`source` works anyway.
"""

import logging
import types
from typing import Any

from ..transforms.emission import Normalize
from . import _plugin
from ._source import source
from .loader import DALILoader

__all__ = ["DALILoader", "bad_files", "load", "num_zeroed", "source", "statistics"]

log = logging.getLogger("dctload")


def load() -> None:
    """Load the operators, if importing this could not.

    Raises:
        ImportError: They cannot be had; the message says what to install.
    """
    _plugin.load()


def num_zeroed() -> int:
    """How many samples of this process were replaced by zeroes for a bad file."""
    return _plugin.num_bad(_plugin.load())


def bad_files() -> list[str]:
    """Name and reason of each file that was replaced by zeroes, at most 1,000."""
    return _plugin.messages(_plugin.load())


def statistics(
    source: Any, *, layout: str = "concat", size: int = 224
) -> dict[str, list[float]]:
    """Statistics of a file, as arguments of ``fn.dctload.decode``.

    Args:
        source: What ``dctload stats`` wrote: a path, or its content; or a preset.
        layout: "concat" or "planes", as given to the operator.
        size: The shorter side of the output.

    Returns:
        ``mean`` and ``std``, 192 numbers each: ``decode(files, **statistics(path))``.
    """
    mean, std = Normalize(source).vectors(layout, size)
    return {"mean": mean.ravel().tolist(), "std": std.ravel().tolist()}


class _Missing(types.ModuleType):
    """Stands at ``fn.dctload`` where there are no operators, and says why."""

    def __init__(self, reason: str):
        super().__init__("nvidia.dali.fn.dctload", reason)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(self.__doc__)


_dali = _plugin.import_dali()
try:
    _plugin.load()
except ImportError as error:
    log.warning("%s", error)
    vars(_dali.fn)["dctload"] = _Missing(str(error))
