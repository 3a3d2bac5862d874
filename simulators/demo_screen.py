"""What the demo shows: addresses on top, the chain's figures, the last decisions; plain lines where there is no terminal."""

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]
PLAIN_LINE_S = 10.0


@dataclass(slots=True)
class Picture:
    """What is known now; filled by the demo, drawn here.  An address that is not known yet is empty."""

    addresses: dict[str, str]
    steps: dict[str, str] = field(default_factory=dict)
    status: Json = field(default_factory=dict)
    summary: Json = field(default_factory=dict)
    decisions: list[Json] = field(default_factory=list)


class Screen:
    """A live table on a terminal, a line now and then in a pipe, nothing when quiet."""

    def __init__(self, picture: Picture, *, quiet: bool) -> None:
        self._picture, self._quiet = picture, quiet
        self._console = Console(highlight=False)
        self._live = (
            Live(console=self._console, auto_refresh=False) if self._console.is_terminal and not quiet else None
        )
        self._said: dict[str, str] = {}
        self._next_line_s = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        elif not self._quiet:
            self._plain()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def refresh(self) -> None:
        """Show the picture as it is now."""
        if self._live:
            self._live.update(draw(self._picture), refresh=True)
        elif not self._quiet:
            self._plain()

    def _plain(self) -> None:
        """Each address and each step of the start once, then the figures every ten seconds."""
        for name, word in [*self._picture.addresses.items(), *self._picture.steps.items()]:
            if word and self._said.get(name) != word:
                self._said[name] = word
                self._line(f"{name}: {word}")
        if self._picture.summary and time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + PLAIN_LINE_S
            self._line("  ".join(f"{title} {value}" for title, value in figures(self._picture).items()))

    def _line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, markup=False)


def draw(picture: Picture) -> Group:
    """The whole screen."""
    top = Table.grid(padding=(0, 2))
    for name, address in picture.addresses.items():
        top.add_row(
            Text(name, style="dim"), Text(address or "as soon as the server is up", style="bold" if address else "dim")
        )
    if not picture.summary:
        steps = Table.grid(padding=(0, 2))
        for name, step in picture.steps.items():
            steps.add_row(Text(name, style="dim"), step)
        return Group(Text("Tacet demo store", style="bold"), top, Text(), steps)
    table = Table(box=None, padding=(0, 3), header_style="dim", pad_edge=False)
    for title in (shown := figures(picture)):
        table.add_column(title, justify="right")
    table.add_row(*shown.values())
    end = Text("Ctrl-C ends it", style="dim")
    return Group(Text("Tacet demo store", style="bold"), top, Text(), table, Text(), happenings(picture), Text(), end)


def figures(picture: Picture) -> dict[str, str]:
    """Title and value of every figure."""
    agents = picture.status.get("agents", [])
    zones = picture.status.get("zones", [])
    devices = [device for agent in agents for device in agent["devices"]]
    latency = picture.summary.get("latency_ms") or {}
    return {
        "devices": f"{sum(device['state'] == 'ready' for device in devices)} of {len(devices)}",
        "reads/s": f"{sum((agent['stats'] or {}).get('reads_per_s', 0.0) for agent in agents):.0f}",
        "goods": str(sum(zone["items"] for zone in zones)),
        "visits": str(sum(zone["visits"] for zone in zones)),
        "events": str(picture.summary.get("events", 0)),
        "shown": str(picture.summary.get("moments_shown", 0)),
        "silent": str(picture.summary.get("stayed_silent", 0)),
        "lamp": str(picture.summary.get("actuations", 0)),
        "p50": milliseconds(latency.get("p50")),
        "p99": milliseconds(latency.get("p99")),
        "lost": str(picture.summary.get("events_lost", 0)),
    }


def milliseconds(value: float | None) -> str:
    """A latency, or a dash while there is none."""
    return "-" if value is None else f"{value:.1f} ms"


def happenings(picture: Picture) -> Table:
    """The last decisions, each with its why."""
    table = Table.grid(padding=(0, 2))
    for decision in picture.decisions:
        spoke = decision["outcome"] == "acted" or decision["shown_at"]
        style = "" if spoke else "dim"
        sent = "sent" if decision["outcome"] == "shown" else "silent"  # until the screen says that it was shown
        word = Text("spoke" if spoke else sent, style="bold" if spoke else "dim")
        table.add_row(
            Text(decision["at"][11:19], style="dim"),
            word,
            Text(decision["rule"], style),
            Text(decision["say"]["en"], style),
        )
    return table
