"""Mixing the samples of a batch: on tensors, on whatever device they are.

Both take what a loader yields, ``(x, target)``, where x is a tensor or, for the
layout "planes", a pair of them, and give it back with targets (N, num_classes). Like
torchvision's they take any nesting of dicts, lists and tuples: tensors of four
dimensions are mixed, and so are the labels that ``labels_getter`` finds.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

LabelsGetter = Callable[[Any], Any]


def _default_labels(inputs: Any) -> Any:
    """The second item, if it is a tensor; or what a dict has as "labels"."""
    if isinstance(inputs, (tuple, list)) and len(inputs) > 1:
        inputs = inputs[1]
    if isinstance(inputs, Tensor):
        return inputs
    keys = list(inputs) if isinstance(inputs, Mapping) else []
    names = [key for key in keys if isinstance(key, str) and "label" in key.lower()]
    if not names:
        raise ValueError(
            "no labels were found: they must be the second of two items, or stand in a "
            "dict by a name with 'label' in it; else give labels_getter a function"
        )
    exact = [key for key in names if key.lower() == "labels"]
    return inputs[(exact or names)[0]]


def _map_tensors(change: Callable[[Tensor], Tensor], inputs: Any) -> Any:
    """The same nesting of dicts, lists and tuples with other tensors."""
    if isinstance(inputs, Tensor):
        return change(inputs)
    if isinstance(inputs, Mapping):
        return {key: _map_tensors(change, value) for key, value in inputs.items()}
    if isinstance(inputs, (list, tuple)):
        items = [_map_tensors(change, item) for item in inputs]
        return (
            type(inputs)(*items) if hasattr(inputs, "_fields") else type(inputs)(items)
        )
    return inputs


class _Mix:
    def __init__(
        self,
        *,
        alpha: float = 1.0,
        num_classes: int | None = None,
        labels_getter: "LabelsGetter | str" = "default",
    ):
        if alpha <= 0:
            raise ValueError(f"alpha must be above 0, got {alpha}")
        if labels_getter != "default" and not callable(labels_getter):
            raise ValueError(
                f"labels_getter must be 'default' or a function, got {labels_getter!r}"
            )
        self.alpha = alpha
        self.num_classes = num_classes
        self.labels_getter = labels_getter

    def __call__(self, *inputs: Any) -> Any:
        """Mix one batch; arguments come back as they were given."""
        batch = inputs if len(inputs) > 1 else inputs[0]
        find = self.labels_getter if callable(self.labels_getter) else _default_labels
        labels = find(batch)
        if not isinstance(labels, Tensor) or labels.ndim not in (1, 2):
            raise ValueError(
                "labels must be a tensor (N,) or (N, num_classes), got "
                f"{getattr(labels, 'shape', type(labels).__name__)}"
            )
        images: list[Tensor] = []

        def collect(t: Tensor) -> Tensor:
            self._check(t, labels)
            if t.ndim == 4:
                images.append(t)
            return t

        _map_tensors(collect, batch)
        if not images:
            raise ValueError("no tensor of four dimensions to mix")
        mix, share = self._drawn(images)

        def change(t: Tensor) -> Tensor:
            if t is labels:
                one_hot = self._one_hot(t)
                return one_hot * share + one_hot.roll(1, 0) * (1 - share)
            return mix(t) if t.ndim == 4 else t

        return _map_tensors(change, batch)

    def _drawn(self, images: list[Tensor]) -> tuple[Callable[[Tensor], Tensor], float]:
        """How to mix each of them, and the share of its own that a sample keeps."""
        raise NotImplementedError

    def _check(self, t: Tensor, labels: Tensor) -> None:
        if type(t).__name__ in ("BoundingBoxes", "Mask", "KeyPoints"):
            raise ValueError(f"{type(self).__name__} cannot mix {type(t).__name__}")
        if t.ndim == 4 and len(t) != len(labels):
            raise ValueError(f"there are {len(t)} samples, but {len(labels)} labels")

    def _share(self) -> float:
        # A share of two Gamma variables has the Beta distribution.
        a, b = torch._standard_gamma(torch.full((2,), float(self.alpha))).tolist()
        return float(a / (a + b))

    def _one_hot(self, labels: Tensor) -> Tensor:
        num = self.num_classes
        if labels.ndim == 2:
            if num is not None and labels.shape[1] != num:
                raise ValueError(
                    f"num_classes is {num}, but labels have {labels.shape[1]} columns"
                )
            return labels if labels.is_floating_point() else labels.float()
        if num is None:
            raise ValueError("num_classes is needed where targets are class indices")
        return torch.nn.functional.one_hot(labels, num).float()


class MixUp(_Mix):
    """Blend each sample with its neighbour; exact, as the DCT is linear.

    Args:
        alpha: Of the Beta distribution that the share is drawn from.
        num_classes: Where targets are class indices.
        labels_getter: What finds the labels (N,) or (N, num_classes) in the batch:
            a function of it, or "default": the second of two items if that is a
            tensor, or what a dict, or the second item if it is one, has by a name
            with "label" in it.
    """

    def _drawn(self, images: list[Tensor]) -> tuple[Callable[[Tensor], Tensor], float]:
        share = self._share()
        return lambda t: t * share + t.roll(1, 0) * (1 - share), share


class CutMix(_Mix):
    """Paste a rectangle of blocks of its neighbour into each sample.

    The rectangle is rounded to blocks, of chroma where that is coarser.

    Args:
        alpha: As for :class:`MixUp`.
        num_classes: Where targets are class indices.
        labels_getter: As for :class:`MixUp`.
    """

    def _drawn(self, images: list[Tensor]) -> tuple[Callable[[Tensor], Tensor], float]:
        rows, columns = min(tuple(t.shape[-2:]) for t in images)
        side = (1 - self._share()) ** 0.5
        y, x0 = int(torch.randint(rows, ())), int(torch.randint(columns, ()))
        half_h, half_w = round(side * rows / 2), round(side * columns / 2)
        top, bottom = max(y - half_h, 0), min(y + half_h, rows)
        left, right = max(x0 - half_w, 0), min(x0 + half_w, columns)

        def mix(t: Tensor) -> Tensor:
            scale = t.shape[-2] // rows
            box = (
                slice(top * scale, bottom * scale),
                slice(left * scale, right * scale),
            )
            out = t.clone()
            out[..., box[0], box[1]] = t.roll(1, 0)[..., box[0], box[1]]
            return out

        return mix, 1 - (bottom - top) * (right - left) / (rows * columns)
