"""The jobs, in the order in which data meet them; `measure(bench, data)` of each gives rows of the report."""

from . import (
    batch,
    clean,
    counts,
    extract_csv,
    extract_html,
    extract_json,
    features,
    fetch,
    fit,
    functions,
    learn,
    load_mariadb,
    load_sqlite,
    query,
    quickstart,
    serve,
)

JOBS = {
    "fetch": fetch,
    "extract-csv": extract_csv,
    "extract-json": extract_json,
    "extract-html": extract_html,
    "load-mariadb": load_mariadb,
    "load-sqlite": load_sqlite,
    "query": query,
    "clean": clean,
    "features": features,
    "fit": fit,
    "learn": learn,
    "counts": counts,
    "serve": serve,
    "batch": batch,
    "quickstart": quickstart,
    "functions": functions,
}

# They make their own data and run one program: scripts/bench builds no other for them.
WITHOUT_GOLF = {"extract-csv", "extract-json", "extract-html", "counts"}
