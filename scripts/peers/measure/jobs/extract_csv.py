"""`web-extract` of some 1 GB of season CSV, from a file on standard input to CSV, to nowhere; beside xan and polars."""

import csv
import random
from datetime import date, timedelta

import football

from .. import bench as place
from ..compare import same_rows
from ..report import AT_MOST, FASTER, MEGABYTE
from ..run import Variant, alternate, check, pipeline

# Whose header is taken: football-data.co.uk's of a whole season.
SEASON = place.ROOT / "fixtures" / "football" / "web" / "www.football-data.co.uk" / "mmz4281" / "3031" / "X0.csv"
SIZE = 1000 * MEGABYTE
# So many seasons are drawn and repeated: some 10 MB, which web-extract reads in blocks, as it does all.
SEASONS = 50
SEED = 21
MEMORY_GOAL = 64 * MEGABYTE
# How teams are spelled; the list of names says which are called otherwise.
SPELLINGS = [
    *["Ashby", "Brook", "Carrow Vale", "Dunmoor's End", "Elmstead", "Fenwick", "Grantley", "Holm Rovers"],
    *["Inchmere", "Jarrow Park", "Kelham", "Lund City", "Marsh End", "Norbury", "Oakham", "Penrose"],
    *["Quarry Town", "Redmire", "Selby Vale", "Thorne"],
]
LISTED = {"Brook": "Brook United", "Lund City": "Lund", "Thorne": "Thorne Athletic"}
TABLE = """
[schema]
system = "bench"
[tables.matches]
key = ["competition", "date", "home_team", "away_team"]
partition = ["competition"]
write = "upsert"
[tables.matches.columns]
"""
SOURCE = """
[names.team]
files = ["teams.csv"]
scope = "competition"
[sources.results.extract]
kind = "csv"
[sources.results.extract.tables.matches.columns]
"""


def measure(bench, _):
    folder = bench.folder("extract_csv")
    rules(folder)
    few, season = folder / "few.csv", folder / "season.csv"
    width = seasons(few, season, SIZE // (20 if bench.quick else 1))
    teams = folder / "teams.csv"
    output = lambda name, keep: folder / f"{name}.out.csv" if keep else None
    source = lambda keep: few if keep else season

    def ours(keep):
        command = [bench.ours("web-extract"), "--source", "results", "--format", "csv"]
        given = ["--sources", folder / "sources.toml", "--schema", folder / "schema.toml"]
        return pipeline([*command, *given], stdin=source(keep), stdout=output("ours", keep), env=bench.env)

    def xan(keep):
        select = ["xan", "select", ",".join(member for member, _ in football.MATCHES.values())]
        return pipeline(select, stdin=source(keep), stdout=output("xan", keep), env=bench.env)

    def polars(way):
        script = [*bench.peer("extract_polars.py"), way, teams]
        name = f"polars, {way}_csv"
        run = lambda keep: pipeline([*script, source(keep), output(name, keep) or "/dev/null"], env=bench.env)
        return Variant(name, run)

    variants = [Variant("ours", ours), polars("read"), polars("scan")]
    if bench.program("xan"):
        variants.insert(1, Variant("xan", xan))

    def same(mine, theirs):
        other = output(theirs, True)
        if theirs == "xan":
            other = selected(other, folder / "translated.csv", football.names(teams))
        same_rows(output(mine, True), other)

    check(variants, same)
    found = alternate(variants, bench.runs)
    bench.failures("extract-csv", variants)
    size, columns = season.stat().st_size / 1e6, len(football.MATCHES)
    job = f"web-extract, {size:,.0f} MB of season CSV, {columns} of {width} columns"
    note = "it selects, and does not look at dates, numbers and names"
    rows = [place.beside(job, found["ours"], "xan select", found.get("xan"), AT_MOST, 1.5, MEMORY_GOAL, note)]
    for peer, goal in [("polars, read_csv", 2), ("polars, scan_csv", None)]:
        row = place.beside(job, found["ours"], peer, found[peer], FASTER, goal, MEMORY_GOAL)
        rows += [row, *place.without_start(row, found[peer])]
    season.unlink()
    return rows


def selected(path, target, names):
    """What xan selected, with dates and names as the others write them."""
    with open(path, newline="") as lines, open(target, "w", newline="") as out:
        rows, writer = csv.reader(lines), csv.writer(out)
        writer.writerow(next(rows))
        kinds = [kind for _, kind in football.MATCHES.values()]
        as_others = {"date": lambda cell: "-".join(reversed(cell.split("/"))), football.TEAM: names.__getitem__}
        for row in rows:
            writer.writerow(as_others.get(kind, str)(cell) for kind, cell in zip(kinds, row, strict=True))
    return target


def rules(folder):
    """The table, the source, and the list of names."""
    kinds = {name: "text(64)" if kind == football.TEAM else kind for name, (_, kind) in football.MATCHES.items()}
    (folder / "schema.toml").write_text(TABLE + "".join(f'{name} = "{kind}"\n' for name, kind in kinds.items()))
    more = {"date": ', date = ["%d/%m/%y", "%d/%m/%Y"]', football.TEAM: ', names = "team"'}
    columns = [
        f'{name} = {{ from = "{member}"{more.get(kind, "")} }}\n' for name, (member, kind) in football.MATCHES.items()
    ]
    (folder / "sources.toml").write_text(SOURCE + "".join(columns))
    lines = [f",E0,{spelling},{LISTED.get(spelling, spelling)}\n" for spelling in SPELLINGS]
    (folder / "teams.csv").write_text("source,scope,spelling,name\n" + "".join(lines))


def seasons(few, many, size):
    """Some seasons, and as many of them as make the size; how many columns they have."""
    header = SEASON.read_text(encoding="utf-8-sig").splitlines()[0].split(",")
    draw = random.Random(SEED)
    rows = [row for year in range(2025 - SEASONS, 2025) for row in season(draw, header, year)]
    block = "".join(f"{','.join(row)}\n" for row in rows).encode()
    for path, times in [(few, 1), (many, max(1, round(size / len(block))))]:
        with path.open("wb") as out:
            out.write(",".join(header).encode() + b"\n")
            for _ in range(times):
                out.write(block)
    return len(header)


def season(draw, header, year):
    """Each team at each other's, ten matches a day; all that is not known here is a price."""
    matches = [(home, away) for home in SPELLINGS for away in SPELLINGS if home != away]
    draw.shuffle(matches)
    for number, (home, away) in enumerate(matches):
        goals = [draw.randrange(5), draw.randrange(4)]
        half = [draw.randint(0, most) for most in goals]
        day = date(year, 8, 10) + timedelta(days=7 * (number // 10))
        letter = lambda home, away: "H" if home > away else "A" if home < away else "D"
        known = {
            "Div": "E0",
            "Date": day.strftime("%d/%m/%Y"),
            "Time": draw.choice(["12:30", "15:00", "17:30", "20:00"]),
            "HomeTeam": home,
            "AwayTeam": away,
            "FTHG": goals[0],
            "FTAG": goals[1],
            "FTR": letter(*goals),
            "HTHG": half[0],
            "HTAG": half[1],
            "HTR": letter(*half),
            "Referee": draw.choice(["A Whistler", "B Fairplay", "C Card", "D Advantage"]),
            **{name: draw.randint(2, 24) for name in ["HS", "AS", "HF", "AF"]},
            **{name: draw.randint(0, 9) for name in ["HST", "AST", "HC", "AC"]},
            **{name: draw.randint(0, 4) for name in ["HY", "AY"]},
            **{name: draw.randint(0, 1) for name in ["HR", "AR"]},
        }
        yield [str(known[name]) if name in known else f"{draw.uniform(1.05, 9):.2f}" for name in header]
