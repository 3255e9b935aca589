"""``dctload models``: the networks, what they cost, beside their RGB counterparts.

Imports torch, so the module is loaded only when this command is asked for.
"""

import argparse
from typing import Any

import torch

from dctload.cli import _common
from dctload.models import _counterparts, create_model, fuse, list_models
from dctload.models._profile import (
    count_macs,
    example_input,
    latency,
    num_parameters,
)

BATCHES = (1, 32)


def add_parser(subparsers: Any) -> None:
    """Add this command's arguments."""
    parser = subparsers.add_parser(
        "models",
        help="the networks and what they cost",
        description="List the networks with parameters, multiply-accumulates and "
        "input bytes (float32) of an image, and the same of the RGB network each "
        "stands for. With --latency also milliseconds an image on this CPU in batches "
        "of 1 and 32, the fastest forward pass of either, without loading; batch "
        "normalisation is folded in, memory is channels-last.",
    )
    parser.add_argument(
        "pattern", nargs="?", default="*", help='such as "late*" (default: all)'
    )
    parser.add_argument(
        "--latency", action="store_true", help="measure milliseconds an image too"
    )
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="for each measurement"
    )
    _common.add_threads(parser, "the network's")
    _common.add_json(parser, "one JSON object a network, one a line")
    parser.set_defaults(run=run)


def _cost(model: Any, x: Any, nbytes: int) -> dict[str, Any]:
    return {
        "parameters": num_parameters(model),
        "macs": count_macs(model, x),
        "input_nbytes": nbytes,
    }


def _latencies(model: Any, x: Any, seconds: float) -> dict[str, float]:
    """Milliseconds an image for each batch size, as a server would run it."""

    def repeat(part: torch.Tensor, batch: int) -> torch.Tensor:
        repeated = part.repeat(batch, 1, 1, 1)
        return repeated.to(memory_format=torch.channels_last)

    result = {}
    model = fuse(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for batch in BATCHES:
        repeated: Any = (
            repeat(x, batch)
            if isinstance(x, torch.Tensor)
            else tuple(repeat(part, batch) for part in x)
        )
        took = latency(model, repeated, seconds)
        result[f"ms_batch_{batch}"] = round(1000 * took / batch, 3)
    return result


class _Rgb:
    """Costs of the RGB counterparts, each found once."""

    def __init__(self, seconds: float | None):
        self._seconds = seconds
        self._known: dict[str, dict[str, Any]] = {}

    def cost(self, name: str) -> dict[str, Any]:
        if name not in self._known:
            model, x = _counterparts.make(name, "meta")
            cost = {"name": name, **_cost(model, x, 4 * x.numel())}
            if self._seconds is not None:
                model, x = _counterparts.make(name)
                cost.update(_latencies(model, x, self._seconds))
            self._known[name] = cost
        return self._known[name]


def _describe(name: str, rgb: _Rgb, seconds: float | None) -> dict[str, Any]:
    with torch.device("meta"):
        model = create_model(name)
    spec: Any = model.input_spec
    x = example_input(spec, device="meta")
    row: dict[str, Any] = {"name": name, **_cost(model, x, spec.nbytes())}
    row["layout"], row["shapes"] = spec.layout, spec.shapes
    if seconds is not None:
        row.update(_latencies(create_model(name), example_input(spec), seconds))
    other = _counterparts.counterpart(name)
    row["rgb"] = None if other is None else rgb.cost(other)
    return row


def _cells(row: dict[str, Any] | None, measured: bool) -> list[str]:
    if row is None:
        return ["-"] * (3 + 2 * measured)
    cells = [
        f"{row['parameters'] / 1e6:.2f} M",
        f"{row['macs'] / 1e9:.3f} G",
        f"{row['input_nbytes'] / 1000:.0f} kB",
    ]
    if measured:
        cells += [f"{row[f'ms_batch_{batch}']:.2f}" for batch in BATCHES]
    return cells


def _print(rows: list[dict[str, Any]], measured: bool) -> None:
    columns = ["parameters", "MACs", "input"]
    if measured:
        columns += [f"ms at {batch}" for batch in BATCHES]
    table = [["model", *columns, "RGB", *columns]]
    for row in rows:
        rgb = row["rgb"]
        table.append(
            [
                row["name"], *_cells(row, measured),
                rgb["name"] if rgb else "-", *_cells(rgb, measured),
            ]
        )  # fmt: skip
    _common.print_table(table)


def run(args: argparse.Namespace) -> int:
    """List what matches."""
    names = list_models(args.pattern)
    if not names:
        raise ValueError(f"no model matches {args.pattern!r}")
    torch.set_num_threads(args.threads)
    seconds = args.seconds if args.latency else None
    rgb, rows = _Rgb(seconds), []
    with _common.Progress(len(names), "networks") as progress:
        for i, name in enumerate(names):
            rows.append(_describe(name, rgb, seconds))
            progress.update(i + 1)
    if args.json:
        for row in rows:
            _common.print_json(row)
    else:
        _print(rows, args.latency)
    return 0
