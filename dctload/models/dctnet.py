"""ResNet-50 and MobileNetV2 on a few frequencies: Xu et al., CVPR 2020.

"Learning in the Frequency Domain" (DCTNet). An ordinary network loses its stem:
the coefficients of a larger image (448 samples, or 896) stand where the stem's
feature maps (56 x 56, or 112 x 112) would.

    Y|Cb|Cr subset, 56 x 56   -> [gate] -> layer1 .. layer4 -> classes   ResNet-50
    Y|Cb|Cr subset, 112 x 112 -> first inverted residual .. -> classes   MobileNetV2

The published ResNet-50 code keeps 56 x 56 through layer2 (stride 1 there), which
makes it 3.3 times as expensive as the RGB network; ``dctnet_resnet50`` has the
usual strides, ``dctnet_resnet50_stride1`` the published ones.

The authors subtract and divide by fixed vectors; here a normalisation without
parameters finds them while training.

The channels and strides follow the authors' code (calmevtime/DCTNet:
``classification/models/imagenet``); no line of it is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v2, resnet50

from dctload.frequencies import PUBLISHED

from ._input import ALL, Frequencies, Inputs, InputSpec
from .layers.gate import FrequencyGate

SQUARE_24 = Frequencies(*PUBLISHED["24"])


def fresh_1x1(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Make a 1x1 convolution with He's initial weights, as the authors do."""
    conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


class DctResNet(nn.Module):
    """ResNet-50 without a stem.

    Args:
        num_classes: Size of the output.
        frequencies: Coefficients read.
        layer2_stride: 2 as in RGB, or 1 as in the published code.
        gate: Whether a :class:`FrequencyGate` chooses among the channels.
    """

    def __init__(
        self,
        num_classes: int,
        frequencies: Frequencies = SQUARE_24,
        layer2_stride: int = 2,
        gate: bool = False,
    ):
        super().__init__()
        self.input_spec = InputSpec("concat", frequencies, 448)
        channels = frequencies.num_channels
        net: Any = resnet50(num_classes=num_classes)
        first = net.layer1[0]
        first.conv1 = fresh_1x1(channels, 64)
        first.downsample[0] = fresh_1x1(channels, 256)
        if layer2_stride == 1:
            net.layer2[0].conv2.stride = (1, 1)
            net.layer2[0].downsample[0].stride = (1, 1)
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gate = FrequencyGate(channels) if gate else None
        self.layer1, self.layer2 = net.layer1, net.layer2
        self.layer3, self.layer4 = net.layer3, net.layer4
        self.fc = net.fc

    def forward(self, x: Inputs) -> Tensor:
        """(N, K, H/8, W/8) -> (N, classes)."""
        self.input_spec.check(x)
        x = self.norm(x)
        if self.gate is not None:
            x = self.gate(x)
        maps: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(maps.mean((2, 3)))
        return logits

    def load_published(
        self,
        state: dict[str, Any],
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        """Load weights in the layout of the released checkpoints.

        There layer1 to layer4 are called ``model.0`` to ``model.3``; the names
        may begin with ``module.`` and lie under ``state_dict``.

        Args:
            state: As ``torch.load`` gives it.
            mean: What the checkpoint was trained with, for each channel; None:
                the input comes normalised.
            std: Likewise.

        Raises:
            RuntimeError: Names or shapes do not match, as torch says it.
        """
        renamed = {}
        for name, value in _plain(state).items():
            if name.startswith("model."):
                stage, rest = name.removeprefix("model.").split(".", 1)
                name = f"layer{int(stage) + 1}.{rest}"
            renamed[name] = value
        self.load_state_dict({**renamed, **_statistics(self.norm, mean, std)})


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """The weights of a checkpoint, without what wraps them and their names."""
    state = state.get("state_dict", state)
    return {name.removeprefix("module."): value for name, value in state.items()}


def _statistics(
    norm: nn.BatchNorm2d, mean: Sequence[float] | None, std: Sequence[float] | None
) -> dict[str, Tensor]:
    """Fixed vectors as the state of the normalisation that stands for them."""
    channels = norm.num_features
    scale = torch.ones(channels) if std is None else torch.tensor(std)
    return {
        "norm.running_mean": torch.tensor(mean or [0.0] * channels),
        "norm.running_var": scale**2 - norm.eps,
        "norm.num_batches_tracked": torch.tensor(0),
    }


# Where a layer of the authors' inverted residual stands in torchvision's: in the
# first block, which does not widen, and in the others.
_FIRST_BLOCK = {"0": "0.0", "1": "0.1", "3": "1", "4": "2"}
_OTHER_BLOCKS = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "6": "2", "7": "3"}


class DctMobileNetV2(nn.Module):
    """MobileNetV2 whose first depthwise convolution reads the coefficients.

    With all 192 channels that convolution has 32 groups of 6, so that it still
    gives the 32 maps of the original.
    """

    def __init__(self, num_classes: int, frequencies: Frequencies = SQUARE_24):
        super().__init__()
        self.input_spec = InputSpec("concat", frequencies, 896)
        channels = frequencies.num_channels
        net: Any = mobilenet_v2(num_classes=num_classes)
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.features = nn.Sequential(*net.features[1:])
        depthwise, pointwise, norm = net.features[1].conv
        out = 32 if channels == 192 else channels
        depthwise[0] = nn.Conv2d(
            channels, out, 3, 1, 1, groups=min(channels, out), bias=False
        )
        nn.init.kaiming_normal_(depthwise[0].weight, mode="fan_out")
        depthwise[1] = nn.BatchNorm2d(out)
        self.features[0].conv = nn.Sequential(
            depthwise, fresh_1x1(out, pointwise.out_channels), norm
        )
        self.classifier = net.classifier

    def forward(self, x: Inputs) -> Tensor:
        """(N, K, H/8, W/8) -> (N, classes)."""
        self.input_spec.check(x)
        maps: Tensor = self.features(self.norm(x))
        logits: Tensor = self.classifier(maps.mean((2, 3)))
        return logits

    def load_published(
        self,
        state: dict[str, Any],
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        """Load weights in the layout of the released checkpoints.

        There a block is one flat sequence, the last 1x1 convolution is called
        ``conv``, and the classifier is a linear layer alone.

        Args:
            state: As ``torch.load`` gives it.
            mean: What the checkpoint was trained with, for each channel; None:
                the input comes normalised.
            std: Likewise.

        Raises:
            RuntimeError: Names or shapes do not match, as torch says it.
        """
        renamed = {}
        for name, value in _plain(state).items():
            words = name.split(".")
            if words[0] == "features" and len(words) > 3:
                places = _FIRST_BLOCK if words[1] == "0" else _OTHER_BLOCKS
                words[3] = places.get(words[3], words[3])
            elif words[0] == "conv":
                words[0] = f"features.{len(self.features) - 1}"
            elif words[0] == "classifier":
                words[0] = "classifier.1"
            renamed[".".join(words)] = value
        self.load_state_dict({**renamed, **_statistics(self.norm, mean, std)})


MODELS = {
    "dctnet_resnet50": DctResNet,
    "dctnet_resnet50_stride1": partial(DctResNet, layer2_stride=1),
    "dctnet_resnet50_gate": partial(DctResNet, frequencies=ALL, gate=True),
    "dctnet_mobilenet_v2": DctMobileNetV2,
}


@torch.no_grad()
def select_frequencies(model: nn.Module, loader: Any, num: int = 24) -> Frequencies:
    """Turn a trained gate into a fixed subset: the ``num`` channels it lets through.

    Does not change the model; make another with the result as ``frequencies``.

    Args:
        model: A network with a ``gate``.
        loader: Yields (x, target) over the data to average the gate over.
        num: How many channels to keep.

    Raises:
        ValueError: The network has no gate, or ``num`` is out of range.
    """
    gate, spec = getattr(model, "gate", None), getattr(model, "input_spec", None)
    if not isinstance(gate, FrequencyGate) or not isinstance(spec, InputSpec):
        raise ValueError(f"{type(model).__name__} has no gate to select by")
    luma, cb, cr = spec.frequencies
    channels = [(c, f) for c, part in enumerate((luma, cb, cr)) for f in part]
    if not 1 <= num <= len(channels):
        raise ValueError(f"num must be in 1..{len(channels)}, got {num}")
    was_training = gate.training
    gate.eval()
    device = next(gate.parameters()).device
    total = torch.zeros(len(channels), dtype=torch.float64, device=device)
    for x, _ in loader:
        total += gate.probabilities(x.to(device)).double().sum(0)
    gate.train(was_training)
    best = total.argsort(descending=True, stable=True)[:num].tolist()
    chosen = sorted(channels[i] for i in best)
    parts = [tuple(f for component, f in chosen if component == c) for c in range(3)]
    return Frequencies(*parts)
