"""The table: what was measured, beside what was wanted. Only Python's own library, for its test."""

import json
from dataclasses import asdict, dataclass

# How a goal compares two figures.
AT_MOST = "at most"  # our time, in times the peer's
FASTER = "faster"  # the peer's time, in times ours
RATE = "rate"  # our requests a second, in times the peer's
MEGABYTE = 1_000_000


@dataclass
class Row:
    """One job beside one peer. None is what could not be measured."""

    job: str
    peer: str
    rule: str
    goal: float | None
    ours: float | None
    peers: float | None
    memory: int | None = None
    memory_goal: int | None = None
    note: str = ""

    @property
    def ratio(self):
        if not self.ours or not self.peers:
            return None
        return self.peers / self.ours if self.rule == FASTER else self.ours / self.peers

    @property
    def held(self):
        if self.goal is None or self.ratio is None:
            return None
        return self.ratio <= self.goal if self.rule == AT_MOST else self.ratio >= self.goal

    @property
    def memory_held(self):
        if self.memory_goal is None or self.memory is None:
            return None
        return self.memory <= self.memory_goal

    def cells(self):
        figure = rate if self.rule == RATE else duration
        wanted = {AT_MOST: "≤ {:g}", FASTER: "≥ {:g}", RATE: "≥ {:g}"}[self.rule]
        return [
            self.job,
            figure(self.ours),
            self.peer,
            figure(self.peers),
            "–" if self.ratio is None else times(self.ratio) + (" as fast" if self.rule == FASTER else ""),
            "" if self.goal is None else wanted.format(self.goal),
            verdict(self.held, self.goal),
            size(self.memory),
            "" if self.memory_goal is None else f"≤ {size(self.memory_goal)}",
            verdict(self.memory_held, self.memory_goal),
        ]


HEADER = ["job", "ours", "peer", "the peer's", "ratio", "goal", "", "memory", "goal", ""]


def times(ratio):
    return f"{ratio:.0f} x" if ratio >= 20 else f"{ratio:.1f} x" if ratio >= 5 else f"{ratio:.2f} x"


def duration(seconds):
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.2g} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def rate(requests):
    return "–" if requests is None else f"{requests:,.0f}/s"


def size(octets):
    if octets is None:
        return ""
    return f"{octets / MEGABYTE:.1f} MB" if octets < 10 * MEGABYTE else f"{octets / MEGABYTE:.0f} MB"


def verdict(held, goal):
    return "" if goal is None else {True: "held", False: "**missed**", None: "not measured"}[held]


def table(header, rows):
    line = lambda cells: "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
    return "\n".join([line(header), line(["---"] * len(header)), *map(line, rows)])


@dataclass
class Report:
    """A run of scripts/bench."""

    machine: dict
    versions: dict
    setting: dict  # date, commit, rounds, runs
    rows: list
    attacks: list  # rows of the second table: (treatment, tiny_http, predictd)
    unreached: list  # sentences: peers that are not there, jobs that could not be measured

    def missed(self):
        """A sentence for each goal that was measured and does not hold."""
        sentences = []
        for row in self.rows:
            if row.held is False:
                sentences.append(
                    f"{row.job} beside {row.peer}: {row.cells()[4]}, the goal is {row.cells()[5]} x"
                )
            if row.memory_held is False:
                sentence = f"{row.job}: {size(row.memory)} of memory, the goal is ≤ {size(row.memory_goal)}"
                sentences += [sentence] if sentence not in sentences else []
        return sentences

    def markdown(self):
        on = "; ".join(f"{name} {value}" for name, value in self.machine.items())
        at = "; ".join(f"{name} {value}" for name, value in self.setting.items())
        peers = ", ".join(f"{name} {version}" for name, version in sorted(self.versions.items()))
        parts = [
            f"Measured by `scripts/bench`: {at}.",
            f"On {on}.",
            f"With {peers}.",
            table(HEADER, [row.cells() for row in self.rows]),
        ]
        parts.append(
            "Ratio: our time in times the peer's; where it says “as fast”, the peer's time in times ours; for "
            "requests a second, ours in times the peer's. Memory is the peak of our program alone."
        )
        notes = list(dict.fromkeys(f"- {row.job}, {row.peer}: {row.note}" for row in self.rows if row.note))
        if notes:
            parts.append("\n".join(notes))
        if self.attacks:
            parts.append("HTTP servers under clients that do not finish:")
            parts.append(table(["treatment", "tiny_http 0.12", "predictd"], self.attacks))
        for title, sentences in [
            ("Goals that were missed:", self.missed()),
            ("Not measured:", self.unreached),
        ]:
            if sentences:
                parts.append("\n".join([title, "", *(f"- {sentence}" for sentence in sentences)]))
        return "\n\n".join(parts) + "\n"

    def json(self):
        rows = [
            {**asdict(row), "ratio": row.ratio, "held": row.held, "memory_held": row.memory_held}
            for row in self.rows
        ]
        return (
            json.dumps({**asdict(self), "rows": rows, "missed": self.missed()}, indent=2, ensure_ascii=False)
            + "\n"
        )
