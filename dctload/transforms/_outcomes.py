"""What each draw of RandAugment and its like comes to, found by drawing them all.

C plans images by looking up what they drew (``struct dctload_outcome``). The table is
read off pretend images of the size that real ones have, so an operation is described
once, in :mod:`.auto`, whoever carries out its choice.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _recipes
from .._geometry import Geometry
from .._ops import Op, Ops, params
from ._base import Array, Size

if TYPE_CHECKING:
    from .auto import _Auto

_TURNS = {"transpose": 0, "hflip": 1, "vflip": 2}


def _log_flags(log: Sequence[Any], num: int) -> tuple[Array, Array, Array]:
    """Which images were turned or mirrored, which were cropped, and where from."""
    turns, crops = np.zeros((3, num), bool), np.zeros(num, bool)
    corner = np.zeros((2, num), np.int64)
    for name, arguments in log:
        on = arguments[-1]
        if name in _TURNS:
            turns[_TURNS[name]] |= on
        elif name == "crop":
            crops |= on
            corner[:, on] = arguments[0][on], arguments[1][on]
    return turns, crops, corner


def outcomes(auto: "_Auto", size: Size) -> _recipes.Outcomes:
    """The outcomes of a turn, for images of this size."""
    shape = auto.num_choices, auto.num_levels, 2
    choice, level, sign = np.indices(shape).reshape(3, -1)
    num, every = len(choice), np.ones(len(choice), bool)
    drawn = (choice + 0.5) / shape[0], (sign + 0.5) / 2, (level + 0.5) / shape[1]
    u = params(num, *drawn, 0)
    fresh = Geometry.of_size(*(np.full(num, n) for n in size))
    early, drops = auto.apply_turn(fresh, u, ~every)
    late, _ = auto.apply_turn(fresh.with_op(Op.NONE, u[:, :0], every), u, ~every)
    out = _recipes.Outcomes(num)
    out.fields["needs_color"] = auto.needs_color(choice)
    out.fields["drops_color"] = drops
    out.fields["is_early"] = every if early.ops is None else early.ops.num == 0
    turns, crops, corner = _log_flags(early.log, num)
    for name, k in _TURNS.items():
        out.fields[name] = turns[k]
    out.fields["crops"] = crops
    out.fields["left"], out.fields["top"] = corner
    out.fields["fill"] = early.fill[:, :3]
    if early.color is not None:
        out.set_colors(early.color.changes(), early.color)
    assert late.ops is not None
    _set_ops(out.fields, late.ops)
    return out


def _set_ops(fields: Array, ops: Ops) -> None:
    """What is appended to the operations of images that have one."""
    fields["num_ops"] = ops.num - 1
    fields["scatters"] = (ops.kind == Op.ERASE).any(axis=1)
    appended = fields["ops"][:, : ops.kind.shape[1] - 1]
    appended["kind"] = ops.kind[:, 1:]
    appended["seed"] = ops.seed[:, 1:]
    appended["p"] = ops.p[:, 1:]
