#![doc = include_str!("../README.md")]

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

static STDIN: AtomicBool = AtomicBool::new(false);
static STDOUT: AtomicBool = AtomicBool::new(false);

/// Whether standard input was closed when the program began.
pub fn stdin() -> bool {
    STDIN.load(Ordering::Relaxed)
}

/// Whether standard output was closed when the program began.
pub fn stdout() -> bool {
    STDOUT.load(Ordering::Relaxed)
}

#[cfg(target_os = "linux")]
#[used]
#[expect(
    unsafe_code,
    reason = "the C library calls it once, on the only thread, and it makes two system calls"
)]
#[unsafe(link_section = ".init_array")]
static BEFORE_THE_RUNTIME: extern "C" fn() = look;

#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nothing calls it there"))]
extern "C" fn look() {
    STDIN.store(is_closed(rustix::stdio::stdin()), Ordering::Relaxed);
    STDOUT.store(is_closed(rustix::stdio::stdout()), Ordering::Relaxed);
}

fn is_closed(stream: BorrowedFd<'_>) -> bool {
    rustix::io::fcntl_getfd(stream) == Err(rustix::io::Errno::BADF)
}
