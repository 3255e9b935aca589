"""What emission applies: which frequencies, on what scale."""

import json

# ruff: noqa: D102 - what overrides is described in _base
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import frequencies as _frequencies
from ._base import Array, Transform

if TYPE_CHECKING:
    from ..image import DctImage


@dataclass(frozen=True)
class Emission:
    """What an image carries for ``to_tensor``."""

    subset: _frequencies.Subset | None = None
    normalize: "Normalize | None" = None


def emission_of(image: "DctImage") -> Emission:
    """What has been recorded for an image."""
    return image._emission or Emission()


class SelectFrequencies(Transform):
    """Keep some frequencies; the order within a component stays the natural one.

    Args:
        frequencies: A published subset ("6", "24", "32", "48", "64", "192", "y",
            ...), a :class:`dctload.frequencies.Subset`, or three lists of natural
            indices ``8 * v + u`` for Y, Cb and Cr.
    """

    def __init__(
        self,
        frequencies: "str | int | _frequencies.Subset | Sequence[Iterable[int]]",
    ):
        self.frequencies = _frequencies.subset(frequencies)

    def record(self, emission: Emission) -> Emission:
        """The emission with this selection."""
        return replace(emission, subset=self.frequencies)

    def apply_image(self, image: "DctImage", u: Array) -> "DctImage":
        return image._replace(emission=self.record(emission_of(image)))


class Normalize(Transform):
    """Subtract a mean and divide by a standard deviation, per frequency.

    Args:
        statistics: The name of a preset (:func:`presets` lists them), the path of
            a file that ``dctload stats`` wrote, or its content. Which of its
            vectors are taken depends on the layout and the size of the output.
        mean: In place of ``statistics``: (3, 64), Y, Cb, Cr, natural order.
        std: Likewise.
        scale: Multiplies the result. Whole numbers need one: with 32, int8 holds 4
            deviations in steps of a 32nd.
    """

    def __init__(
        self,
        statistics: "str | Path | Mapping[str, Any] | None" = None,
        *,
        mean: npt.ArrayLike | None = None,
        std: npt.ArrayLike | None = None,
        scale: float = 1.0,
    ):
        if not scale > 0:
            raise ValueError(f"scale must be above 0, got {scale}")
        if (statistics is None) == (mean is None) or (mean is None) != (std is None):
            raise ValueError("Normalize needs statistics, or both mean and std")
        self.scale = float(scale)
        self.name = statistics if isinstance(statistics, str) else None
        self._entries: list[dict[str, Any]]
        if statistics is None:
            self._entries = [{"mean": mean, "std": std}]
        elif isinstance(statistics, Mapping):
            self._entries = list(statistics["entries"])
        else:
            self._entries = _load(statistics)["entries"]
        for entry in self._entries:
            spread = np.asarray(entry["std"], np.float64)
            if spread.shape != (3, 64) or np.shape(entry["mean"]) != (3, 64):
                raise ValueError("mean and std must have shape (3, 64)")
            if not (spread > 0).all():
                raise ValueError("every std must be above 0")

    def vectors(self, layout: str, size: int) -> tuple[Array, Array]:
        """Mean and std, each (3, 64), for outputs whose shorter side is ``size``.

        The std is divided by ``scale``.
        """
        for entry in self._entries:
            if entry.get("layout", layout) != layout:
                continue
            if entry.get("min_size", 1) <= size <= entry.get("max_size", size):
                return (
                    np.asarray(entry["mean"], np.float64),
                    np.asarray(entry["std"], np.float64) / self.scale,
                )
        raise ValueError(
            f"the statistics {self.name or ''} hold nothing for layout {layout!r} "
            f"at size {size}"
        )

    def record(self, emission: Emission) -> Emission:
        """The emission with this scale."""
        return replace(emission, normalize=self)

    def apply_image(self, image: "DctImage", u: Array) -> "DctImage":
        return image._replace(emission=self.record(emission_of(image)))

    def __repr__(self) -> str:
        scale = "" if self.scale == 1 else f", scale={self.scale:g}"
        return f"Normalize({self.name!r}{scale})" if self.name else "Normalize(...)"


def presets() -> list[str]:
    """Names of the statistics that come with the package."""
    folder = resources.files("dctload.transforms") / "presets"
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".json"))


def _load(name: "str | Path") -> dict[str, Any]:
    """Statistics by preset name or path."""
    if isinstance(name, str) and name in presets():
        folder = resources.files("dctload.transforms") / "presets"
        text = (folder / f"{name}.json").read_text()
    else:
        path = Path(name)
        if not path.is_file():
            known = ", ".join(presets())
            raise ValueError(
                f"no statistics {str(name)!r}: no file, and not of {known}"
            )
        text = path.read_text(errors="replace")
    try:
        content: Any = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict) or "entries" not in content:
        raise ValueError(f"{name}: no statistics that `dctload stats` wrote")
    return content
