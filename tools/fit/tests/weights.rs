//! `[training] half_life`: a row that weighs twice as much is the row twice.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

/// Between 0 and 1, by two numbers.
fn chance(row: usize, at: usize) -> f64 {
    let mixed = (row * 7_919 + at * 104_729 + 13) * 1_103_515_245 % 2_147_483_648;
    (mixed * 48_271 % 2_147_483_647) as f64 / 2_147_483_647.0
}

const COLUMNS: &str = "[recipe]\nname = \"weights\"\n[keys]\ncolumns = [\"id\", \"day\"]\nrow = [\"id\"]\ntime = \"day\"\n\
    [columns]\nid = { type = \"integer\" }\nday = { type = \"date\" }\nx = { type = \"number\" }\nz = { type = \"number\" }\n\
    y = { type = \"number\" }\nwon = { type = \"text\" }\n[features]\ncolumns = [\"x\", \"z\"]\n\
    [split]\nby = [\"id\"]\nholdout = 0\n";
const NUMBER: &str = "[target]\ncolumn = \"y\"\n";
const CLASS: &str = "[target]\ncolumn = \"won\"\ntask = \"classification\"\n";

/// Sixty rows of one day and sixty of a day ten days later; `twice` says the later ones once more.
fn rows(twice: bool) -> String {
    let mut csv = "id,day,x,z,y,won\n".to_owned();
    for row in 0..120 {
        let is_later = row >= 60;
        let (x, z) = (chance(row, 1), chance(row, 2));
        // The two days obey different rules, so that weights matter.
        let y = if is_later { 2.0 * x - z } else { 3.0 * z - x } + 0.2 * chance(row, 3);
        let won = ["no", "yes", "maybe"][if y < 0.4 { 0 } else { 1 + usize::from(y > 1.2) }];
        let day = if is_later { "2030-01-11" } else { "2030-01-01" };
        for copy in 0..if is_later && twice { 2 } else { 1 } {
            csv += &format!("{},{day},{x},{z},{y},{won}\n", 1_000 * copy + row);
        }
    }
    csv
}

#[test]
fn a_weight_is_as_many_rows() {
    let session = Session::new();
    session.file("once.csv", rows(false));
    session.file("twice.csv", rows(true));
    // Weights are 1 in the mean: 120 rows where 180 are counted. A penalty on a sum over rows is so much smaller.
    for (target, weighed, counted) in [
        (NUMBER, "mean\"", "mean\""),
        (NUMBER, "linear\"", "linear\""),
        (NUMBER, "linear\"\nintercept = false", "linear\"\nintercept = false"),
        (NUMBER, "ridge\"\nalpha = 2.0", "ridge\"\nalpha = 3.0"),
        (NUMBER, "lasso\"\nalpha = 0.01", "lasso\"\nalpha = 0.01"),
        (NUMBER, "elastic_net\"\nalpha = 0.01", "elastic_net\"\nalpha = 0.01"),
        (
            NUMBER,
            "boosted_trees\"\ntrees = 9\nmax_depth = 2\nl2 = 2.0",
            "boosted_trees\"\ntrees = 9\nmax_depth = 2\nl2 = 3.0",
        ),
        (CLASS, "mean\"", "mean\""),
        (CLASS, "logistic\"\nalpha = 2.0", "logistic\"\nalpha = 3.0"),
        (
            CLASS,
            "boosted_trees\"\ntrees = 9\nmax_depth = 2\nmin_rows = 2\nl2 = 0",
            "boosted_trees\"\ntrees = 9\nmax_depth = 2\nmin_rows = 3\nl2 = 0",
        ),
    ] {
        let recipe = |candidate: &str, more: &str| {
            format!("{COLUMNS}{target}{more}[[candidates]]\nalgorithm = \"{candidate}\n")
        };
        session.file("weighed.toml", recipe(weighed, "[training]\nhalf_life = \"10d\"\n"));
        session.file("counted.toml", recipe(counted, ""));
        session.ok("fit --recipe weighed.toml once.csv > weighed.json; fit --recipe counted.toml twice.csv > counted.json");
        session.ok("fit --recipe counted.toml once.csv > unweighed.json");
        let more = if target == CLASS { "--probabilities" } else { "" };
        let said = |model: &str| -> Vec<f64> {
            let out = session.ok(&format!("predict --model {model} {more} once.csv | tail -n +2"));
            let cells =
                out.lines().flat_map(|line| line.split(',').skip(6).map(str::to_owned).collect::<Vec<_>>());
            cells.filter_map(|cell| cell.parse().ok()).collect()
        };
        let (found, expected, without) = (said("weighed.json"), said("counted.json"), said("unweighed.json"));
        let apart = |others: &[f64]| {
            assert_eq!(found.len(), others.len());
            found.iter().zip(others).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max)
        };
        // The optimiser of `logistic` stops where the gradient is short.
        assert!(apart(&expected) < 1e-6, "{weighed}: {}", apart(&expected));
        assert!(apart(&without) > 1e-3, "{weighed}: weights change nothing");
    }
}

#[test]
fn a_forest_weighs_rows_too() {
    let session = Session::new();
    session.file("once.csv", rows(false));
    for target in [NUMBER, CLASS] {
        let recipe = |half_life: &str| {
            format!("{COLUMNS}{target}{half_life}[[candidates]]\nalgorithm = \"random_forest\"\ntrees = 30\n")
        };
        // Where a day weighs 1,024 times the other, the other is as good as not there.
        session.file("weighed.toml", recipe("[training]\nhalf_life = \"1d\"\n"));
        session.file("counted.toml", recipe(""));
        session.ok("fit --recipe weighed.toml once.csv > weighed.json; fit --recipe counted.toml once.csv > counted.json");
        session.ok("awk -F, 'NR == 1 || NR > 61' once.csv > later.csv");
        let error = |model: &str| {
            let scores = session.ok(&format!("score --model {model} --rows all --samples 0 later.csv"));
            let line = scores.lines().nth(3).unwrap().to_owned();
            line.split(',').nth(1).unwrap().parse::<f64>().unwrap()
        };
        let (weighed, counted) = (error("weighed.json"), error("counted.json"));
        assert!(weighed < 0.8 * counted, "{weighed} {counted}");
    }
}

#[test]
fn a_half_life_takes_a_time() {
    let session = Session::new();
    session.file("once.csv", rows(false));
    for (from, to, words) in [
        ("half_life = \"10d\"", "half_life = \"1 month\"", "a length of time like"),
        ("time = \"day\"\n", "", "half_life needs [keys] time"),
        ("half_life = \"10d\"", "half_life = \"soon\"", "is not a length of time"),
    ] {
        let recipe = format!(
            "{COLUMNS}{NUMBER}[training]\nhalf_life = \"10d\"\n[[candidates]]\nalgorithm = \"mean\"\n"
        );
        session.file("r.toml", recipe.replace(from, to));
        session.run("fit --recipe r.toml once.csv").expect(78).says(words);
    }
}
