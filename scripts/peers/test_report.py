"""The report, comparisons and runs. `python3 -m unittest discover scripts/peers`"""

import json
import tempfile
import unittest
from pathlib import Path

from measure.compare import Batch, same_rows
from measure.report import AT_MOST, FASTER, RATE, Report, Row
from measure.run import Broken, Took, Variant, alternate, check, pipeline

ROWS = [
    Row("clean", "xan", AT_MOST, 1.3, ours=0.110, peers=0.100, memory=4_000_000, memory_goal=16_000_000),
    Row("clean", "pandas", FASTER, 12, ours=0.110, peers=1.100, memory=17_000_000, memory_goal=16_000_000),
    Row("predictd, 8 connections", "bare axum", RATE, 0.85, ours=80_000, peers=100_000, note="a note"),
    Row("db-load into MariaDB", "LOAD DATA", AT_MOST, 1.5, ours=None, peers=1.6),
    Row("fit", "by hand", FASTER, None, ours=0.0005, peers=70.0),
]


class Reports(unittest.TestCase):
    report = Report(
        {"cores": 2},
        {"xan": "0.61.0"},
        {"date": "today"},
        ROWS,
        [["nothing", "idle", "idle"]],
        ["qsv is not installed"],
    )

    def test_table(self):
        table = [line for line in self.report.markdown().splitlines() if line.startswith("|")]
        self.assertEqual(
            table[2:7],
            [
                "| clean | 110 ms | xan | 100 ms | 1.10 x | ≤ 1.3 | held | 4.0 MB | ≤ 16 MB | held |",
                "| clean | 110 ms | pandas | 1.10 s | 10.0 x as fast | ≥ 12 | **missed** | 17 MB | ≤ 16 MB | **missed** |",
                "| predictd, 8 connections | 80,000/s | bare axum | 100,000/s | 0.80 x | ≥ 0.85 | **missed** |  |  |  |",
                "| db-load into MariaDB | – | LOAD DATA | 1.60 s | – | ≤ 1.5 | not measured |  |  |  |",
                "| fit | 0.5 ms | by hand | 70.0 s | 140000 x as fast |  |  |  |  |  |",
            ],
        )

    def test_what_was_missed_is_named(self):
        self.assertEqual(
            self.report.missed(),
            [
                "clean beside pandas: 10.0 x as fast, the goal is ≥ 12 x",
                "clean: 17 MB of memory, the goal is ≤ 16 MB",
                "predictd, 8 connections beside bare axum: 0.80 x, the goal is ≥ 0.85 x",
            ],
        )
        self.assertIn("- qsv is not installed", self.report.markdown())
        self.assertIn("- predictd, 8 connections, bare axum: a note", self.report.markdown())

    def test_a_figure_at_its_goal_is_held(self):
        self.assertTrue(Row("a", "b", AT_MOST, 2, 2.0, 1.0, 16, 16).held)
        self.assertTrue(Row("a", "b", FASTER, 2, 1.0, 2.0, 16, 16).memory_held)

    def test_json_says_the_same(self):
        read = json.loads(self.report.json())
        self.assertEqual([row["held"] for row in read["rows"]], [True, False, False, None, None])
        self.assertEqual(read["missed"], self.report.missed())


class Comparisons(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def compare(self, mine, yours, **options):
        for name, text in (("mine", mine), ("yours", yours)):
            (self.folder / name).write_text(text)
        same_rows(self.folder / "mine", self.folder / "yours", **options)

    def test_numbers_may_be_written_differently(self):
        self.compare("a,b\n2.10,\n", "a,c\n2.1,NULL\n")
        self.compare('a,b\n"x, y",1\n', "a\tb\nx, y\t1.0\n", dialect=Batch)

    def test_another_result_is_found(self):
        for yours in ["a\n1\n", "a\n1\n2\n3\n", "a\n1\n2.000001\n", "a\n1\n2,3\n", "a\n2\n1\n", "a\n1\n\n"]:
            with self.subTest(yours), self.assertRaises(Broken):
                self.compare("a\n1\n2\n", yours)


class Runs(unittest.TestCase):
    def test_a_program_that_fails_is_named_with_its_words(self):
        with self.assertRaisesRegex(Broken, "^sh ended with exit code 3: why$"):
            pipeline(["echo"], ["sh", "-c", "echo why >&2; exit 3"])

    def test_each_process_has_its_own_peak(self):
        took = pipeline(
            ["sh", "-c", "head -c 50M /dev/zero | tail -c 50M | head -c 9; echo inner 0.25 >&2"], ["cat"]
        )
        self.assertGreater(took.peaks[0], 50_000_000)
        self.assertLess(took.peaks[1], 10_000_000)
        self.assertEqual(took.inner, 0.25)

    def test_a_peer_that_does_another_job_is_not_measured(self):
        def same(first, other):
            if other == "odd":
                raise Broken("one row less")

        order = []
        variants = [
            Variant(name, lambda keep, name=name: order.append(name) or pipeline(["true"]))
            for name in ("ours", "odd", "even")
        ]
        check(variants, same)
        order.clear()
        found = alternate(variants, 2)
        self.assertEqual(order, ["ours", "even", "ours", "even"])
        self.assertEqual(found["odd"].failure, "another result than ours: one row less")
        self.assertFalse(found["odd"].done)

    def test_the_median_and_the_greatest_peak_count(self):
        variant = Variant(
            "ours", None, runs=[Took(1, [9, 5], 0.1), Took(8, [9, 7], 0.8), Took(2, [9, 6], 0.2)]
        )
        self.assertEqual((variant.seconds, variant.peak, variant.inner), (2, 7, 0.2))

    def test_what_takes_long_is_repeated_less(self):
        variant = Variant("slow", lambda keep: Took(40, [1]))
        alternate([variant], 5)
        self.assertEqual(len(variant.runs), 2)


if __name__ == "__main__":
    unittest.main()
