#![doc = include_str!("../README.md")]

use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

use failure::{IoContext, Outcome};

/// Takes jobs from `next`, does `work` on them on as many threads as there are cores, and hands the results to `take`
/// in the order of the jobs.
///
/// Jobs are dealt out like cards, one to each worker in turn, and the results are picked up in the same turns: a slow
/// worker is waited for, so at most three jobs a worker are under way. When `take` fails, this returns at once; the
/// threads end when their input does, or the program.
pub fn in_order<T: Send + 'static, D: Send + 'static>(
    mut next: impl FnMut() -> Outcome<Option<T>> + Send + 'static,
    work: impl Fn(T) -> D + Send + Sync + 'static,
    mut take: impl FnMut(D) -> Outcome,
) -> Outcome {
    if workers() == 1 {
        while let Some(job) = next()? {
            take(work(job))?;
        }
        return Ok(());
    }
    relayed(Builder::new, workers(), next, work, take)
}

/// The same on threads with a stack of so many bytes each, for work that calls itself: on as many as the system gives
/// address space for. Where it gives none that, they have [`SHALLOW`].
pub fn in_order_deep<T: Send + 'static, D: Send + 'static>(
    stack: usize,
    next: impl FnMut() -> Outcome<Option<T>> + Send + 'static,
    work: impl Fn(T) -> D + Send + Sync + 'static,
    take: impl FnMut(D) -> Outcome,
) -> Outcome {
    match deep_threads(stack, workers()) {
        0 => relayed(|| Builder::new().stack_size(SHALLOW), workers(), next, work, take),
        workers => relayed(|| Builder::new().stack_size(stack), workers, next, work, take),
    }
}

/// How many threads with so large a stack there can be at the same time, up to `most`.
fn deep_threads(stack: usize, most: usize) -> usize {
    let (open, wait) = sync_channel::<()>(0);
    let wait = Arc::new(Mutex::new(wait));
    let mut threads = Vec::new();
    for _ in 0..most {
        let wait = Arc::clone(&wait);
        // Each stays until all were tried.
        let body = move || drop(wait.lock().map(|wait| wait.recv()));
        match Builder::new().stack_size(stack).spawn(body) {
            Ok(thread) => threads.push(thread),
            Err(_) => break,
        }
    }
    drop(open);
    let n = threads.len();
    threads.into_iter().for_each(join);
    n
}

/// The stack of a thread that can have no deep one, in bytes.
pub const SHALLOW: usize = 16 << 20;

/// More workers than four would wait for the one thread that reads.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
}

fn relayed<T: Send + 'static, D: Send + 'static>(
    worker: impl Fn() -> Builder,
    workers: usize,
    mut next: impl FnMut() -> Outcome<Option<T>> + Send + 'static,
    work: impl Fn(T) -> D + Send + Sync + 'static,
    mut take: impl FnMut(D) -> Outcome,
) -> Outcome {
    let work = Arc::new(work);
    let (mut desks, mut turns) = (Vec::new(), Vec::new());
    for _ in 0..workers {
        let (desk, jobs) = sync_channel::<Outcome<T>>(1);
        let (done, results) = sync_channel::<Outcome<D>>(1);
        let work = Arc::clone(&work);
        let worker = spawn(worker().name("worker".to_owned()), move || {
            // Nobody waits for results any more when one cannot be sent.
            let _ = jobs.into_iter().try_for_each(|job| done.send(job.map(|job| work(job))));
        })?;
        desks.push(desk);
        turns.push((results, worker));
    }
    let dealer = spawn(Builder::new().name("reader".to_owned()), move || {
        for desk in desks.iter().cycle() {
            let Some(job) = next().transpose() else { break };
            if desk.send(job).is_err() {
                break;
            }
        }
    })?;

    let mut turn = 0;
    while let Ok(result) = turns[turn % workers].0.recv() {
        take(result?)?;
        turn += 1;
    }
    // This worker has no more: it is the end of the input, unless a thread broke down.
    join(turns.swap_remove(turn % workers).1);
    join(dealer);
    Ok(())
}

fn spawn(thread: Builder, body: impl FnOnce() + Send + 'static) -> Outcome<JoinHandle<()>> {
    thread.spawn(body).place("starting a thread")
}

fn join(thread: JoinHandle<()>) {
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use failure::Failure;
    use std::time::Duration;

    fn up_to(end: u32) -> impl FnMut() -> Outcome<Option<u32>> {
        let mut numbers = 0..end;
        move || Ok(numbers.next())
    }

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let mut taken = Vec::new();
        let work = |n: u32| {
            std::thread::sleep(Duration::from_micros(u64::from(n % 7) * 100));
            n
        };
        in_order(up_to(500), work, |n| {
            taken.push(n);
            Ok(())
        })
        .unwrap();
        assert!(taken.into_iter().eq(0..500));
    }

    #[test]
    fn a_failure_to_read_comes_after_what_was_read() {
        let mut taken = 0;
        let mut numbers = up_to(9);
        let next = move || numbers()?.map(Some).ok_or_else(|| Failure::data("cut"));
        let failure = in_order(
            next,
            |n| n,
            |_| {
                taken += 1;
                Ok(())
            },
        );
        assert_eq!(failure.unwrap_err().to_string(), "cut");
        assert_eq!(taken, 9);
    }

    #[test]
    fn a_failure_to_take_does_not_wait_for_more_input() {
        let mut first = Some(1);
        let next = move || {
            if first.is_none() {
                std::thread::park(); // like a read from somebody who writes no more
            }
            Ok(first.take())
        };
        let failure = in_order(next, |n| n, |_: u32| Err(Failure::no("full")));
        assert_eq!(failure.unwrap_err().to_string(), "full");
    }

    #[test]
    #[should_panic(expected = "broken")]
    fn a_worker_that_breaks_down_is_no_end_of_the_input() {
        let work = |n: u32| assert!(n != 20, "broken");
        let _ = in_order(up_to(50), work, |()| Ok(()));
    }
}
