"""Results as SVG plots, one function each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from peers import BASELINE, FLOOR
from report import times

__all__ = ["draw"]

_INK, _GRID = "#1f2933", "#dde2e8"
_KEYBOUND = "#c2410c"
_COLOURS = {
    "keybound": _KEYBOUND,
    "keybound-claims": "#ea9a6b",
    "keybound-again": "#7c2d12",
    "keybound-untabled": "#9a8478",
    "keybound-pure": "#b8a99a",
    "keybound-batch": "#7c2d12",
    "ryjwt": "#1d4ed8",
    "oxyjwt": "#0891b2",
    "joserfc": "#15803d",
    "pyjwt": "#7e22ce",
    "authlib": "#a3a310",
    "jwcrypto": "#64748b",
    "python-jose": "#be185d",
}
_MARKERS = {
    "ryjwt": "s",
    "oxyjwt": "D",
    "joserfc": "^",
    "pyjwt": "v",
    "authlib": "P",
    "jwcrypto": "X",
    "python-jose": "<",
}
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _GRID,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _GRID,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "svg.hashsalt": "keybound",
}


def draw(document: Mapping[str, Any], directory: Path) -> None:
    """Write one SVG for each section that was measured."""
    sections = document["sections"]
    with mpl.rc_context(_STYLE):
        figures = {"peers": _peers(sections["validation"], sections["again"])}
        figures["floor"] = _floor(sections["validation"])
        if sections.get("sizes"):
            figures["sizes"] = _sizes(sections["sizes"], sections["validation"], sections["again"])
        if sections.get("keys"):
            figures["keys"] = _keys(sections["keys"])
        if sections.get("threads"):
            figures["threads"] = _threads(sections["threads"])
        for name, figure in figures.items():
            # Without a date, the same results make the same file.
            figure.savefig(directory / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")


def _peers(validation: Mapping[str, Any], again: Mapping[str, Any]) -> Figure:
    """One row for each algorithm, one mark for each library."""
    figure = Figure(figsize=(8.4, 0.48 * len(validation) + 1.9), layout="constrained")
    axes = figure.add_subplot()
    algorithms = list(validation)
    for position, algorithm in enumerate(algorithms):
        best = times(validation[algorithm]["peers"])
        remembered = times(again[algorithm]["peers"]).get("keybound-again")
        rivals = [best[name] for name in _MARKERS if name in best]
        if rivals:
            axes.hlines(position, best[BASELINE] / 1e3, max(rivals) / 1e3, color=_GRID, linewidth=5, zorder=1)
        for name, marker in _MARKERS.items():
            if name in best:
                axes.plot(best[name] / 1e3, position, marker, color=_COLOURS[name], markersize=6, zorder=3)
        axes.plot(best[BASELINE] / 1e3, position, "o", color=_KEYBOUND, markersize=10, zorder=5)
        if remembered:
            axes.plot(
                remembered / 1e3, position, "o", markersize=8, zorder=4, color="white",
                markeredgecolor=_KEYBOUND, markeredgewidth=1.8,
            )  # fmt: skip
        if "primitive" in best:
            axes.plot(best["primitive"] / 1e3, position, "|", color=_INK, markersize=17, zorder=6)
    axes.set_yticks(range(len(algorithms)), algorithms)
    axes.set_ylim(len(algorithms) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    _logarithmic(axes, "x")
    axes.set_xlabel("microseconds for one validation on one core (logarithmic)")
    axes.set_title("Validating a certificate-bound access token")
    handles = [
        axes.plot([], [], "o", color=_KEYBOUND, markersize=10, label="Keybound, new token")[0],
        axes.plot([], [], "o", color="white", markeredgecolor=_KEYBOUND, markeredgewidth=1.8, markersize=8,
                  label="Keybound, same token again")[0],
        axes.plot([], [], "|", color=_INK, markersize=14, label="its signature alone")[0],
    ]  # fmt: skip
    present = {name for row in validation.values() for name in times(row["peers"])}
    handles += [
        axes.plot([], [], marker, color=_COLOURS[name], label=name)[0]
        for name, marker in _MARKERS.items()
        if name in present
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8.5)
    return figure


def _floor(validation: Mapping[str, Any]) -> Figure:
    """What Keybound's time is made of, as shares of a validation with all claims read."""
    figure = Figure(figsize=(8.4, 0.42 * len(validation) + 1.5), layout="constrained")
    axes = figure.add_subplot()
    parts = dict(zip(FLOOR, ("signature", "certificate hash", "payload JSON"), strict=True))
    colours = dict(zip(FLOOR, ("#334e68", "#829ab1", "#bcccdc"), strict=True))
    algorithms: list[str] = []
    for algorithm, row in validation.items():
        best = times(row["peers"])
        if not best.keys() >= {*FLOOR, "keybound-claims"}:
            continue
        position, left = len(algorithms), 0.0
        total = best["keybound-claims"]
        for part in FLOOR:
            share = 100 * best[part] / total
            axes.barh(position, share, left=left, color=colours[part], height=0.62)
            left += share
        axes.barh(position, max(0.0, 100 - left), left=left, color=_KEYBOUND, height=0.62)
        axes.text(101, position, f"{total / 1e3:.1f} µs", va="center", fontsize=9)
        algorithms.append(algorithm)
    axes.set_yticks(range(len(algorithms)), algorithms)
    axes.set_ylim(len(algorithms) - 0.5, -0.5)
    axes.set_xlim(0, 110)
    axes.set_xticks(range(0, 101, 20), [f"{share} %" for share in range(0, 101, 20)])
    axes.grid(axis="y", visible=False)
    axes.set_title("Where the time of Keybound goes, all claims read")
    handles = [axes.barh(-9, 0, color=colours[part], label=label) for part, label in parts.items()]
    handles.append(axes.barh(-9, 0, color=_KEYBOUND, label="everything else"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _sizes(section: Mapping[str, Any], validation: Mapping[str, Any], again: Mapping[str, Any]) -> Figure:
    """Time over size, one panel for each algorithm; the smallest tokens are those of the other sections."""
    algorithms = [name for name in ("HS256", "RS256", "ES256", "EdDSA") if name in section]
    figure, panels = _panels(len(algorithms))
    names = ("keybound", "keybound-claims", "keybound-again", "ryjwt", "oxyjwt", "joserfc", "pyjwt")
    for panel, algorithm in zip(panels, algorithms, strict=True):
        usual = {"peers": validation[algorithm]["peers"] | again[algorithm]["peers"]}
        # Again, a rival takes as long as for a new token; the new one is shown.
        usual["peers"] |= validation[algorithm]["peers"]
        rows = [validation[algorithm] | usual, *section[algorithm].values()]
        for name in names:
            points = [
                (row["bytes"], times(row["peers"])[name]) for row in rows if name in times(row["peers"])
            ]
            _line(panel, [size / 1024 for size, _ in points], [time / 1e3 for _, time in points], name)
        panel.set_title(algorithm)
        _logarithmic(panel, "y")
        panel.set_xscale("log")
        sizes = [0.5, 1, 2.5, 8, 16]
        panel.set_xticks(sizes, [f"{size:g}" for size in sizes])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.set_xlabel("token, KB")
        panel.set_ylabel("µs")
    _shared_legend(figure, panels)
    return figure


def _keys(section: Mapping[str, Any]) -> Figure:
    """Time over the size of the key set."""
    figure, (axes,) = _panels(1)
    counts = [int(count) for count in section]
    names = dict.fromkeys(name for row in section.values() for name in times(row["one"]))
    for name in names:
        points = [(int(count), times(row["one"]).get(name)) for count, row in section.items()]
        shown = [(count, time) for count, time in points if time is not None]
        _line(axes, [count for count, _ in shown], [time / 1e3 for _, time in shown], name)
    in_turn = [
        (int(count), times(row["all"]).get(BASELINE)) for count, row in section.items() if "all" in row
    ]
    axes.plot(
        [count for count, _ in in_turn], [(time or 0) / 1e3 for _, time in in_turn],
        "o--", color=_KEYBOUND, label="keybound, all keys in turn", linewidth=1.6, markersize=4,
    )  # fmt: skip
    _logarithmic(axes, "y")
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("keys in the set")
    axes.set_ylabel("µs")
    axes.set_title("ES256, new tokens")
    _shared_legend(figure, [axes])
    return figure


def _threads(section: Mapping[str, Any]) -> Figure:
    """Throughput over threads, relative to one thread, one panel for each algorithm."""
    algorithms = [name for name in ("HS256", "RS256", "ES256", "ES384") if name in section]
    figure, panels = _panels(len(algorithms))
    for panel, algorithm in zip(panels, algorithms, strict=True):
        for name, result in section[algorithm].items():
            if "best" in result:
                numbers = list(map(int, result["best"]))
                first, *_ = result["best"].values()
                _line(panel, numbers, [first / time for time in result["best"].values()], name)
                panel.set_xscale("log")
                panel.set_xticks(numbers, list(map(str, numbers)))
                panel.xaxis.set_minor_locator(NullLocator())
        panel.set_title(algorithm)
        panel.set_ylim(bottom=0)
        panel.set_xlabel("threads")
        panel.set_ylabel("throughput, 1 thread = 1")
    _shared_legend(figure, panels)
    return figure


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(2, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(8.4, 3.1 * rows if count > 1 else 4.2), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for empty in panels[count:]:
        empty.set_axis_off()
    return figure, panels[:count]


def _line(axes: Axes, x: list[Any], y: list[Any], name: str) -> None:
    ours = name.startswith(BASELINE)
    axes.plot(
        x, y, marker="o" if ours else _MARKERS.get(name, "o"), color=_COLOURS[name], label=name,
        linewidth=2.2 if ours else 1.3, markersize=5 if ours else 4.5, zorder=4 if ours else 3,
    )  # fmt: skip


def _shared_legend(figure: Figure, panels: Iterable[Axes]) -> None:
    handles: dict[Any, Any] = {}
    for panel in panels:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=5, fontsize=8.5)


def _logarithmic(axes: Axes, which: str) -> None:
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
