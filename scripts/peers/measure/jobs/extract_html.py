"""`web-extract` of pages with a league table, as answers on standard input; beside pandas.read_html with lxml."""

import random

from .. import bench as place
from ..compare import same_rows
from ..report import FASTER
from ..run import Variant, alternate, check, pipeline
from .extract_json import answer, compact

PAGES = 200
SEED = 23
SCHEMA = """
[schema]
system = "bench"
[tables.standings]
key = ["competition", "team"]
partition = ["competition"]
write = "upsert"
[tables.standings.columns]
competition = "text(8)"
place = "integer"
team = "text(64)"
played = "integer"
won = "integer"
drawn = "integer"
lost = "integer"
goals_for = "integer"
goals_against = "integer"
points = "integer"
"""
SOURCES = """
[sources.table.extract]
kind = "html"
[sources.table.extract.tables.standings]
rows = "table#league-table tbody tr:not(.thead):not(.spacer)"
[sources.table.extract.tables.standings.columns]
competition = { value = "{competition}" }
place = { header = "Pos" }
team = { header = "Team" }
played = { header = "P" }
won = { header = "W" }
drawn = { header = "D" }
lost = { header = "L" }
goals_for = { header = "GF" }
goals_against = { header = "GA" }
points = { header = "Pts" }
"""
HEADINGS = "".join(f"<th>{name}</th>" for name in ["Pos", "Team", "P", "W", "D", "L", "GF", "GA", "GD", "Pts"])
PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>table {{ border-collapse: collapse }} td, th {{ padding: 2px 6px }}</style>
<script>window.page = {{"id": "{title}", "ads": false}};</script></head>
<body>
<nav><ul>{links}</ul></nav>
<h1>{title}</h1>
<table id="other"><thead><tr><th>Team</th><th>Pts</th></tr></thead>
<tbody><tr><td>Nobody</td><td>99</td></tr></tbody></table>
<table id="league-table">
<thead>
<tr class="thead">{headings}</tr>
</thead>
<tbody>
{rows}</tbody>
</table>
<p>Points decide, then goals.</p>
</body>
</html>
"""


def measure(bench, _):
    folder = bench.folder("extract_html")
    (folder / "schema.toml").write_text(SCHEMA)
    (folder / "sources.toml").write_text(SOURCES)
    rows, size = pages(folder, PAGES // (20 if bench.quick else 1))
    output = lambda name, keep: folder / f"{name}.csv" if keep else None
    command = [bench.ours("web-extract"), "--format", "csv"]
    given = ["--sources", folder / "sources.toml", "--schema", folder / "schema.toml"]
    pandas = [*bench.peer("extract_pandas.py"), folder / "pages"]
    variants = [
        Variant(
            "ours",
            lambda keep: pipeline(
                [*command, *given], stdin=folder / "answers.jsonl", stdout=output("ours", keep), env=bench.env
            ),
        ),
        Variant("pandas", lambda keep: pipeline([*pandas, output("pandas", keep) or "/dev/null"], env=bench.env)),
    ]
    check(variants, lambda mine, theirs: same_rows(output(mine, True), output(theirs, True)))
    found = alternate(variants, bench.runs)
    bench.failures("extract-html", variants)
    count = len(list((folder / "pages").iterdir()))
    job = f"web-extract, {count} pages with {rows:,} rows, {size / 1e6:.1f} MB"
    note = "its whole process, with its start and imports"
    row = place.beside(job, found["ours"], "pandas.read_html, lxml", found["pandas"], FASTER, 10, note=note)
    return [row, *place.without_start(row, found["pandas"])]


def pages(folder, count):
    """The pages as files and as answers; how many rows of tables they have, and bytes."""
    draw = random.Random(SEED)
    (folder / "pages").mkdir()
    total = size = 0
    with (folder / "answers.jsonl").open("w", encoding="utf-8") as answers:
        for number in range(count):
            name, teams = f"X{number:03d}", draw.randint(40, 100)
            title, rows = f"Made-up League {number}", table(draw, teams)
            page = PAGE.format(title=title, links=links(), headings=HEADINGS, rows=rows)
            (folder / "pages" / f"{name}.html").write_text(page, encoding="utf-8")
            line = answer("table", {"competition": name}, page, number, "text/html; charset=utf-8")
            answers.write(compact(line) + "\n")
            total, size = total + teams, size + len(page.encode())
    return total, size


def links():
    return "".join(f'<li><a href="/league/{at}" class="link">League {at}</a></li>' for at in range(40))


def table(draw, teams):
    """Rows with headings again after each twenty, and a row that only holds them apart."""
    lines = []
    for at in range(1, teams + 1):
        won, drawn, lost, goals, against = (draw.randrange(most) for most in (20, 10, 20, 60, 60))
        difference = f"{goals - against:+d}".replace("-", "\N{MINUS SIGN}")
        cells = [won + drawn + lost, won, drawn, lost, goals, against, difference, 3 * won + drawn]
        team = f'<th scope="row"><a href="/team/{at}">Town &amp; Vale {at}</a></th>'
        lines.append(f"<tr><td>{at}</td>{team}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n")
        if at % 20 == 0 and at < teams:
            lines.append(f'<tr class="spacer"><td colspan="10"></td></tr>\n<tr class="thead">{HEADINGS}</tr>\n')
    return "".join(lines)
