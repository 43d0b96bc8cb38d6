//! Blocks of rows, each predicted from what was known before it: against `fit` on the rows that were known, and against rows of
//! later times that say something else.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

/// Between 0 and 1, by two numbers.
fn chance(row: usize, at: usize) -> f64 {
    let mixed = (row * 7_919 + at * 104_729 + 13) * 1_103_515_245 % 2_147_483_648;
    (mixed * 48_271 % 2_147_483_647) as f64 / 2_147_483_647.0
}

const COLUMNS: &str = "[recipe]\nname = \"made-up\"\n[keys]\ncolumns = [\"id\", \"year\", \"day\"]\nrow = [\"id\"]\ntime = \"day\"\n\
    [columns]\nid = { type = \"integer\" }\nyear = { type = \"text\" }\nday = { type = \"date\" }\n\
    place = { type = \"text\" }\nx = { type = \"number\" }\nz = { type = \"number\" }\n\
    [features]\ncolumns = [\"place\", \"x\", \"z\"]\n[prepare]\nplace = { min_rows = 3 }\nx = { impute = \"median\" }\n";
const NUMBER: &str = "[columns.y]\ntype = \"number\"\n[target]\ncolumn = \"y\"\n";
const CLASS: &str = "[columns.y]\ntype = \"text\"\n[target]\ncolumn = \"y\"\ntask = \"classification\"\n\
    classes = [\"loss\", \"draw\", \"win\"]\nordered = true\n";
const OF_NUMBERS: &str = "[[candidates]]\nalgorithm = \"ridge\"\nalpha = [100.0, 1.0]\n\
    [[candidates]]\nalgorithm = \"boosted_trees\"\ntrees = 5\nmax_depth = 2\n";
const OF_CLASSES: &str =
    "[[candidates]]\nalgorithm = \"mean\"\n[[candidates]]\nalgorithm = \"logistic\"\nalpha = [10.0, 1.0]\n";
/// What a fit in a block does by itself: no row is held out, and folds follow each other in time.
const PLAIN: &str = "[split]\nby = [\"id\"]\nholdout = 0\n[validation]\nby = [\"day\"]\nby_time = true\n";
const WALK: &str = "[split]\nwalk_forward = { by = \"year\", last = 3 }\n";

/// Five years of forty rows; `later` changes what rows from the fourth year on say.
fn rows(is_class: bool, later: impl Fn(usize, f64) -> f64) -> String {
    let mut csv = "id,year,day,place,x,z,y\n".to_owned();
    for id in 0..200 {
        let (year, of_year) = (2021 + id / 40, id % 40);
        let day = format!("{year}-{:02}-{:02}", 1 + of_year / 4, 1 + 7 * (of_year % 4));
        // A place that is met late, and never often before.
        let place = if id == 161 { "new" } else { ["here", "there", "sea"][id % 3] };
        let (x, z) = (chance(id, 1), chance(id, 2));
        let x_cell = if id % 11 == 5 { String::new() } else { x.to_string() };
        let y = 2.0 * x - z + f64::from(u8::from(place == "sea")) + 0.3 * chance(id, 3);
        let y = if id >= 120 { later(id, y) } else { y };
        let y = match is_class {
            false => y.to_string(),
            true => ["loss", "draw", "win"][if y < 0.6 { 0 } else { 1 + usize::from(y > 1.1) }].to_owned(),
        };
        csv += &format!("{id},{year},{day},{place},{x_cell},{z},{y}\n");
    }
    csv
}

fn as_is(_: usize, y: f64) -> f64 {
    y
}

fn session(target: &str, candidates: &str) -> Session {
    let session = Session::new();
    session.file("walk.toml", format!("{COLUMNS}{target}{WALK}{candidates}"));
    session.file("plain.toml", format!("{COLUMNS}{target}{PLAIN}{candidates}"));
    session.file("rows.csv", rows(target == CLASS, as_is));
    session
}

/// The lines of a block, without its name.
fn of_block(said: &str, block: &str) -> Vec<String> {
    let lines = said.lines().filter_map(|line| line.strip_prefix(&format!("{block},")));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_block_is_what_a_fit_on_the_rows_before_it_says() {
    for (target, candidates, columns) in [(NUMBER, OF_NUMBERS, "1"), (CLASS, OF_CLASSES, "1,3-5")] {
        let session = session(target, candidates);
        let said = session.ok("backtest --recipe walk.toml rows.csv");
        assert_eq!(said.lines().count(), 1 + 3 * 40, "{said}");
        for year in [2023, 2024, 2025] {
            session.ok(&format!(
                "awk -F, 'NR == 1 || $2 < {year}' rows.csv > before.csv; awk -F, 'NR == 1 || $2 == {year}' rows.csv > of.csv
                 fit --recipe plain.toml before.csv > model.json"
            ));
            let more = if target == CLASS { "--probabilities" } else { "" };
            let predicted = session.ok(&format!(
                "predict --model model.json {more} of.csv | tail -n +2 | cut -d, -f8- | cut -d, -f{columns}"
            ));
            let walked = of_block(&said, &year.to_string());
            // (`predict` says the most probable class's probability before all of them.)
            for (line, (found, expected)) in walked.iter().zip(predicted.lines()).enumerate() {
                let found: Vec<&str> = found.split(',').skip(4).collect();
                let expected: Vec<&str> = expected.split(',').collect();
                assert_eq!(found[0], expected[0], "{year}, row {line}: {found:?} {expected:?}");
                assert_eq!(found[1..], expected[1..], "{year}, row {line}");
            }
            assert_eq!(walked.len(), predicted.lines().count());
        }
    }
}

#[test]
fn what_later_rows_say_changes_no_byte_of_a_block() {
    for (target, candidates) in [(NUMBER, OF_NUMBERS), (CLASS, OF_CLASSES)] {
        let session = session(target, candidates);
        let before = session.ok("backtest --recipe walk.toml rows.csv");
        // Other answers, other texts, other features, fewer rows.
        session.file("other.csv", rows(target == CLASS, |id, y| if id % 2 == 0 { -y } else { 3.0 * y }));
        session.ok("sed -i 's/there/elsewhere/' other.csv; awk -F, 'NR <= 121' rows.csv > first.csv");
        session.ok("{ cat first.csv; tail -n +122 other.csv | sed 's/,0\\.\\([1-9]\\)/,1.\\1/' | grep -v ',2025-0[3-9]-'; } > changed.csv");
        let after = session.ok("backtest --recipe walk.toml changed.csv");
        assert_eq!(of_block(&before, "2023"), of_block(&after, "2023"));
        assert_ne!(of_block(&before, "2025"), of_block(&after, "2025"), "the rows are other ones");
        // Nor do rows that are not there yet.
        let alone = session.ok("backtest --recipe walk.toml --last 1 first.csv");
        assert_eq!(of_block(&before, "2023"), of_block(&alone, "2023"));
    }
}

#[test]
fn a_model_is_judged_by_its_blocks_and_fitted_on_every_row() {
    let session = session(CLASS, OF_CLASSES);
    session
        .file("intervals.toml", format!("{COLUMNS}{NUMBER}{WALK}{OF_NUMBERS}[intervals]\ncoverage = 0.8\n"));
    session.ok("backtest --recipe walk.toml --metrics metrics.csv --report page.html rows.csv > said.csv");
    session
        .run("fit --recipe walk.toml rows.csv > model.json")
        .expect(0)
        .says("walked forward: 120 rows of 3 blocks, log loss");
    let metrics = session.read("metrics.csv");
    let log_loss = metrics.lines().find(|line| line.starts_with("log_loss,")).unwrap();
    let model: serde_json::Value = serde_json::from_str(&session.read("model.json")).unwrap();
    let body = &model["body"];
    let own = body["metrics"]["held_out"]["log_loss"].to_string();
    assert_eq!(log_loss.split(',').nth(1), Some(own.as_str()));
    assert_eq!(body["data"]["rows_trained"], 200);
    let blocks = body["walk_forward"]["blocks"].as_array().unwrap();
    let fitted: Vec<u64> = blocks.iter().map(|block| block["rows_fitted"].as_u64().unwrap()).collect();
    assert_eq!(fitted, [80, 120, 160]);
    // `score` walks again, and finds the same.
    let scored = session.ok("score --model model.json rows.csv");
    assert_eq!(
        scored,
        metrics
            .lines()
            .filter(|line| !line.starts_with("calibration_slope_"))
            .fold(String::new(), |text, line| text + line + "\n")
    );
    assert!(session.ok("model show model.json").contains("judged by   120 rows of 3 blocks"));
    session.ok("model report model.json --rows rows.csv > report.html; grep -q 'Block by block' report.html");
    assert!(session.read("page.html").contains("Month by month"));
    session.run("score --model model.json --rows all rows.csv").expect(0).says("200 rows");
    session.file("numbers.csv", rows(false, as_is));
    session.run("fit --recipe intervals.toml numbers.csv > other.json").expect(0).says("intervals: ±");
    session.run("score --model model.json --against other.json rows.csv").expect(65).says("another thing");
    session
        .run("holdout --recipe walk.toml --held-out held.csv rows.csv")
        .expect(78)
        .says("holds no rows out");
}

#[test]
fn two_recipes_are_compared_on_the_rows_that_both_predict() {
    let session = session(CLASS, OF_CLASSES);
    let two = format!("{COLUMNS}{CLASS}{WALK}{OF_CLASSES}")
        .replace("made-up", "shares")
        .replace("last = 3", "last = 2");
    session.file(
        "shares.toml",
        two.replace("[[candidates]]\nalgorithm = \"logistic\"\nalpha = [10.0, 1.0]\n", ""),
    );
    let said =
        session.run("backtest --recipe walk.toml --against shares.toml --metrics metrics.csv rows.csv");
    said.expect(0).says("shares").says("80 rows of 3 blocks");
    let line = session.ok("grep ^log_loss metrics.csv");
    let cells: Vec<f64> = line.trim().split(',').skip(1).map(|cell| cell.parse().unwrap()).collect();
    // Model, low, high, baseline, against, difference, low, high: always the shares is the baseline.
    assert!((cells[3] - cells[4]).abs() < 1e-12, "{line}");
    assert!((cells[0] - cells[4] - cells[5]).abs() < 1e-12 && cells[7] < 0.0, "{line}");
    let header = said.stdout.lines().next().unwrap();
    assert!(header.ends_with(
        "against_predicted_y,against_probability_loss,against_probability_draw,against_probability_win"
    ));
    // The other one says nothing of the first block.
    assert!(of_block(&said.stdout, "2023").iter().all(|line| line.ends_with(",,,,")));
    session
        .run("backtest --recipe walk.toml --against shares.toml --last 3 rows.csv")
        .expect(0)
        .says("120 rows");
    // And so are two models, by those who promote.
    session
        .ok("fit --recipe walk.toml rows.csv > model.json; fit --recipe shares.toml rows.csv > shares.json");
    session.run("score --model model.json --against shares.json rows.csv").expect(0).says("on 80 rows of");
    session.file(
        "gated.toml",
        format!(
            "{}[[gates]]\nmetric = \"log_loss\"\nloses_to_approved_by = 0.01\nbeats_baseline_by = 0.01\n",
            session.read("walk.toml")
        ),
    );
    session.ok("mkdir b; registry promote --bucket b --prefix m/ --from model.json --recipe gated.toml --rows rows.csv");
    session
        .run("registry promote --bucket b --prefix m/ --from shares.json --recipe gated.toml --rows rows.csv")
        .expect(1)
        .says("was refused");
    // Rows without a column that the approved one takes leave the other gates.
    session.file(
        "less.toml",
        format!(
            "{COLUMNS}{CLASS}{WALK}{OF_CLASSES}[[gates]]\nmetric = \"log_loss\"\nloses_to_approved_by = 0.0\n"
        )
        .replace("\"x\", \"z\"", "\"x\""),
    );
    session.ok("cut -d, -f1-5,7 rows.csv > less.csv; fit --recipe less.toml less.csv > less.json");
    session
        .ok("registry promote --bucket b --prefix m/ --from less.json --recipe less.toml --rows less.csv; grep -q 'not compared with the approved model' b/m/latest_model.json");
}

/// Questions that are made: at each midnight the next three hours of two series, whose answers are known two hours later.
const MADE: &str = "[recipe]\nname = \"load\"\n[keys]\ncolumns = [\"series\", \"asked\", \"at\"]\nrow = [\"series\", \"asked\", \"at\"]\ntime = \"at\"\n\
    [columns]\nseries = { type = \"text\" }\nhour = { type = \"instant\" }\nasked = { type = \"instant\" }\nat = { type = \"instant\" }\nload = { type = \"number\" }\n\
    [history]\nzone = \"UTC\"\n[history.inputs.loads]\nkey = [\"series\", \"hour\"]\nhappened = \"hour\"\nknown_after = \"2h\"\n\
    [history.questions]\nkey = [\"series\"]\nevery = \"6h\"\nhorizon = \"6h\"\nstep = \"1h\"\ntarget = \"load\"\n\
    [history.entities.series]\ninput = \"loads\"\nself = { key = [\"series\"], load = \"load\" }\n\
    [[history.features]]\nname = \"recent\"\nentity = \"series\"\nstatistic = \"mean\"\nof = \"load\"\nlast = 3\n\
    [features]\ncolumns = [\"recent\"]\n[prepare]\nrecent = { impute = 0 }\n[target]\ncolumn = \"load\"\n\
    [split]\nwalk_forward = { every = \"6h\", horizon = \"3h\", last = 4 }\n[[candidates]]\nalgorithm = \"mean\"\n";

#[test]
fn blocks_of_time_are_fitted_on_what_was_known_at_their_origin() {
    let session = Session::new();
    session.file("made.toml", MADE);
    let mut csv = "series,hour,load\n".to_owned();
    for hour in 0..72 {
        for series in ["a", "b"] {
            csv += &format!("{series},2030-01-{:02}T{:02}:00:00.000Z,{hour}\n", 1 + hour / 24, hour % 24);
        }
    }
    session.file("loads.csv", csv);
    session.ok("features --recipe made.toml loads.csv | clean --recipe made.toml > rows.csv");
    let said = session.ok("backtest --recipe made.toml rows.csv");
    // The mean of a block's fit tells which rows it saw. Each hour is asked for six hours before, or less, at one origin.
    for (block, origin) in [
        ("2030-01-03T00:00:00.000Z", 48.0),
        ("2030-01-03T06:00:00.000Z", 54.0),
        ("2030-01-03T12:00:00.000Z", 60.0),
    ] {
        let lines = of_block(&said, block);
        // Three hours of two series: the others are beyond the horizon.
        assert_eq!(lines.len(), 6, "{block}: {said}");
        let predicted: f64 = lines[0].rsplit(',').next().unwrap().parse().unwrap();
        // Answers of `origin - 2` and before are known; the first ones were never asked for.
        let first = session
            .ok("tail -n +2 rows.csv | cut -d, -f5 | sort -n | head -n 1")
            .trim()
            .parse::<f64>()
            .unwrap();
        assert!(
            (predicted - (first + origin - 2.0) / 2.0).abs() < 1e-9,
            "{block}: {predicted}, from {first}"
        );
    }
    let until = session.ok("backtest --recipe made.toml --until 2030-01-02 --last 1 rows.csv");
    assert!(until.lines().nth(1).unwrap().starts_with("2030-01-02T18:00:00.000Z,"), "{until}");
}

#[test]
fn what_cannot_be_walked_is_said() {
    let session = session(CLASS, OF_CLASSES);
    for (flags, code, words) in [
        ("--last 9", 65, "9 blocks are wanted, and the rows are of 5"),
        ("--last 5", 65, "no row was known before block \"2021\""),
        ("--until 2030", 65, "there is no block \"2030\""),
        ("--last 0", 2, "from 1 to 1000 blocks"),
        ("--candidate ridge", 2, "the recipe has mean, logistic"),
        ("--against plain.toml", 78, "its [split] has no walk_forward"),
    ] {
        session.run(&format!("backtest --recipe walk.toml {flags} rows.csv")).expect(code).says(words);
    }
    for (from, to, words) in [
        ("by = \"year\", last = 3", "by = \"year\", last = 0", "from 1 to 1000 blocks"),
        ("by = \"year\", last", "by = \"x\", last", "\"x\" is not among [keys] columns"),
        ("by = \"year\", last", "by = \"nought\", last", "has no [columns.nought]"),
        ("by = \"year\", last", "by = \"year\", every = \"1d\", last", "has `by`, a column, or `every`"),
        ("by = \"year\", last", "every = \"1 day\", horizon = \"1d\", last", "a length of time like"),
        (
            "by = \"year\", last",
            "every = \"1d\", horizon = \"1d\", last",
            "unless [history.questions] has `at`",
        ),
        ("by = \"year\", last", "every = \"1d\", until = \"soon\", last", "the day of the last block"),
        ("walk_forward = {", "holdout = 0.2\nwalk_forward = {", "walk_forward holds nothing out"),
        ("classes = [\"loss\", \"draw\", \"win\"]\nordered = true\n", "", "the recipe lists them"),
        ("\ntime = \"day\"", "", "needs [keys] time"),
    ] {
        let recipe = session.read("walk.toml");
        assert!(recipe.contains(from), "{from}");
        session.file("bad.toml", recipe.replace(from, to));
        session.run("backtest --recipe bad.toml rows.csv").expect(78).says(words);
    }
    session.ok("sed '5s/2021-01-22/soon/' rows.csv > bad.csv");
    session.run("backtest --recipe walk.toml bad.csv").expect(65).says("bad.csv: line 5");
    session.ok("sed '5s/,2021,/,,/' rows.csv > bad.csv");
    session.run("backtest --recipe walk.toml bad.csv").expect(65).says("line 5: its block is empty");
    session.ok("head -c 900 rows.csv > cut.csv");
    session.run("backtest --recipe walk.toml cut.csv").expect(65);
}

/// What a second reader found.
#[test]
fn what_no_row_before_a_block_tells_and_rows_that_answer_before_they_ask() {
    let session = Session::new();
    let recipe = format!("{COLUMNS}{NUMBER}{WALK}").replace("last = 3", "last = 1");
    let recipe = recipe
        .replace("[\"place\", \"x\", \"z\"]", "[\"z\"]")
        .replace("[prepare]\nplace = { min_rows = 3 }\nx = { impute = \"median\" }\n", "");
    for candidate in [
        "linear\"",
        "linear\"\nintercept = false",
        "ridge\"\nalpha = 1",
        "lasso\"\nalpha = 1",
        "boosted_trees\"",
        "random_forest\"",
    ] {
        // Before the block no feature varies; a second is long ago where a second halves a weight.
        for half_life in ["", "[training]\nhalf_life = \"1s\"\n"] {
            session.file("r.toml", format!("{recipe}{half_life}[[candidates]]\nalgorithm = \"{candidate}\n"));
            session.file(
                "in.csv",
                "id,year,day,z,y\na,1,2020-01-01,0,1\nb,1,2020-01-02,0,2\nc,2,2020-01-03,1,3\n"
                    .replace("a,", "1,")
                    .replace("b,", "2,")
                    .replace("c,", "3,"),
            );
            session.run("backtest --recipe r.toml in.csv").expect(0);
        }
    }
    // What is predicted has no weight: a block may be longer than a weight lasts.
    let short = format!("{recipe}[training]\nhalf_life = \"1d\"\n[[candidates]]\nalgorithm = \"mean\"\n");
    session.file("r.toml", &short);
    session.file("all.csv", rows(false, as_is));
    let said = session.ok("backtest --recipe r.toml all.csv");
    assert_eq!(of_block(&said, "2025").len(), 40, "{said}");
    // A class that nobody has seen yet is not impossible to whoever knows nothing.
    let classes = recipe.replace(NUMBER, CLASS);
    session.file("r.toml", format!("{classes}[[candidates]]\nalgorithm = \"mean\"\n"));
    session.file(
        "in.csv",
        "id,year,day,z,y\n1,1,2020-01-01,0,win\n2,1,2020-01-02,0,win\n3,2,2020-01-03,1,loss\n",
    );
    session.run("backtest --recipe r.toml in.csv").expect(0).says("always the shares: 1.9459");
    // Answers that were known before they were asked for would be fitted on.
    session.file("made.toml", MADE);
    session.file(
        "late.csv",
        "series,asked,at,recent,load\na,2030-01-02T00:00:00.000Z,2030-01-01T00:00:00.000Z,1,1\n",
    );
    session
        .run("backtest --recipe made.toml late.csv")
        .expect(65)
        .says("line 2, it is asked at 2030-01-02T00:00:00.000Z, after");
}

#[test]
fn a_model_file_that_tells_another_story_is_refused() {
    let session = session(CLASS, OF_CLASSES);
    session.ok("fit --recipe walk.toml rows.csv > model.json");
    let change = "import hashlib, json, sys
model = json.load(open('model.json')); body = model['body']; sections = body['recipe']['training_sections']
text = lambda value: json.dumps(value, sort_keys=True, separators=(',', ':'), ensure_ascii=False)
exec(sys.argv[1])
body['recipe']['training_sections_sha256'] = hashlib.sha256(text(sections).encode()).hexdigest()
model['sha256'] = hashlib.sha256(text(body).encode()).hexdigest()
json.dump(model, open('changed.json', 'w'))
";
    session.file("change.py", change);
    session.ok("python3 change.py pass; score --model changed.json rows.csv > score.csv");
    for (change, words) in [
        (
            "sections['target'] = {'column': 'y', 'task': 'regression'}; sections['columns']['y']['type'] = 'number'; sections['candidates'] = [{'algorithm': 'mean'}]",
            "another one",
        ),
        ("sections['target']['classes'] = ['loss', 'win']", "another one"),
        ("sections['features']['columns'] = ['x']", "in it: "),
        ("sections['clean']['null_values'] = ['win']", "another one"),
        ("sections['split'] = {'by': ['id'], 'holdout': 0.2}", "another one"),
        ("sections['columns'] = {}", "in it: "),
        ("del sections['keys']", "it has no keys"),
        ("del body['recipe']['training_sections']", "how it walked"),
        ("del body['walk_forward']", "blocks do not fit"),
        ("body['walk_forward']['blocks'] = []", "no block"),
        ("body['walk_forward']['blocks'].pop()", "do not add up"),
        ("body['walk_forward']['rows'] = 0", "do not add up"),
        ("body['walk_forward']['blocks'][0]['error'] = -1.5", "do not add up"),
        ("body['walk_forward']['predictions_sha256'] = 'no'", "no digest"),
        ("body['walk_forward']['candidate'] = 'ridge'", "which its recipe does not have"),
        ("body['walk_forward']['predictions_sha256'] = 64 * '0'", "otherwise than the file says"),
        ("body['walk_forward']['seed'] = 2; sections['candidates'].pop()", "otherwise than the file says"),
    ] {
        session.ok(&format!("python3 change.py \"{change}\""));
        session.run("score --model changed.json rows.csv").expect(65).says(words);
    }
    // Parameters that do not come from the procedure: blocks say nothing of them.
    let shares = "fit --recipe walk.toml --candidate mean rows.csv > mean.json";
    session.ok(shares);
    session.file(
        "gated.toml",
        format!("{}[[gates]]\nmetric = \"log_loss\"\nbeats_baseline_by = 0.01\n", session.read("walk.toml")),
    );
    let foreign = "other = json.load(open('mean.json'))['body']
body['algorithm'] = other['algorithm']; body['checks'] = other['checks']";
    session.file("foreign", foreign);
    session.ok("python3 change.py \"$(cat foreign)\"; mkdir b");
    session
        .run(
            "registry promote --bucket b --prefix m/ --from changed.json --recipe gated.toml --rows rows.csv",
        )
        .expect(1)
        .says("as it ships, log_loss");
}
