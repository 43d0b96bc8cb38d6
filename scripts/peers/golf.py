"""What the Python peers share: the golf recipe's columns, ranges and rule of what is held out."""

import hashlib
import sys
import time
import tomllib
from pathlib import Path

with (Path(__file__).parents[1] / "golf" / "recipe.toml").open("rb") as file:
    RECIPE = tomllib.load(file)

KEYS = RECIPE["keys"]["columns"]
FEATURES = RECIPE["features"]["columns"]
TARGET = RECIPE["target"]["column"]
NULLS = RECIPE["clean"]["null_values"]
IDENTITIES = RECIPE["clean"]["identities"]
COLUMNS = RECIPE["columns"]

# Columns that `clean` writes, and under which names DataGolf has them.
OUTPUT = [*KEYS, *FEATURES, TARGET]
SOURCE = {name: COLUMNS[name].get("from", name) for name in COLUMNS}
# sg_ott and the like are checked, but not written.
RANGES = {name: (c.get("min"), c.get("max")) for name, c in COLUMNS.items() if "min" in c or "max" in c}
ROW_KEY = ["tour", "year", "event_id", "dg_id", "round_num"]

ALPHA = 1.0


def head(salt, group):
    """The recipe's rule (tools/lib/recipe/src/split.rs)."""
    text = salt + "".join(f"\x1f{part}" for part in group)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def is_held_out(*group):
    """Whether an event is held out for ever."""
    return head(RECIPE["split"]["salt"], group) < RECIPE["split"]["holdout"] * 2**64


def part(*group):
    """The fold of an event."""
    return head("part\x1f" + RECIPE["split"]["salt"], group) % RECIPE.get("validation", {}).get("folds", 5)


def of_event(frame, rule):
    """A column of a pandas frame: what a rule says of each row's event. Each event is hashed once."""
    by = RECIPE["split"]["by"]
    groups = frame.groupby(by, sort=False).ngroup()
    events = frame[by].drop_duplicates()
    return groups.map({number: rule(*event) for number, event in enumerate(events.itertuples(index=False))})


def held_out(frame):
    """A boolean column of a pandas frame: which rows are held out."""
    return of_event(frame, is_held_out).astype(bool)


def parts(frame):
    """The fold of each row, as an array."""
    return of_event(frame, part).to_numpy()


def finished(started):
    """Says how long the work took without Python's start and imports; scripts/bench shows both."""
    print(f"inner {time.perf_counter() - started:.6f}", file=sys.stderr)
