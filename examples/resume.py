"""Stop in the middle of an epoch and go on, as if nothing had been.

    python examples/resume.py photos/train

The state is a few numbers. It knows nothing of threads or ranks, so both may change.
"""

import argparse
import json

import torch

from dctload import DataLoader, ImageFolder
from dctload import transforms as T


def make_loader(folder, threads):
    transform = T.Compose([T.RandomResizedCrop(64), T.RandomHorizontalFlip()])
    data = ImageFolder(folder, transform)
    return DataLoader(data, batch_size=4, shuffle=True, num_workers=threads, seed=7)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    args = parser.parse_args()

    uninterrupted = list(make_loader(args.folder, threads=0))

    first = make_loader(args.folder, threads=1)
    for i, _ in enumerate(first):
        if i == 1:
            break
    state = json.dumps(first.state_dict())
    print("state after two batches:", state)

    second = make_loader(args.folder, threads=3)
    second.load_state_dict(json.loads(state))
    rest = list(second)

    for (x, target), (want_x, want_target) in zip(rest, uninterrupted[2:], strict=True):
        assert torch.equal(x, want_x)
        assert torch.equal(target, want_target)
    print(f"the other {len(rest)} batches are the same, bit by bit")


if __name__ == "__main__":
    main()
