"""`clean` with the golf recipe, from a file on standard input to nowhere (and, beside xan, to a file)."""

import shutil

from .. import bench as place
from ..compare import same_rows
from ..data import count_rows
from ..report import AT_MOST, FASTER, Row
from ..run import Variant, alternate, check, pipeline

KEYS = "tour,year,event_id,event_completed,dg_id,round_num"
REQUIRED = "sg_total,driving_dist,driving_acc,gir,scrambling,prox_rgh,prox_fw,great_shots,poor_shots,sg_t2g"
MEMORY_GOAL = 16_000_000


def measure(bench, data):
    folder = bench.folder("clean")
    output = lambda name, keep: folder / f"{name}.csv" if keep else None

    def ours(source, target):
        return pipeline(
            [bench.ours("clean"), "--recipe", place.RECIPE], stdin=source, stdout=target, env=bench.env
        )

    def xan(target):
        select = ["xan", "select", f"{KEYS},{REQUIRED}"]
        # Rows of which no selected cell is empty; types and ranges are not looked at.
        search = ["xan", "search", "--invert-match", "--empty", "--select", f"{KEYS},{REQUIRED}"]
        return pipeline(select, search, stdin=data.rounds, stdout=target, env=bench.env)

    def python(script):
        return lambda keep: pipeline(
            [*bench.peer(script), data.rounds, output(script, keep) or "/dev/null"], env=bench.env
        )

    variants = [
        Variant("ours", lambda keep: ours(data.rounds, output("ours", keep))),
        Variant("polars", python("clean_polars.py")),
        Variant("pandas", python("clean_pandas.py")),
    ]
    if bench.program("xan"):
        variants.insert(1, Variant("xan", lambda keep: xan(output("xan", keep))))
    files = {
        "ours": "ours.csv",
        "xan": "xan.csv",
        "polars": "clean_polars.py.csv",
        "pandas": "clean_pandas.py.csv",
    }
    check(variants, lambda mine, theirs: same_rows(folder / files[mine], folder / files[theirs]))
    to_file = [Variant("ours", lambda _: ours(data.rounds, folder / "to_file.csv"))]
    if bench.program("xan"):
        to_file.append(Variant("xan", lambda _: xan(folder / "to_file.csv")))
    found = alternate(variants, bench.runs)
    written = alternate(to_file, bench.runs)
    bench.failures("clean", [*variants, *to_file])

    # Five times the rows must take no more memory.
    five = folder / "five.csv"
    with five.open("wb") as target:
        for time in range(5):
            with data.rounds.open("rb") as source:
                if time:
                    source.readline()
                shutil.copyfileobj(source, target)
    five_times = ours(five, None).peaks[-1]
    job = f"clean, {count_rows(data.rounds):,} rounds"
    rows = []
    for peer, name, rule, goal in [
        ("xan", "xan select, search", AT_MOST, 1.3),
        ("polars", "polars", FASTER, 2),
        ("pandas", "pandas", FASTER, 12),
    ]:
        row = place.beside(job, found["ours"], name, found.get(peer), rule, goal, MEMORY_GOAL)
        rows += [row, *(place.without_start(row, found.get(peer)) if peer != "xan" else [])]
    to_file = job + ", to a file"
    rows.append(
        place.beside(to_file, written["ours"], "xan select, search", written.get("xan"), AT_MOST, None)
    )
    rows.append(
        Row("clean, five times the rows", "itself", AT_MOST, None, None, None, five_times, MEMORY_GOAL)
    )
    return rows
