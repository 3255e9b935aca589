"""What accuracy does a millisecond of one core buy? `lean` against RGB networks.

    python benchmarks/lean_study.py train lean rgb_twin --seeds 3 --epochs 16
    python benchmarks/lean_study.py cost
    python benchmarks/lean_study.py table

trains each network from nothing on clothing-small (10 classes, 3,068 photographs
of 400 samples' width), measures the CPU time from a file's bytes to its logits, and
prints both side by side. Results are kept in lean_study.json.

Both sides get the same epochs, optimizer, crops and flips. Pixels come the cheapest
way we know: libjpeg-turbo's scaled decoding (1/2 or 1/4, where that is no smaller than
what is asked for), the crop cut out before it is resized. Networks on pixels differ
from `lean` in their stem alone, or are published ones.
"""

import argparse
import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import corpora
import numpy as np
import torch
from torch import nn

from dctload import decode, models, read_info
from dctload import transforms as T
from dctload.data import DataLoader, ImageFolder
from dctload.frequencies import triangle
from dctload.models._profile import count_macs, example_input, num_parameters
from dctload.models.layers.blocks import Classifier, ConvBN, init_weights
from dctload.models.small import BasicBlock
from dctload.training import Settings, Trainer, evaluate

RESULTS = Path(__file__).with_name("lean_study.json")
BATCH = 64
SCALE = (0.25, 1.0)  # of the area, RandomResizedCrop's
MEAN = 255 * np.float32([0.485, 0.456, 0.406])
STD = 255 * np.float32([0.229, 0.224, 0.225])


# ---- networks on pixels --------------------------------------------------------


def patches(side: int, width: int) -> nn.Module:
    """A linear map of each patch: as cheap as a stem can be."""
    return nn.Sequential(
        nn.Conv2d(3, width, side, side, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


def convolutions(halvings: int, width: int) -> nn.Module:
    """3 x 3 convolutions of stride 2, as ResNet-D and its successors begin."""
    widths = [3, *(width >> i for i in reversed(range(halvings)))]
    pairs = itertools.pairwise(widths)
    return nn.Sequential(*[ConvBN(a, b, 3, 2) for a, b in pairs])


class RgbTwin(nn.Module):
    """`lean` on pixels: another stem, no branch for chroma, the same body."""

    def __init__(
        self,
        num_classes: int,
        stem: Callable[[int], nn.Module],
        widths: tuple[int, int, int] = (48, 128, 256),
        depths: tuple[int, int, int] = (2, 2, 2),
    ):
        super().__init__()
        first, second, third = widths
        self.body = nn.Sequential(
            stem(first),
            *[BasicBlock(first, first) for _ in range(depths[0])],
            BasicBlock(first, second, 2),
            *[BasicBlock(second, second) for _ in range(depths[1] - 1)],
            BasicBlock(second, third, 2),
            *[BasicBlock(third, third) for _ in range(depths[2] - 1)],
            Classifier(third, num_classes, 0.1),
        )
        init_weights(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> (N, classes)."""
        return self.body(x)


def _torchvision(name: str, num_classes: int) -> nn.Module:
    from torchvision import models as tv

    return getattr(tv, name)(num_classes=num_classes)


@dataclass(frozen=True)
class Candidate:
    """A network and the size of the images it is given; ``note`` for the table."""

    make: Callable[[int], nn.Module]
    size: int
    pixels: bool
    note: str


SMALL = {"widths": (32, 96, 192), "depths": (1, 2, 2)}


def _ours(name: str, size: int, note: str, **options: object) -> Candidate:
    return Candidate(partial(models.create_model, name, **options), size, False, note)


def _twin(stem, size: int, note: str, **options: object) -> Candidate:
    return Candidate(partial(RgbTwin, stem=stem, **options), size, True, note)


CANDIDATES = {
    "lean": _ours("lean", 224, "33 coefficients, 28 x 28"),
    "lean 160": _ours("lean", 160, "20 x 20"),
    "lean_small": _ours("lean_small", 224, "33 coefficients, 28 x 28"),
    "lean 1-3-2": _ours(
        "lean", 224, "less at 28 x 28", depths=(1, 3, 2), widths=(40, 112, 224)
    ),
    "lean_small, all luma": _ours(
        "lean_small",
        224,
        "76 coefficients",
        frequencies=(range(64), triangle(3), triangle(3)),
    ),
    "rgb twin": _twin(partial(convolutions, 3), 224, "three 3 x 3 / 2"),
    "rgb twin small": _twin(partial(convolutions, 3), 224, "three 3 x 3 / 2", **SMALL),
    "rgb twin 112": _twin(partial(convolutions, 2), 112, "two 3 x 3 / 2"),
    "rgb patches": _twin(partial(patches, 8), 224, "8 x 8 / 8"),
    "rgb patches 112": _twin(partial(patches, 4), 112, "4 x 4 / 4"),
    "rgb twin 112 small": _twin(
        partial(convolutions, 2), 112, "two 3 x 3 / 2", **SMALL
    ),
    "rgb patches 112 small": _twin(partial(patches, 4), 112, "4 x 4 / 4", **SMALL),
    "mobilenet_v3_small": Candidate(
        partial(_torchvision, "mobilenet_v3_small"), 224, True, "torchvision"
    ),
    "mobilenet_v3_small 128": Candidate(
        partial(_torchvision, "mobilenet_v3_small"), 128, True, "torchvision"
    ),
}


# ---- from bytes to a sample ----------------------------------------------------


def pixels(data: bytes, size: int, box: tuple[int, int, int, int]) -> torch.Tensor:
    """Normalised RGB of the crop (top, left, height, width), float32 (3, S, S)."""
    import cv2

    flags = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2,
             4: cv2.IMREAD_REDUCED_COLOR_4}  # fmt: skip
    reduced = max(k for k in flags if k == 1 or min(box[2:]) >= k * size)
    flag = flags[reduced] | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    top, left, height, width = (round(v / reduced) for v in box)
    image = image[top : top + height, left : left + width]
    smaller = min(image.shape[:2]) >= size
    kind = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    image = cv2.resize(image, (size, size), interpolation=kind)
    normalised = (image[:, :, ::-1].astype(np.float32) - MEAN) / STD
    return torch.from_numpy(normalised.transpose(2, 0, 1).copy())


def centre(data: bytes) -> tuple[int, int, int, int]:
    """The box that Resize(256), CenterCrop(224) keep, on the image as it is."""
    info = read_info(data)
    side = round(min(info.width, info.height) * 224 / 256)
    return (info.height - side) // 2, (info.width - side) // 2, side, side


def sampler(candidate: Candidate) -> Callable[[bytes], object]:
    """The function that makes a test sample of a file's bytes."""
    if candidate.pixels:
        return lambda data: pixels(data, candidate.size, centre(data))
    model = candidate.make(10)
    transform = models.transforms_for(model, train=False, size=candidate.size)
    layout = models.input_spec(model).layout
    return lambda data: transform(decode(data)).to_tensor(layout=layout)


class PixelLoader:
    """Batches of crops as pixels; everything else as dctload's loader has it."""

    def __init__(self, folder: Path, size: int, train: bool, seed: int):
        self.samples = ImageFolder(folder).samples
        self.size, self.train = size, train
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        count = len(self.samples) / BATCH
        return int(count) if self.train else -int(-count // 1)

    def _one(self, data: bytes) -> torch.Tensor:
        if not self.train:
            return pixels(data, self.size, centre(data))
        from torchvision.transforms import RandomResizedCrop

        info = read_info(data)
        shape = torch.empty(1, 1, 1).expand(1, info.height, info.width)
        box = RandomResizedCrop.get_params(shape, list(SCALE), [3 / 4, 4 / 3])
        image = pixels(data, self.size, box)
        flip = torch.rand((), generator=self.generator) < 0.5
        return image.flip(2) if flip else image

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = list(range(len(self.samples)))
        if self.train:
            order = torch.randperm(len(order), generator=self.generator).tolist()
        for i in range(len(self)):
            chosen = [self.samples[j] for j in order[i * BATCH : (i + 1) * BATCH]]
            images = [self._one(Path(path).read_bytes()) for path, _ in chosen]
            batch = torch.stack(images).to(memory_format=torch.channels_last)
            yield batch, torch.tensor([target for _, target in chosen])


def coefficient_loader(
    folder: Path, model: nn.Module, size: int, train: bool, seed: int
) -> DataLoader:
    transform = models.transforms_for(model, train, size)
    if train:
        rest = transform.transforms[1:]
        transform = T.Compose([T.RandomResizedCrop(size, scale=SCALE), *rest])
    return DataLoader(
        ImageFolder(folder, transform=transform),
        batch_size=BATCH, shuffle=train, drop_last=train, num_workers=1,
        layout=models.input_spec(model).layout, seed=seed,
        memory_format=torch.channels_last,
    )  # fmt: skip


# ---- accuracy ------------------------------------------------------------------


def train(name: str, seed: int, epochs: int, precision: str) -> dict[str, object]:
    """Train once; returns accuracy on the validation and the test set."""
    candidate = CANDIDATES[name]
    root, generated = corpora.source("clothing-small")
    if generated:
        raise SystemExit("clothing-small is not there; see benchmarks/corpora.py")
    torch.manual_seed(seed)
    model = candidate.make(10)

    def loader(part: str, training: bool):
        if candidate.pixels:
            return PixelLoader(root / part, candidate.size, training, seed)
        return coefficient_loader(root / part, model, candidate.size, training, seed)

    begin = time.process_time()
    settings = Settings(epochs=epochs, precision=precision)
    trainer = Trainer(model, loader("train", True), None, settings)
    for result in trainer.fit():
        words = f"{name}, seed {seed}: epoch {result.epoch}"
        print(f"{words}, loss {result.train['loss']:.3f}", flush=True)
    seconds = time.process_time() - begin
    accuracy = {
        part: evaluate(model, loader(part, False), "cpu", trainer.precision)["top1"]
        for part in ("validation", "test")
    }
    return {
        "name": name, "seed": seed, "epochs": epochs, "cpu_seconds": round(seconds),
        "precision": trainer.precision.name, **accuracy,
    }  # fmt: skip


# ---- cost ----------------------------------------------------------------------


ONES = 10  # passes of one image in a row: a server's caches are warm


def _cpu_ms(run: Callable[[], object]) -> float:
    begin = time.process_time_ns()
    run()
    return (time.process_time_ns() - begin) / 1e6


def _steps(name: str, files: list[bytes]) -> dict[str, tuple[Callable, int]]:
    """What is timed of a network -> (what to run, how many images that is)."""
    candidate = CANDIDATES[name]
    make = sampler(candidate)
    net = models.fuse(candidate.make(10)).to(memory_format=torch.channels_last)
    steps = {"load": (lambda: [make(data) for data in files], len(files))}
    sample = make(files[0])
    parts = sample if isinstance(sample, tuple) else (sample,)
    for batch, passes in ((1, ONES), (32, 1)):
        x = [torch.stack([p] * batch) for p in parts]
        x = [t.to(memory_format=torch.channels_last) for t in x]
        fed = tuple(x) if isinstance(sample, tuple) else x[0]
        for short, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            run = partial(_forward, net, fed, dtype, passes)
            steps[f"{short} {batch}"] = (run, batch * passes)
    return steps


@torch.inference_mode()
def _forward(net: nn.Module, x: object, dtype: torch.dtype, passes: int) -> None:
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        for _ in range(passes):
            net(x)


def costs(names: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of one core an image: loading, and the network at 1 and at 32."""
    root, _ = corpora.source("clothing-small")
    files = [path.read_bytes() for path in sorted(root.glob("test/*/*.jpg"))[::4]]
    steps = {
        (name, what): step
        for name in names
        for what, step in _steps(name, files).items()
    }
    times: dict[tuple[str, str], list[float]] = {key: [] for key in steps}
    for i in range(rounds + 1):
        for key, (run, images) in steps.items():
            took = _cpu_ms(run) / images
            if i:  # the first round warms up
                times[key].append(took)
    table: dict[str, dict[str, float]] = {name: {} for name in names}
    for (name, what), values in times.items():
        table[name][what] = round(statistics.median(values), 3)
    for name in names:
        model = CANDIDATES[name].make(10)
        table[name]["mmacs"] = round(count_macs(model, _zeros(CANDIDATES[name])) / 1e6)
        table[name]["parameters"] = num_parameters(model)
    return table


def _zeros(candidate: Candidate) -> object:
    if candidate.pixels:
        return torch.zeros(1, 3, candidate.size, candidate.size)
    spec = models.input_spec(candidate.make(10))
    return example_input(type(spec)(spec.layout, spec.frequencies, candidate.size))


# ---- the table -----------------------------------------------------------------


def _load() -> dict[str, object]:
    if RESULTS.exists():
        return json.loads(RESULTS.read_text())
    return {"runs": [], "costs": {}}


def _save(**changes: object) -> None:
    RESULTS.write_text(json.dumps({**_load(), **changes}, indent=1) + "\n")


def _spread(values: list[float]) -> str:
    mean = statistics.mean(values)
    if len(values) == 1:
        return f"{mean:.1%}"
    return f"{mean:.1%} ± {statistics.stdev(values):.1%}".replace("% ±", " ±")


def table(results: dict) -> str:
    """Markdown: accuracy beside the milliseconds of one core from bytes to logits."""
    header = ["network", "samples", "GMACs", "load", "fp32, 1", "fp32, 32", "bf16, 1",
              "bf16, 32", "test", "validation", "seeds"]  # fmt: skip
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for name, cost in results["costs"].items():
        mine = [run for run in results["runs"] if run["name"] == name]
        if not mine:
            continue
        load = cost["load"]
        totals = [load + cost[k] for k in ("fp32 1", "fp32 32", "bf16 1", "bf16 32")]
        cells = [
            f"`{name}`", str(CANDIDATES[name].size), f"{cost['mmacs'] / 1000:.2f}",
            f"{load:.2f}", *[f"{total:.2f}" for total in totals],
            _spread([run["test"] for run in mine]),
            _spread([run["validation"] for run in mine]), str(len(mine)),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["train", "cost", "table"])
    parser.add_argument("names", nargs="*", default=list(CANDIDATES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.what == "train":
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            for name in args.names:
                run = train(name, seed, args.epochs, args.precision)
                print(json.dumps(run), flush=True)
                _save(runs=[*_load()["runs"], run])
    elif args.what == "cost":
        import cv2

        cv2.setNumThreads(1)
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        found = costs(args.names, args.rounds)
        _save(costs={**_load()["costs"], **found})
    print(table(_load()))


if __name__ == "__main__":
    main()
