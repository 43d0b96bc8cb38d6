"""`db-query rows` of all rounds, in the order of their key."""

from .. import bench as place
from ..compare import Batch, same_rows
from ..data import count_rows
from ..mariadb import server
from ..report import AT_MOST
from ..run import Variant, alternate, check, pipeline
from .load_mariadb import infile

ORDER = "ORDER BY tour, year, event_id, dg_id, round_num"


def measure(bench, data):
    rows = []
    if bench.program("sqlite3"):
        rows += sqlite(bench, data)
    if bench.program("mariadbd") and bench.program("mariadb"):
        with server(bench, "mariadb") as running:
            rows += mariadb(bench, data, running)
    return rows


def sqlite(bench, data):
    theirs = ["sqlite3", "-csv", "-header", data.database, f"SELECT * FROM {place.TABLE} {ORDER}"]
    return beside(bench, data, "SQLite", f"sqlite:{data.database}", "sqlite3 -csv", theirs, "excel")


def mariadb(bench, data, running):
    running.empty_table()
    tabs = infile(data, bench.folder("query") / "rounds.tsv")
    load = f"LOAD DATA LOCAL INFILE '{tabs}' INTO TABLE {place.TABLE} CHARACTER SET utf8mb4"
    bench.call(*running.client("--local-infile=1"), f"--execute={load}", "bench")
    theirs = [*running.client("--batch"), f"--execute=SELECT * FROM {place.TABLE} {ORDER}", "bench"]
    return beside(bench, data, "MariaDB", running.url, "mariadb --batch", theirs, Batch)


def beside(bench, data, name, url, peer, theirs, dialect):
    folder = bench.folder(f"query-{name}")
    file = lambda which, keep: folder / which if keep else None
    variants = [
        Variant(
            "ours",
            lambda keep: pipeline(
                [bench.ours("db-query"), "rows", "--db", url, "--schema", place.SCHEMA],
                stdout=file("ours", keep),
                env=bench.env,
            ),
        ),
        Variant("theirs", lambda keep: pipeline(theirs, stdout=file("theirs", keep), env=bench.env)),
    ]

    def same(mine, other):
        same_rows(folder / mine, folder / other, dialect=dialect)

    check(variants, same)
    alternate(variants, bench.runs)
    bench.failures(f"db-query on {name}", variants)
    mine, other = variants
    job = f"db-query, {count_rows(data.rounds):,} rounds of {name}"
    return [place.beside(job, mine, peer, other, AT_MOST, 1.2)]
