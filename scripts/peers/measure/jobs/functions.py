"""The Lambda functions in AWS's emulator: how fast they start, the refresh's pace, training on many objects of S3."""

import json
import os
import statistics
import subprocess

from ..bench import PEERS, ROOT
from ..report import AT_MOST, FASTER, Row
from ..run import Broken

# DataGolf's limit.
CALLS_A_MINUTE = 45
IDLE_BYTES = 64_000_000


def measure(bench, _):
    packages = unpacked(bench)
    command = [
        os.environ["FAIRWAY_FIGURES"],
        bench.python,
        PEERS / "lambda_handler.py",
        str(bench.runs),
        "quick" if bench.quick else "full",
    ]
    env = {**bench.env, "FAIRWAY_PACKAGES": str(packages), "PATH": os.environ["PATH"]}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        raise Broken(f"aws-figures: {done.stderr.strip()[-600:]}")
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    by = lambda name: [figure for figure in figures if figure["figure"] == name]
    python = next(figure for figure in by("init") if figure["function"] == "python")
    rows = [start(figure, python) for figure in by("init") if figure is not python]
    return rows + [pace(figure) for figure in by("pace")] + [training(figure) for figure in by("training")]


def unpacked(bench):
    """The packages of this machine's architecture, as scripts/aws/package built them."""
    folder = bench.folder("packages")
    packed = ROOT / os.environ["FAIRWAY_PACKED"]
    for package in sorted(packed.glob("*.zip")):
        bench.call("python3", "-m", "zipfile", "-e", package, folder / package.stem)
        for path in (folder / package.stem).rglob("*"):
            path.chmod(0o755)
    return folder


def start(figure, python):
    seconds = statistics.median(figure["seconds"])
    theirs = statistics.median(python["seconds"])
    megabytes = python["resident_bytes"] / 1e6
    return Row(
        f"{figure['function']}, from start to its first event",
        "Python importing pandas and scikit-learn",
        FASTER,
        20,
        seconds,
        theirs,
        figure["resident_bytes"],
        IDLE_BYTES,
        f"memory is what the function holds after an event; Python's holds {megabytes:.0f} MB",
    )


def pace(figure):
    calls = figure["calls"]
    least = (calls - 1) // CALLS_A_MINUTE * 60
    return Row(
        f"get_new_eventlist_events, {figure['events']} events",
        "DataGolf's own pace",
        AT_MOST,
        1.05,
        figure["seconds"],
        least or None,
        note=f"{calls} calls; {CALLS_A_MINUTE} a minute are allowed, so that the last may start after {least} s",
    )


def training(figure):
    curl = statistics.median(figure["curl_seconds"])
    return Row(
        f"train_model, {figure['rows']:,} rows in {figure['objects']:,} objects of S3",
        "the same rows in one local file",
        AT_MOST,
        2,
        statistics.median(figure["seconds"]),
        statistics.median(figure["local_seconds"]),
        note=f"curl, 16 at a time, needs {curl:.2f} s only to fetch the objects from the S3 server on the same machine",
    )
