use std::collections::BTreeMap;

/// The system calls in a log of strace, each with how often the thread that makes most of it makes it: strace counts each call of each
/// thread by itself. (With `-f` a line begins with the thread's number, and a call that others interrupt is two lines.)
pub fn calls(log: &str) -> BTreeMap<String, usize> {
    let mut of_threads: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in log.lines() {
        let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let (thread, call) = line.split_once(' ').filter(|(word, _)| is_number(word)).unwrap_or(("", line));
        if let Some((name, _)) =
            call.trim_start().split_once('(').filter(|(name, _)| !name.contains(['<', '+', ' ']))
        {
            *of_threads.entry((thread, name)).or_insert(0) += 1;
        }
    }
    let mut calls = BTreeMap::new();
    for ((_, name), n) in of_threads {
        let most: &mut usize = calls.entry(name.to_owned()).or_insert(0);
        *most = n.max(*most);
    }
    calls
}
