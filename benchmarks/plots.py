"""Draw the README's chart out of what the benchmarks measured.

    make bench && python benchmarks/plots.py

Bars are images a second on one core. Nothing in the chart is typed by hand: the
figures are those of results.json, the best of ours and every peer's.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OURS, COEFFICIENTS, PIXELS = "#1f6feb", "#8b949e", "#c9d1d9"


def bars(section: dict[str, Any]) -> list[tuple[str, float, str]]:
    """(name, images a second, colour), the fastest first."""
    rows = section["rows"]
    best = max(
        (row for row in rows if "dctload" not in row["peer"]),
        key=lambda row: row["ours"],
    )
    found = {"dctload": (best["ours"], OURS)}
    for row in rows:
        if "dctload" in row["peer"]:
            continue
        pixels = "full decode" in row["name"] or section["title"].startswith("Load")
        found[row["peer"]] = (row["theirs"], PIXELS if pixels else COEFFICIENTS)
    ordered = sorted(found.items(), key=lambda item: -item[1][0])
    return [(name, speed, colour) for name, (speed, colour) in ordered]


def draw(results: dict[str, Any], path: Path) -> None:
    """Decoding on the left, loading on the right, of the ImageNet sample."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    keys = [key for key in ("load imagenet", "decode imagenet") if key in results]
    titles = {
        "load imagenet": "File to augmented batch of 224 x 224",
        "decode imagenet": "File to coefficients (light: to pixels)",
    }
    plt.rcParams.update({"font.size": 9, "axes.titlelocation": "left"})
    figure, axes = plt.subplots(
        1,
        len(keys),
        figsize=(5.5 * len(keys), 3.4),
        layout="constrained",
        squeeze=False,
    )
    for key, ax in zip(keys, axes[0], strict=True):
        names, speeds, colours = zip(*bars(results[key]), strict=True)
        drawn = ax.barh(names, speeds, color=colours)
        ax.bar_label(drawn, fmt="{:,.0f}", padding=3)
        ax.invert_yaxis()
        ax.set_xlim(0, 1.15 * max(speeds))
        ax.set_xticks([])
        ax.spines[["top", "right", "bottom"]].set_visible(False)
        ax.set_title(titles[key])
        ax.set_xlabel("images a second, one core")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    measured = json.loads((HERE / "results.json").read_text())
    draw(measured, HERE.parent / "docs" / "speed.png")
