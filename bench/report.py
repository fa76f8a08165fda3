"""Results as Markdown: the long report, and the short one that the README of the project shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from peers import BASELINE, FLOOR, OURS, PEERS

__all__ = ["MARKERS", "floor", "markdown", "overhead", "summary", "times", "write", "wrong_verdicts"]

MARKERS = ("<!-- begin of bench/results/summary.md -->", "<!-- end of bench/results/summary.md -->")
README = Path(__file__).parents[1] / "README.md"
COMMITTED = Path(__file__).with_name("results")

_RIVALS = tuple(name for name in PEERS if name not in OURS)
_STATES = {"unsupported": "-", "wrong": "WRONG", "not installed": "not installed"}

Document = Mapping[str, Any]
Row = Sequence[object]


# --- figures --------------------------------------------------------------------------------------


def times(peers: Mapping[str, Any]) -> dict[str, float]:
    """The best of every peer that was timed, in nanoseconds."""
    return {name: result["best"] for name, result in peers.items() if "best" in result}


def floor(best: Mapping[str, float]) -> float | None:
    """What signature, hashing and JSON take alone, in nanoseconds."""
    return sum(best[part] for part in FLOOR) if best.keys() >= set(FLOOR) else None


def overhead(best: Mapping[str, float], name: str = BASELINE) -> float | None:
    """Time of a whole validation over its floor."""
    least = floor(best)
    return best[name] / least if least and name in best else None


def wrong_verdicts(document: Document) -> list[str]:
    """Every peer that was not timed because it judged wrongly, with its fault."""
    return list(dict.fromkeys(_wrong(document["sections"], ())))


def _wrong(node: object, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("state") == "wrong":
            yield f"{' '.join(path)}: {node['problem']}"
        for name, inner in node.items():
            yield from _wrong(inner, (*path, str(name)))


# --- tables ---------------------------------------------------------------------------------------


def summary(document: Document) -> str:
    """One table for people in a hurry."""
    sections = document["sections"]
    rivals = [
        name for name in _RIVALS if any(name in row["peers"] for row in sections["validation"].values())
    ]
    rows = []
    for algorithm, row in sections["validation"].items():
        best = times(row["peers"])
        remembered = times(sections["again"][algorithm]["peers"])
        rows.append(
            [
                f"`{algorithm}`",
                _microseconds(best.get(BASELINE)),
                _microseconds(best.get("keybound-claims")),
                _microseconds(best.get("primitive")),
                _number(overhead(best)),
                _microseconds(remembered.get("keybound-again")),
                *_ratios(row["peers"], rivals, best.get(BASELINE)),
            ]
        )
    titles = ["", "Keybound", "all claims", "signature alone", "overhead", "again", *rivals]
    return "\n\n".join([_table(titles, rows), _legend(document)])


def _legend(document: Document) -> str:
    machine = document["machine"]
    versions = ", ".join(
        f"{name} {version}" for name, version in document["versions"].items() if name in _RIVALS
    )
    return (
        "One validation of one certificate-bound token on one core, best time in microseconds: signature, "
        "`iss`, `aud` and `exp`; for Keybound also `typ`, `nbf`, `iat` and the binding, and `sub` is read. "
        "The columns of other libraries, which build all claims, say how many times as long they take. "
        "*All claims* is Keybound building them all, too; *overhead* is its time over that of signature, "
        "hashing and JSON parsing alone; *again* is the same token a second time, from the cache, with "
        "binding and times checked. "
        f"Measured on {document['date']}: {machine['model']}, {machine['cpus']} CPUs, {machine['platform']}; "
        f"Python {document['python']}; {versions}."
    )


def markdown(document: Document) -> str:
    """The whole report."""
    machine, parts = document["machine"], ["# Results", _surroundings(document)]
    for title, section, note, render in _CHAPTERS:
        content = document["sections"].get(section)
        if content:
            parts += [f"## {title}", note.format(**machine, load=document["loads"][section]), render(content)]
    wrong = wrong_verdicts(document)
    if wrong:
        parts += ["## Not timed", "\n".join(f"* {line}" for line in wrong)]
    return "\n\n".join(parts) + "\n"


def _surroundings(document: Document) -> str:
    machine = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    return (
        f"{document['date']}; {machine['model']}, {machine['cpus']} CPUs, {machine['platform']}; "
        f"Python {document['python']}; {machine['crypto']}; {versions}.\n\n"
        "Times are the least of many interleaved batches and hold for this machine only. A number with x is "
        "a time divided by Keybound's (`keybound`: validate and read `sub`) in the same run; above 1 "
        "Keybound is faster. `-`: the library does not have the algorithm."
    )


def _validation(section: Mapping[str, Any]) -> str:
    parts = ["keybound-claims", "keybound-miss", "keybound-untabled", *FLOOR]
    rows, rivals = [], []
    for algorithm, row in section.items():
        best = times(row["peers"])
        rows.append(
            [
                algorithm,
                row["bytes"],
                _microseconds(best.get(BASELINE)),
                *(_microseconds(best.get(part)) for part in parts),
                _number(overhead(best)),
                _number(overhead(best, "keybound-claims")),
            ]
        )
        names = [name for name in ("keybound-pure", *_RIVALS) if name in row["peers"]]
        rivals.append([algorithm, *_ratios(row["peers"], names, best.get(BASELINE))])
    titles = ["", "bytes", "keybound, µs", *(f"{part}, µs" for part in parts), "overhead", "overhead, claims"]
    return "\n\n".join([_table(titles, rows), _table(["", *names], rivals)])


def _again(section: Mapping[str, Any]) -> str:
    own = ("keybound-again", "keybound-pure-again")
    rivals = [name for name in next(iter(section.values()))["peers"] if name not in own]
    rows = []
    for algorithm, row in section.items():
        best = times(row["peers"])
        rows.append(
            [
                algorithm,
                *(_microseconds(best.get(name)) for name in own),
                *_ratios(row["peers"], rivals, best.get(own[0])),
            ]
        )
    return _table(["", *(f"{name}, µs" for name in own), *rivals], rows)


def _sizes(section: Mapping[str, Any]) -> str:
    rows = []
    names: list[str] = []
    for algorithm, by_size in section.items():
        for row in by_size.values():
            best = times(row["peers"])
            names = [name for name in ("keybound-pure", *_RIVALS) if name in row["peers"]]
            rows.append(
                [
                    algorithm,
                    row["bytes"],
                    *(_microseconds(best.get(n)) for n in (BASELINE, "keybound-claims", "keybound-again")),
                    _number(overhead(best)),
                    _number(overhead(best, "keybound-claims")),
                    *_ratios(row["peers"], names, best.get(BASELINE)),
                ]
            )
    own = ["keybound, µs", "keybound-claims, µs", "keybound-again, µs", "overhead", "overhead, claims"]
    return _table(["", "bytes", *own, *names], rows)


def _keys(section: Mapping[str, Any]) -> str:
    rows = []
    names: list[str] = []
    for count, row in section.items():
        best, in_turn = times(row["one"]), times(row.get("all", {}))
        names = [name for name in row["one"] if name != BASELINE]
        rows.append(
            [
                count,
                _microseconds(best.get(BASELINE)),
                _microseconds(in_turn.get(BASELINE)),
                _microseconds(in_turn.get("keybound-untabled")),
                *_ratios(row["one"], names, best.get(BASELINE)),
            ]
        )
    own = ["one key signs, µs", "all sign in turn, µs", "the same without tables, µs"]
    return _table(["keys", *own, *names], rows)


def _threads(section: Mapping[str, Any]) -> str:
    rows = []
    numbers: list[str] = []
    for algorithm, peers in section.items():
        for name, result in peers.items():
            if "best" not in result:
                continue
            best = result["best"]
            numbers = list(best)
            first = best[numbers[0]]
            rows.append(
                [algorithm, name, f"{1e9 / first:,.0f}", *(_number(first / best[n]) for n in numbers[1:])]
            )
    return _table(["", "", "a second, 1 thread", *(f"{n} threads" for n in numbers[1:])], rows)


def _batches(section: Mapping[str, Any]) -> str:
    rows = []
    for algorithm, row in section.items():
        one, batch = row["one"].get("best"), row["batch"].get("best")
        rows.append(
            [algorithm, row["tokens"], _microseconds(one), _microseconds(batch), _microseconds(one - batch)]
        )
    return _table(["", "tokens", "one at a time, µs", "in a batch, µs", "saved a token, µs"], rows)


def _startup(section: Mapping[str, Any]) -> str:
    rows = [[name, f"{row['import_ms']:.1f}", f"{row['first_ms']:.1f}"] for name, row in section.items()]
    return _table(["", "import, ms", "import to first accepted token, ms"], rows)


def _memory(section: Mapping[str, Any]) -> str:
    algorithms = list(section["keys"])
    names = dict.fromkeys(name for row in section["keys"].values() for name in row)
    keys = [[name, *(_bytes(section["keys"][alg].get(name)) for alg in algorithms)] for name in names]
    cached = [
        [size, _bytes(row["unread"]), _bytes(row["claims"]), f"{row['unread']['counted']:,.0f}"]
        for size, row in section["cached"].items()
    ]
    tables = [[alg, _bytes(row), f"{row['build_us']:,.0f}"] for alg, row in section["tables"].items()]
    return "\n\n".join(
        [
            _table(["bytes per key", *algorithms], keys),
            _table(
                ["bytes of a cached token", "memory", "with claims read", "as counted by the cache"], cached
            ),
            _table(["", "bytes of a table", "first use with it, µs"], tables),
        ]
    )


_CHAPTERS: tuple[tuple[str, str, str, Callable[[Mapping[str, Any]], str]], ...] = (
    (
        "New tokens",
        "validation",
        "64 distinct tokens take turns; nothing is remembered. `keybound-claims` reads all claims, "
        "`keybound-miss` has a cache that never holds the token, `keybound-untabled` has no tables of hot "
        "keys. `primitive` is the signature operation alone, `hashing` the SHA-256 of the certificate, "
        "`json` orjson on the payload; *overhead* is the total over their sum.",
        _validation,
    ),
    (
        "The same token again",
        "again",
        "Every call gets a new copy of the text. Only Keybound has a cache of verified tokens; times and "
        "binding are checked on each hit.",
        _again,
    ),
    (
        "Sizes",
        "sizes",
        "Tokens with a list of entitlements. Keybound's and its peers' defaults admit all of them.",
        _sizes,
    ),
    (
        "Key sets",
        "keys",
        "ES256. One key out of the set signs 64 tokens; then all keys sign in turn, the most unfavourable "
        "order for tables, whose memory is bounded.",
        _keys,
    ),
    (
        "Threads",
        "threads",
        "Wall-clock time on {cpus} CPUs; each number is the throughput over that of one thread. It means "
        "something on an idle machine only: the load was {load:.1f}, of which the benchmark itself is 1. "
        "`keybound-batch` is `validate_many` on all tokens at once with that many threads.",
        _threads,
    ),
    ("Batches", "batches", "`validate_many` on one thread.", _batches),
    ("Start-up", "startup", "Processor time of new processes.", _startup),
    (
        "Memory",
        "memory",
        "Growth of resident memory. Keys are counted beside the parsed JSON of 2,000 keys, which "
        "oxyjwt and authlib leave for the first use of each; a cached token is counted with its text.",
        _memory,
    ),
)


def _table(titles: Sequence[str], rows: Iterable[Row]) -> str:
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in lines)


def _ratios(peers: Mapping[str, Any], names: Sequence[str], own: float | None) -> list[str]:
    return [_ratio(peers[name], own) if name in peers else "-" for name in names]


def _ratio(result: Mapping[str, Any], own: float | None) -> str:
    if "best" not in result or not own:
        return str(_STATES.get(result["state"], result["state"]))
    ratio = result["best"] / own
    return f"{ratio:.{2 if ratio < 3 else 1 if ratio < 30 else 0}f}x"


def _microseconds(nanoseconds: float | None) -> str:
    return "-" if nanoseconds is None else f"{nanoseconds / 1000:.{2 if abs(nanoseconds) < 99_500 else 0}f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _bytes(row: Mapping[str, float] | None) -> str:
    return "-" if row is None else f"{row['bytes']:,.0f}"


# --- files ----------------------------------------------------------------------------------------


def write(document: Document, directory: Path) -> None:
    """Write everything; the committed results also go into the README of the project."""
    import plots

    document = _rounded(document)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (directory / "results.md").write_text(markdown(document), encoding="utf-8")
    if not {"validation", "again"} <= document["sections"].keys():
        return
    short = summary(document)
    (directory / "summary.md").write_text(short + "\n", encoding="utf-8")
    plots.draw(document, directory)
    if directory.resolve() == COMMITTED.resolve():
        _put_into(README, short)


def _rounded(node: Any) -> Any:
    """Four digits are more than a measurement is worth, and keep the file readable."""
    if isinstance(node, dict):
        return {name: _rounded(inner) for name, inner in node.items()}
    if isinstance(node, (list, tuple)):
        return [_rounded(inner) for inner in node]
    return float(f"{node:.4g}") if isinstance(node, float) else node


def _put_into(path: Path, text: str) -> None:
    begin, end = MARKERS
    old = path.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    new, found = pattern.subn(lambda _: f"{begin}\n{text}\n{end}", old)
    if found != 1:
        raise ValueError(f"{path.name} has {found} places for the summary")
    path.write_text(new, encoding="utf-8")
