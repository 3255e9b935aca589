"""Train a network on coefficients with a plain PyTorch loop.

    python examples/train_classifier.py photos/train photos/val

Both folders have a folder per class. What differs from a loop over pixels is the
three lines that make the model and its transforms.
"""

import argparse

import torch
from torch.nn.functional import cross_entropy

from dctload import DataLoader, ImageFolder
from dctload.models import create_model, transforms_for


def make_loader(folder, model, train, args):
    transform = transforms_for(model, train=train)
    data = ImageFolder(folder, transform, layout=model.input_spec.layout)
    return DataLoader(
        data,
        batch_size=args.batch_size,
        shuffle=train,
        num_workers=args.threads,
        on_error="replace",  # a bad file is named in the log, and not fatal
        max_errors=0.01,
        seed=0,
    )


def train_epoch(model, loader, optimizer):
    model.train()
    total = 0.0
    for x, target in loader:
        loss = cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    hits = samples = 0
    for x, target in loader:
        hits += (model(x).argmax(1) == target).sum().item()
        samples += len(target)
    return hits / samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train")
    parser.add_argument("val")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    num_classes = len(ImageFolder(args.train).classes)
    model = create_model("small_resnet", num_classes, size=64)
    train = make_loader(args.train, model, True, args)
    val = make_loader(args.val, model, False, args)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(args.epochs):
        loss = train_epoch(model, train, optimizer)
        print(f"epoch {epoch + 1}: loss {loss:.3f}, {accuracy(model, val):.1%} right")
    print(train.stats.report())


if __name__ == "__main__":
    main()
