"""What the commands that draw share: matplotlib, colours, coefficients as a picture."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from dctload.image import DctImage

OURS, THEIRS, MUTED = "#1f6feb", "#9aa4af", "#57606a"


def pyplot(or_else: str = "") -> Any:
    """Matplotlib without a display, in our style; ``or_else`` ends the error."""
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError(
            f"pictures need matplotlib: pip install 'dctload[plot]'{or_else}"
        ) from error
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "font.size": 9,
            "figure.dpi": 150,
        }
    )
    return plt


def mosaic(image: "DctImage", component: int = 0) -> np.ndarray:
    """By frequency: tile (v, u) is the component at that frequency alone."""
    plane = image.dequantized().planes[component]  # (by, bx, v, u)
    by, bx = plane.shape[:2]
    tiles = np.log2(1 + np.abs(plane.transpose(2, 0, 3, 1).astype(np.float32)))
    # DC is brightness, on another scale than detail: make it as bright as that.
    dc = plane[:, :, 0, 0]
    others = tiles.copy()
    others[0, :, 0] = 0
    tiles[0, :, 0] = others.max() * (dc - dc.min()) / max(float(np.ptp(dc)), 1.0)
    tiles = np.pad(tiles, ((0, 0), (0, 1), (0, 0), (0, 1)), constant_values=np.nan)
    out: np.ndarray = tiles.reshape(8 * (by + 1), 8 * (bx + 1))
    return out[:-1, :-1]
