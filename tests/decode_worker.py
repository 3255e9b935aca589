"""Decode files in every way there is, in a process of its own.

    python decode_worker.py FILES.json < /dev/null > DIGESTS.json

``FILES.json`` lists [name, path]. A process of its own because ``DCTLOAD_DISABLE_CPU``
is read once. Prints {"features": ..., "ways": {way: {name: digest}}}.
"""

import json
import sys
from pathlib import Path

import ccore

CHUNK = 64  # files in memory at a time


def main() -> None:
    files = json.loads(Path(sys.argv[1]).read_text())
    ways: dict[str, dict[str, str]] = {"single": {}, "1 thread": {}, "2 threads": {}}
    decoder = ccore.Decoder()
    for start in range(0, len(files), CHUNK):
        names = [name for name, _ in files[start : start + CHUNK]]
        datas = [Path(path).read_bytes() for _, path in files[start : start + CHUNK]]
        outcomes = {
            "single": [decoder.decode(data) for data in datas],
            "1 thread": ccore.decode_batch(datas, 1),
            "2 threads": ccore.decode_batch(datas, 2),
        }
        for way, found in outcomes.items():
            digests = (outcome.digest() for outcome in found)
            ways[way].update(zip(names, digests, strict=True))
    features = ccore.ffi.string(ccore.lib.dctload_cpu_features()).decode()
    json.dump({"features": features, "ways": ways}, sys.stdout)


if __name__ == "__main__":
    main()
