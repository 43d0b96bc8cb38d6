"""`web-extract` of answers of a JSON API by football's jq program, on one core and on two; beside jaq and jq on one."""

import hashlib
import json
import os
import random
from datetime import UTC, datetime, timedelta

from .. import bench as place
from ..report import FASTER
from ..run import Broken, Variant, alternate, check, pipeline

# Each is a season of 380 matches, some 370 kB.
ANSWERS = 270
# So many are compared.
FEW = 6
SEED = 22
PROGRAM = place.PEERS / "matches.jq"
# What the program makes, with the types of football's table.
MEMBERS = {
    "source_id": "text(32)",
    "round": "text(48)",
    "home": "text(64)",
    "away": "text(64)",
    "day": "date",
    "kickoff": "instant",
    "status": "text(12)",
    "settled": "integer",
    "home_goals": "integer",
    "away_goals": "integer",
    "home_goals_half_time": "integer",
    "away_goals_half_time": "integer",
    "referee": "text(64)",
    "last_updated": "instant",
}
SCHEMA = """
[schema]
system = "bench"
[tables.matches]
key = ["competition", "source_id"]
partition = ["competition"]
write = "upsert"
[tables.matches.columns]
competition = "text(8)"
"""
SOURCE = """
[sources.fixtures.extract]
kind = "json"
[sources.fixtures.extract.tables.matches]
rows = '''{program}'''
columns.competition = {{ value = "{{competition}}" }}
"""
NAMES = ["Ashby", "Brook United", "Carrow Vale", "Dunmoor's End", "Elmstead", "Fenwick", "Grantley", "Holm Rovers"]
NAMES += ["Inchmere", "Jarrow Park", "Kelham", "Lund", "Marsh End", "Norbury", "Oakham", "Penrose", "Quarry Town"]
NAMES += ["Redmire", "Selby Vale", "Thorne"]


def measure(bench, _):
    folder = bench.folder("extract_json")
    rules(folder)
    size = answers(folder, ANSWERS // (20 if bench.quick else 1))
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))[:2]]
    output = lambda name, keep: folder / f"{name}.jsonl" if keep else None
    source = lambda kind, keep: folder / f"{'few' if keep else 'all'}_{kind}.jsonl"

    def ours(name, cores):
        command = ["taskset", "--cpu-list", ",".join(cores), bench.ours("web-extract")]
        given = ["--sources", folder / "sources.toml", "--schema", folder / "schema.toml"]
        run = lambda keep: pipeline(
            [*command, *given], stdin=source("answers", keep), stdout=output(name, keep), env=bench.env
        )
        return Variant(name, run)

    def peer(name):
        command = ["taskset", "--cpu-list", cores[0], name, "--compact-output", "--from-file", PROGRAM]
        run = lambda keep: pipeline([*command, source("bodies", keep)], stdout=output(name, keep), env=bench.env)
        return Variant(name, run)

    one, two = ours("ours", cores[:1]), ours("ours on two", cores)
    variants = [one, two] if len(cores) == 2 else [one]
    variants += [peer(name) for name in ("jaq", "jq") if bench.program(name)]

    def same(mine, theirs):
        if rows(output(mine, True)) != rows(output(theirs, True)):
            raise Broken("the rows differ")

    check(variants, same)
    found = alternate(variants, bench.runs)
    bench.failures("extract-json", variants)
    job = f"web-extract, {size / 1e6:,.0f} MB of JSON answers"
    made = []
    # A user's run takes all cores. Its engine is jaq's: on one core shows what is around it.
    for label, mine, goals in [("one core", one, {"jaq": 0.95}), ("two cores", two, {"jaq": 1.8, "jq": 2})]:
        for name in ("jaq", "jq"):
            peer = found.get(name)
            made.append(place.beside(f"{job}, {label}", mine, f"{name}, one core", peer, FASTER, goals.get(name)))
    if two not in variants:
        bench.unreached.append("extract-json: two cores are the goal's, and this machine has one")
    return made


def rows(path):
    """The objects that were made: lines of jq, or rows of the wire."""
    made = []
    for line in map(json.loads, path.open(encoding="utf-8")):
        if "v" not in line:
            # The wire has milliseconds.
            instants = {name: (line[name] or "").replace("Z", ".000Z") or None for name in ("kickoff", "last_updated")}
            made.append({**line, **instants})
        elif "rows" in line:
            objects = (dict(zip(line["columns"], row, strict=True)) for row in line["rows"])
            made += [{name: value for name, value in row.items() if name != "competition"} for row in objects]
    return made


def rules(folder):
    """The table, and the source with the program."""
    columns = "".join(f'{name} = "{kind}"\n' for name, kind in MEMBERS.items())
    (folder / "schema.toml").write_text(SCHEMA + columns)
    (folder / "sources.toml").write_text(SOURCE.format(program=PROGRAM.read_text()))


def answers(folder, count):
    """The answers as web-fetch prints them and their bodies, of all and of a few; how large the bodies are."""
    draw = random.Random(SEED)
    size = 0
    kinds = ["all_answers", "all_bodies", "few_answers", "few_bodies"]
    files = {kind: (folder / f"{kind}.jsonl").open("w", encoding="utf-8") for kind in kinds}
    for number in range(count):
        body = compact(season(draw, 1900 + number))
        size += len(body.encode())
        line = compact(answer("fixtures", {"competition": "E0", "year": 1900 + number}, body, number))
        for many in ["all", "few"] if number < FEW else ["all"]:
            files[f"{many}_answers"].write(line + "\n")
            files[f"{many}_bodies"].write(body + "\n")
    for file in files.values():
        file.close()
    return size


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def answer(source, parameters, body, number, kind="application/json;charset=UTF-8"):
    """A line of `fairway.answer/1`."""
    return {
        "v": "fairway.answer/1",
        "source": source,
        "parameters": parameters,
        "raw": f"raw/{source}/2026-01/2026-01-02T030405.678Z_{number:08x}.json",
        "url": f"https://{source}.example.org/{number}",
        "fetched_at": "2026-01-02T03:04:05.678Z",
        "status": 200,
        "headers": {"content-type": kind},
        "sha256": hashlib.sha256(body.encode()).hexdigest(),
        "body": body,
    }


def season(draw, year):
    """All matches of a season as football-data.org gives them: seven of ten are played."""
    area = {"id": 2072, "name": "Nowhere", "code": "NOW", "flag": "https://crests.example.org/770.svg"}
    league = {"id": 2021, "name": "Made-up League", "code": "X0", "type": "LEAGUE"}
    league["emblem"] = "https://crests.example.org/X0.png"
    running = {"id": year, "startDate": f"{year}-08-10", "endDate": f"{year + 1}-05-25", "currentMatchday": 27}
    running["winner"] = None
    teams = [
        {
            "id": 900 + at,
            "name": f"{name} FC",
            "shortName": name,
            "tla": name[:3].upper(),
            "crest": f"https://crests.example.org/{900 + at}.png",
        }
        for at, name in enumerate(NAMES)
    ]
    pairs = [(home, away) for home in teams for away in teams if home is not away]
    draw.shuffle(pairs)
    begin = datetime(year, 8, 10, 14, tzinfo=UTC)
    instant = lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ")
    matches = []
    for number, (home, away) in enumerate(pairs):
        at = begin + timedelta(days=7 * (number // 10), minutes=30 * draw.randrange(12))
        is_played = number < 266
        goals = [draw.randrange(5), draw.randrange(4)] if is_played else [None, None]
        half = [draw.randint(0, most) for most in goals] if is_played else [None, None]
        winner = None
        if is_played:
            winner = "HOME_TEAM" if goals[0] > goals[1] else "AWAY_TEAM" if goals[0] < goals[1] else "DRAW"
        referee = {"id": draw.randrange(10_000, 99_999), "name": "B Fairplay", "type": "REFEREE"}
        matches.append(
            {
                "area": area,
                "competition": league,
                "season": running,
                "id": year * 1000 + number,
                "utcDate": instant(at),
                "status": "FINISHED" if is_played else "TIMED" if number < 300 else "SCHEDULED",
                "matchday": number // 10 + 1,
                "stage": "REGULAR_SEASON",
                "group": None,
                "lastUpdated": instant(at + timedelta(hours=draw.randrange(3, 48), seconds=draw.randrange(3600))),
                "homeTeam": home,
                "awayTeam": away,
                "score": {
                    "winner": winner,
                    "duration": "REGULAR",
                    "fullTime": {"home": goals[0], "away": goals[1]},
                    "halfTime": {"home": half[0], "away": half[1]},
                },
                "odds": {"msg": "Activate Odds-Package in User-Panel to retrieve odds."},
                "referees": [{**referee, "nationality": "Nowhere"}] if is_played else [],
            }
        )
    counted = {"count": len(matches), "first": matches[0]["utcDate"][:10], "last": matches[-1]["utcDate"][:10]}
    return {
        "filters": {"season": str(year)},
        "resultSet": {**counted, "played": 266},
        "competition": league,
        "matches": matches,
    }
