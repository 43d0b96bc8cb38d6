"""The whole quick start from fetched events to one prediction; fetching is left out on both sides."""

import json
import math

from .. import bench as place
from ..data import count_rows
from ..report import FASTER
from ..run import Broken, Variant, alternate, check, pipeline


def measure(bench, data):
    folder = bench.folder("quickstart")
    mine, theirs = folder / "ours", folder / "python"

    def new(path):
        def prepare():
            place.asked_csv(bench.folder(path.relative_to(bench.work)) / "asked.csv")

        return prepare

    def ours(_):
        env = {**bench.env, "RECORDED": str(data.folder), "FAIRWAY_NOW": "2026-01-06T00:00:00Z"}
        return pipeline([place.PEERS / "fairway_quickstart"], env=env, cwd=mine)

    def python(_):
        return pipeline(
            [*bench.peer("quickstart.py"), data.wire, theirs], stdout=theirs / "answer.json", env=bench.env
        )

    def same(_, __):
        header, answer = [line.split(",") for line in (mine / "answer.csv").read_text().splitlines()]
        predicted = float(dict(zip(header, answer, strict=True))["predicted_sg_t2g"])
        said = json.loads((theirs / "answer.json").read_text())
        if not math.isclose(predicted, said["prediction"], rel_tol=1e-6):
            raise Broken(f"ours predicts {predicted}, theirs {said}")
        files = [
            len(list((path).iterdir()))
            for path in (mine / "data" / "training_data", theirs / "training_data")
        ]
        if files[0] != files[1]:
            raise Broken(f"{files[0]} CSVs, but {files[1]}")

    variants = [Variant("ours", ours, new(mine)), Variant("python", python, new(theirs))]
    check(variants, same)
    alternate(variants, bench.runs)
    bench.failures("quick start", variants)
    first, peer = variants
    job = f"quick start, {count_rows(data.rounds):,} rounds, fetch excluded"
    row = place.beside(job, first, "SQLAlchemy, pandas, scikit-learn", peer, FASTER, 10)
    return [row, *place.without_start(row, peer)]
