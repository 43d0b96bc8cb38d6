"""Measures every job and writes the report. scripts/bench installs and builds what this needs first."""

import argparse
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from . import attack, data
from .bench import ROOT, Bench
from .jobs import JOBS, WITHOUT_GOLF
from .jobs.fit import ridge_recipe
from .machine import machine, versions
from .report import Report

ATTACK = "attack"


def main():
    args = arguments()
    # So that servers are ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    bench = Bench(
        args.work.resolve(),
        args.programs.resolve(),
        Path(sys.executable),
        1 if args.quick else args.runs,
        args.quick,
    )
    bench.unreached += args.missing
    generated = None
    if args.only not in WITHOUT_GOLF:
        step("20 synthetic seasons" if not args.quick else "2 synthetic seasons")
        generated = data.generate(bench)
    rows, attacks = [], []
    for name, job in JOBS.items():
        if args.only in (None, name):
            step(name)
            rows += unless_broken(bench, name, lambda job=job: job.measure(bench, generated))
    if args.only in (None, ATTACK):
        step(ATTACK)
        attacks = unless_broken(bench, ATTACK, lambda: attack.attack(bench, model(bench, generated)))
    report = Report(
        machine(), versions(bench.find), setting(bench, generated), rows, attacks, bench.unreached
    )
    args.results.mkdir(parents=True, exist_ok=True)
    (args.results / "results.md").write_text(report.markdown())
    (args.results / "results.json").write_text(report.json())
    print(report.markdown(), end="")
    if not args.keep:
        shutil.rmtree(bench.work)
    return 1 if args.strict and (report.missed() or report.unreached) else 0


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--only", choices=[*JOBS, ATTACK])
    parser.add_argument(
        "--missing", action="append", default=[], help="a sentence about a peer that could not be installed"
    )
    return parser.parse_args()


def step(name):
    print(f"bench: {name}", file=sys.stderr, flush=True)


def unless_broken(bench, name, measure):
    """One job that cannot be measured keeps no other from it."""
    try:
        return measure()
    except Exception as broken:  # whatever it is, the figures of the others took half an hour
        bench.unreached.append(f"{name}: {type(broken).__name__}: {broken}")
        return []


def model(bench, generated):
    recipe = ridge_recipe(bench)
    path = recipe.parent / "model.json"
    bench.call(bench.ours("fit"), "--recipe", recipe, generated.clean, stdout=path)
    return path


def setting(bench, generated):
    git = lambda *command: subprocess.run(
        ["git", "-C", ROOT, *command], capture_output=True, text=True, check=False
    ).stdout.strip()
    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    golf = generated and {
        "rounds": f"{data.count_rows(generated.rounds):,}",
        "rounds CSV": f"{generated.rounds.stat().st_size / 1e6:.0f} MB",
    }
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": (git("rev-parse", "--short", "HEAD") or "unknown") + changed,
        **(golf or {}),
        "runs": f"median of {bench.runs}, or of fewer where these would take more than a minute",
    }


sys.exit(main())
