//! Recipes that are right, and what is said of those that are not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use recipe::Recipe;

const GOOD: &str = r#"
[recipe]
name = "shots"
[keys]
columns = ["game", "player"]
row = ["game", "player"]
[columns.game]
type = "text"
[columns.player]
type = "integer"
from = "dg_id"
[columns.speed]
type = "number"
unit = "mph"
min = 0
max = 300
[columns.carry]
type = "number"
[features]
columns = ["speed"]
[target]
column = "carry"
[split]
by = ["game"]
holdout = 0.2
[[candidates]]
algorithm = "linear"
[[candidates]]
algorithm = "ridge"
alpha = 1.5
"#;

fn refused(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from:?}");
    let failure = GOOD.replacen(from, to, 1).parse::<Recipe>().expect_err(to);
    assert_eq!(failure.kind(), failure::Kind::Config);
    failure.to_string()
}

#[test]
fn a_good_recipe_reads() {
    let recipe: Recipe = GOOD.parse().unwrap();
    assert_eq!(recipe.output_columns(), ["game", "player", "speed", "carry"]);
    assert_eq!(recipe.required_columns(), recipe.output_columns());
}

#[test]
fn only_training_sections_enter_the_training_key() {
    let key = |text: &str| text.parse::<Recipe>().unwrap().training_sections();
    let described = GOOD.replace("name = \"shots\"", "name = \"shots\"\ndescription = \"new words\"");
    assert_eq!(key(GOOD), key(&described));
    assert_eq!(key(GOOD), key(&format!("{GOOD}[registry]\nprefix = \"models/\"\n")));
    assert_eq!(key(GOOD), key(&format!("{GOOD}[privacy]\nstore = []\nprivate = [\"player\"]\n")));
    assert_ne!(key(GOOD), key(&GOOD.replace("alpha = 1.5", "alpha = 1.6")));
    assert_ne!(key(GOOD), key(&GOOD.replace("holdout = 0.2", "holdout = 0.3")));
    assert_ne!(key(GOOD), key(&GOOD.replace("max = 300", "max = 301")));
}

#[test]
fn unknown_names_come_with_a_suggestion() {
    let said = refused("holdout = 0.2", "holdout = 0.2\nsallt = \"x\"");
    assert!(said.contains("line 26") && said.contains("did you mean `salt`?"), "{said}");
    let said = refused("[target]", "[targett]");
    assert!(said.contains("did you mean `target`?"), "{said}");
    let said = refused("columns = [\"speed\"]", "columns = [\"sped\"]");
    assert!(said.contains("did you mean \"speed\"?"), "{said}");
    let said = refused("algorithm = \"ridge\"", "algorithm = \"rigde\"");
    assert!(said.contains("did you mean `ridge`?"), "{said}");
}

#[test]
fn models_live_under_a_prefix_of_the_recipe() {
    let prefix = |text: &str| text.parse::<Recipe>().unwrap().models_prefix();
    assert_eq!(prefix(GOOD), "models/shots/");
    assert_eq!(prefix(&format!("{GOOD}[registry]\nprefix = \"golf/models/\"\n")), "golf/models/");
    for bad in ["models", "", "/", "../models/", "a//b/"] {
        let said = refused("[target]", &format!("[registry]\nprefix = {bad:?}\n[target]"));
        assert!(said.starts_with(&format!("[registry]: prefix {bad:?} ")), "{said}");
    }
}

#[test]
fn what_may_be_kept_is_a_list_of_columns_that_are_not_private() {
    let privacy = |text: &str| format!("{GOOD}[privacy]\n{text}\n").parse::<Recipe>().unwrap().privacy;
    assert_eq!(GOOD.parse::<Recipe>().unwrap().privacy.store, None);
    let said = privacy("store = [\"speed\"]\nprivate = [\"player\"]");
    assert_eq!((said.store, said.private), (Some(vec!["speed".to_owned()]), vec!["player".to_owned()]));
    assert_eq!(privacy("store = []").store, Some(Vec::new()));
    let refused = |text: &str| refused("[target]", &format!("[privacy]\n{text}\n[target]"));
    let said = refused("store = [\"sped\"]");
    assert!(said.contains("[privacy] store: \"sped\"") && said.contains("did you mean \"speed\"?"), "{said}");
    let said = refused("private = [\"plaier\"]");
    assert!(said.contains("[privacy] private: \"plaier\"") && said.contains("\"player\"?"), "{said}");
    assert!(refused("store = [\"speed\", \"speed\"]").contains("twice"));
    assert!(refused("store = [\"speed\"]\nprivate = [\"speed\"]").contains("\"speed\" is private"));
    assert!(refused("stroe = []").contains("did you mean `store`?"));
}

#[test]
fn contradictions_are_refused() {
    assert!(refused("columns = [\"speed\"]", "columns = [\"carry\"]").contains("also a feature"));
    assert!(refused("columns = [\"speed\"]", "columns = [\"player\"]").contains("is a key"));
    assert!(refused("columns = [\"speed\"]", "columns = []").contains("is empty"));
    assert!(refused("by = [\"game\"]", "by = [\"speed\"]").contains("not among [keys] columns"));
    assert!(refused("holdout = 0.2", "holdout = 1.0").contains("holdout 1"));
    assert!(refused("max = 300", "max = -1").contains("not below max"));
    assert!(refused("alpha = 1.5", "alpha = -1.0").contains("alpha -1"));
    assert!(refused("name = \"shots\"", "name = \"Shots/../x\"").contains("lower-case"));
    assert!(refused("type = \"text\"", "type = \"txet\"").contains("did you mean `text`?"));
}
