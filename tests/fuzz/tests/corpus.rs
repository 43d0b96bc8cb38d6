//! What cargo fuzz found worth keeping, asked for again.
#![allow(clippy::print_stdout, reason = "a test says which file it was at")]

use std::path::Path;

fn each(corpus: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(corpus);
    let files = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut count = 0;
    for file in files {
        let path = file.unwrap_or_else(|error| panic!("{error}")).path();
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // Which file it is, should this one end the test.
        println!("{}", path.display());
        check(&bytes);
        count += 1;
    }
    assert!(count > 50, "{}: {count} files", folder.display());
}

#[test]
fn requests() {
    each("request", fuzz::request);
}

#[test]
fn models() {
    each("model", fuzz::model);
}
