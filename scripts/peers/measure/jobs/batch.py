"""`predictd` with batches of rows, from its start to its first answer, and its memory after many predictions; beside Flask."""

import json
import statistics
import time
import urllib.request

from .. import bench as place
from ..report import FASTER, MEGABYTE, Row
from ..run import Broken
from ..server import serving
from .fit import CANDIDATES
from .serve import GUNICORN, TREES

ROWS = 10_000
PREDICTIONS = 1_000_000
READY_WITHIN = 0.050
MEMORY = 30 * MEGABYTE
JSON, CSV = "application/json", "text/csv"


def measure(bench, data):
    folder = bench.folder("batch")
    recipe = folder / "trees.toml"
    recipe.write_text(CANDIDATES.sub("", place.RECIPE.read_text()) + TREES)
    model, pickle = folder / "model.json", folder / "model.pickle"
    bench.call(bench.ours("fit"), "--recipe", recipe, data.clean, stdout=model)
    bench.call(*bench.peer("learn.py"), "train-for-predict", data.clean, pickle)
    bodies = batches(data.clean, ROWS // (10 if bench.quick else 1))
    ours = ([bench.ours("predictd"), "--model", model, "--listen", "127.0.0.1:0"], bench.env)
    theirs = (
        [bench.python, *GUNICORN, f"--chdir={place.PEERS}", "serve_flask:app"],
        {**bench.env, "MODEL": str(pickle)},
    )
    found = {}
    for name, (command, env) in {"predictd": ours, "Flask": theirs}.items():
        starts = [start(command, env) for _ in range(bench.runs)]
        with serving(command, env) as running:
            running.ask(timeout=60)
            took = {kind: [] for kind in bodies}
            for _ in range(max(bench.runs, 3)):
                for kind, body in bodies.items():
                    seconds, answer = ask(running, kind, body)
                    took[kind].append(seconds)
                    found.setdefault(kind, {})[name] = (predictions(kind, answer), took[kind])
            count = PREDICTIONS // (10 if bench.quick else 1)
            # Memory after as many predictions as goals speak of; gunicorn's workers are the children of the one that was started.
            if name == "predictd":
                for _ in range(count // len(predictions(JSON, answer_of(running, bodies)))):
                    ask(running, JSON, bodies[JSON])
                memory = running.status("VmRSS") * 1024
            found.setdefault("start", {})[name] = starts
    rows = []
    for kind, label in ((JSON, "JSON"), (CSV, "CSV")):
        mine, theirs = found[kind]["predictd"], found[kind]["Flask"]
        same(mine[0], theirs[0])
        job = f"predictd, {len(mine[0]):,} rows of {label} in one request, 100 trees"
        rows.append(Row(job, "Flask, pandas", FASTER, 20, statistics.median(mine[1]), statistics.median(theirs[1]), memory, MEMORY))
    own, peers = (statistics.median(found["start"][name]) for name in ("predictd", "Flask"))
    if own > READY_WITHIN:
        bench.unreached.append(f"predictd answers {own * 1000:.0f} ms after its start; {READY_WITHIN * 1000:.0f} ms are the goal")
    rows.append(Row("predictd, from its start to its first answer, 100 trees", "Flask", FASTER, 30, own, peers))
    return rows


def start(command, env):
    """Seconds from the start to the first prediction."""
    began = time.perf_counter()
    with serving(command, env) as running:
        running.ask(timeout=60)
        return time.perf_counter() - began


def batches(clean, count):
    """The first rows, as JSON and as CSV with the features alone."""
    with open(clean, encoding="utf-8") as lines:
        names = next(lines).strip().split(",")
        places = [names.index(feature) for feature in place.ASKED]
        rows = [[line.rstrip("\n").split(",")[at] for at in places] for _, line in zip(range(count), lines)]
    objects = [dict(zip(place.ASKED, map(float, row))) for row in rows]
    csv = "\n".join(",".join(row) for row in [list(place.ASKED), *rows]) + "\n"
    return {JSON: json.dumps(objects).encode(), CSV: csv.encode()}


def answer_of(running, bodies):
    return ask(running, JSON, bodies[JSON])[1]


def ask(running, kind, body):
    request = urllib.request.Request(running.url + "/predict", body, {"content-type": kind})
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return time.perf_counter() - began, text


def predictions(kind, answer):
    if kind == JSON:
        return [row["sg_t2g"] for row in json.loads(answer)]
    header, *lines = answer.decode().splitlines()
    at = header.split(",").index("predicted_sg_t2g")
    return [float(line.split(",")[at]) for line in lines]


def same(mine, theirs):
    """Trees of both sides were grown on the same rows; they are about as far from each other as from the answers."""
    apart = statistics.fmean(abs(one - other) for one, other in zip(mine, theirs, strict=True))
    if apart > 0.3:
        raise Broken(f"the servers' predictions are {apart} strokes apart")
