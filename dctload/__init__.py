"""Train and serve vision models straight from JPEG coefficients.

Importing this package imports neither torch nor NumPy's friends and starts no
thread; names are loaded when first used. ``__init__.pyi`` declares the same names
for type checkers.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# Where each public name lives.
_HOME = {
    "CorruptJPEGError": "errors",
    "DataLoader": "data",
    "DctImage": "image",
    "DctloadError": "errors",
    "Decoder": "decoding",
    "Files": "data",
    "ImageFolder": "data",
    "JpegInfo": "info",
    "LimitError": "errors",
    "Limits": "info",
    "TarShards": "data",
    "TooManyErrors": "errors",
    "TooSmallError": "errors",
    "UnsupportedJPEGError": "errors",
    "decode": "decoding",
    "decode_many": "decoding",
    "from_rgb": "image",
    "read_info": "decoding",
}
_SUBMODULES = {
    "analysis",
    "dali",
    "data",
    "errors",
    "frequencies",
    "models",
    "training",
    "transforms",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        module = importlib.import_module(f"{__name__}.{_HOME[name]}")
        value = getattr(module, name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
