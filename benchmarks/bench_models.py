"""One core: how fast are networks on coefficients beside those on pixels?

    python -m pytest benchmarks/bench_models.py -c benchmarks/pytest.ini -s

The networks alone, on input that is there: what decoding and loading cost is in
bench_decode.py and bench_loader.py. Batch normalisation is folded in on both
sides. Speed says nothing about accuracy; the MACs are printed beside it.
"""

import time

import pytest
import torch
from measure import Section, compare, record, row
from torch import nn

from dctload.models import _counterparts, create_model, fuse
from dctload.models._profile import count_macs, example_input
from dctload.models.layers.blocks import ConvBN

pytestmark = pytest.mark.usefixtures("one_core")

NETWORKS = [
    "lean",
    "lean_small",
    "late_concat_rfa_thinner",
    "upsampling",
    "dctnet_resnet50",
    "dctnet_mobilenet_v2",
    "efun_s_plus",
    "jpeg_vit_tiny",
]


class Forward:
    """A network as something that is timed pass by pass: CPU time of its thread."""

    def __init__(self, model, x):
        self.model, self.x = fuse(model), x

    def run(self):
        begin = time.thread_time_ns()
        with torch.inference_mode():
            self.model(self.x)
        return time.thread_time_ns() - begin

    def close(self):
        pass


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("batch", [1, 32])
def test_networks(batch):
    rows = []
    for name in NETWORKS:
        ours = create_model(name)
        peer = _counterparts.counterpart(name)
        theirs, pixels = _counterparts.make(peer)
        macs = [count_macs(ours) / 1e6, count_macs(theirs, pixels) / 1e6]
        times = compare(
            {
                name: Forward(ours, example_input(ours.input_spec, batch)),
                peer: Forward(theirs, pixels.repeat(batch, 1, 1, 1)),
            }
        )
        note = f"{macs[0]:.0f} and {macs[1]:.0f} million MACs"
        rows.append(row(name, times, name, peer, batch, note=note))
    section = Section(
        f"Networks: batches of {batch}",
        "Each against the RGB network it stands for, forward pass alone.",
        {"batch": batch},
        rows,
    )
    record(f"models {batch}", section)


def test_thin_layers():
    """Why `lean` is dense: the same MACs, in one layer and in an inverted residual."""
    dense = ConvBN(64, 64, 3)
    inverted = nn.Sequential(
        ConvBN(64, 256),
        nn.Conv2d(256, 256, 5, padding=2, groups=256, bias=False),
        nn.BatchNorm2d(256),
        nn.ReLU(inplace=True),
        ConvBN(256, 64, relu=False),
    )
    x = torch.randn(1, 64, 28, 28)
    macs = [count_macs(net, x) / 1e6 for net in (dense, inverted)]
    times = compare({"dense": Forward(dense, x), "inverted": Forward(inverted, x)})
    note = f"{macs[0]:.0f} and {macs[1]:.0f} million MACs"
    section = Section(
        "Networks: thin layers",
        "A dense 3 x 3 convolution of 64 channels at 28 x 28 against an inverted "
        "residual (1x1, depthwise 5x5, 1x1).",
        {"batch": 1},
        [row("dense 3x3", times, "dense", "inverted", 1, note=note)],
    )
    record("models thin", section)
