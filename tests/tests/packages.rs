//! The functions' packages: what is in them, and that Lambda's runtime interface starts them as they come out of their
//! zips.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use pipelines::{bin_dir, repo};
use servers::Emulator;

/// What Lambda takes is 50 MB; a package that grows past about half of it is looked at first. (The zone database is in
/// every program that reads recipes.)
const LARGEST_BYTES: u64 = 26_000_000;

fn package(arguments: &[&str], path: Option<&Path>) -> Output {
    let mut command = Command::new(repo().join("scripts/aws/package"));
    command.args(arguments);
    if let Some(path) = path {
        command.env("PATH", format!("{}:{}", path.display(), std::env::var("PATH").unwrap()));
    }
    command.output().unwrap()
}

/// Unpacks as Lambda does, modes and all, and gives the names.
fn unpack(zip: &Path, folder: &Path) -> Vec<String> {
    const UNPACK: &str = "import os, sys, zipfile\n\
        for entry in zipfile.ZipFile(sys.argv[1]).infolist():\n    \
            path = zipfile.ZipFile(sys.argv[1]).extract(entry, sys.argv[2])\n    \
            os.chmod(path, entry.external_attr >> 16)\n    \
            print(entry.filename)";
    let output = Command::new("python3").args(["-c", UNPACK]).arg(zip).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn each_zip_holds_what_its_function_needs_and_starts() {
    let dir = tempfile::tempdir_in(bin_dir()).unwrap();
    let (out, programs) = (dir.path().display().to_string(), bin_dir().display().to_string());
    let packed = package(&["--programs", &programs, "--out", &out], None);
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    let said = String::from_utf8_lossy(&packed.stdout).into_owned();
    let architecture = said.split_whitespace().next().unwrap();
    let expected = [
        (
            "get_new_eventlist_events",
            "bin/db-export bin/db-load bin/db-query bin/dg-fetch bootstrap pipeline/probe pipeline/recipe.toml \
             pipeline/refresh pipeline/schema.toml pipeline/setup stages.sh",
        ),
        (
            "train_model",
            "bin/bucket bin/fit bin/holdout bin/model bin/registry bootstrap pipeline/recipe.toml pipeline/schema.toml \
             pipeline/train stages.sh worker",
        ),
        ("predict", "bootstrap"),
        ("ec2_switch", "bootstrap"),
    ];
    for (function, files) in expected {
        let zip = dir.path().join(architecture).join(format!("{function}.zip"));
        let size_bytes = zip.metadata().unwrap().len();
        assert!(size_bytes < LARGEST_BYTES, "{function}: {size_bytes}");
        let folder = dir.path().join(function);
        let mut names = unpack(&zip, &folder);
        names.sort();
        assert_eq!(names.join(" "), files, "{function}");
        for name in names.iter().filter(|name| !name.ends_with(".toml") && !name.ends_with(".sh")) {
            let mode = folder.join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o111, 0o111, "{function}: {name}");
        }
        // An event that none of them takes is answered, or refused, by the function itself.
        let invoked = Emulator::start(&folder, function, Duration::from_secs(60), &[]).invoke("[]");
        assert!(
            invoked.body.contains("\"exit\":") || invoked.body.contains("no request of API"),
            "{}",
            invoked.body
        );
    }
}

#[test]
fn a_program_that_amazon_linux_cannot_run_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let readelf = dir.path().join("readelf");
    fs::write(&readelf, "#!/bin/sh\necho '0x0040: Name: GLIBC_2.34'; echo '0x0050: Name: GLIBC_2.39'\n")
        .unwrap();
    fs::set_permissions(&readelf, fs::Permissions::from_mode(0o755)).unwrap();
    let programs = bin_dir().display().to_string();
    let out = dir.path().display().to_string();
    let refused = package(&["--programs", &programs, "--out", &out], Some(dir.path()));
    assert_eq!(refused.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("needs GLIBC_2.39"), "{refused:?}");
    for (arguments, code) in [
        (&["--arch", "mips"][..], 2),
        (&["--recipe", "cricket"], 78),
        (&["--nonsense"], 2),
        (&["--arch"], 2),
        (&["--programs", "/nowhere"], 74),
    ] {
        let refused = package(arguments, None);
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {refused:?}");
    }
}
