"""`predictd`, one prediction a request, at 1, 8 and 64 connections, and at half of what it can; each server runs alone."""

import json
import math
import re
import shutil
import socket
import statistics
import subprocess
from collections import defaultdict

from .. import bench as place
from ..report import AT_MOST, RATE, Row
from ..run import Broken
from ..server import MLFLOW, serving
from .fit import CANDIDATES, ridge_recipe

CONNECTIONS = [1, 8, 64]
MLFLOW_SERVES = "MLflow models serve, 2 workers"
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
    h2load = bench.program("h2load")
    for _ in range(bench.runs):
        for name, (command, env, *path) in list(servers.items()):
            try:
                with serving(command, env, *path) as running:
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
    found = rows(rates, late, peak)
    if h2load and all(name in servers for name in ("predictd", "bare axum")):
        half = min(statistics.median(rates[name, 64]) for name in ("predictd", "bare axum")) / 2
        try:
            found.append(unhurried(bench, h2load, servers, half))
        except (Broken, OSError) as broken:
            bench.unreached.append(f"predictd: half of the load: {broken}")
    return found


def unhurried(bench, h2load, servers, rate):
    """How late the slowest 1 % of answers are at a rate that leaves half of the time free."""
    late = defaultdict(list)
    each = max(1, round(rate / 64))
    for _ in range(bench.runs):
        for name in ("predictd", "bare axum"):
            command, env = servers[name]
            with serving(command, env) as running:
                running.ask(timeout=60)
                late[name].append(paced(bench, h2load, running, each))
    ours, peers = (statistics.median(late[name]) for name in ("predictd", "bare axum"))
    return Row(
        f"predictd, 99 % answered, 64 connections at {64 * each:,} requests a second", "bare axum", AT_MOST, 2, ours, peers
    )


def paced(bench, h2load, running, each):
    """The 99th percentile of the time to an answer in seconds, at so many requests a second on each of 64 connections."""
    folder = bench.folder("paced")
    body, log = folder / "body.json", folder / "log"
    body.write_text(json.dumps(place.ASKED))
    log.unlink(missing_ok=True)
    command = [h2load, "--h1", "--threads=2", "--clients=64", f"--duration={1 if bench.quick else 4}", f"--rps={each}"]
    command += [f"--data={body}", "--header=content-type: application/json", f"--log-file={log}", running.url + "/predict"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answers = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    if done.returncode or not answers or any(status != "200" for _, status, _ in answers):
        raise Broken(f"h2load: {done.stderr.strip() or done.stdout.strip()[-200:]}")
    return statistics.quantiles((int(took) for *_, took in answers), n=100)[98] / 1e6


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
    if mlflow := mlflow_of(bench, recipe.parent, pickle):
        servers[MLFLOW_SERVES] = mlflow
    return servers


def mlflow_of(bench, folder, pickle):
    """`mlflow models serve` of the same model, from a venv of its own: it is larger than all other peers together."""
    programs = bench.python.parents[2] / "mlflow" / "bin"
    if not (programs / "mlflow").exists():
        return None
    saved = folder / "mlflow"
    shutil.rmtree(saved, ignore_errors=True)
    try:
        bench.call(programs / "python", place.PEERS / "save_mlflow.py", pickle, saved)
    except Broken as broken:
        bench.unreached.append(f"predictd: {MLFLOW_SERVES}: {broken}")
        return None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [programs / "mlflow", "models", "serve", "--env-manager=local", "--workers=2", f"--port={port}", f"--model-uri={saved}"]
    return command, {**bench.env, "PATH": f"{programs}:{bench.env['PATH']}"}, MLFLOW


expected = []


def same(name, answer):
    """Every server but the bare one, and that of another model, must give the prediction that the first gave."""
    if name in ("bare axum", "predictd, 100 trees"):
        return
    answer = json.loads(answer)
    expected.append(answer["predictions"][0] if "predictions" in answer else answer["sg_t2g"])
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
            running.url + running.path,
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
            *([("predictd", MLFLOW_SERVES, 20)] if rates[MLFLOW_SERVES, connections] else []),
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
