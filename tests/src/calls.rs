use std::collections::{BTreeMap, BTreeSet};

/// The system calls in a log of strace, each with how often the thread that makes most of it makes it: strace
/// counts each call of each thread by itself.
pub fn calls(log: &str) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for call in numbered(log) {
        let most: &mut usize = calls.entry(call.name.to_owned()).or_insert(0);
        *most = call.nth.max(*most);
    }
    calls
}

/// The system calls in a log of strace that change something: each with which one of its name it is in its
/// thread. Of the files that are opened only those that are made count, with the numbers that strace gives
/// them among all.
pub fn changes(log: &str) -> BTreeSet<(String, usize)> {
    let changes =
        numbered(log).into_iter().filter(|call| call.name != "openat" || call.rest.contains("O_CREAT"));
    changes.map(|call| (call.name.to_owned(), call.nth)).collect()
}

struct Call<'a> {
    name: &'a str,
    /// Which one of its name it is in its thread.
    nth: usize,
    rest: &'a str,
}

/// (With `-f` a line begins with the thread's number, and a call that others interrupt is two lines.)
fn numbered(log: &str) -> Vec<Call<'_>> {
    let mut of_threads: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut numbered = Vec::new();
    for line in log.lines() {
        let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let (thread, call) = line.split_once(' ').filter(|(word, _)| is_number(word)).unwrap_or(("", line));
        if let Some((name, rest)) =
            call.trim_start().split_once('(').filter(|(name, _)| !name.contains(['<', '+', ' ']))
        {
            let nth = of_threads.entry((thread, name)).or_insert(0);
            *nth += 1;
            numbered.push(Call { name, nth: *nth, rest });
        }
    }
    numbered
}

#[test]
fn calls_are_numbered_by_thread_and_name() {
    let log = "12 openat(AT_FDCWD, \"a\", O_RDONLY) = 3\n\
               12 openat(AT_FDCWD, \"b\", O_RDWR|O_CREAT|O_EXCL, 0666) = 4\n\
               12 write(4, \"x\", 1 <unfinished ...>\n\
               13 write(1, \"y\", 1) = 1\n\
               12 <... write resumed>) = 1\n\
               13 write(1, \"z\", 1) = 1\n\
               12 +++ exited with 0 +++\n";
    let found = |name: &str, nth: usize| (name.to_owned(), nth);
    assert_eq!(calls(log), BTreeMap::from([found("openat", 2), found("write", 2)]));
    assert_eq!(changes(log), BTreeSet::from([found("openat", 2), found("write", 1), found("write", 2)]));
}
