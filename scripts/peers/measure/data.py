"""Synthetic seasons, in every form that a job reads."""

from dataclasses import dataclass
from pathlib import Path

from .bench import RECIPE, SCHEMA


@dataclass
class Data:
    """Some 400,000 rounds of 20 seasons."""

    folder: Path

    def __post_init__(self):
        self.answers = self.folder / "answers"  # as DataGolf gives them
        self.events = self.folder / "events.jsonl"  # wire
        self.wire = self.folder / "rounds.jsonl"  # wire
        self.database = self.folder / "golf.db"
        self.rounds = self.folder / "rounds.csv"  # 35 columns
        self.clean = self.folder / "clean.csv"


def generate(bench):
    """53 events a season give 398,679 rounds: as near to 400,000 as whole events come."""
    data = Data(bench.folder("data"))
    first = 2024 if bench.quick else 2006
    bench.call(
        bench.ours("datagolf-synth"),
        "--out",
        data.answers,
        "--from",
        first,
        "--to",
        2025,
        "--events-per-season",
        53,
    )
    database = ["--db", f"sqlite:{data.database}", "--schema", SCHEMA]
    wanted = data.folder / "wanted.csv"
    with bench.replay(data.answers) as env:
        env["FAIRWAY_STATE_DIR"] = str(data.folder / "state")
        bench.call(bench.ours("dg-fetch"), "events", "--recipe", RECIPE, stdout=data.events, env=env)
        bench.call(bench.ours("db-load"), "listing", *database, data.events)
        bench.call(bench.ours("db-query"), "unfetched", *database, stdout=wanted)
        bench.call(bench.ours("dg-fetch"), "rounds", wanted, stdout=data.wire, env=env)
    bench.call(bench.ours("db-load"), "partitions", *database, data.wire)
    bench.call(bench.ours("db-query"), "rows", *database, stdout=data.rounds)
    bench.call(bench.ours("clean"), "--recipe", RECIPE, stdin=data.rounds, stdout=data.clean)
    return data


def count_rows(path):
    """Rows of a CSV without its header; no cell of ours holds a newline."""
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1
