r"""Seven ResNet-50s for coefficients: Gueguen et al., NeurIPS 2018.

"Faster Neural Networks Straight from JPEG". The layers are those of the
authors' published architecture diagrams (uber-research/jpeg2dct, ``diagrams/``):

    early merge    cbcr -> luma grid -\
                   y ------------------ concat -> BN -> [RFA] -> res3 res4 res5
    late concat    y -> BN -> [RFA] -> res3 -> res4a -\
                   cbcr -> BN -> one bottleneck ------- concat -> res4b.. -> res5

RFA, "receptive field aware": three bottlenecks with kernels 1, 2, 3 let the
field grow from 8 to 16 to 32 samples before the usual stages begin.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from ._input import ALL, Frequencies, Inputs, InputSpec
from .layers.blocks import Classifier, init_weights, stage

# (mid, out) channels of the bottlenecks of each stage.
RFA = (256, 1024)
RES3 = (128, 512)
RES4 = (256, 1024)
RES5 = (512, 2048)
RFA_KERNELS = [1, 2, 3]


def _tail(num_classes: int) -> nn.Sequential:
    """Stage 5 at 7 x 7 and the classifier, common to all."""
    return nn.Sequential(
        stage(RES4[1], RES5, [3, 3, 3], stride=2),
        Classifier(RES5[1], num_classes),
    )


class EarlyMerge(nn.Module):
    """Both planes brought to one grid, concatenated, then one trunk.

    Args:
        num_classes: Size of the output.
        frequencies: Coefficients read.
        merge: How the grids are made equal: ``"upsample"`` repeats chroma
            (nearest), ``"deconvolution"`` learns one 2x2 up-projection for Cb
            and one for Cr, ``"downsample"`` learns a 2x2 one down for Y.
        rfa: Whether the three receptive-field-aware bottlenecks are there.
    """

    def __init__(
        self,
        num_classes: int,
        frequencies: Frequencies = ALL,
        merge: Literal["upsample", "deconvolution", "downsample"] = "upsample",
        rfa: bool = True,
    ):
        super().__init__()
        self.input_spec = InputSpec("planes", frequencies, 224)
        self.num_cb = len(frequencies.cb)
        luma, cb, cr = (len(f) for f in frequencies)
        self.down_y: nn.Module = nn.Identity()
        self.up_cb: nn.Module = nn.Identity()
        self.up_cr: nn.Module = nn.Identity()
        if merge == "downsample":
            self.down_y = nn.Conv2d(luma, 256, 2, 2)
            luma = 256
        elif merge == "deconvolution":
            self.up_cb = nn.ConvTranspose2d(cb, 64, 2, 2)
            self.up_cr = nn.ConvTranspose2d(cr, 64, 2, 2)
            cb = cr = 64
        else:
            self.up_cb = nn.Upsample(scale_factor=2, mode="nearest")
            self.up_cr = self.up_cb
        channels = luma + cb + cr
        self.norm = nn.BatchNorm2d(channels)
        self.rfa = stage(channels, RFA, RFA_KERNELS) if rfa else nn.Identity()
        self.res3 = stage(RFA[1] if rfa else channels, RES3, [3] * 4)
        self.res4 = stage(
            RES3[1], RES4, [3] * 6, stride=1 if merge == "downsample" else 2
        )
        self.tail = _tail(num_classes)
        init_weights(self)

    def forward(self, x: Inputs) -> Tensor:
        """(N, Ky, H/8, W/8) and (N, Kc, H/16, W/16) -> (N, classes)."""
        self.input_spec.check(x)
        y, cbcr = x
        cb, cr = cbcr[:, : self.num_cb], cbcr[:, self.num_cb :]
        x = torch.cat([self.down_y(y), self.up_cb(cb), self.up_cr(cr)], 1)
        x = self.res4(self.res3(self.rfa(self.norm(x))))  # (N, 1024, 14, 14)
        logits: Tensor = self.tail(x)
        return logits


class LateConcat(nn.Module):
    """Luma through its own stages; chroma joins inside stage 4.

    Args:
        num_classes: Size of the output.
        frequencies: Coefficients read.
        rfa: (mid, out) of the receptive-field-aware bottlenecks, or None.
        res3: (mid, out) of stage 3.
        luma: (mid, out) of luma's part of the first block of stage 4.
        chroma: (mid, out) of chroma's.
    """

    def __init__(
        self,
        num_classes: int,
        frequencies: Frequencies = ALL,
        rfa: tuple[int, int] | None = RFA,
        res3: tuple[int, int] = RES3,
        luma: tuple[int, int] = (256, 512),
        chroma: tuple[int, int] = (256, 512),
    ):
        super().__init__()
        self.input_spec = InputSpec("planes", frequencies, 224)
        channels = frequencies.num_luma
        self.norm_y = nn.BatchNorm2d(channels)
        self.norm_cbcr = nn.BatchNorm2d(frequencies.num_chroma)
        self.rfa = stage(channels, rfa, RFA_KERNELS) if rfa else nn.Identity()
        self.res3 = stage(rfa[1] if rfa else channels, res3, [3] * 4)
        self.res4_y = stage(res3[1], luma, [3], stride=2)
        self.res4_cbcr = stage(frequencies.num_chroma, chroma, [1])
        self.res4 = stage(RES4[1], RES4, [3] * 5, project=False)
        self.tail = _tail(num_classes)
        init_weights(self)

    def forward(self, x: Inputs) -> Tensor:
        """(N, Ky, H/8, W/8) and (N, Kc, H/16, W/16) -> (N, classes)."""
        self.input_spec.check(x)
        y, cbcr = x
        y = self.res4_y(self.res3(self.rfa(self.norm_y(y))))  # (N, 512, 14, 14)
        cbcr = self.res4_cbcr(self.norm_cbcr(cbcr))  # (N, 512, 14, 14)
        logits: Tensor = self.tail(self.res4(torch.cat([y, cbcr], 1)))
        return logits


MODELS = {
    "upsampling": partial(EarlyMerge, merge="upsample", rfa=False),
    "upsampling_rfa": partial(EarlyMerge, merge="upsample"),
    "deconvolution_rfa": partial(EarlyMerge, merge="deconvolution"),
    "downsampling": partial(EarlyMerge, merge="downsample"),
    "late_concat": partial(LateConcat, rfa=None),
    "late_concat_rfa": LateConcat,
    "late_concat_rfa_thinner": partial(
        LateConcat, rfa=(96, 384), res3=(96, 384), luma=(192, 768), chroma=(128, 256)
    ),
}
