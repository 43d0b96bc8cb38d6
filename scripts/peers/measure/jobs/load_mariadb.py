"""`db-load partitions` from wire lines into an empty table of MariaDB, with and without local infile."""

import csv

from .. import bench as place
from ..data import count_rows
from ..mariadb import server
from ..report import AT_MOST, FASTER
from ..run import Variant, alternate, pipeline

MEMORY_GOAL = 64_000_000


def infile(data, path):
    """The same rounds as LOAD DATA likes them best: tabs, and \\N for null."""
    escape = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n"})
    with data.rounds.open(newline="") as source, path.open("w", newline="") as target:
        rows = csv.reader(source)
        next(rows)
        for row in rows:
            target.write("\t".join(cell.translate(escape) if cell else "\\N" for cell in row) + "\n")
    return path


def measure(bench, data):
    for program in ["mariadbd", "mariadb"]:
        if not bench.program(program):
            return []
    with (
        server(bench, "mariadb") as usual,
        server(bench, "mariadb-without-local-infile", "--local-infile=0") as without,
    ):
        return beside(bench, data, usual, without)


def beside(bench, data, usual, without):
    tabs = infile(data, bench.folder("load-mariadb") / "rounds.tsv")
    load = f"LOAD DATA LOCAL INFILE '{tabs}' INTO TABLE {place.TABLE} CHARACTER SET utf8mb4"

    into = [*usual.client("--local-infile=1"), f"--execute={load}", "bench"]
    pandas = [*bench.peer("load_pandas.py"), data.rounds, usual.sqlalchemy, place.TABLE]

    def variant(name, where, command):
        return Variant(name, lambda _: pipeline(command, env=bench.env), where.empty_table)

    def ours(where):
        return [bench.ours("db-load"), "partitions", "--db", where.url, "--schema", place.SCHEMA, data.wire]

    variants = [
        variant("LOAD DATA", usual, into),
        variant("ours", usual, ours(usual)),
        variant("ours, no local infile", without, ours(without)),
        variant("pandas to_sql", usual, pandas),
    ]
    contents = {}
    for variant in variants:
        # One after the other, because three of them fill the same table.
        variant.attempt(keep=True)
        contents[variant.name] = (without if "no local" in variant.name else usual).content()

    for variant in variants:
        if not variant.failure and contents[variant.name] != contents["LOAD DATA"]:
            variant.failure = (
                f"other rows than LOAD DATA: {contents[variant.name]!r}, not {contents['LOAD DATA']!r}"
            )
    found = alternate(variants, bench.runs)
    bench.failures("db-load into MariaDB", variants)
    job = f"db-load, {count_rows(data.rounds):,} rounds into MariaDB"
    rows = []
    for mine, peer, rule, goal in [
        ("ours", "LOAD DATA", AT_MOST, 1.5),
        ("ours, no local infile", "LOAD DATA", AT_MOST, 3),
        ("ours", "pandas to_sql", FASTER, None),
    ]:
        memory_goal = None if goal is None else MEMORY_GOAL
        name = job + mine.removeprefix("ours")
        rows.append(place.beside(name, found[mine], peer, found[peer], rule, goal, memory_goal))
    return rows
