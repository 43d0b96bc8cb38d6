"""`fit` of the ridge candidate on every clean row, reading included."""

import json
import math
import re

from .. import bench as place
from ..data import count_rows
from ..report import FASTER
from ..run import Broken, Variant, alternate, check, pipeline

CANDIDATES = re.compile(r"\[\[candidates\]\]\n(?:.+\n)*\n*")


def ridge_recipe(bench):
    """The golf recipe with ridge as its only candidate."""
    recipe = (
        CANDIDATES.sub("", place.RECIPE.read_text()) + '\n[[candidates]]\nalgorithm = "ridge"\nalpha = 1.0\n'
    )
    path = bench.folder("fit") / "ridge.toml"
    path.write_text(recipe)
    return path


def measure(bench, data):
    recipe = ridge_recipe(bench)
    folder = recipe.parent
    variants = [
        Variant(
            "ours",
            lambda _: pipeline(
                [bench.ours("fit"), "--recipe", recipe, data.clean],
                stdout=folder / "model.json",
                env=bench.env,
            ),
        ),
        Variant(
            "pandas, scikit-learn",
            lambda _: pipeline(
                [*bench.peer("fit_sklearn.py"), data.clean, folder / "model.pickle"],
                stdout=folder / "sklearn.json",
                env=bench.env,
            ),
        ),
    ]

    def same(_, __):
        mine = json.loads((folder / "model.json").read_text())["body"]["metrics"]["held_out"]
        theirs = json.loads((folder / "sklearn.json").read_text())
        if not math.isclose(mine["rmse"], theirs["rmse"], rel_tol=1e-6) or mine["rows"] != theirs["held_out"]:
            raise Broken(f"held out: {mine}, but {theirs}")

    check(variants, same)
    found = alternate(variants, bench.runs)
    bench.failures("fit", variants)
    ours, peer = found.values()
    job = f"fit ridge, {count_rows(data.clean):,} rows, reading included"
    row = place.beside(job, ours, peer.name, peer, FASTER, 5)
    return [row, *place.without_start(row, peer)]
