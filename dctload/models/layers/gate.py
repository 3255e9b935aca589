"""The dynamic gate of Xu et al. 2020: which channels does this image need?"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Biases of the two scores at the start (gate.py of calmevtime/DCTNet): nearly
# every channel is let through.
BIAS_OFF, BIAS_ON = 0.1, 2.0


class FrequencyGate(nn.Module):
    """Lets each channel of each image through, or not.

    Squeeze and excite: the means of the channels, two 1x1 convolutions, and two
    scores a channel, "off" and "on". In training the choice is drawn by
    Gumbel-softmax, straight through: 0 or 1 forward, a softmax backward. In
    evaluation the larger score wins, so the result does not depend on chance.

    Add ``weight * gate.last_open`` to the loss to make it close channels.

    Attributes:
        last_open: Mean of the gate over images and channels in the last forward
            pass of training, with its gradient.
    """

    def __init__(self, channels: int, temperature: float = 1.0):
        super().__init__()
        self.temperature = temperature
        mix = nn.Conv2d(channels, channels, 1)
        self.squeeze = nn.Sequential(mix, nn.BatchNorm2d(channels), nn.ReLU())
        self.excite = nn.Conv2d(channels, 2 * channels, 1, groups=channels)
        nn.init.kaiming_normal_(mix.weight, mode="fan_out")
        nn.init.zeros_(mix.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.excite.weight, std=0.001)
        with torch.no_grad():
            bias = torch.tensor([BIAS_OFF, BIAS_ON])
            self.excite.bias.copy_(bias.repeat(channels))  # type: ignore[union-attr]
        self.last_open: Tensor = torch.tensor(1.0)

    def __getstate__(self) -> dict[str, Any]:
        # A copy of the module is no part of the graph of the last pass.
        return {**self.__dict__, "last_open": self.last_open.detach()}

    def scores(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 2): scores of "off" and "on"."""
        scores: Tensor = self.excite(self.squeeze(x.mean((2, 3), keepdim=True)))
        # Not len(x), which fixes the batch of an exported program.
        return scores.reshape(x.shape[0], -1, 2)

    def probabilities(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C): how likely each channel is let through."""
        return self.scores(x).softmax(-1)[..., 1]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, with the channels not needed set to zero."""
        scores = self.scores(x)
        if self.training:
            chosen = F.gumbel_softmax(scores, self.temperature, hard=True)[..., 1]
            self.last_open = chosen.mean()
        else:
            chosen = (scores[..., 1] > scores[..., 0]).to(x)
        return x * chosen[:, :, None, None]
