"""`db-load partitions` from wire lines into an empty table of SQLite."""

import subprocess

from .. import bench as place
from ..compare import same_rows
from ..data import count_rows
from ..report import AT_MOST
from ..run import Variant, alternate, check, pipeline


def measure(bench, data):
    sqlite3 = bench.program("sqlite3")
    if not sqlite3:
        return []
    folder = bench.folder("load-sqlite")
    database = folder / "golf.db"

    def empty_table():
        for path in folder.glob("golf.db*"):
            path.unlink()
        bench.call(bench.ours("db-load"), "partitions", "--db", f"sqlite:{database}", "--schema", place.SCHEMA, "/dev/null")

    def kept(name, took, keep):
        if keep:
            with (folder / f"{name}.csv").open("wb") as target:
                order = "tour, year, event_id, dg_id, round_num"
                subprocess.run(
                    [sqlite3, "-csv", database, f"SELECT * FROM {place.TABLE} ORDER BY {order}"],
                    stdout=target,
                    check=True,
                )
        return took

    def ours(keep):
        return kept(
            "ours",
            pipeline(
                [bench.ours("db-load"), "partitions", "--db", f"sqlite:{database}", "--schema", place.SCHEMA, data.wire],
                env=bench.env,
            ),
            keep,
        )

    def theirs(keep):
        # The log and the durability that db-load has (tools/lib/db/src/sqlite.rs).
        commands = [
            "PRAGMA journal_mode = wal",
            "PRAGMA synchronous = full",
            f".import --csv --skip 1 {data.rounds} {place.TABLE}",
        ]
        return kept("theirs", pipeline([sqlite3, database, *commands], env=bench.env), keep)

    variants = [Variant("ours", ours, empty_table), Variant("theirs", theirs, empty_table)]
    # .import stores empty text where ours stores null; a reader of CSV sees no difference.
    check(
        variants,
        lambda mine, other: same_rows(folder / f"{mine}.csv", folder / f"{other}.csv", headers=False),
    )
    alternate(variants, bench.runs)
    bench.failures("db-load into SQLite", variants)
    mine, peer = variants
    job = f"db-load, {count_rows(data.rounds):,} rounds into SQLite"
    return [place.beside(job, mine, "sqlite3 .import", peer, AT_MOST, 1.5)]
