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
from dctload.training import load_checkpoint


class Classifier:
    """Not thread-safe: one for each thread that serves."""

    def __init__(self, model, classes, size):
        self.model, self.classes = model.eval(), classes
        self.transform = transforms_for(model, train=False, size=size)
        self.decoder = dctload.Decoder()

    @classmethod
    def of_checkpoint(cls, path):
        """The network of ``path``, which says what it is and what it tells apart."""
        about = load_checkpoint(path)["meta"]
        classes = about["classes"]
        model = create_model(
            about["model"],
            len(classes),
            frequencies=about["frequencies"],
            pretrained=path,
        )
        return cls(model, classes, about["size"])

    def prepare(self, image):
        layout = self.model.input_spec.layout
        return self.transform(image).to_tensor(layout=layout)

    @torch.inference_mode()
    def __call__(self, requests):
        """The class of each of ``requests``, or the error it met."""
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
                answers[i] = self.classes[answer]
        return answers


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()

    if args.checkpoint == "-":
        model = create_model("small_resnet", num_classes=2)
        classify = Classifier(model, ["one", "the other"], size=64)
    else:
        classify = Classifier.of_checkpoint(args.checkpoint)
    requests = [Path(name).read_bytes() for name in args.files]
    for name, answer in zip(args.files, classify(requests), strict=True):
        print(f"{name}: {answer}")


if __name__ == "__main__":
    main()
