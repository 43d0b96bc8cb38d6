"""`dg-fetch rounds` of some 1 GB of whole seasons from a loopback server, beside curl and jq."""

import gzip
import json

from .. import bench as place
from ..report import AT_MOST, FASTER
from ..run import Broken, Variant, alternate, check, pipeline

# As many seasons as one minute's budget of calls allows, and so many events that they make 1 GB.
SEASONS, EVENTS = 42, 128


def answers(bench):
    """Answers as the server keeps them, but not compressed, so that this takes no time; size by season."""
    folder = bench.folder("fetch") / "answers"
    first = 2024 if bench.quick else 2025 - SEASONS + 1
    bench.call(
        bench.ours("datagolf-synth"),
        "--out",
        folder,
        "--from",
        first,
        "--to",
        2025,
        "--events-per-season",
        EVENTS,
        "--with-quirks",
        "false",
    )
    seasons = {year: 0 for year in range(first, 2026)}
    for path in (folder / "rounds").iterdir():
        tour, year, event = path.name.removesuffix(".json.gz").split("_")
        body = gzip.decompress(path.read_bytes())
        path.write_bytes(gzip.compress(body, compresslevel=0, mtime=0))
        if tour == "pga":
            seasons[int(year)] += len(body) + len(f',"{event}":')
    return folder, seasons


def measure(bench, data):
    if not bench.program("jq") or not bench.program("curl"):
        return []
    folder, seasons = answers(bench)
    with bench.replay(folder) as env:
        return beside(bench, folder.parent, seasons, env)


def beside(bench, folder, seasons, env):
    wanted = folder / "wanted.csv"
    bench.call(
        bench.ours("dg-fetch"),
        "events",
        "--tour",
        "pga",
        "--format",
        "csv",
        stdout=wanted,
        env={**env, "FAIRWAY_STATE_DIR": str(folder / "state-of-events")},
    )
    # The results are compared on one season: jq needs minutes for all.
    with wanted.open() as lines, (folder / "one.csv").open("w") as one:
        one.writelines(line for line in lines if line.startswith(("tour,", "pga,2025,")))
    urls = [
        f"{env['DATAGOLF_BASE_URL']}/historical-raw-data/rounds?tour=pga&event_id=all&year={year}&key=replay"
        for year in sorted(seasons, reverse=True)
    ]
    file = lambda name, keep: folder / f"{name}.jsonl" if keep else None

    def ours(keep):
        # A budget of calls of its own for each run.
        state = {**env, "FAIRWAY_STATE_DIR": str(bench.folder("fetch/state"))}
        return pipeline(
            [bench.ours("dg-fetch"), "rounds", folder / "one.csv" if keep else wanted],
            stdout=file("ours", keep),
            env=state,
        )

    def theirs(keep):
        return pipeline(
            ["curl", "--silent", "--fail", *(urls[:1] if keep else urls)],
            ["jq", "--compact-output", "--from-file", place.PEERS / "flatten.jq"],
            stdout=file("theirs", keep),
            env=env,
        )

    def same(mine, other):
        with file(mine, True).open() as one, file(other, True).open() as two:
            events = [
                sorted(map(json.loads, lines), key=lambda event: event["key"]["event_id"]) for lines in (one, two)
            ]
        if events[0] != events[1]:
            raise Broken("the events differ")

    variants = [Variant("ours", ours), Variant("theirs", theirs)]
    check(variants, same)
    # What the server takes, which is in both figures: for information.
    download = Variant("download", lambda _: pipeline(["curl", "--silent", "--fail", *urls], env=env))
    variants.append(download)
    alternate(variants, bench.runs)
    bench.failures("dg-fetch", variants)
    mine, peer, _ = variants
    read, largest = sum(seasons.values()), max(seasons.values())
    job = f"dg-fetch, {read / 1e6:,.0f} MB of season answers"
    note = f"the largest season is {largest / 1e6:.1f} MB; the loopback server's own work is in every figure"
    return [
        place.beside(job, mine, "curl, jq -c", peer, FASTER, 10, 4 * largest, note),
        place.beside(job, mine, "curl alone, which reads nothing", download, AT_MOST, None),
    ]
