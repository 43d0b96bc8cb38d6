"""Poisson regression of a million rows, reading included; beside scikit-learn."""

import json
import math
import random

from .. import bench as place
from ..report import FASTER
from ..run import Broken, Variant, alternate, check, pipeline

ROWS = 1_000_000
FEATURES = 8
ALPHA = 10.0
SEED = 31
COLUMNS = [f"x{at}" for at in range(1, FEATURES + 1)]
RECIPE = f"""
[recipe]
name = "calls"
[keys]
columns = ["row"]
row = ["row"]
[features]
columns = {json.dumps(COLUMNS)}
[target]
column = "calls"
task = "count"
[split]
by = ["row"]
holdout = 0
[[candidates]]
algorithm = "poisson"
alpha = {ALPHA}
[columns]
row = {{ type = "integer" }}
calls = {{ type = "integer" }}
""" + "".join(f'{name} = {{ type = "number" }}\n' for name in COLUMNS)


def measure(bench, _):
    folder = bench.folder("counts")
    (folder / "recipe.toml").write_text(RECIPE)
    source, model, said = folder / "rows.csv", folder / "model.json", folder / "said.json"
    count = rows(source, ROWS // (20 if bench.quick else 1))
    command = [bench.ours("fit"), "--recipe", folder / "recipe.toml", source]
    peer = [*bench.peer("poisson_sklearn.py"), source, str(ALPHA)]
    variants = [
        Variant("ours", lambda _: pipeline(command, stdout=model, env=bench.env)),
        Variant("scikit-learn", lambda _: pipeline(peer, stdout=said, env=bench.env)),
    ]

    def same(_, __):
        ours, theirs = json.loads(model.read_text())["body"]["algorithm"], json.loads(said.read_text())
        mine = [ours["intercept"], *(term["coefficient"] for term in ours["terms"])]
        their = [theirs["intercept"], *theirs["coefficients"]]
        if not all(math.isclose(one, other, rel_tol=1e-8) for one, other in zip(mine, their, strict=True)):
            raise Broken(f"{mine}, but {their}")

    check(variants, same)
    found = alternate(variants, bench.runs)
    bench.failures("counts", variants)
    job = f"Poisson regression, {count:,} rows of {FEATURES} columns, reading included"
    row = place.beside(job, found["ours"], "scikit-learn, pandas", found["scikit-learn"], FASTER, 3)
    return [row, *place.without_start(row, found["scikit-learn"])]


def rows(path, count):
    """Counts whose logarithms of means are sums of the columns."""
    draw = random.Random(SEED)
    weights = [0.4, -0.3, 0.2, 0.1, -0.1, 0.05, 0.0, 0.3]
    with path.open("w") as out:
        out.write(f"row,{','.join(COLUMNS)},calls\n")
        for row in range(count):
            values = [round(draw.gauss(0, 1), 4) for _ in COLUMNS]
            mean = math.exp(0.2 + sum(weight * value for weight, value in zip(weights, values, strict=True)))
            calls, left, limit = 0, draw.random(), math.exp(-mean)
            probability = limit
            while left > probability and probability > 0:
                left -= probability
                calls += 1
                probability *= mean / calls
            out.write(f"{row},{','.join(map(str, values))},{calls}\n")
    return count
