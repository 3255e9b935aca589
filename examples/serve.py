"""Classify JPEG files as they come over a network: bytes in, names out, on a CPU.

    python examples/serve.py checkpoint.pt cat.jpg dog.jpg

One ``Decoder`` keeps its memory from request to request. The checkpoint is one that
``dctload train`` wrote; without one (``-``) an untrained network answers.
"""

import argparse
from pathlib import Path

import torch

import dctload
from dctload.models import create_model, transforms_for


class Classifier:
    """Not thread-safe: one for each thread that serves."""

    def __init__(self, model):
        self.model = model.eval()
        self.transform = transforms_for(model, train=False)
        self.decoder = dctload.Decoder()

    def prepare(self, image):
        layout = self.model.input_spec.layout
        return self.transform(image).to_tensor(layout=layout)

    @torch.inference_mode()
    def __call__(self, requests):
        """A class number for each of ``requests``, or the error it met."""
        images = self.decoder.decode_many(requests, on_error="return")
        good = [i for i, image in enumerate(images) if not isinstance(image, Exception)]
        answers = list(images)
        if good:
            inputs = [self.prepare(images[i]) for i in good]
            if isinstance(inputs[0], torch.Tensor):
                x = torch.stack(inputs)
            else:
                x = tuple(torch.stack(part) for part in zip(*inputs, strict=True))
            for i, answer in zip(good, self.model(x).argmax(1).tolist(), strict=True):
                answers[i] = answer
        return answers


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()

    if args.checkpoint == "-":
        model = create_model("small_resnet", num_classes=2, size=64)
    else:
        model = create_model("small_resnet", num_classes=2, pretrained=args.checkpoint)
    classify = Classifier(model)
    requests = [Path(name).read_bytes() for name in args.files]
    for name, answer in zip(args.files, classify(requests), strict=True):
        print(f"{name}: {answer}")


if __name__ == "__main__":
    main()
