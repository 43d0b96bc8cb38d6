#!/usr/bin/env python3
"""Draws small histories, and compares what `features` and the program beside this one make of them, cell by cell.

FEATURES=target/release/features python3 compare.py 0 400    # seeds; prints each difference, ends with 1 if there is one
"""

import csv, io, json, math, os, random, subprocess, sys, tempfile, time
import history as R
from datetime import datetime, timedelta, timezone, date
from zoneinfo import ZoneInfo

BIN = os.environ["FEATURES"]


# ---------- TOML ----------
def tv(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, str):
        return json.dumps(v)
    if isinstance(v, list):
        return "[" + ", ".join(map(tv, v)) + "]"
    if isinstance(v, dict):
        return "{ " + ", ".join(f"{k} = {tv(x)}" for k, x in v.items()) + " }"
    return repr(v)


def toml(r):
    h = r["history"]
    out = ['[recipe]\nname = "t"\n[keys]'] + [f"{k} = {tv(v)}" for k, v in r["keys"].items()]
    out += ["[columns]"] + [f"{k} = {tv(v)}" for k, v in r["columns"].items()]
    if "clean" in r:
        out += ["[clean]"] + [f"{k} = {tv(v)}" for k, v in r["clean"].items()]
    out += ["[history]"] + [f"{k} = {tv(h[k])}" for k in ("zone", "shard", "newcomer_after") if k in h]
    for n, s in h["inputs"].items():
        out += [f"[history.inputs.{n}]"] + [f"{k} = {tv(v)}" for k, v in s.items()]
    out += ["[history.questions]"] + [f"{k} = {tv(v)}" for k, v in h["questions"].items()]
    for n, s in h["entities"].items():
        out += [f"[history.entities.{n}]"] + [f"{k} = {tv(v)}" for k, v in s.items()]
    for f in h["features"]:
        out += ["[[history.features]]"] + [f"{k} = {tv(v)}" for k, v in f.items()]
    if "calendar" in r:
        out += ["[calendar]\ncolumns = " + tv(r["calendar"]["columns"])]
    out += ["[features]\ncolumns = " + tv(r["features"]["columns"])]
    out += [
        "[target]\ncolumn = " + tv(r["target"]) + '\ntask = "regression"',
        "[split]\nby = " + tv(r["split"]) + "\nholdout = 0.1",
        '[[candidates]]\nalgorithm = "linear"\n',
    ]
    return "\n".join(out)


# ---------- generation ----------
ZONES = ["Europe/London"] * 6 + [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "Pacific/Apia",
]
BASES = [
    datetime(2024, 3, 25),
    datetime(2024, 10, 22),
    datetime(2023, 12, 25),
    datetime(2017, 10, 10),
    datetime(2018, 2, 12),
    datetime(2022, 3, 20),
    datetime(2024, 2, 26),
    datetime(2011, 12, 25),
    datetime(1969, 12, 28),
    datetime(2024, 11, 1),
]


def fmt(us, rng, micro_ok=True):
    dt = R.EPOCH + timedelta(microseconds=us)
    c = rng.random()
    if c < 0.6:
        tz = timezone.utc
    else:
        tz = timezone(timedelta(minutes=rng.choice([60, -300, 345, 0, 120, -180])))
    s = dt.astimezone(tz).replace(tzinfo=None).isoformat()
    o = dt.astimezone(tz).utcoffset()
    m = int(o.total_seconds() // 60)
    return s + ("Z" if m == 0 and rng.random() < 0.8 else f"{'-' if m < 0 else '+'}{abs(m)//60:02}:{abs(m)%60:02}")


MEAS = ["x", "y", "u", "v"]


def gen_features(rng, h, opt, zone):
    feats, n = [], rng.randint(1, 7)
    names = set()
    recursive = not opt["corrections"] or rng.random() < opt.get("recp", 0)
    stats = ["count", "sum", "mean", "min", "max", "first", "last", "std", "rate", "shrunk_mean", "ewm", "since"] + (
        ["ewmrows", "streak", "rating"] if recursive else []
    )
    if opt.get("stats"):
        stats = [s for s in stats if s in opt["stats"]] or stats
    for i in range(n):
        e = rng.choice(list(h["entities"]))
        roles = {k: v for k, v in h["entities"][e].items() if isinstance(v, dict)}
        ms = [m for m in next(iter(roles.values())) if m not in ("key",)]
        nums = [m for m in ms if m != "res"]
        st = rng.choice(stats)
        if st in ("rating",) and len(roles) != 2:
            st = "mean"
        f = dict(name=f"f{i}", entity=e)
        if st == "ewmrows":
            f.update(statistic="ewm", of=rng.choice(nums), half_life=rng.choice([1, 2, 5, 0.5, 2.5]))
        elif st == "streak":
            of = rng.choice(ms)
            f.update(statistic="streak", of=of)
            if of == "res":
                f["values"] = rng.choice([["W"], ["W", "D"], ["L"], ["x", "W"]])
            else:
                f["values"] = rng.choice([[1], [0, 1], [0.5, 1, 2], [1.0], [3, 2, 1, 0]])
        elif st == "rating":
            f.update(
                statistic="rating",
                of=rng.choice(nums),
                start=rng.choice([1500, 0, 1000.5]),
                k=rng.choice([20, 32, 7.5]),
            )
            if rng.random() < 0.6:
                f["home"] = rng.choice([65, -10, 0])
            if rng.random() < 0.7:
                f["margin"] = rng.choice(["none", "sqrt", "log1p"])
            if rng.random() < 0.5:
                f.update(carry=rng.choice([0.9, 0, 1, 0.5]), carry_by="season")
        else:
            f["statistic"] = st
            if st == "count" or st == "since":
                if rng.random() < 0.4:
                    f["of"] = rng.choice(nums)
            else:
                f["of"] = rng.choice(nums)
            if st == "rate":
                f["per"] = rng.choice(nums)
            if st == "shrunk_mean":
                f["k"] = rng.choice([1, 5, 2.5])
                cand = [
                    g["name"]
                    for g in feats
                    if g["entity"] != e
                    and g["statistic"] not in ("shrunk_mean",)
                    and set(roles) <= {k for k, v in h["entities"][g["entity"]].items() if isinstance(v, dict)}
                ]
                f["prior"] = rng.choice(cand) if cand and rng.random() < 0.7 else rng.choice([1.3, 0, -2])
            if st == "ewm":
                f["half_life"] = rng.choice(["30d", "3d", "12h", "90m", "1w"])
            if st == "since" and rng.random() < 0.6:
                f["cap"] = rng.choice([1, 3, 14])
            c = rng.random()
            if c < 0.35:
                f["last"] = rng.choice([1, 2, 3, 5, 8] + ([13, 40] if opt.get("v2") else []))
            if 0.2 < c < 0.65:
                f["within"] = rng.choice(
                    ["1d", "2d", "3d", "12h", "1w", "24h", "1 day", "2 days", "1 week", "1 month", "90m", "30d"]
                )
            if rng.random() < opt["lagp"]:
                f["lag"] = rng.choice(opt["lags"])
        if len(roles) >= 2 and rng.random() < 0.3:
            f["contrast"] = True
        feats.append(f)
    # rating needs some constraints: nothing
    if opt.get("v2"):
        for f in feats:
            if f["statistic"] in ("count", "since") and rng.random() < 0.3:
                ms = [m for m in next(iter(x for x in h["entities"][f["entity"]].values() if isinstance(x, dict)))]
                if "res" in h["entities"][f["entity"]].get("home", {}):
                    f["of"] = "res"
            if f["statistic"] == "streak" and rng.random() < 0.2:
                f["values"] = rng.choice([["W", 1], [1, "2", "D"], ["1", "0"], [-0.0, 1e3]])
            if "within" in f and rng.random() < 0.3:
                f["within"] = rng.choice(["1s", "30m", "3h", "3 days", "2 weeks", "2 months", "6 months"])
    return feats


def gen(seed, opt0=None):
    rng = random.Random(seed)
    opt = dict(opt0 or {})
    zone = ZoneInfo(zn := rng.choice(ZONES))
    layout = rng.choice(["one", "one", "sep", "sep", "sep2", "made"])
    if opt.get("layout"):
        layout = opt["layout"]
    base = R.us_of(rng.choice(BASES).replace(tzinfo=timezone.utc))
    span = rng.choice([2, 8, 30, 120])
    grid = rng.choice([1800, 3600, 3 * 3600, 12 * 3600])
    H = 3600 * 10**6
    micro = rng.random() < 0.1

    def rt():
        us = base + rng.randrange(max(1, span * 86400 // grid)) * grid * 10**6
        if micro and rng.random() < 0.5:
            us += rng.choice([1, -1, 500000, 999999, 123])
        return us

    idtype = rng.choice(["text", "text", "integer"])
    cols = dict(
        id={"type": idtype},
        g={"type": "text"},
        season={"type": "text"},
        h={"type": "text"},
        a={"type": "text"},
        p={"type": "text"},
        status={"type": "text"},
        t={"type": "instant"},
        d={"type": "date"},
        t2={"type": "instant"},
        d2={"type": "date"},
        kn={"type": "instant"},
        kd={"type": "date"},
        x={"type": "number"},
        y={"type": "number"},
        u={"type": "integer"},
        v={"type": "integer"},
        r1={"type": "text"},
        r2={"type": "text"},
        res={"type": "number"},
    )
    r = dict(columns=cols, target="res", split=["season"])
    r["keys"] = dict(columns=["id", "t", "season"], row=["id"], time="t")
    nulls = [""]
    if rng.random() < 0.2:
        r["clean"] = dict(null_values=["NA", "-"])
        nulls = ["", "NA", "-"]
    cal = rng.random() < 0.35
    if cal:
        r["calendar"] = dict(
            columns=rng.sample(["hour", "weekday", "hour_of_week", "month", "day_of_year"], rng.randint(1, 5))
        )
    h = dict(zone=zn)
    if rng.random() < 0.1:
        del h["zone"]
        zone = ZoneInfo("UTC")
    if rng.random() < 0.3:
        h["shard"] = rng.choice([["g"], ["g", "season"]])
    if layout == "made" and "shard" in h:
        h["shard"] = ["g"]
    mg = layout == "made" and ("shard" in h or rng.random() < 0.3)
    if rng.random() < 0.3:
        h["newcomer_after"] = rng.choice(["2d", "1d", "6h", "1w", "30d"])
    r["history"] = h
    corrections = rng.random() < 0.35 and not opt.get("nocorr")
    newest = rng.random() < 0.4
    if layout == "made":
        corrections = newest = False
    useknown = layout != "made" and (corrections or rng.random() < 0.3)
    spec = {}
    dates = rng.random() < 0.5
    if layout == "made":
        spec["key"] = rng.choice([["p", "t"], ["t", "p"]]) if not mg else rng.choice([["g", "p", "t"], ["t", "p", "g"]])
        spec["happened"] = "t"
        dates = False
    else:
        spec["key"] = ["id"] if rng.random() < 0.8 else rng.choice([["id", "g"], ["g", "id"]])
        spec["happened"] = rng.choice(["t", ["t"], ["t", "d"], ["t", "d"], "d", ["d"]]) if dates else "t"
    if useknown:
        spec["known"] = "kn" if rng.random() < 0.85 else "kd"
    if not useknown or rng.random() < 0.8:
        spec["known_after"] = rng.choice(["3h", "1h", "30m", "1d", "36h"])
    if layout != "made" and rng.random() < 0.25:
        spec["where"] = {"status": rng.choice([["finished"], ["finished", "late"]])}
    if newest:
        spec["versions"] = "newest"
    elif rng.random() < 0.2:
        spec["versions"] = "all"
    fixed = bool(opt.get("fixed")) and layout in ("one", "sep")
    if fixed:
        c = rng.choice(["t", "t", "d"]) if layout == "sep" else "t"
        spec.clear()
        spec.update(
            key=rng.choice([["id", c], [c, "id"]]), happened=c, known_after=rng.choice(["3h", "1h", "1d", "36h"])
        )
        if rng.random() < 0.2:
            spec["where"] = {"status": ["finished", "late"]}
        corrections = newest = False
    h["inputs"] = {"m": spec}
    if layout == "made":
        h["questions"] = dict(
            key=rng.choice([["g", "p"], ["p", "g"]]) if mg else rng.choice(["p", ["p"]]),
            every=rng.choice(["1d", "12h", "6h"]),
            horizon=rng.choice(["12h", "1d", "2d"]),
            step=rng.choice(["3h", "6h", "12h"]),
            target="res",
        )
        kk = ["g", "p"] if mg else ["p"]
        r["keys"] = dict(columns=kk + ["asked", "at"], row=kk + ["asked", "at"], time="at")
        cols["asked"] = {"type": "instant"}
        cols["at"] = {"type": "instant"}
        r["split"] = ["p"]
    else:
        q = dict(key=spec["key"])
        if layout != "one" and not fixed and rng.random() < 0.3:
            q["key"] = ["p", "id"]
        if rng.random() < 0.5:
            q["asked"] = spec["happened"]
        else:
            q["asked"] = rng.choice(["t2", ["t2"], ["t2", "d2"], ["t2", "d2"]]) if dates else "t2"
            q["at"] = spec["happened"]
        h["questions"] = q
        if q["key"] == ["p", "id"]:
            r["keys"].update(row=["p", "id"], columns=["p", "id", "t", "season"])
        elif fixed:
            r["keys"].update(row=q["key"], columns=["id", "t", "d", "season"])
        elif len(q["key"]) == 2:
            r["keys"].update(row=q["key"], columns=["g", "id", "t", "season"])
    # entities
    ents = {}

    def roles2(k1, k2, res):
        a = dict(key=k1, x="x", u="u")
        b = dict(key=k2, x="y", u="v")
        if res:
            a["res"] = "r1"
            b["res"] = "r2"
        if rng.random() < 0.2:
            del b["u"]
        return a, b

    calk = [c for c in (r["calendar"]["columns"] if cal else [])]
    if layout == "made":
        ents["series"] = dict(input="m", it=dict(key=rng.choice(["p", ["p"]]), x="x", u="u"))
        if calk:
            ents["slot"] = dict(input="m", it=dict(key=["p", rng.choice(calk)], x="x", u="u"))
        elif rng.random() < 0.3:
            ents["two"] = dict(input="m", it=dict(key=["p"], x="res", u="u"))
    else:
        a, b = roles2("h", "a", rng.random() < 0.7)
        n1, n2 = rng.choice([("home", "away"), ("winner", "loser"), ("a1", "a2")])
        if "u" not in b:
            a.pop("u")
        ents["team"] = {"input": "m", n1: a, n2: b}
        c = rng.random()
        if c < 0.4:
            a, b = roles2(["h", "a"], ["a", "h"], False)
            if "u" not in b:
                a.pop("u")
            ents["meeting"] = {"input": "m", n1: a, n2: b}
        elif c < 0.7:
            ents["pitcher"] = {
                "input": "m",
                "it": dict(key=["p"] if not calk else ["p", rng.choice(calk)], x="x", u="v"),
            }
        elif c < 0.85:
            ents["place"] = {
                "input": "m",
                n1: dict(key=["p", "h"], x="x", u="u"),
                n2: dict(key=["p", "a"], x="y", u="v"),
            }
    h["entities"] = ents
    if layout == "sep2":
        h["inputs"]["n"] = dict(key=["p", "t"], happened="t", known_after="2h")
        ents["player"] = {"input": "n", "it": dict(key="p", x="x", u="u")}
    if layout == "sep2":
        opt["multi"] = True
    opt["corrections"] = corrections and not newest
    lagp = 0.3
    if layout == "made":
        hz = R.length(h["questions"]["horizon"])[1]
        opt["lags"] = ["2d", "50h", "3 days", "1 month"] if hz == 2 * 24 * H else ["1d", "30h", "2 days", "1 month"]
        if hz == 24 * H:
            opt["lags"] += ["24h"]
        if hz == 12 * H:
            opt["lags"] += ["12h"]
    else:
        opt["lags"] = (
            ["1d", "6h", "3d", "1 day", "2 days", "1 week", "1 month"]
            if q["asked"] == spec["happened"]
            else ["1d", "3d", "1 week", "1 month", "40h"]
        )
    opt["lagp"] = lagp
    h["features"] = gen_features(rng, h, opt, zone)

    # rating: of must be in both roles; ok
    def cols_of(f):
        rs = [k for k, v in ents[f["entity"]].items() if isinstance(v, dict)]
        return [f"{k}_{f['name']}" for k in rs] if len(rs) > 1 else [f["name"]]

    r["features"] = dict(columns=[cols_of(h["features"][0])[0]])
    # ---- rows ----
    if opt.get("v2"):
        for e in ents.values():
            rs = [v for v in e.values() if isinstance(v, dict)]
            if len(rs) == 2 and rng.random() < 0.15:
                used = {
                    f.get(k)
                    for f in h["features"]
                    if ents[f["entity"]] is e and f["statistic"] == "rating"
                    for k in ("of",)
                }
                m = rng.choice([k for k in rs[0] if k != "key"])
                if m not in used:
                    rs[rng.randrange(2)].pop(m, None)
        if rng.random() < 0.15 and layout != "made":
            spec["where"] = rng.choice(
                [
                    {"u": ["0"]},
                    {"status": ["finished"], "u": ["1"]},
                    {"status": ["finished"], "season": ["s1"]},
                    {"x": ["1", "0.5", "0.1"]},
                    {"u": ["1", "2"]},
                ]
            )
    teams = rng.choice([["A", "B", "C"], ["A", "B", "C", "D", "E"], ["A B", "A", "B", "a", "é"]])
    players = ["p1", "p2", "p3", "p,4"]
    seasons = ["s1", "s2"]
    gs = ["E0", "E1"]
    nn = rng.choice([0, 1, 3, 8, 15, 30, 60])
    pnull = rng.choice([0, 0.05, 0.3])
    if opt.get("v2") and rng.random() < 0.3:
        nn = 150
        teams = teams[: rng.choice([2, 3])]
        players = players[:1]
    head = [
        "id",
        "g",
        "season",
        "h",
        "a",
        "p",
        "status",
        "t",
        "d",
        "t2",
        "d2",
        "kn",
        "kd",
        "x",
        "y",
        "u",
        "v",
        "r1",
        "r2",
        "res",
    ]
    rng.shuffle(head)
    vals = rng.choice(
        [
            [str(i) for i in range(4)],
            ["0", "0.5", "1", "2.25", "-1", "3"],
            ["0.1", "1e3", "7.7", "-0.3", "12345.678", "1.5"],
        ]
    )
    if opt.get("v2") and rng.random() < 0.4:
        vals = rng.choice(
            [
                ["1e16", "1", "-1e16", "3.3"],
                ["0.1", "0.2", "0.3"],
                ["1e-320", "0", "-0", "5e-324"],
                ["-1", "1", "0"],
                ["123456789012345678", "0.000001"],
            ]
        )
    if fixed or opt.get("fixed") and layout == "made":
        nn = rng.choice([100, 250, 400])
        teams = teams[:2]
        players = players[:1]
        span = rng.choice([8, 30, 120, 400])
    nul = lambda s, p=None: rng.choice(nulls) if rng.random() < (pnull if p is None else p) else s

    def measures(row):
        row.update(
            x=nul(rng.choice(vals)),
            y=nul(rng.choice(vals)),
            u=nul(str(rng.randint(-1, 3))),
            v=nul(str(rng.randint(0, 2))),
            r1=nul(rng.choice("WDL")),
            r2=nul(rng.choice("WDL")),
            res=nul(str(rng.randint(0, 9))),
        )

    hasdate = lambda c: "d" in R.aslist(c)

    def newrow(i, question=False):
        h_, a_ = rng.sample(teams, 2)
        row = dict(
            id=str(i),
            g=rng.choice(gs),
            season=rng.choice(seasons),
            h=nul(h_, pnull / 2),
            a=nul(a_, pnull / 2),
            p=(
                rng.choice(players)
                if layout in ("made",) or len(q["key"]) == 2 and "p" in q["key"]
                else nul(rng.choice(players), pnull / 2)
            ),
            status=rng.choice(["finished", "finished", "late", "off", ""]),
        )
        t = rt()
        day = R.dt_of(t, zone).date()
        kind = rng.random() if spec["happened"] in (["t", "d"],) else (1 if "d" in R.aslist(spec["happened"]) else 0)
        row["t"] = fmt(t, rng) if kind < 0.6 else rng.choice(nulls)
        row["d"] = day.isoformat() if kind >= 0.6 or rng.random() < 0.5 else rng.choice(nulls)
        row["_t"], row["_day"], row["_isdate"] = t, day, kind >= 0.6
        # asked earlier than t, same day for dates
        if kind < 0.6:
            c = rng.random()
            off = 0 if c < 0.3 else rng.choice([1, 2, 5, 6, 12, 23, 24]) * H
            t2 = t - off
            if rng.random() < 0.75 or not dates or not hasd2:
                row["t2"] = fmt(t2, rng)
                row["d2"] = ""
            else:
                d2 = R.dt_of(t - rng.choice([0, 20 * H]), zone).date()
                row["t2"] = ""
                row["d2"] = d2.isoformat()
        else:
            s, e = R.first_instant(day, zone), R.first_instant(day + timedelta(days=1), zone)
            c = rng.random()
            if c < 0.4:
                row["t2"] = fmt(
                    (
                        rng.randrange(s // (H // 2), -(-e // (H // 2))) * (H // 2)
                        if rng.random() < 0.7
                        else rng.choice([s, e - 1])
                    ),
                    rng,
                )
                row["d2"] = ""
            elif c < 0.7 and hasd2:
                row["t2"] = ""
                row["d2"] = day.isoformat()
            else:
                row["t2"] = fmt(s - rng.choice([0, 1, 24]) * H, rng)
                row["d2"] = ""
            tt = R.parse_instant(row["t2"]) if row["t2"] else None
            if tt is not None and not (tt < e):
                row["t2"] = fmt(s, rng)
            if tt is not None and tt < s and rng.random() < 0.3:
                row["t2"] = fmt(s, rng)
        row["kn"] = rng.choice(nulls)
        row["kd"] = rng.choice(nulls)
        if rng.random() < 0.6:
            row["kn"] = fmt(
                t
                + rng.choice([1, 2, 3, 24, 30, 100] + ([700, 1500] if opt.get("v2") else [])) * H
                + (24 * H if kind >= 0.6 else 0),
                rng,
            )
        if rng.random() < 0.5:
            row["kd"] = (day + timedelta(days=rng.choice([0, 1, 2, 5]))).isoformat()
        if "known_after" not in spec and kind < 0.6:
            if spec.get("known") == "kn" and row["kn"] in nulls:
                row["kn"] = fmt(t + 2 * H, rng)
            if spec.get("known") == "kd" and row["kd"] in nulls:
                row["kd"] = (day + timedelta(days=1)).isoformat()
        measures(row)
        return row

    if layout != "made":
        hasd2 = "d2" in R.aslist(h["questions"]["asked"])
    else:
        hasd2 = False
        q = dict(key=["x"])
    obs, seenk = [], set()
    ids = list(range(nn))
    rng.shuffle(ids)
    for i in ids:
        row = newrow(i + (9 if rng.random() < 0.3 else 0) if False else i)
        if layout == "made":
            kk = (row["p"], row["_t"], row["g"] if mg else "")
            if kk in seenk:
                continue
            seenk.add(kk)
        obs.append(row)
    extra = []
    for row in obs:
        if corrections and rng.random() < 0.3:
            for _ in range(rng.choice([1, 1, 2])):
                c = dict(row)
                measures(c)
                kv = (
                    row["_t"]
                    + rng.choice([26, 30, 48, 50, 77, 200, 201, 202]) * H
                    + rng.randrange(1000) * 60 * 10**6
                    + 48 * H
                )
                c["kn"] = fmt(kv, rng)
                c["kd"] = (R.dt_of(kv, zone).date()).isoformat()
                if rng.random() < 0.3:
                    k1, k2 = rng.sample(teams, 2)
                    c["h"], c["a"] = k1, k2
                if rng.random() < 0.2 and layout != "made" and not hasattr(opt, "x"):
                    c["season"] = rng.choice(seasons)
                if rng.random() < 0.2 and layout != "made" and "g" not in spec["key"]:
                    c["g"] = rng.choice(gs)
                if rng.random() < 0.2:
                    c["status"] = rng.choice(["finished", "off"])
                if layout == "sep" and rng.random() < 0.3 and row["t"] and not row["_isdate"]:
                    c["t"] = fmt(row["_t"] + rng.choice([-2, -30, 1, 5, 20]) * H, rng)
                extra.append(c)
    obs += extra
    # equal duplicates
    for row in list(obs):
        if rng.random() < 0.07:
            obs.append(dict(row))
    rng.shuffle(obs)
    qrows = obs
    files = {}
    if layout in ("sep", "sep2"):
        qrows = []
        for i in range(rng.choice([1, 5, 20])):
            row = newrow(1000 + i if rng.random() < 0.8 or True else i)
            qrows.append(row)
    if opt.get("nulls") or rng.random() < 0.1:
        for row in obs + qrows:
            for c in ("season", "g", "p"):
                if c in R.aslist(h["questions"]["key"]) or c in spec["key"]:
                    continue
                if rng.random() < 0.25:
                    row[c] = rng.choice(nulls)
    evil = None
    if (opt.get("evil") or rng.random() < 0.05) and obs:
        evil = rng.choice(
            ["known", "twice", "moment", "roles", "number", "key", "micro", "early", "askedlate", "date", "int", "qkey"]
        )
        row = rng.choice(obs)
        if evil == "known":
            row["kn"] = fmt(row["_t"] - rng.choice([0, 1, 30]) * H, rng)
        elif evil == "twice":
            c = dict(row)
            c["x"] = "17"
            obs.append(c)
        elif evil == "moment":
            row["t"] = ""
            row["d"] = ""
        elif evil == "roles":
            row["a"] = row["h"]
        elif evil == "number":
            row[rng.choice(["x", "y", "u"])] = rng.choice(
                ["q", "1,5", " 1", "nan", "inf", "1e400", "0x1", "+1", "1.", ".5", "1_0", "-0"]
            )
        elif evil == "int":
            row[rng.choice(["u", "v"])] = rng.choice(["1.5", "1e2", "01", "+1", "1.0", "-0", "99999999999999999999"])
        elif evil == "key":
            row[spec["key"][0]] = ""
        elif evil == "micro":
            row["t"] = rng.choice(
                [
                    "2024-04-01T00:00:00.0000001Z",
                    "2024-04-01T00:00:00.1234560Z",
                    "2024-04-01T00:00:00",
                    "2024-04-01",
                    "2024-13-01T00:00:00Z",
                    "2024-04-01 00:00:00Z",
                    "2024-04-01T24:00:00Z",
                    "2024-04-01T00:00Z",
                ]
            )
        elif evil == "date":
            row["d"] = rng.choice(["2024-02-30", "2024-4-1", "20240401", "2024-04-01T00:00:00Z"])
        elif evil == "early":
            row["kn"] = fmt(row["_t"] - 1 * H, rng)
            row["kd"] = ""
        elif evil == "askedlate" and qrows:
            q_ = rng.choice(qrows)
            q_["t2"] = fmt(q_["_t"] + rng.choice([1, 3, 30, 200]) * H, rng)
        elif evil == "qkey" and qrows and qrows is not obs and layout != "made":
            q_ = rng.choice(qrows)
            for c in spec["key"]:
                q_[c] = row[c]

    def write(rows):
        s = io.StringIO()
        w = csv.writer(s, lineterminator="\n")
        w.writerow(head)
        for x in rows:
            w.writerow([x[c] for c in head])
        return s.getvalue()

    files["main"] = write(qrows)
    if layout in ("sep", "sep2"):
        files["m"] = write(obs)
        if layout == "sep2":
            ns, seen = [], set()
            for i in range(rng.choice([0, 10, 40])):
                row = newrow(5000 + i)
                row["p"] = rng.choice(players)
                t = rt()
                row["t"] = fmt(t, rng)
                if (row["p"], t) in seen:
                    continue
                seen.add((row["p"], t))
                ns.append(row)
            files["n"] = write(ns)
    now = as_of = None
    mid = rt() + rng.choice([0, 1, 5]) * H
    if rng.random() < 0.15:
        now = mid if layout in ("one", "made") else base + span * 24 * H if rng.random() < 0.3 else base - 10 * 24 * H
    if rng.random() < (0.4 if newest else 0.15):
        as_of = rt()
    return dict(recipe=r, files=files, now=now, as_of=as_of, layout=layout, seed=seed, head=head, evil=evil)


def run_bin(case, d, extra=(), files=None, tag=""):
    files = files or case["files"]
    rp = f"{d}/r.toml"
    open(rp, "w").write(toml(case["recipe"]))
    for n, s in files.items():
        open(f"{d}/{n}.csv", "w", newline="").write(s)
    cmd = [BIN, "--recipe", rp]
    for n in files:
        if n != "main":
            cmd += ["--input", f"{n}={d}/{n}.csv"]
    iso = lambda us: (R.EPOCH + timedelta(microseconds=us)).replace(tzinfo=None).isoformat() + "Z"
    if case["now"] is not None:
        cmd += ["--now", iso(case["now"])]
    if case["as_of"] is not None:
        cmd += ["--as-of", iso(case["as_of"])]
    cmd += list(extra) + [f"{d}/main.csv"]
    p = subprocess.run(cmd, capture_output=True, timeout=20)
    return p.returncode, p.stdout.decode(), p.stderr.decode(), cmd


def same(a, b):
    """a: reference, b: cell text"""
    if a is None:
        return b == ""
    if isinstance(a, tuple):
        if a[0] == "T":
            return R.parse_instant(b) == a[1]
        return a[1] == b or (a[1] != "" and b != "" and float(a[1]) == float(b))
    if isinstance(a, str):
        return a == b
    try:
        v = float(b)
    except ValueError:
        return False
    if math.isnan(v):
        return False
    return v == a or abs(v - a) <= 1e-12 * max(abs(v), abs(a)) or abs(v - a) < 1e-13


def compare(case, d):
    """-> None or a text"""
    try:
        code, out, err, cmd = run_bin(case, d)
    except subprocess.TimeoutExpired:
        return "HANG"
    if code not in (0, 65, 78) or "panicked" in err:
        return f"EXIT {code}: {err[:400]}"
    ref = R.load(f"{d}/r.toml")
    try:
        head, qs, rows = ref.run(
            f"{d}/main.csv", {n: f"{d}/{n}.csv" for n in case["files"] if n != "main"}, case["now"], case["as_of"]
        )
        rcode, why = 0, ""
    except R.Err as e:
        rcode, why = e.code, e.why
    case["code"] = code
    case["rcode"] = rcode
    if code == 78 and rcode == 65 and "lag" in err:
        case["code"] = case["rcode"]
        return None
    if code == 0 and rcode == 65 and case["evil"] in ("int", "number"):
        return None
    if code != rcode:
        return f"CODE bin {code} ({err.strip()[:300]}) ref {rcode} ({why})"
    if code:
        return None
    got = list(csv.reader(io.StringIO(out)))
    if got[0] != head + ref.names:
        return f"HEAD {got[0]} != {head + ref.names}"
    if len(got) - 1 != len(rows):
        return f"ROWS bin {len(got)-1} ref {len(rows)}"
    # ties of (asked, at, key): in either order
    w_, g_, i = [], [], 0
    while i < len(rows):
        j = i
        while j < len(rows) and qs[j][:3] == qs[i][:3]:
            j += 1
        w_ += sorted(rows[i:j], key=lambda r: list(map(str, r[: len(head)])))
        g_ += sorted(got[1 + i : 1 + j], key=lambda r: r[: len(head)])
        i = j
    rows, got = w_, [got[0]] + g_
    hd = got[0]
    case["cells"] = len(rows) * len(ref.names)
    fnames = {}
    for f in ref.h["features"]:
        rs = list(ref.roles(f["entity"]))
        for r_ in rs:
            fnames[f"{r_}_{f['name']}" if len(rs) > 1 else f["name"]] = f
        fnames[f"{f['name']}_diff"] = f
    diffs = []
    for i, (g, w) in enumerate(zip(got[1:], rows)):
        for c, b, a in zip(hd, g, w):
            if not same(a, b):
                diffs.append((i, c, a, b))
    if diffs:
        cs = {}
        for i, c, a, b in diffs:
            cs.setdefault(c, (i, a, b))
        return (
            "CELL "
            + "; ".join(
                f"{c} [{fnames[c]['statistic'] if c in fnames else 'raw'}] row {i}: ref {a!r} bin {b!r}"
                for c, (i, a, b) in list(cs.items())[:4]
            )
            + f" ({len(diffs)} in all)"
        )
    case["out"] = out
    return None


def main():
    lo, hi = int(sys.argv[1]), int(sys.argv[2])
    opt = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    d = tempfile.mkdtemp(
        prefix="fz",
    )
    bad = 0
    codes = {}
    cells = 0
    for seed in range(lo, hi):
        case = gen(seed, opt)
        try:
            res = compare(case, d)
        except Exception as e:
            import traceback

            res = "REFCRASH " + traceback.format_exc()[-600:]
        codes[(case.get("code"), case.get("rcode"))] = codes.get((case.get("code"), case.get("rcode")), 0) + 1
        cells += case.get("cells", 0)
        if res:
            bad += 1
            if bad <= 25:
                print(seed, case["layout"], case["evil"] or "", res, flush=True)
    print("seeds", lo, hi, "bad", bad, codes, "cells", cells)
    sys.exit(1 if bad or not cells else 0)


if __name__ == "__main__":
    main()
