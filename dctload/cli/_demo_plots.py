"""The demo's two pictures: what came out, and what the network saw."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dctload.cli._pictures import MUTED, OURS, THEIRS, mosaic, pyplot
from dctload.errors import DctloadError

if TYPE_CHECKING:
    from torch import nn

    from dctload.cli._demo_loading import Speed
    from dctload.image import DctImage
    from dctload.training import EpochResult

NUM_PICTURES = 4


def predict(model: "nn.Module", dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, classes) and targets (N,) of all of ``dataset``."""
    import torch

    from dctload import DataLoader

    device = next(model.parameters()).device
    model.eval()
    probabilities, targets = [], []
    with torch.no_grad():
        for x, target in DataLoader(dataset, 64):
            x = tuple(t.to(device) for t in x)
            probabilities.append(model(x).float().softmax(1).cpu().numpy())
            targets.append(target.numpy())
    return np.concatenate(probabilities), np.concatenate(targets)


def _draw_speed(axes: Any, speed: "Speed") -> None:
    names = ["Pillow +\ntorchvision", "dctload"]
    bars = axes.barh(names, [speed.pixels, speed.dctload], color=[THEIRS, OURS])
    axes.bar_label(bars, fmt="{:,.0f}", padding=4)
    axes.set_xlim(0, speed.dctload * 1.2)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("images a second, one thread")
    axes.locator_params(axis="x", nbins=5)
    axes.set_title(f"Loading: {speed.dctload / speed.pixels:.1f} times as fast")


def _draw_accuracy(axes: Any, results: list["EpochResult"], num_classes: int) -> None:
    epochs = [r.epoch for r in results]
    val = [r.val["top1"] if r.val else float("nan") for r in results]
    axes.plot(
        epochs, [r.train["top1"] for r in results], color=THEIRS, label="training"
    )
    axes.plot(epochs, val, color=OURS, linewidth=2, label="validation")
    axes.axhline(1 / num_classes, color=MUTED, linestyle=":", label="chance")
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("epoch")
    axes.set_ylabel("share recognised")
    axes.legend(frameon=False, loc="center right")
    axes.set_title(f"Training on coefficients: {val[-1]:.0%}")


def _draw_confusion(
    axes: Any, probabilities: np.ndarray, targets: np.ndarray, classes: list[str]
) -> None:
    num = len(classes)
    counts = np.zeros((num, num))
    np.add.at(counts, (targets, probabilities.argmax(1)), 1)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_title("Which is taken for which")
    axes.set_xlabel("taken for")
    if num <= 30:
        axes.set_xticks(range(num), classes, rotation=90)
        axes.set_yticks(range(num), classes)
    axes.spines[:].set_visible(False)


def _draw_answer(axes: Any, probabilities: np.ndarray, target: int, names: Any) -> None:
    best = np.argsort(probabilities)[::-1][:4][::-1]
    colours = [OURS if i == target else THEIRS for i in best]
    bars = axes.barh([names[i] for i in best], probabilities[best], color=colours)
    axes.bar_label(bars, fmt="{:.0%}", padding=3)
    axes.set_xlim(0, 1.2)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)


def _some_images(dataset: Any) -> list[tuple[int, "DctImage"]]:
    """The middle image of some classes, with its index; JPEG files only."""
    from dctload import decode

    found: list[tuple[int, DctImage]] = []
    targets = np.asarray(dataset.targets)
    num = min(NUM_PICTURES, len(dataset.classes))
    for target in np.linspace(0, len(dataset.classes) - 1, num).round():
        members = np.flatnonzero(targets == target)
        for i in np.roll(members, len(members) // 2):
            try:
                found.append((int(i), decode(dataset.samples[i][0])))
                break
            except DctloadError:
                continue
    return found


def _draw_inputs(
    plt: Any, path: Path, dataset: Any, probabilities: np.ndarray, targets: np.ndarray
) -> None:
    images = _some_images(dataset)
    figure, rows = plt.subplots(
        len(images),
        3,
        figsize=(9, 2.7 * len(images)),
        squeeze=False,
        width_ratios=[1, 1, 0.8],
        layout="constrained",
    )
    for (i, image), axes in zip(images, rows, strict=True):
        axes[0].imshow(image.to_rgb())
        axes[1].imshow(mosaic(image), cmap="magma", interpolation="nearest")
        for ax in axes[:2]:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        axes[1].set_ylabel("vertical frequency \u2192", y=0, ha="left")
        target = int(targets[i])
        axes[0].set_title(dataset.classes[target])
        _draw_answer(axes[2], probabilities[i], target, dataset.classes)
    rows[0][1].set_title("its coefficients (luma)")
    rows[0][2].set_title("taken for")
    rows[-1][1].set_xlabel("horizontal frequency \u2192", x=0, ha="left")
    figure.savefig(path)
    plt.close(figure)


def draw(
    out: Path,
    model: "nn.Module",
    dataset: Any,
    speed: "Speed",
    results: list["EpochResult"],
) -> list[str]:
    """Write both pictures to the folder ``out`` and return their paths.

    Args:
        out: Made if it is not there.
        model: The trained network.
        dataset: The images for validation.
        speed: Of both loaders.
        results: Of each epoch.
    """
    plt = pyplot(" (or --no-plots)")
    out.mkdir(parents=True, exist_ok=True)
    probabilities, targets = predict(model, dataset)
    figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    _draw_speed(axes[0], speed)
    _draw_accuracy(axes[1], results, len(dataset.classes))
    _draw_confusion(axes[2], probabilities, targets, dataset.classes)
    paths = [out / "results.png", out / "frequencies.png"]
    figure.savefig(paths[0])
    plt.close(figure)
    _draw_inputs(plt, paths[1], dataset, probabilities, targets)
    return [str(path) for path in paths]
