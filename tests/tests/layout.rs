//! Which crate may link what: rules that the Cargo.toml files prove.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

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
    for filter in ["clean", "split", "fit", "predict", "score", "drift", "model"] {
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

#[test]
fn one_door_to_each_outside() {
    for tool in ["db-load", "db-query", "bucket", "registry", "predictd"] {
        assert_eq!(links(tool, &["reqwest", "wire"][..1]), [""; 0], "{tool}: only dg-fetch calls DataGolf");
        assert_eq!(links(tool, &["aws-"]), [""; 0], "{tool}: the quick start compiles no AWS SDK");
    }
    for tool in ["dg-fetch", "bucket", "registry", "predictd"] {
        assert_eq!(links(tool, &SQL), [""; 0], "{tool}: only db knows SQL");
    }
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
    let users = ["store", "bucket", "registry", "predictd"];
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
    for tool in
        ["clean", "split", "fit", "predict", "score", "drift", "model", "dg-fetch", "db-load", "db-query"]
    {
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
fn the_recipe_crate_does_no_io() {
    for path in files(".rs").iter().filter(|path| path.starts_with("tools/lib/recipe/src")) {
        for word in ["std::fs", "std::io", "std::net", "std::process", "read_text"] {
            assert!(!read(path).contains(word), "{path} uses {word}");
        }
    }
}

#[test]
fn golf_stays_in_dg_fetch_and_its_recipe() {
    let words = ["datagolf", "sg_t2g", "strokes", "prox_rgh"];
    for path in files(".rs").iter().filter(|path| path.starts_with("tools/") && path.contains("/src/")) {
        // The wire record is the contract that dg-fetch writes and db-load reads; its columns stand there once.
        if path.starts_with("tools/dg-fetch/") || path == "tools/lib/wire/src/columns.rs" {
            continue;
        }
        let code: String = read(path)
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        let code = code.split("#[cfg(test)]").next().unwrap().to_lowercase();
        for word in words {
            assert!(!code.contains(word), "{path} knows {word}");
        }
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
