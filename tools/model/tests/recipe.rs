//! `model recipe` through the real binary: files that extend each other.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Session, repo};

const SPORT: &str = "[keys]\ncolumns = [\"g\", \"row\"]\nrow = [\"row\"]\n\
    [columns.g]\ntype = \"integer\"\n[columns.row]\ntype = \"integer\"\n[columns.x]\ntype = \"number\"\nunit = \"m\"\n\
    [columns.y]\ntype = \"number\"\n[features]\ncolumns = [\"x\"]\n[split]\nby = [\"g\"]\nholdout = 0.25\n\
    [[candidates]]\nalgorithm = \"mean\"\n[[candidates]]\nalgorithm = \"ridge\"\nalpha = [10, 1.0]\n";

const REGION: &str = "[recipe]\nextends = [\"../sport.toml\"]\n[columns.x]\nunit = \"yd\"\nmax = 600\n";

const SERVICE: &str =
    "[recipe]\nextends = [\"sport.toml\"]\n[split]\nholdout = 0.5\n[privacy]\nprivate = [\"row\"]\n";

const OWN: &str = "[recipe]\nname = \"line\"\nextends = [\"regions/uk.toml\", \"service.toml\"]\n[target]\ncolumn = \"y\"\n\
    [columns.x]\nmax = 650\n";

/// A diamond: the recipe extends a region and a service, and each of them the sport.
fn session() -> Session {
    let session = Session::new();
    session.file("r/sport.toml", SPORT);
    session.file("r/regions/uk.toml", REGION);
    session.file("r/service.toml", SERVICE);
    session.file("r/line.toml", OWN);
    session
}

#[test]
fn every_value_is_followed_by_its_origin() {
    let session = session();
    let text = session.ok("model recipe r/line.toml");
    assert_eq!(
        text,
        "\
[[candidates]]
algorithm = \"mean\" # from sport.toml

[[candidates]]
algorithm = \"ridge\" # from sport.toml
alpha = [10, 1.0] # from sport.toml

[columns.g]
type = \"integer\" # from sport.toml

[columns.row]
type = \"integer\" # from sport.toml

[columns.x]
max = 650 # from line.toml
type = \"number\" # from sport.toml
unit = \"yd\" # from regions/uk.toml

[columns.y]
type = \"number\" # from sport.toml

[features]
columns = [\"x\"] # from sport.toml

[keys]
columns = [\"g\", \"row\"] # from sport.toml
row = [\"row\"] # from sport.toml

[privacy]
private = [\"row\"] # from service.toml

[recipe]
name = \"line\" # from line.toml

[split]
by = [\"g\"] # from sport.toml
holdout = 0.5 # from service.toml

[target]
column = \"y\" # from line.toml
"
    );
    // From anywhere, and through itself.
    assert_eq!(session.ok("cd r/regions && model recipe ../line.toml"), text);
    let without = "sed 's/ # from .*//'";
    session.ok(&format!(
        "model recipe r/line.toml > merged.toml; model recipe merged.toml | {without} > again.txt"
    ));
    assert_eq!(session.ok(&format!("{without} merged.toml")), session.read("again.txt"));
}

#[test]
fn programs_take_a_recipe_that_extends_others() {
    let session = session();
    let rows: String =
        (0..200).map(|i| format!("{},{i},{},{}\n", i / 10, i % 13, (i % 13) * 30 + i % 7)).collect();
    session.file("rows.csv", format!("g,row,x,y\n{rows}"));
    session
        .ok("clean --recipe r/line.toml rows.csv > all.csv && fit --recipe r/line.toml all.csv > model.json");
    // The same model as from the merged recipe in one file.
    session
        .ok("model recipe r/line.toml > merged.toml && fit --recipe merged.toml all.csv | cmp - model.json");
    assert!(session.ok("model show model.json").contains("line_"));
}

#[test]
fn what_is_wrong_in_a_layer_is_named_by_file_and_line() {
    let session = session();
    // A missing file, with the one that names it.
    session
        .run("rm r/sport.toml; model recipe r/line.toml")
        .expect(78)
        .says("r/regions/uk.toml: line 2: [recipe] extends \"../sport.toml\": r/regions/../sport.toml: there is no such file");
    session.file("r/sport.toml", SPORT);
    session.run("model recipe r/none.toml").expect(78).says("r/none.toml: there is no such file");
    session.run("model recipe").expect(2);
    // An unknown key, which is shown all the same.
    session.file("r/service.toml", SERVICE.replace("private", "privat"));
    let ran = session.run("model recipe r/line.toml");
    ran.expect(78).says("r/service.toml: line 6: unknown field `privat`").says("did you mean `private`?");
    assert!(ran.stdout.contains("privat = [\"row\"] # from service.toml\n"), "{ran}");
    // A name that no layer knows.
    session.file("r/service.toml", SERVICE.replace("\"row\"", "\"rows\""));
    session
        .run("model recipe r/line.toml")
        .expect(78)
        .says("r/line.toml: [privacy] private: \"rows\" has no [columns.rows] section; did you mean \"row\"?")
        .says("`model recipe r/line.toml` shows");
    // A table against a value.
    session.file("r/service.toml", SERVICE.replace("[split]\nholdout = 0.5\n", "") + "[columns.x.unit]\n");
    session
        .run("model recipe r/line.toml")
        .expect(78)
        .says("r/service.toml: line 5: \"columns.x.unit\" is a table here, but not one in r/regions/uk.toml: line 4");
    // A circle.
    session.file("r/service.toml", "[recipe]\nextends = [\"./regions/uk.toml\"]\n");
    session.file("r/regions/uk.toml", "[recipe]\nextends = [\"../service.toml\"]\n");
    session
        .run("model recipe r/line.toml")
        .expect(78)
        .says("r/regions/../service.toml: line 2: [recipe] extends")
        .says("r/regions/uk.toml -> r/regions/../service.toml -> ");
    for (tool, input) in [("clean", ""), ("fit", ""), ("holdout", "--held-out h.csv")] {
        session
            .run(&format!("{tool} --recipe r/line.toml {input} < /dev/null"))
            .expect(78)
            .says("[recipe] extends");
    }
}

#[test]
fn golf_s_recipe_is_shown_as_it_is_read() {
    let session = Session::new();
    let recipe = repo().join("scripts/golf/recipe.toml");
    let text = session.ok(&format!("model recipe {}", recipe.display()));
    assert!(text.contains("[registry]\nprefix = \"models/\" # from recipe.toml\n"), "{text}");
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('[')) {
        assert!(line.ends_with(" # from recipe.toml"), "{line}");
    }
    session.run(&format!("model recipe {} > /dev/full", recipe.display())).expect(74);
}
