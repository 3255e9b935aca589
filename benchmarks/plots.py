"""Draw the README's chart out of what the benchmarks measured.

    make bench && python benchmarks/plots.py

Bars are images a second on one core, from file to augmented batch. Nothing in the
chart is typed by hand: the figures are those of results.json.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OURS, THEIRS = "#1f6feb", "#b1bac4"
TITLES = {
    "load imagenet": "ImageNet files, 108 KB, mostly 4:4:4",
    "load clothing": "Photographs, 29 KB, 4:2:0",
}


def bars(section: dict[str, Any]) -> list[tuple[str, float, str]]:
    """(name, images a second, colour) of all loaders, the fastest first."""
    found = {}
    for row in section["rows"]:
        if "num_workers" not in row["name"]:
            # A row may compare one of ours with another.
            found.setdefault(row["peer"], (row["theirs"], THEIRS))
            found[row["name"]] = (row["ours"], OURS)
    ordered = sorted(found.items(), key=lambda item: -item[1][0])
    return [(name, speed, colour) for name, (speed, colour) in ordered]


def draw(results: dict[str, Any], path: Path) -> None:
    """A panel for each set of files."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 9, "axes.titlelocation": "left"})
    size = (5.5 * len(TITLES), 3)
    figure, axes = plt.subplots(1, len(TITLES), figsize=size, layout="constrained")
    for (key, title), ax in zip(TITLES.items(), axes, strict=True):
        names, speeds, colours = zip(*bars(results[key]), strict=True)
        drawn = ax.barh(names, speeds, color=colours)
        ax.bar_label(drawn, fmt="{:,.0f}", padding=3)
        ax.invert_yaxis()
        ax.set_xlim(0, 1.15 * max(speeds))
        ax.set_xticks([])
        ax.spines[["top", "right", "bottom"]].set_visible(False)
        ax.set_title(title)
        ax.set_xlabel("images a second, one core")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    measured = json.loads((HERE / "results.json").read_text())
    draw(measured, HERE.parent / "docs" / "speed.png")
