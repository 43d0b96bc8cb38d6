#!/usr/bin/env python3
"""What `features` does, once more: as slowly and plainly as can be, written after tools/lib/history/README.md alone."""

import csv, math, re, sys, tomllib
from datetime import datetime, timedelta, timezone, date
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
US = timedelta(microseconds=1)


class Err(Exception):
    def __init__(self, code, why):
        super().__init__(f"{code}: {why}")
        self.code, self.why = code, why


def aslist(v):
    return v if isinstance(v, list) else [v]


def us_of(dt):
    return (dt - EPOCH) // US


def dt_of(us, zone):
    return (EPOCH + timedelta(microseconds=us)).astimezone(zone)


def first_instant(d, zone):
    return us_of(datetime(d.year, d.month, d.day, tzinfo=zone).astimezone(timezone.utc))


UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def length(text):
    m = re.fullmatch(r"(\d+)([smhdw])", text)
    if m:
        return ("us", int(m[1]) * UNIT[m[2]] * 1_000_000)
    m = re.fullmatch(r"(\d+) (day|days|week|weeks|month|months)", text)
    if m:
        u = m[2].rstrip("s")
        n = int(m[1])
        return ("months", n) if u == "month" else ("days", n * (7 if u == "week" else 1))
    raise Err(78, "length " + text)


def shift(us, ln, sign, zone):
    kind, n = ln
    if kind == "us":
        return us + sign * n
    local = dt_of(us, zone).replace(tzinfo=None, fold=0)
    if kind == "days":
        local += timedelta(days=sign * n)
    else:
        m = local.year * 12 + local.month - 1 + sign * n
        y, mo = divmod(m, 12)
        mo += 1
        last = (date(y + mo // 12, mo % 12 + 1, 1) - timedelta(days=1)).day
        local = local.replace(year=y, month=mo, day=min(local.day, last))
    return us_of(local.replace(tzinfo=zone, fold=0).astimezone(timezone.utc))


RFC = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d(?::\d\d)?)(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def parse_instant(s):
    m = RFC.fullmatch(s)
    if not m or len(m[2]) == 5:
        raise Err(65, "instant " + s)
    frac = (m[3] or ".0")[1:]
    if len(frac) > 6 and frac[6:].strip("0"):
        raise Err(65, "finer than a microsecond")
    off = "+00:00" if m[4] in "Zz" else m[4]
    try:
        return us_of(datetime.fromisoformat(f"{m[1]}T{m[2]}.{frac[:6]:0<6}{off}"))
    except ValueError:
        raise Err(65, "instant " + s)


class Reference:
    def __init__(self, recipe):
        self.r = recipe
        h = recipe["history"]
        self.h = h
        self.zone = ZoneInfo(h.get("zone", "UTC"))
        self.types = {k: v["type"] for k, v in recipe["columns"].items()}
        self.nulls = {""} | set(recipe.get("clean", {}).get("null_values", []))
        self.shard = h.get("shard", [])
        self.newcomer = length(h["newcomer_after"]) if "newcomer_after" in h else None
        self.calendar = recipe.get("calendar", {}).get("columns", [])

    def read(self, path):
        with open(path, newline="") as f:
            rows = list(csv.reader(f))
        head = rows[0]
        return head, [(i + 2, dict(zip(head, r))) for i, r in enumerate(rows[1:])]

    def null(self, row, c):
        return row.get(c, "") in self.nulls

    def number(self, row, c):
        s = row.get(c, "")
        if s in self.nulls:
            return None
        if not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", s) or not math.isfinite(float(s)):
            raise Err(65, f"{c}: {s}")
        return float(s)

    def moment(self, row, cols):
        """(us, date or None): the first that is not null"""
        for c in aslist(cols):
            if self.null(row, c):
                continue
            s = row[c]
            if self.types[c] == "date":
                try:
                    if not re.fullmatch(r"\d{4}-\d\d-\d\d", s):
                        raise ValueError
                    d = date.fromisoformat(s)
                except ValueError:
                    raise Err(65, "date " + s)
                return first_instant(d, self.zone), d
            return parse_instant(s), None
        return None

    def add_calendar(self, row, us, day):
        d = dt_of(us, self.zone)
        for c in self.calendar:
            row[c] = {
                "hour": "" if day else str(d.hour),
                "weekday": str(d.isoweekday()),
                "hour_of_week": "" if day else str((d.isoweekday() - 1) * 24 + d.hour),
                "month": str(d.month),
                "day_of_year": str(d.timetuple().tm_yday),
            }[c]

    # ---- observations -------------------------------------------------
    def observations(self, name, head, rows, as_of, now=None):
        spec = self.h["inputs"][name]
        out, seen = [], set()
        for line, row in rows:
            raw = tuple(row[c] for c in head)
            if raw in seen:
                continue
            seen.add(raw)
            row = dict(row)
            if any(self.null(row, c) or row[c] not in map(str, vals) for c, vals in spec.get("where", {}).items()):
                continue
            m = self.moment(row, spec["happened"])
            if m is None:
                raise Err(65, f"line {line}: no moment")
            hap, day = m
            cands = []
            if "known_after" in spec:
                cands.append(shift(hap, length(spec["known_after"]), 1, self.zone))
            if day:
                cands.append(first_instant(day + timedelta(days=1), self.zone))
            if "known" in spec:
                k = self.moment(row, spec["known"])
                if k:
                    cands.append(first_instant(k[1] + timedelta(days=1), self.zone) if k[1] else k[0])
            if not cands:
                raise Err(65, f"line {line}: no known moment")
            known = max(cands)
            if known <= hap:
                raise Err(65, f"line {line}: known before it happened")
            self.add_calendar(row, hap, day)
            if any(self.null(row, c) for c in aslist(spec["key"])):
                raise Err(65, "null key")
            key = tuple(row[c] for c in aslist(spec["key"]))
            for en, e in self.h["entities"].items():
                if e["input"] == name:
                    used = {f.get(k) for f in self.h["features"] if f["entity"] == en for k in ("of", "per")}
                    for r in e.values():
                        if isinstance(r, dict):
                            for mname, c in r.items():
                                if mname in used and self.types[c] != "text":
                                    self.number(row, c)
            # one entity in two roles
            for ename, e in self.h["entities"].items():
                if e["input"] != name:
                    continue
                ids = [self.ident(row, r) for r in e.values() if isinstance(r, dict)]
                ids = [i for i in ids if i is not None]
                if len(set(ids)) < len(ids):
                    raise Err(65, f"line {line}: two roles")
            out.append(dict(line=line, key=key, happened=hap, known=known, row=row, raw=raw))
        if as_of is not None:
            out = [o for o in out if o["known"] <= as_of]
        if spec.get("versions") == "newest" and as_of is None and now is not None:  # (the README does not say)
            out = [o for o in out if o["known"] <= now]
        if now is not None:
            out = [o for o in out if o["known"] <= now]
        at = {}
        top = {}
        for o in out:
            top[o["key"]] = max(top.get(o["key"], o["known"]), o["known"])
        for o in out:
            if spec.get("versions") == "newest" and o["known"] < top[o["key"]]:
                continue  # (superseded: cannot matter)
            if at.setdefault((o["key"], o["known"]), o) is not o:
                raise Err(65, f"same key and known: lines {o['line']}")
        versions = {}
        for o in sorted(out, key=lambda o: o["known"]):
            versions.setdefault(o["key"], []).append(o)
        if spec.get("versions", "all") == "newest":
            versions = {k: v[-1:] for k, v in versions.items()}
        elif any(len(v) > 1 for v in versions.values()):
            for f in self.h["features"]:
                if self.h["entities"][f["entity"]]["input"] == name and (
                    f["statistic"] in ("streak", "rating")
                    or f["statistic"] == "ewm"
                    and not isinstance(f["half_life"], str)
                ):
                    raise Err(78, "a correction, and a recursive statistic")
        return versions

    def ident(self, row, role):
        cols = aslist(role["key"])
        if any(self.null(row, c) for c in cols + list(self.shard)):
            return None  # (a null shard: README is silent)
        return tuple(row[c] for c in self.shard), tuple(row[c] for c in cols)

    def visible(self, name, asked):
        """the newest version of each key that is known, in the places of the first versions"""
        out = []
        for key, vs in self.versions[name].items():
            seen = [v for v in vs if v["known"] <= asked]
            if seen:
                first = seen[0]
                out.append(((first["known"], first["happened"], key), seen[-1], first["known"]))
        out.sort(key=lambda t: t[0])
        return [(o, fk) for _, o, fk in out]

    def roles(self, ename):
        return {k: v for k, v in self.h["entities"][ename].items() if isinstance(v, dict)}

    # ---- one question ---------------------------------------------------
    def history_of(self, ename, ident, asked, vis):
        rows = []
        newest = None
        for o, _ in vis:
            for rname, role in self.roles(ename).items():
                if self.ident(o["row"], role) != ident:
                    continue
                if self.newcomer and newest is not None and shift(newest, self.newcomer, 1, self.zone) < o["happened"]:
                    rows, newest = [], None
                rows.append((o, rname))
                newest = o["happened"] if newest is None else max(newest, o["happened"])
        if self.newcomer and newest is not None and shift(newest, self.newcomer, 1, self.zone) < asked:
            rows = []
        return rows

    def measure(self, ename, o, rname, m):
        col = self.roles(ename)[rname].get(m)
        return None if col is None else self.number(o["row"], col)

    def value(self, f, rname, q):
        e = f["entity"]
        roles = self.roles(e)
        if rname not in roles:
            raise Err(78, f"no role {rname}")
        st = f["statistic"]
        ident = self.ident(q["row"], roles[rname])
        vis = q["vis"](self.h["entities"][e]["input"])
        if st == "rating":
            return self.rating(f, rname, q, ident, vis)
        rows = self.history_of(e, ident, q["asked"], vis) if ident is not None else []
        end = q["asked"]
        if "lag" in f:
            end = shift(q["at"], length(f["lag"]), -1, self.zone)
            if end > q["asked"]:
                raise Err(78, "lag")
            rows = [t for t in rows if t[0]["happened"] <= end]
        if "within" in f:
            start = shift(end, length(f["within"]), -1, self.zone)
            rows = [t for t in rows if t[0]["happened"] > start]
        if st == "streak":
            vals = f["values"]
            n = 0
            xs = []
            for o, r in rows:
                col = roles[r].get(f["of"])
                if col is None or self.null(o["row"], col):
                    continue
                cell = o["row"][col]
                try:
                    num = float(cell)
                except ValueError:
                    num = None
                xs.append(any(cell == v if isinstance(v, str) else num == v for v in vals))
            for good in reversed(xs):
                if not good:
                    break
                n += 1
            return n
        if "of" in f:
            data = []
            for o, r in rows:
                if st == "count" or st == "since":
                    col = roles[r].get(f["of"])
                    x = None if col is None or self.null(o["row"], col) else 1.0
                else:
                    x = self.measure(e, o, r, f["of"])
                if x is None:
                    continue
                p = None
                if "per" in f:
                    p = self.measure(e, o, r, f["per"])
                    if p is None:
                        continue
                data.append((o["happened"], x, p))
        else:
            data = [(o["happened"], 1.0, None) for o, _ in rows]
        if "last" in f:
            data = data[-f["last"] :]
        xs = [x for _, x, _ in data]
        n = len(xs)
        tot = 0.0
        for x in xs:
            tot += x
        if st == "count":
            return n
        if st == "sum":
            return tot
        if st == "shrunk_mean":
            m = f["prior"]
            if isinstance(m, str):
                g = next(g for g in self.h["features"] if g["name"] == m)
                m = self.value(g, rname, q)
                if m is None:
                    return None
            return (f["k"] * m + tot) / (f["k"] + n)
        if n == 0:
            return None
        if st == "mean":
            return tot / n
        if st == "min":
            return min(xs)
        if st == "max":
            return max(xs)
        if st == "first":
            return xs[0]
        if st == "last":
            return xs[-1]
        if st == "std":
            if n < 2:
                return None
            m = tot / n
            s = 0.0
            for x in xs:
                s += (x - m) * (x - m)
            return math.sqrt(s / (n - 1))
        if st == "rate":
            p = 0.0
            for _, _, y in data:
                p += y
            return tot / p if p != 0 else None
        if st == "ewm":
            hl = f["half_life"]
            if isinstance(hl, str):
                hl = length(hl)[1]
                newest = max(h for h, _, _ in data)
                a = b = 0.0
                for h, x, _ in data:
                    w = 0.5 ** ((newest - h) / hl)
                    a += w * x
                    b += w
                return a / b
            d = 0.5 ** (1 / hl)
            s = xs[0]
            for x in xs[1:]:
                s = x + (s - x) * d
            return s
        if st == "since":
            newest = max(h for h, _, _ in data)
            days = (dt_of(q["at"], self.zone).date() - dt_of(newest, self.zone).date()).days
            return min(days, f["cap"]) if "cap" in f else days
        raise Err(78, st)

    def rating(self, f, rname, q, ident, vis):
        e = f["entity"]
        roles = self.roles(e)
        (n1, r1), (n2, r2) = roles.items()
        state = {}  # ident -> [rating, newest happened, last season]
        start = float(f["start"])
        carry = f.get("carry", 1.0)
        home = f.get("home", 0.0)
        scol = f.get("carry_by")

        def enter(i, hap, season, counts=True):
            s = state.get(i)
            if s is None:
                s = state[i] = [start, None, None]
            if self.newcomer and s[1] is not None and shift(s[1], self.newcomer, 1, self.zone) < hap:
                s[:] = [start, None, None]
            if counts and scol and s[2] is not None and s[2] != season:
                s[0] = start + carry * (s[0] - start)
            return s

        i = 0
        while i < len(vis):
            j = i
            while j < len(vis) and vis[j][1] == vis[i][1]:
                j += 1
            changes = []
            batch = []
            for o, _ in vis[i:j]:
                pair = []
                for role in (r1, r2):
                    ent = self.ident(o["row"], role)
                    pair.append(ent)
                a = self.number(o["row"], r1[f["of"]])
                b = self.number(o["row"], r2[f["of"]])
                counts = None not in pair and a is not None and b is not None
                for ent in pair:
                    if ent is None:
                        continue
                    season = o["row"].get(scol) if scol else None
                    s = enter(ent, o["happened"], season)
                    s[1] = o["happened"] if s[1] is None else max(s[1], o["happened"])
                    s[2] = season
                if not counts:
                    continue
                batch.append((pair, a, b))
            for pair, a, b in batch:
                ra, rb = state[pair[0]][0], state[pair[1]][0]
                x_ = (rb - ra - home) / 400
                E_ = 1 / (1 + 10**x_) if x_ < 300 else 0.0
                S = 1.0 if a > b else 0.5 if a == b else 0.0
                d = max(abs(a - b), 1.0)
                mg = f.get("margin", "none")
                G = math.sqrt(d) if mg == "sqrt" else math.log(1 + d) if mg == "log1p" else 1.0
                ch = f["k"] * G * (S - E_)
                changes.append((pair, ch))
            for pair, ch in changes:
                state[pair[0]][0] += ch
                state[pair[1]][0] -= ch
            i = j
        if ident is None or ident not in state:
            return start
        s = enter(ident, q["asked"], q["row"].get(scol) if scol else None)
        return s[0]

    # ---- all questions ------------------------------------------------
    def run(self, path, inputs=None, now=None, as_of=None):
        inputs = inputs or {}
        head, rows = self.read(path)
        self.versions = {}
        allv = {}
        free = [n for n in self.h["inputs"] if n not in inputs]
        for name in self.h["inputs"]:
            hd, rs = self.read(inputs[name]) if name in inputs else (head, rows)
            self.versions[name] = self.observations(name, hd, rs, as_of, now)
        qs = self.h["questions"]
        if "every" in qs:
            return self.made(now)
        questions = []
        for line, row in rows:
            row = dict(row)
            raw = tuple(row[c] for c in head)
            key = tuple(row[c] for c in aslist(qs["key"]))
            if any(c in self.nulls for c in key):
                raise Err(65, "null question key")
            own = [
                v
                for n in self.h["inputs"]
                if aslist(self.h["inputs"][n]["key"]) == aslist(qs["key"])
                for v in self.versions[n].get(key, [])
            ]
            ownk = min((v["known"] for v in own), default=None)
            if now is not None and ownk is not None and ownk <= now:
                continue
            asked = self.moment(row, qs["asked"])
            at = self.moment(row, qs.get("at", qs["asked"]))
            if now is not None:
                if at is None:
                    at = asked
                if at is None:
                    raise Err(65, "no moment")
                asked = (now, None)
            if asked is None:
                raise Err(65, "no moment")
            if at is None:
                at = asked  # (a null at: README is silent)
            asked = asked[0]
            at, day = at
            if day and at <= asked < first_instant(day + timedelta(days=1), self.zone):
                at = asked
            if ownk is not None and ownk <= asked:
                raise Err(65, f"line {line}: asked after known")
            if asked > at:
                if now is not None:
                    continue  # (the README is silent; the program says "no question any more")
                raise Err(65, f"line {line}: asked after what it is about")
            self.add_calendar(row, at, day)
            questions.append((asked, at, key, raw, row))
        questions.sort(key=lambda t: t[:4])
        out_head = head + list(self.calendar)
        return out_head, questions, self.answer(questions, list(raw for *_, raw, _ in questions))

    def answer(self, questions, raws):
        names = []
        for f in self.h["features"]:
            rs = list(self.roles(f["entity"]))
            names += [f"{r}_{f['name']}" if len(rs) > 1 else f["name"] for r in rs]
            if f.get("contrast"):
                names.append(f"{f['name']}_diff")
        self.names = names
        out = []
        for (asked, at, key, _, row), raw in zip(questions, raws):
            cache = {}

            def vis(name, asked=asked, cache=cache):
                if name not in cache:
                    cache[name] = self.visible(name, asked)
                return cache[name]

            q = dict(asked=asked, at=at, row=row, vis=vis)
            cells = list(raw) + [row[c] for c in self.calendar]
            for f in self.h["features"]:
                vals = [self.value(f, r, q) for r in self.roles(f["entity"])]
                vals = [None if v is None or not math.isfinite(v) else v for v in vals]
                if f.get("contrast"):
                    vals.append(None if None in vals[:2] else vals[0] - vals[1])
                cells += vals
            out.append(cells)
        return out

    def made(self, now):
        qs = self.h["questions"]
        every, horizon, step = (length(qs[k])[1] for k in ("every", "horizon", "step"))
        (name,) = self.h["inputs"]
        vers = self.versions[name]
        kc = aslist(qs["key"])
        target = qs["target"]
        series = {}  # series key -> (first known, sample row)
        truth = {}
        for vs in vers.values():
            for v in vs:
                k = tuple(v["row"][c] for c in kc)
                series[k] = min(series.get(k, v["known"]), v["known"])
            truth[(tuple(vs[-1]["row"][c] for c in kc), vs[-1]["happened"])] = vs[-1]["row"][target]
        allk = [v["known"] for vs in vers.values() for v in vs]
        head = list(kc) + ["asked", "at", target]
        if not allk:
            return head + list(self.calendar), [], self.answer([], [])
        lo = min(allk)
        hi = max(v["happened"] for vs in vers.values() for v in vs)
        origins = [now] if now is not None else range(-(-lo // every) * every, hi + 1, every)
        questions, raws = [], []
        self.unanswered = 0
        for o in origins:
            for k, first in series.items():
                if first > o:
                    continue
                for t in range(o + step, o + horizon + 1, step):
                    a = truth.get((k, t))
                    if now is None and a is None:
                        self.unanswered += 1
                        continue
                    row = dict(zip(kc, k))
                    self.add_calendar(row, t, None)
                    questions.append((o, t, k, None, row))
                    raws.append(list(k) + [("T", o), ("T", t), ("A", "" if now is not None else a)])
        order = sorted(range(len(questions)), key=lambda i: questions[i][:3])
        questions = [questions[i] for i in order]
        raws = [raws[i] for i in order]
        return head + list(self.calendar), questions, self.answer(questions, raws)


def load(path):
    with open(path, "rb") as f:
        return Reference(tomllib.load(f))


if __name__ == "__main__":
    ref = load(sys.argv[1])
    head, qs, rows = ref.run(sys.argv[2])
    print(",".join(head + ref.names))
    for r in rows:
        print(",".join("" if v is None else repr(v) if isinstance(v, float) else str(v) for v in r))
