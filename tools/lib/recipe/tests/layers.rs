//! Recipes that extend files, and what is said of layers that are wrong. The files stand in a map: the crate reads none.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;
use std::path::Path;

use failure::{Failure, Kind, Outcome};
use recipe::{Layers, Recipe};

const SHARED: &str = r#"
[keys]
columns = ["game", "player"]
row = ["game", "player"]
[columns.game]
type = "text"
[columns.player]
type = "integer"
[columns.speed]
type = "number"
unit = "mph"
min = 0
max = 300
[columns.carry]
type = "number"
[split]
by = ["game"]
holdout = 0.2
[[candidates]]
algorithm = "linear"
"#;

const OWN: &str = r#"
[recipe]
name = "shots"
extends = ["shared.toml"]
[columns.speed]
max = 250
[features]
columns = ["speed"]
[target]
column = "carry"
"#;

/// Files by path.
struct Files(BTreeMap<String, String>);

impl Files {
    fn new(files: &[(&str, &str)]) -> Files {
        Files(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    fn read(&self, path: &Path) -> Outcome<String> {
        let missing = || Failure::config(format!("{}: there is no such file", path.display()));
        self.0.get(path.to_str().unwrap()).cloned().ok_or_else(missing)
    }

    fn recipe(&self) -> Outcome<Recipe> {
        Recipe::load(Path::new("r.toml"), |path| self.read(path))
    }

    fn text(&self) -> String {
        Layers::load(Path::new("r.toml"), |path| self.read(path)).unwrap().text_with_origins().unwrap()
    }

    fn refused(&self) -> String {
        let failure = self.recipe().expect_err("it is wrong");
        assert_eq!(failure.kind(), Kind::Config, "{failure}");
        failure.to_string()
    }
}

#[test]
fn tables_are_merged_and_the_recipe_wins() {
    let files = Files::new(&[("r.toml", OWN), ("shared.toml", SHARED)]);
    let recipe = files.recipe().unwrap();
    let speed = &recipe.columns["speed"];
    assert_eq!((speed.min, speed.max, speed.unit.as_deref()), (Some(0.0), Some(250.0), Some("mph")));
    assert_eq!(recipe.recipe.extends, ["shared.toml"]);
    assert_eq!(recipe.split.holdout, 0.2);
}

#[test]
fn lists_and_values_are_replaced_whole() {
    let own = format!("{OWN}[[candidates]]\nalgorithm = \"mean\"\n[keys]\nrow = [\"player\", \"game\"]\n");
    let recipe = Files::new(&[("r.toml", &own), ("shared.toml", SHARED)]).recipe().unwrap();
    let names: Vec<&str> = recipe.candidates.iter().map(recipe::Candidate::name).collect();
    assert_eq!(names, ["mean"]);
    assert_eq!(recipe.keys.row, ["player", "game"]);
    assert_eq!(recipe.keys.columns, ["game", "player"]);
}

#[test]
fn the_later_file_wins() {
    let extends = |list: &str| OWN.replace("[\"shared.toml\"]", list);
    let (one, two) = ("[split]\nsalt = \"one\"\n", "[split]\nsalt = \"two\"\n");
    let salt = |list: &str| {
        let files =
            [("r.toml", &*extends(list)), ("shared.toml", SHARED), ("one.toml", one), ("two.toml", two)];
        Files::new(&files).recipe().unwrap().split.salt
    };
    assert_eq!(salt(r#"["shared.toml", "one.toml", "two.toml"]"#), "two");
    assert_eq!(salt(r#"["shared.toml", "two.toml", "one.toml"]"#), "one");
}

#[test]
fn files_are_relative_to_the_one_that_names_them() {
    let own = OWN.replace("shared.toml", "layers/sport.toml");
    let sport = "[recipe]\nextends = [\"../shared.toml\", \"region/uk.toml\"]\ndescription = \"a sport\"\n";
    let files = Files::new(&[
        ("r.toml", &own),
        ("layers/sport.toml", sport),
        ("layers/../shared.toml", SHARED),
        ("layers/region/uk.toml", "[columns.speed]\nunit = \"km/h\"\n"),
    ]);
    let recipe = files.recipe().unwrap();
    assert_eq!(recipe.columns["speed"].unit.as_deref(), Some("km/h"));
    assert_eq!(recipe.recipe.description, "a sport");
    let text = files.text();
    assert!(text.contains("unit = \"km/h\" # from layers/region/uk.toml\n"), "{text}");
    assert!(text.contains("holdout = 0.2 # from shared.toml\n"), "{text}");
}

#[test]
fn a_file_that_two_extend_is_laid_once_below_both() {
    let own = OWN.replace("[\"shared.toml\"]", "[\"left.toml\", \"right.toml\"]");
    let left = "[recipe]\nextends = [\"shared.toml\"]\n[columns.speed]\nunit = \"m/s\"\n";
    let right = "[recipe]\nextends = [\"./shared.toml\"]\n[split]\nholdout = 0.3\n";
    let files =
        Files::new(&[("r.toml", &own), ("left.toml", left), ("right.toml", right), ("shared.toml", SHARED)]);
    let recipe = files.recipe().unwrap();
    // Right, the later one, says nothing of the unit: what it extends does not speak for it.
    assert_eq!(recipe.columns["speed"].unit.as_deref(), Some("m/s"));
    assert_eq!(recipe.split.holdout, 0.3);
}

#[test]
fn circles_are_refused_with_every_file_named() {
    let said = Files::new(&[("r.toml", "[recipe]\nextends = [\"./r.toml\"]\n")]).refused();
    assert!(
        said.starts_with("r.toml: line 2: [recipe] extends ./r.toml: a file cannot extend itself"),
        "{said}"
    );
    let own = OWN.replace("shared.toml", "a.toml");
    let files = [
        ("r.toml", &*own),
        ("a.toml", "[recipe]\nextends = [\"b.toml\"]\n"),
        ("b.toml", "\n[recipe]\nextends = [\n\"a.toml\"]\n"),
    ];
    let said = Files::new(&files).refused();
    assert_eq!(
        said,
        "b.toml: line 4: [recipe] extends a.toml, which extends it: a.toml -> b.toml -> a.toml (remove one of these)"
    );
    // Links can lead back by ever longer names.
    let deeper = "[recipe]\nextends = [\"x/r.toml\"]\n";
    let failure = Recipe::load(Path::new("r.toml"), |_| Ok(deeper.to_owned())).unwrap_err();
    assert!(failure.kind() == Kind::Config && failure.to_string().contains("32 files in a row"), "{failure}");
}

#[test]
fn clashes_are_refused_with_both_files_named() {
    let own = format!("split = 3\n{OWN}");
    let said = Files::new(&[("r.toml", &own), ("shared.toml", SHARED)]).refused();
    assert_eq!(
        said,
        "r.toml: line 1: \"split\" is not a table here, but one in shared.toml: line 16 (rename one of the two)"
    );
    let own = format!("{OWN}[columns.speed.max]\n");
    let own = own.replace("max = 250\n", "");
    let said = Files::new(&[("r.toml", &own), ("shared.toml", SHARED)]).refused();
    assert!(
        said.contains("r.toml: line 10: \"columns.speed.max\" is a table here, but not one in"),
        "{said}"
    );
    assert!(said.contains("shared.toml: line 13"), "{said}");
}

#[test]
fn what_is_wrong_is_named_by_file_and_line() {
    let with = |own: &str, shared: &str| Files::new(&[("r.toml", own), ("shared.toml", shared)]).refused();
    let said = with(OWN, &SHARED.replace("holdout = 0.2", "holdout = 0.2\nsallt = \"x\""));
    assert!(said.starts_with("shared.toml: line 19: unknown field `sallt`"), "{said}");
    assert!(said.ends_with("did you mean `salt`?"), "{said}");
    let said = with(OWN, &SHARED.replace("type = \"text\"", "type = \"txet\""));
    assert!(said.starts_with("shared.toml: line 6: ") && said.contains("did you mean `text`?"), "{said}");
    let said = with(OWN, "[columns.game\n");
    assert!(said.starts_with("shared.toml: line 1: "), "{said}");
    let said = with(&OWN.replace("max = 250", "maxx = 250"), SHARED);
    assert!(said.starts_with("r.toml: line 6: ") && said.contains("did you mean `max`?"), "{said}");
    let said = with(&OWN.replace("extends", "extnds"), SHARED);
    assert!(said.starts_with("r.toml: line 4: ") && said.contains("did you mean `extends`?"), "{said}");
    let said = with(&OWN.replace("[\"shared.toml\"]", "\"shared.toml\""), SHARED);
    assert!(said.starts_with("r.toml: line 4: [recipe] extends is a list of files"), "{said}");
    let said = Files::new(&[("r.toml", OWN)]).refused();
    assert_eq!(said, "r.toml: line 4: [recipe] extends \"shared.toml\": shared.toml: there is no such file");
    // What the whole says, and no single line.
    let said = with(&OWN.replace("column = \"carry\"", "column = \"cary\""), SHARED);
    assert!(
        said.starts_with("r.toml: [target] column: \"cary\"") && said.contains("did you mean \"carry\"?"),
        "{said}"
    );
    assert!(said.ends_with("(`model recipe r.toml` shows from which file each value is)"), "{said}");
    let said = with(OWN, &SHARED.replace("[split]\nby = [\"game\"]\nholdout = 0.2\n", ""));
    assert!(said.contains("missing field `split`"), "{said}");
    let failure = OWN.parse::<Recipe>().unwrap_err().to_string();
    assert!(failure.starts_with("line 4: [recipe] extends \"shared.toml\": "), "{failure}");
}

#[test]
fn the_digest_is_that_of_the_content() {
    let files = |own: &str, shared: &str| Files::new(&[("r.toml", own), ("shared.toml", shared)]);
    let sha256 = |own: &str, shared: &str| files(own, shared).recipe().unwrap().sha256;
    // Alone: of its text, comments included.
    let alone = format!(
        "{SHARED}[recipe]\nname = \"shots\"\n[features]\ncolumns = [\"speed\"]\n[target]\ncolumn = \"carry\"\n"
    );
    assert_eq!(sha256(&alone, ""), fingerprint::of(&alone));
    assert_eq!(alone.parse::<Recipe>().unwrap().sha256, fingerprint::of(&alone));
    // Extending: of what the values are, however they are written and wherever they stand.
    let merged = sha256(OWN, SHARED);
    assert_eq!(merged, sha256(&format!("# words\n{OWN}"), &SHARED.replace("0.2", "0.20")));
    let moved = OWN.replace("max = 250", "max = 250\nunit = \"mph\"");
    assert_eq!(merged, sha256(&moved, &SHARED.replace("unit = \"mph\"\n", "")));
    assert_ne!(merged, sha256(OWN, &SHARED.replace("0.2", "0.3")));
    assert_eq!(files(OWN, SHARED).recipe().unwrap().training_sections(), {
        let whole = alone.replace("max = 300", "max = 250");
        whole.parse::<Recipe>().unwrap().training_sections()
    });
}

#[test]
fn the_merged_text_is_a_recipe_that_says_the_same() {
    let odd = "[source]\nkind = \"a\\\"b\\\\c\\nd\"\n\"odd key.\" = [1, 2.50, inf, { x = true }]\nday = 2026-01-06\nempty = {}\n\
        hex = 0xff\n[prepare]\n[[gates]]\nmetric = \"rmse\"\nat_most = 1e3\n";
    let own = format!("{OWN}{odd}");
    let files = Files::new(&[("r.toml", &own), ("shared.toml", SHARED)]);
    let text = files.text();
    let again: Recipe = text.parse().unwrap_or_else(|failure| panic!("{failure}\n{text}"));
    let recipe = files.recipe().unwrap();
    assert_eq!(again.training_sections(), recipe.training_sections());
    assert_eq!(again.source, recipe.source);
    assert_eq!(again.gates, recipe.gates);
    assert_eq!(text, files.text());
    assert!(
        text.contains("[columns.speed]\nmax = 250 # from r.toml\nmin = 0 # from shared.toml\n"),
        "{text}"
    );
    assert!(text.contains("[[gates]]\nat_most = 1000.0 # from r.toml\n"), "{text}");
    assert!(text.contains("[prepare] # from r.toml\n"), "{text}");
    for line in text.lines().filter(|line| line.contains(" = ")) {
        assert!(line.contains(" # from "), "{line}");
    }
    // Merged again, it is the same text, but for the origins.
    let once = Files::new(&[("r.toml", &text)]).text();
    let without = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" # from ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(without(&once), without(&text));
}
