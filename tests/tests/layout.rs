//! Which crate may link what: rules that the Cargo.toml files prove.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use pipelines::repo;

/// Every crate that a package's programs link, by name.
fn linked(package: &str, options: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["-p", package])
        .args(options)
        .current_dir(repo())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    String::from_utf8(output.stdout).unwrap().lines().map(name).collect()
}

fn links(package: &str, crates: &[&str]) -> Vec<String> {
    links_with(package, &[], crates)
}

/// The crates of these names, or of names that start so, which a package links when it is built with options.
fn links_with(package: &str, options: &[&str], crates: &[&str]) -> Vec<String> {
    linked(package, options)
        .into_iter()
        .filter(|name| {
            crates.iter().any(|banned| name == banned || (banned.ends_with('-') && name.starts_with(banned)))
        })
        .collect()
}

const HTTP: [&str; 6] = ["reqwest", "hyper", "axum", "tiny_http", "tokio", "rustls"];
const SQL: [&str; 4] = ["rusqlite", "libsqlite3-sys", "mysql", "db"];
const S3: [&str; 2] = ["aws-", "store"];

#[test]
fn filters_link_no_http_sql_or_object_store() {
    for filter in [
        "clean",
        "features",
        "holdout",
        "fit",
        "predict",
        "score",
        "backtest",
        "score-grid",
        "drift",
        "model",
        "web-extract",
    ] {
        let banned = [&HTTP[..], &SQL[..], &S3[..]].concat();
        assert_eq!(links(filter, &banned), [""; 0], "{filter}");
    }
    // The rule can fail: these are what it looks for.
    assert!(
        !links("dg-fetch", &HTTP).is_empty()
            && !links("db-load", &SQL).is_empty()
            && !links("bucket", &S3).is_empty()
    );
}

/// The name of the package that a Cargo.toml describes, which is not always its folder's.
fn package(manifest: &str) -> String {
    let text = read(manifest);
    let name = text.lines().find_map(|line| line.strip_prefix("name = \""));
    name.unwrap().trim_end_matches('"').to_owned()
}

/// A library answers with an error; only a program has a command line.
#[test]
fn libraries_and_functions_link_no_argument_parser() {
    let parser = ["clap", "clap_mangen", "clap_complete", "indicatif", "cli"];
    for path in files("Cargo.toml")
        .iter()
        .filter(|path| path.starts_with("tools/lib/") || path.starts_with("lambda-wrappers/"))
    {
        let name = package(path);
        if name != "cli" {
            assert_eq!(links(&name, &parser), [""; 0], "{name}");
        }
    }
    assert!(!links("clean", &parser).is_empty() && !links("predictd", &parser).is_empty());
    assert_eq!(linked("failure", &[]), ["failure"], "the error crate depends on nothing");
}

#[test]
fn one_door_to_each_outside() {
    for tool in ["db-load", "db-query", "bucket", "registry", "predictd"] {
        assert_eq!(links(tool, &["reqwest", "wire"][..1]), [""; 0], "{tool}: only dg-fetch calls DataGolf");
        assert_eq!(links(tool, &["aws-"]), [""; 0], "{tool}: the quick start compiles no AWS SDK");
    }
    for tool in ["dg-fetch", "web-fetch", "bucket", "registry", "predictd"] {
        assert_eq!(links(tool, &SQL), [""; 0], "{tool}: only db knows SQL");
    }
    for tool in ["db-load", "db-query"] {
        assert_eq!(links(tool, &S3), [""; 0], "{tool}: db-export alone knows a database and a bucket");
    }
    assert!(!links("db-export", &SQL).is_empty() && !links("db-export", &S3).is_empty());
}

#[test]
fn functions_are_thin() {
    // What they do is in the programs that their scripts start; the one that scores itself is predictd without sockets.
    let work = [&SQL[..], &["store", "aws-sdk-s3", "smartcore", "nalgebra", "rows", "wire"]].concat();
    for function in ["get_new_eventlist_events", "train_model", "ec2_switch"] {
        assert_eq!(links(function, &work), [""; 0], "{function}");
    }
    assert!(!links("predict_function", &["predictd"]).is_empty());
    assert_eq!(links("predict_function", &["aws-sdk-s3", "reqwest", "amazon"]), [""; 0]);
    assert_eq!(links("train_model", &HTTP[..1]), [""; 0], "it asks nobody itself");
    let lines = |path: &str| read(path).lines().count();
    for path in files(".rs").iter().filter(|path| path.starts_with("lambda-wrappers/")) {
        assert!(lines(path) < 250, "{path} is not thin");
    }
}

#[test]
fn only_the_users_of_buckets_link_s3_and_only_when_asked() {
    let with_s3 = ["--features", "s3"];
    let users = ["store", "bucket", "registry", "predictd", "db-export", "web-fetch"];
    for user in users {
        assert_eq!(links(user, &["aws-"]), [""; 0], "{user}");
        assert!(!links_with(user, &with_s3, &["aws-sdk-s3"]).is_empty(), "{user}");
    }
    // Who else has the feature, or a dependency that has it on.
    let manifests = files("Cargo.toml");
    for path in manifests.iter().filter(|path| path.starts_with("tools/") || path.starts_with("fixtures/")) {
        let name = path.trim_end_matches("/Cargo.toml").rsplit('/').next().unwrap();
        let text = read(path);
        assert_eq!(text.contains("s3 = ["), users.contains(&name), "{path}");
        assert_eq!(text.contains("aws-"), name == "store", "{path}: only store knows S3");
    }
    for tool in [
        "clean",
        "holdout",
        "fit",
        "predict",
        "score",
        "backtest",
        "score-grid",
        "drift",
        "model",
        "dg-fetch",
        "web-extract",
        "db-load",
        "db-query",
    ] {
        assert_eq!(links(tool, &["aws-"]), [""; 0], "{tool}");
    }
}

fn files(extension: &str) -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", &format!("*{extension}")])
        .current_dir(repo())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repo().join(path)).unwrap()
}

#[test]
fn recipes_and_schemas_do_no_io() {
    let crates = [
        "tools/lib/recipe/src",
        "tools/lib/schema/src",
        "tools/lib/sources/src",
        "tools/lib/raw_answers/src",
    ];
    for path in files(".rs").iter().filter(|path| crates.iter().any(|of| path.starts_with(of))) {
        for word in ["std::fs", "std::io", "std::net", "std::process", "read_text"] {
            assert!(!read(path).contains(word), "{path} uses {word}");
        }
    }
}

#[test]
fn golf_stays_in_dg_fetch_and_its_recipe() {
    let words = ["datagolf", "sg_t2g", "strokes", "prox_rgh"];
    for path in files(".rs").iter().filter(|path| path.starts_with("tools/") && path.contains("/src/")) {
        if path.starts_with("tools/dg-fetch/") {
            continue;
        }
        let code = code_of(path);
        for word in words {
            assert!(!code.contains(word), "{path} knows {word}");
        }
    }
}

/// A file's code in small letters, without comments and without its tests.
fn code_of(path: &str) -> String {
    let lines: Vec<String> = read(path)
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(str::to_lowercase)
        .collect();
    lines.join("\n").split("#[cfg(test)]").next().unwrap().to_owned()
}

/// The page that says what there is says all of it.
#[test]
fn the_page_of_the_tools_lists_every_program_and_crate() {
    let page = read("tools/README.md");
    for path in files("Cargo.toml").iter().filter(|path| path.starts_with("tools/")) {
        let folder = path.trim_end_matches("/Cargo.toml").trim_start_matches("tools/");
        let row = match folder.strip_prefix("lib/") {
            Some(name) => format!("\n| `{name}` |"),
            None => format!("\n| [`{folder}`]({folder}/README.md) |"),
        };
        assert!(page.contains(&row), "tools/README.md has no row {row:?}");
    }
}

/// What golf calls its things: the state of every system goes through these crates.
#[test]
fn the_state_knows_no_sport() {
    let words = ["event", "round", "tour", "season", "player", "dg_id", "calendar_year"];
    let crates = ["lib/schema", "lib/wire", "lib/db", "db-load", "db-query", "db-export", "lib/recipe"];
    let mut read = 0;
    for path in files(".rs") {
        if !crates.iter().any(|of| path.starts_with(&format!("tools/{of}/src/"))) {
            continue;
        }
        read += 1;
        let code = code_of(&path);
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for found in code.split(|c: char| !is_part(c)) {
            assert!(!words.contains(&found) && !found.starts_with("sg_"), "{path} knows {found}");
        }
    }
    assert!(read > 50, "{read} files");
}

/// A name that is taken starts another program, or none.
#[test]
fn programs_have_names_of_their_own() {
    let output = Command::new("bash").args(["-c", "compgen -b -k"]).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(words.lines().any(|word| word == "export"), "{words}");
    let programs: Vec<String> = files("Cargo.toml")
        .iter()
        .filter(|path| path.starts_with("tools/") && !path.starts_with("tools/lib/"))
        .map(|path| path.trim_end_matches("/Cargo.toml").rsplit('/').next().unwrap().to_owned())
        .collect();
    assert!(programs.len() >= 14, "{programs:?}");
    for program in programs {
        assert!(!words.lines().any(|word| word == program), "{program} is a word of the shell");
        let found = Command::new("bash")
            .args(["-c", &format!("PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin command -v {program}")])
            .output()
            .unwrap();
        assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
    }
}

#[test]
fn the_top_level_is_what_the_user_asked_for() {
    let output =
        Command::new("git").args(["ls-tree", "--name-only", "HEAD"]).current_dir(repo()).output().unwrap();
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "tools",
        "lambda-wrappers",
        "scripts",
        "fixtures",
        "tests",
    ];
    for name in String::from_utf8(output.stdout).unwrap().lines() {
        assert!(name.starts_with('.') || allowed.contains(&name), "{name} at the top level");
    }
}

#[test]
fn crates_are_nouns_with_a_readme() {
    for path in files("Cargo.toml").iter().filter(|path| path.starts_with("tools/")) {
        let folder = path.trim_end_matches("/Cargo.toml");
        let name = folder.rsplit('/').next().unwrap();
        assert!(!["common", "util", "utils", "core", "shared", "helpers", "misc"].contains(&name), "{name}");
        assert!(repo().join(folder).join("README.md").exists(), "{folder} has no README");
    }
}

/// The modules of predictd by their paths, each with its text up to its unit tests.
fn modules_of_predictd() -> BTreeMap<String, String> {
    let sources = files(".rs").into_iter().filter_map(|path| {
        let name = path.strip_prefix("tools/predictd/src/")?.strip_suffix(".rs")?;
        let name = name.strip_suffix("/mod").unwrap_or(name).replace('/', "::");
        let text = read(&path);
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
        Some((if name == "lib" { String::new() } else { name }, code))
    });
    sources.filter(|(name, _)| name != "main").collect()
}

/// Every path that a module names from its crate on, those of a `use` with braces one by one.
fn crate_paths(code: &str) -> Vec<String> {
    fn read_tree(rest: &mut &str, before: &str, found: &mut Vec<String>) {
        *rest = rest.trim_start();
        if let Some(inner) = rest.strip_prefix('{') {
            *rest = inner;
            loop {
                *rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
                match rest.strip_prefix('}') {
                    Some(after) => return *rest = after,
                    None if rest.is_empty() => return,
                    None => read_tree(rest, before, found),
                }
            }
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end.max(usize::from(end == 0 && !rest.is_empty())));
        *rest = after;
        let path = if before.is_empty() { word.to_owned() } else { format!("{before}::{word}") };
        match after.strip_prefix("::") {
            Some(after) => {
                *rest = after;
                read_tree(rest, &path, found);
            }
            None => found.push(path),
        }
    }
    let mut found = Vec::new();
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    for mut rest in code.join("\n").split("crate::").skip(1) {
        read_tree(&mut rest, "", &mut found);
    }
    found
}

/// Which modules each module imports; what stands in no other module stands in the root, whose name is empty.
fn imports(modules: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let module_of = |path: &str| {
        let mut name = path;
        while !modules.contains_key(name) {
            name = name.rsplit_once("::").map_or("", |(before, _)| before);
        }
        name.to_owned()
    };
    let of = |(name, code): (&String, &String)| {
        let paths = crate_paths(code);
        let imported = paths.iter().map(|path| module_of(path)).filter(|other| other != name);
        (name.clone(), imported.collect())
    };
    modules.iter().map(of).collect()
}

/// The modules that are left when those are taken away, again and again, that import none that is left, or that none
/// that is left imports.
fn circles(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut left = imports.clone();
    loop {
        let is_free = |name: &String| {
            let imports_none = !left[name].iter().any(|module| left.contains_key(module));
            imports_none || !left.values().any(|imported| imported.contains(name))
        };
        let free: Vec<String> = left.keys().filter(|name| is_free(name)).cloned().collect();
        if free.is_empty() {
            return left.into_keys().collect();
        }
        free.iter().for_each(|name| drop(left.remove(name)));
    }
}

#[test]
fn the_modules_of_predictd_import_downwards_and_in_no_circle() {
    let modules = modules_of_predictd();
    let imports = imports(&modules);
    assert_eq!(circles(&imports), [""; 0]);
    let floors = ["cli", "http", "api", "scoring", "models", "telemetry"];
    let floor = |module: &str| {
        let folder = module.split("::").next();
        floors
            .iter()
            .position(|name| folder == Some(name))
            .unwrap_or_else(|| panic!("{module}: which floor?"))
    };
    let mut arrows = 0;
    for (module, imported) in imports.iter().filter(|(module, _)| !module.is_empty()) {
        for other in imported {
            assert!(floor(module) <= floor(other), "{module} imports {other}, which stands above it");
            arrows += 1;
        }
        assert!(
            !modules[module].contains("super::{") && !modules[module].contains("use super::"),
            "{module}"
        );
    }
    assert!(arrows > 50, "{arrows}");
}

#[test]
fn a_circle_of_imports_is_found() {
    let modules = |texts: [(&str, &str); 4]| {
        texts.map(|(name, code)| (name.to_owned(), code.to_owned())).into_iter().collect()
    };
    let core = "use crate::{\n    problem::{self, problem},\n    table,\n};\nmod x;\n";
    let told = "fn a() { crate::core::Response::new() }";
    let round =
        modules([("", "pub use crate::core::handle;"), ("core", core), ("problem", told), ("table", "")]);
    assert_eq!(crate_paths(core), ["problem::self", "problem::problem", "table"]);
    assert_eq!(circles(&imports(&round)), ["core", "problem"]);
    let said = "//! Not crate::core::Response.\nuse std::fmt;\n";
    let straight =
        modules([("", "pub use crate::core::handle;"), ("core", core), ("problem", said), ("table", "")]);
    assert_eq!(circles(&imports(&straight)), [""; 0]);
    // What the root gives away again is the root's.
    let back = modules([
        ("", "pub use crate::core::handle;"),
        ("core", core),
        ("problem", ""),
        ("table", "use crate::handle;"),
    ]);
    assert_eq!(circles(&imports(&back)), ["", "core", "table"]);
}

#[test]
fn what_predictd_answers_knows_no_transport() {
    let names = |folder: &str, word: &str| {
        let folder = format!("tools/predictd/src/{folder}/");
        let sources: Vec<String> =
            files(".rs").into_iter().filter(|path| path.starts_with(&folder)).collect();
        assert!(!sources.is_empty(), "{folder} is empty");
        sources.into_iter().filter(|path| read(path).contains(word)).collect::<Vec<_>>()
    };
    for word in ["tokio", "hyper", "axum"] {
        for folder in ["api", "scoring"] {
            assert_eq!(names(folder, word), [""; 0], "{word}");
        }
        assert!(!names("http", word).is_empty(), "the rule looks for nothing: {word}");
    }
}
