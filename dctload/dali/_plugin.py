"""The plugin in this process: loaded once, bound to the C core."""

import ctypes
import logging
import os
import sys
from pathlib import Path
from typing import Any

from .._native import ffi, lib
from ._build import CannotBuildError, plugin

log = logging.getLogger("dctload")

SCHEMA = "dctload__Decode"
_NAME = "libdctload-dali"
_DYNAMIC = "nvidia.dali.experimental.dynamic"

FALLBACK = (
    "Without it, fn.external_source(dctload.dali.source(loader)) brings the batches of "
    "a dctload.DataLoader into a pipeline, at the cost of a copy."
)

_library: Any = None


def import_dali() -> Any:
    """The module ``nvidia.dali``.

    Raises:
        ImportError: It is not installed; the message says how to install it.
    """
    # Read when DALI allocates for the first time. Without it every batch of a
    # pipeline without a GPU is mapped and faulted in anew: up to five times the
    # time of an image. What the user has set stays.
    os.environ.setdefault("DALI_MALLOC_POOL_THRESHOLD", "1M")
    try:
        import nvidia.dali as dali
        import nvidia.dali.plugin_manager
        import nvidia.dali.sysconfig  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "dctload.dali needs NVIDIA DALI 2.0 or newer: pip install "
            "'dctload[dali]', or nvidia-dali-cuda120 or nvidia-dali-cuda130 "
            f"({error})"
        ) from error
    return dali


def load() -> Any:
    """Load the plugin, unless this process has it; returns it as a library.

    Raises:
        ImportError: There is no plugin for this DALI, and none can be compiled.
    """
    global _library
    dali = import_dali()
    if _library is None:
        _library = _loaded_already(dali) or _load(dali)
        _bind(_library)
    return _library


def _load(dali: Any) -> Any:
    if _DYNAMIC in sys.modules:
        log.warning("import dctload.dali before %s, which looks once", _DYNAMIC)
    try:
        with plugin(dali) as path:
            dali.plugin_manager.load_library(str(path))
            return ctypes.CDLL(str(path))
    except (CannotBuildError, RuntimeError, OSError) as error:
        raise ImportError(
            f"no dctload operators for DALI {dali.__version__}: {error}\n{FALLBACK}"
        ) from error


def _loaded_already(dali: Any) -> Any:
    """The plugin, if this process has it: a second copy would end the process."""
    if not dali.backend.TryGetSchema(SCHEMA):
        return None
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line.split(maxsplit=5)[-1].removesuffix(" (deleted)")
        if Path(path).name.startswith(_NAME):
            # By its path the loader finds the copy that it has.
            return ctypes.CDLL(path)
    raise ImportError(
        "a plugin with operators of dctload is loaded that is not dctload's own"
    )


def _bind(library: Any) -> None:
    """Hand the C core's functions over (csrc/dali/core.hpp says why).

    Raises:
        ImportError: The C core was built from another header than the plugin.
    """
    structs = _text(library, "dctload_dali_structs").split()
    sizes = (ctypes.c_size_t * len(structs)).in_dll(
        library, "dctload_dali_struct_nbytes"
    )
    for struct, size in zip(structs, sizes, strict=True):
        if ffi.sizeof(f"struct {struct}") != size:
            raise ImportError(
                "dctload._core is older than csrc/dctload.h: build it again "
                "(pip install, or python setup.py build_ext --inplace)"
            )
    names = _text(library, "dctload_dali_functions").split()
    addresses = [int(ffi.cast("uintptr_t", ffi.addressof(lib, n))) for n in names]
    library.dctload_dali_bind((ctypes.c_void_p * len(names))(*addresses))


def _text(library: Any, symbol: str) -> str:
    start = ctypes.addressof(ctypes.c_char.in_dll(library, symbol))
    return ctypes.string_at(start).decode()


def num_bad(library: Any) -> int:
    """How many samples were replaced by zeroes."""
    library.dctload_dali_num_faults.restype = ctypes.c_size_t
    return int(library.dctload_dali_num_faults())


def messages(library: Any) -> list[str]:
    """What was wrong with each of the files, the first 1,000."""
    list_faults = library.dctload_dali_list_faults
    list_faults.restype = ctypes.c_size_t
    list_faults.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    while True:
        size = list_faults(None, 0)
        buffer = ctypes.create_string_buffer(size + 1)
        if list_faults(buffer, size) == size:
            text = buffer.raw[:size].decode(errors="surrogateescape")
            return text.split("\0")[:-1]
