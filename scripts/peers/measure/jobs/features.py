"""`features`: hourly series with lags and rolling means, and matches of two teams; beside mlforecast, polars and pandas."""

import csv
import random
import shutil
from datetime import UTC, date, datetime, timedelta

from .. import bench as place
from ..compare import same_cell
from ..report import AT_MOST, FASTER, Row
from ..run import Broken, Variant, alternate, check, pipeline

SERIES = 100
HOURS = 8_760
TEAMS = 200
MATCHES = 1_000_000
SEED = 18

KEYS = """
[recipe]
name = "bench"
[target]
column = "{target}"
[split]
by = ["{by}"]
holdout = 0.1
[[candidates]]
algorithm = "mean"
"""
HOURLY = (
    KEYS.format(target="requests", by="series")
    + """
[keys]
columns = ["series", "asked", "at"]
row = ["series", "asked", "at"]
time = "at"
[columns]
series = { type = "text" }
asked = { type = "instant" }
at = { type = "instant" }
ts = { type = "instant" }
requests = { type = "number" }
[history]
zone = "UTC"
[history.inputs.counts]
key = ["series", "ts"]
happened = "ts"
known_after = "1h"
[history.questions]
key = "series"
every = "1h"
horizon = "23h"
step = "23h"
target = "requests"
[history.entities.series]
input = "counts"
series = { key = "series", requests = "requests" }
[features]
columns = ["lag24"]
"""
)
LEAGUE = (
    KEYS.format(target="home_goals", by="match")
    + """
[keys]
columns = ["match", "date", "home", "away"]
row = ["match"]
time = "date"
[columns]
match = { type = "text" }
date = { type = "date" }
home = { type = "text" }
away = { type = "text" }
home_goals = { type = "integer" }
away_goals = { type = "integer" }
[history]
zone = "UTC"
[history.inputs.matches]
key = "match"
happened = "date"
known_after = "3h"
[history.questions]
key = "match"
asked = "date"
[history.entities.team]
input = "matches"
home = { key = "home", goals = "home_goals", conceded = "away_goals" }
away = { key = "away", goals = "away_goals", conceded = "home_goals" }
[features]
columns = ["home_goals_5"]
[prepare]
home_goals_5 = { impute = 0 }
"""
)


def feature(name, entity, of, rest):
    return f'[[history.features]]\nname = "{name}"\nentity = "{entity}"\nof = "{of}"\n{rest}\n'


def measure(bench, _):
    folder = bench.folder("features")
    few = 20 if bench.quick else 1
    rows = series(bench, folder, HOURS // few) + matches(bench, folder, MATCHES // few)
    shutil.rmtree(folder)
    return rows


def series(bench, folder, hours):
    lags = "".join(
        feature(f"lag{lag}", "series", "requests", f'statistic = "last"\nlast = 1\nlag = "{lag}h"')
        for lag in (24, 48, 168, 336)
    )
    means = "".join(
        feature(f"mean{window}", "series", "requests", f'statistic = "mean"\nlast = {window}\nlag = "24h"')
        for window in (24, 168)
    )
    decayed = feature("decayed", "series", "requests", 'statistic = "ewm"\nhalf_life = "24h"\nlag = "24h"')
    recipe = folder / "hourly.toml"
    recipe.write_text(HOURLY + lags + means + decayed)
    source = hourly(folder / "hourly.csv", hours)
    job = f"features, {SERIES * hours:,} hourly rows, 7 features"
    variants, files = programs(bench, folder, recipe, "series", source)
    mlforecast = bench.python.parents[1].parent / "forecast" / "bin" / "python"
    if mlforecast.exists():
        script = [mlforecast, place.PEERS / "features_mlforecast.py", source]
        run = lambda keep: pipeline([*script, folder / "mlforecast.csv" if keep else "/dev/null"], env=bench.env)
        variants.append(Variant("mlforecast", run))
    else:
        bench.unreached.append("features: mlforecast is not installed")
    # A made question says when it is asked and what about; the others know the latter only.
    names = [f"lag{lag}" for lag in (24, 48, 168, 336)] + ["mean24", "mean168", "decayed"]
    ours_names = ["series", "at", "requests", *names]
    theirs_names = ["series", "ts", "requests", *names]

    def same(mine, theirs):
        # mlforecast's decayed mean begins otherwise, and its rows come by series: it is looked at by time alone.
        if "mlforecast" not in (mine, theirs):
            same_features(folder / files[mine], ours_names, folder / files[theirs], theirs_names)

    check(variants, same)
    found = alternate(variants, bench.runs)
    bench.failures("features", variants)
    rows = beside(job, found, [("polars", FASTER, 3), ("pandas", FASTER, 8)])
    theirs = found.get("mlforecast")
    rows.append(place.beside(job, found["ours"], "mlforecast, whole process", theirs, AT_MOST, 0.6))
    if theirs and theirs.done:
        alone = "mlforecast, reading and preprocess alone"
        rows.append(Row(job, alone, AT_MOST, 1.5, found["ours"].seconds, theirs.inner, None, None))
    # Ten times the rows take ten times as long, and no more memory where they come in order of time.
    ten = hourly(folder / "ten.csv", hours * 10)
    longer = alternate([Variant("ours", lambda _: ours(bench, recipe, ten, None))], 1)["ours"]
    once = found["ours"]
    note = f"{longer.seconds / once.seconds:.1f} times as long, {longer.peak / once.peak:.2f} times the memory"
    rows.append(Row(job + ", ten times the rows", "itself", AT_MOST, 11, longer.seconds, once.seconds, longer.peak, None, note))
    return rows


def matches(bench, folder, count):
    features = "".join(
        "".join(
            feature(f"{measure}_{window}", "team", measure, f'statistic = "mean"\nlast = {window}')
            for window in (5, 10, 38)
        )
        + feature(f"{measure}_decayed", "team", measure, 'statistic = "ewm"\nhalf_life = 10')
        + feature(f"{measure}_most", "team", measure, 'statistic = "max"\nlast = 10')
        for measure in ("goals", "conceded")
    )
    recipe = folder / "league.toml"
    recipe.write_text(LEAGUE + features)
    source = league(folder / "league.csv", count)
    job = f"features, {count:,} matches, 2 roles, 20 features"
    variants, files = programs(bench, folder, recipe, "matches", source)

    def same(mine, theirs):
        with open(folder / files[mine], newline="") as file:
            names = next(csv.reader(file))
        same_features(folder / files[mine], names, folder / files[theirs], names)

    check(variants, same)
    found = alternate(variants, bench.runs)
    bench.failures("features", variants)
    return beside(job, found, [("polars", FASTER, 3), ("pandas", FASTER, 8)])


def ours(bench, recipe, source, target):
    return pipeline([bench.ours("features"), "--recipe", recipe], stdin=source, stdout=target, env=bench.env)


def programs(bench, folder, recipe, kind, source):
    """Ours, and the peers that do both jobs; the files in which each keeps what it made."""
    files = {"ours": f"{kind}.csv", "polars": f"{kind}_polars.csv", "pandas": f"{kind}_pandas.csv", "mlforecast": ""}

    def python(name):
        script = bench.peer(f"features_{name}.py")
        return lambda keep: pipeline(
            [*script, kind, source, folder / files[name] if keep else "/dev/null"], env=bench.env
        )

    variants = [
        Variant("ours", lambda keep: ours(bench, recipe, source, folder / files["ours"] if keep else None)),
        Variant("polars", python("polars")),
        Variant("pandas", python("pandas")),
    ]
    return variants, files


def beside(job, found, goals):
    rows = []
    for peer, rule, goal in goals:
        row = place.beside(job, found["ours"], peer, found.get(peer), rule, goal)
        rows += [row, *place.without_start(row, found.get(peer))]
    return rows


def same_features(first, names, second, others):
    """The same numbers under these names, row by row; instants are written differently by everybody."""
    with open(first, newline="") as one, open(second, newline="") as other:
        mine, yours = csv.DictReader(one), csv.DictReader(other)
        for number, row in enumerate(mine, start=1):
            theirs = next(yours, None)
            if theirs is None:
                raise Broken(f"one ends before row {number}")
            for name, their_name in zip(names, others, strict=True):
                if name != "at" and not same_cell(row[name], theirs[their_name]):
                    raise Broken(f"row {number}, {name}: {row[name]} is {theirs[their_name]}")


def hourly(path, hours):
    """Each hour of each series, in order of time."""
    draw = random.Random(SEED)
    start = datetime(2020, 1, 1, tzinfo=UTC)
    with path.open("w") as file:
        file.write("series,ts,requests\n")
        for hour in range(hours):
            at = (start + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            file.writelines(f"s{one:03d},{at},{draw.random() * 100:.3f}\n" for one in range(SERIES))
    return path


def league(path, count):
    """A day for each round in which everybody plays once."""
    draw = random.Random(SEED)
    day, teams, match = date(1970, 1, 1), list(range(TEAMS)), 0
    with path.open("w") as file:
        file.write("match,date,home,away,home_goals,away_goals\n")
        while match < count:
            draw.shuffle(teams)
            for home, away in zip(teams[::2], teams[1::2], strict=True):
                if match < count:
                    goals = f"{draw.randrange(5)},{draw.randrange(4)}"
                    file.write(f"m{match:07d},{day},t{home:03d},t{away:03d},{goals}\n")
                match += 1
            day += timedelta(days=1)
    return path
