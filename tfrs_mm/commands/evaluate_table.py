"""What `evaluate` shows people: figures of all users, of each slice, and of differences."""

from collections.abc import Iterator
from typing import Any

_OF_SLICES = ("recall@10", "recall@20", "ndcg@10")


def print_report(stage: str, result: dict[str, Any]) -> None:
    """Every metric of all users, and a line for each slice."""
    print(f"{stage}: {result['queries']} users")
    for name, figures in result["metrics"].items():
        print(f"  {name:<12} {figures['value']:.4f}{_interval(figures)}")
    _print_slices(result["slices"], signed=False)


def print_comparison(result: dict[str, Any]) -> None:
    """Every metric of both recommenders and what the first has more of, and slices."""
    print(
        f"difference to {result['file']}: {result['queries']} users that both have "
        f"({result['only_here']} only here, {result['only_there']} only there)"
    )
    print(f"  {'':<12} {'this':>7} {'that':>7}  this minus that")
    for name, figures in result["metrics"].items():
        print(
            f"  {name:<12} {figures['ours']:>7.4f} {figures['other']:>7.4f}  "
            f"{figures['value']:+.4f}{_interval(figures, signed=True)}"
        )
    _print_slices(result["slices"], signed=True)


def print_knockouts(result: list[dict[str, Any]]) -> None:
    """What each part of the items' description is worth: a line for each part and way."""
    print("lost where a part of every item is replaced (95% interval, paired by user):")
    names = [name for name in _OF_SLICES if name in result[0]["lost"]["metrics"]]
    print(f"  {'part':<12} {'by':<8} {'users':<12}" + "".join(f" {name:<29}" for name in names))
    for entry in result:
        for whose, part in _whose(entry["lost"]):
            figures = "".join(f" {_signed(part['metrics'][name]):<29}" for name in names)
            print(f"  {entry['part']:<12} {entry['by']:<8} {whose:<12}{figures.rstrip()}")


def print_sources(result: dict[str, Any]) -> None:
    """What the ranker is given to choose from, and where it comes from."""
    print("candidates of the ranker, and the share of what was wanted that is among them:")
    print(f"  {'source':<12} {'items':>7} {'recall':>8} {'adds':>8}")
    for name, of in result["sources"].items():
        print(f"  {name:<12} {of['items']:>7.1f} {of['recall']:>8.4f} {of['adds']:>8.4f}")
    union = result["union"]
    print(f"  {'together':<12} {union['items']:>7.1f} {union['recall']:>8.4f}")


def _whose(lost: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "all", lost
    for name in ("cold_items", "warm_items"):
        if name in lost["slices"]:
            yield name.replace("_", " "), lost["slices"][name]


def _print_slices(slices: dict[str, Any], signed: bool) -> None:
    width = max(map(len, slices), default=0)
    print(f"  {'':<{width}} {'users':>7}" + "".join(f"  {name:<23}" for name in _OF_SLICES))
    for name, part in slices.items():
        figures = ""
        for metric in _OF_SLICES:
            of = part["metrics"][metric]
            text = _signed(of) if signed else f"{of['value']:.4f}{_interval(of, gap=' ')}"
            figures += f"  {text:<23}"
        print(f"  {name.replace('_', ' '):<{width}} {part['queries']:>7}{figures}".rstrip())


def _signed(figures: dict[str, float]) -> str:
    return f"{figures['value']:+.4f}{_interval(figures, gap=' ', signed=True)}"


def _interval(figures: dict[str, float], gap: str = "  ", signed: bool = False) -> str:
    if "low" not in figures:
        return ""
    sign = "+" if signed else ""
    return f"{gap}[{figures['low']:{sign}.4f}, {figures['high']:{sign}.4f}]"
