"""`predictd`, one prediction a request, at 1, 8 and 64 connections; each server runs alone."""

import json
import math
import re
import statistics
import subprocess
from collections import defaultdict

from .. import bench as place
from ..report import RATE, Row
from ..run import Broken
from ..server import serving
from .fit import CANDIDATES, ridge_recipe

CONNECTIONS = [1, 8, 64]
GUNICORN = ["-m", "gunicorn", "--workers=2", "--bind=127.0.0.1:0"]
TREES = '\n[[candidates]]\nalgorithm = "boosted_trees"\ntrees = 100\nmax_depth = 6\n'
# gunicorn's default workers close a connection after one answer; those with threads do not. The better counts.
WORKERS = {
    "Flask, gunicorn 2 workers": [],
    "Flask, gunicorn 2 workers of 4 threads": ["--worker-class=gthread", "--threads=4"],
}


def measure(bench, data):
    wrk = bench.program("wrk")
    if not wrk:
        return []
    servers = commands(bench, data)
    rates, late, peak = defaultdict(list), defaultdict(list), 0
    for _ in range(bench.runs):
        for name, (command, env) in list(servers.items()):
            try:
                with serving(command, env) as running:
                    # gunicorn says where it listens before its workers have imported scikit-learn.
                    same(name, running.ask(timeout=60))
                    stress(bench, wrk, running, 64, warm=True)
                    for connections in CONNECTIONS:
                        rate, p99 = stress(bench, wrk, running, connections)
                        rates[name, connections].append(rate)
                        late[name, connections].append(p99)
                    if name == "predictd":
                        peak = max(peak, running.status("VmHWM") * 1024)
            except (Broken, OSError) as broken:
                bench.unreached.append(f"predictd: {name}: {broken}")
                del servers[name]
    return rows(rates, late, peak)


def commands(bench, data):
    """What each server is started with."""
    recipe = ridge_recipe(bench)
    model, pickle = recipe.parent / "model.json", recipe.parent / "model.pickle"
    bench.call(bench.ours("fit"), "--recipe", recipe, data.clean, stdout=model)
    bench.call(*bench.peer("fit_sklearn.py"), data.clean, pickle)
    trees, grown = recipe.parent / "trees.toml", recipe.parent / "trees.json"
    trees.write_text(CANDIDATES.sub("", place.RECIPE.read_text()) + TREES)
    bench.call(bench.ours("fit"), "--recipe", trees, data.clean, stdout=grown)
    serve = [bench.ours("predictd"), "--listen", "127.0.0.1:0", "--model"]
    servers = {
        "predictd": ([*serve, model], bench.env),
        "predictd, 100 trees": ([*serve, grown], bench.env),
        "bare axum": ([bench.ours("examples/bare")], bench.env),
    }
    for name, workers in WORKERS.items():
        gunicorn = [bench.python, *GUNICORN, f"--chdir={place.PEERS}", *workers]
        servers[name] = ([*gunicorn, "serve_flask:app"], {**bench.env, "MODEL": str(pickle)})
    return servers


expected = []


def same(name, answer):
    """Every server but the bare one, and that of another model, must give the prediction that the first gave."""
    if name in ("bare axum", "predictd, 100 trees"):
        return
    expected.append(json.loads(answer)["sg_t2g"])
    if not math.isclose(expected[0], expected[-1], rel_tol=1e-6):
        raise Broken(f"predicts {expected[-1]}, not {expected[0]}")


def stress(bench, wrk, running, connections, warm=False):
    """Requests a second, and the 99th percentile of the time to an answer in seconds."""
    length = 1 if warm or bench.quick else 4
    threads = min(connections, 2)
    done = subprocess.run(
        [
            wrk,
            f"--threads={threads}",
            f"--connections={connections}",
            f"--duration={length}s",
            f"--script={place.PEERS}/predict.lua",
            "--latency",
            running.url + "/predict",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    figures = re.search(r"^figures (\S+) (\S+) (\d+)$", done.stdout, re.MULTILINE)
    if not figures:
        raise Broken(f"wrk: {done.stderr.strip() or done.stdout.strip()[-200:]}")
    if int(figures[3]):
        raise Broken(f"{figures[3]} requests failed at {connections} connections")
    return float(figures[1]), float(figures[2])


def rows(rates, late, peak):
    median = lambda of, name, connections: (
        statistics.median(of[name, connections]) if of[name, connections] else None
    )
    found = []
    for connections in CONNECTIONS:
        flask = max(WORKERS, key=lambda name: median(rates, name, connections) or 0)
        compared = [
            ("predictd", "bare axum", 0.85),
            ("predictd", flask, 20),
            ("predictd, 100 trees", "bare axum", 0.7),
        ]
        for ours, peer, goal in compared:
            p99 = [median(late, name, connections) for name in (ours, peer)]
            found.append(
                Row(
                    f"{ours}, {connections} connection" + "s" * (connections > 1),
                    peer,
                    RATE,
                    goal,
                    median(rates, ours, connections),
                    median(rates, peer, connections),
                    memory=peak or None,
                    note=""
                    if None in p99
                    else f"99 % answered within {p99[0] * 1000:.2f} ms, the peer's {p99[1] * 1000:.2f} ms",
                )
            )
    return found
