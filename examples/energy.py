"""How much of photographs is in which frequency?

    python examples/energy.py photos

Prints the mean square of the luma amplitudes, [v, u], over all files of a folder: what
a choice of frequencies throws away.
"""

import argparse
from pathlib import Path

import numpy as np

import dctload


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    args = parser.parse_args()

    total, num_blocks, num_bad = np.zeros((8, 8)), 0, 0
    paths = sorted(Path(args.folder).rglob("*.jpg"))
    decoder = dctload.Decoder(num_threads=2)
    for begin in range(0, len(paths), 64):
        chunk = paths[begin : begin + 64]
        for image in decoder.decode_many(chunk, on_error="return"):
            if isinstance(image, Exception):
                print(image)
                num_bad += 1
                continue
            luma = image.dequantized().planes[0].reshape(-1, 8, 8)
            total += np.square(luma, dtype=np.float64).sum(0)
            num_blocks += len(luma)

    total[0, 0] = 0  # brightness, which says nothing about detail
    share = total / max(total.sum(), 1e-9)
    print(f"{len(paths) - num_bad} files, {num_blocks:,} blocks; % of all AC energy")
    print(np.array2string(100 * share, precision=1, suppress_small=True))


if __name__ == "__main__":
    main()
