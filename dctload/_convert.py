"""Images that have to become pixels first: other formats, and four-colour JPEGs.

This is the slow path, milliseconds an image, and the only one with pixels in
it. CMYK and YCCK are not linear in RGB (ink multiplies), so no operation on
coefficients replaces it: Pillow runs the inverse DCT and its own conversion,
and the result is transformed back, exactly, with chroma at full resolution.
"""

import io
import warnings
from typing import Any

import numpy as np

from . import _native
from ._results import Single
from .decoding import decode
from .errors import LimitError
from .image import DctImage, from_rgb
from .info import Limits

# T.81 B.2.1: every JPEG begins with this marker.
_SOI = b"\xff\xd8"
_ORIENTATION = 0x0112  # EXIF's tag
_MAX_PIXELS = 178_956_970  # as in dctload.h, which takes it from Pillow


def to_dct_image(data: Any, name: str, limits: Limits | None = None) -> DctImage:
    """Read any image that Pillow reads, as coefficients.

    A JPEG is decoded here first, so damage to it raises as it does everywhere;
    Pillow would go on with grey areas. Alpha is dropped, as torchvision does.

    Args:
        data: The whole file.
        name: What error messages call it.
        limits: Only ``max_pixels`` concerns other formats.

    Returns:
        The image in YCbCr at 4:4:4, tables of ones, the EXIF orientation in its
        header and not applied.

    Raises:
        CorruptJPEGError: No format that Pillow knows, or a broken file.
        LimitError: Larger than ``limits`` allow.
        ImportError: Pillow is not installed.
    """
    data = bytes(data)
    orientation = None
    if data[:2] == _SOI:
        orientation = decode(data, limits=limits).info.orientation
    pixels, other = _pixels(data, name, limits)
    image = from_rgb(pixels, "4:4:4")
    header = image._header().copy()
    header["orientation"] = orientation or other
    return DctImage(Single(image.planes, header, name))


def _pixels(data: bytes, name: str, limits: Limits | None) -> tuple[Any, int]:
    """RGB pixels and the EXIF orientation."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"{name} is not a JPEG or is CMYK, which needs Pillow: "
            "pip install 'dctload[convert]'"
        ) from error
    max_pixels = limits.max_pixels if limits else None
    if max_pixels is None:
        max_pixels = _MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
        if image.width * image.height > max_pixels:
            size = f"{image.width}x{image.height}"
            status = _native.TOO_MANY_PIXELS
            raise LimitError(f"{name}: {size} pixels", name=name, status=status)
        orientation = image.getexif().get(_ORIENTATION, 1)
        return np.asarray(image.convert("RGB")), _checked(orientation)
    except (LimitError, MemoryError, ImportError):
        raise
    except Exception as error:  # Pillow's plugins raise whatever they meet
        found = _native.error(_native.NOT_JPEG, name, 0, len(data))
        # Without the address of a BytesIO object.
        found.args = (f"{found}; Pillow: {str(error).split(' <_io')[0]}",)
        raise found from error


def _checked(orientation: Any) -> int:
    known = isinstance(orientation, int) and 1 <= orientation <= 8
    return int(orientation) if known else 1
