"""How exact are RGB networks on coefficients? `convert_rgb_model` on many.

    python benchmarks/convert_exactness.py

makes each network with random weights, converts it, gives both the same two images
(normalised pixels in float32, and the DCT of the same pixels), and prints, as Markdown,
the largest difference between both networks' logits over the largest between the two
images'; beside it, the same where the pixels' last bit was changed in place of the
network, which says what single precision can promise. Networks that are refused are
listed with the reason.
"""

import sys
import warnings
from pathlib import Path

import torch
from torchvision import models as tv

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from test_models_convert import conversion_error

# Name -> samples a side; 224 where the network insists.
TORCHVISION = {
    "resnet18": 64, "resnet50": 64, "mobilenet_v2": 64, "mobilenet_v3_small": 64,
    "efficientnet_b0": 64, "convnext_tiny": 64, "swin_t": 64, "swin_v2_t": 64,
    "vit_b_32": 224, "regnet_y_400mf": 64, "shufflenet_v2_x0_5": 64,
    "densenet121": 64, "squeezenet1_1": 64, "vgg11": 64, "alexnet": 64,
}  # fmt: skip
TIMM = {
    "resnet18": 64, "resnet18d": 64, "mobilenetv3_small_050": 64,
    "efficientnet_b0": 64, "tf_efficientnet_b0": 64, "convnext_atto": 64,
    "vit_tiny_patch16_224": 224, "deit_tiny_patch16_224": 224,
    "swin_tiny_patch4_window7_224": 224, "mixer_s32_224": 224, "levit_128s": 224,
    "mobilevit_xxs": 64, "repvgg_a0": 64, "efficientvit_b0": 64, "mobileone_s0": 64,
}  # fmt: skip


def networks():
    """(library, name, network, size)."""
    for name, size in TORCHVISION.items():
        torch.manual_seed(0)
        yield "torchvision", name, tv.get_model(name, weights=None), size
    try:
        import timm
    except ImportError:
        return
    for name, size in TIMM.items():
        torch.manual_seed(0)
        yield "timm", name, timm.create_model(name, pretrained=False), size


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print("| library | network | samples | conversion | last bit |")
    print("|---|---|---|---|---|", flush=True)
    for library, name, model, size in networks():
        try:
            cell = " | ".join(f"{e:.0e}" for e in conversion_error(model, size))
        except ValueError as error:
            cell = f"refused | {error}"
        print(f"| {library} | `{name}` | {size} | {cell} |", flush=True)


if __name__ == "__main__":
    main()
