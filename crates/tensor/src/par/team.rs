//! A team of threads that share out numbered tasks, fork and join.
//!
//! A training step is some hundred short kernels, one after the other, and waking a thread that sleeps takes
//! longer than many of them. So a member of the team, once awake, watches for the next job for a while before
//! it sleeps; a job that finds the team awake begins on the other threads within a microsecond.
//!
//! A job is published in `state` and lives on its caller's stack: the caller closes it and waits until every
//! member has left before it returns. Each thread has a range of the tasks of its own, the same for every job
//! of as many tasks, so that a core meets again what it has in its cache; who is done helps the others.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How long a member watches for the next job before it sleeps: longer than what lies between two kernels of
/// a training step, short enough not to be felt where there is no next job.
const WATCH: Duration = Duration::from_micros(200);

/// A caller and the threads that help it.
pub(super) struct Team {
    shared: Arc<Shared>,
    members: Vec<JoinHandle<()>>,
    /// Whether a job is running: a second one, from another thread or from within a task, runs alone.
    busy: AtomicBool,
}

struct Shared {
    /// The number of the job, whether it is open, and how many members are at it; see [`State`].
    state: AtomicU64,
    job: UnsafeCell<Option<Job>>,
    /// The next task of each thread's range; the caller's is the first.
    next: Vec<Line<AtomicUsize>>,
    asleep: AtomicUsize,
    closing: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// A cache line of its own, so that threads that count do not disturb each other.
#[repr(align(128))]
struct Line<T>(T);

#[derive(Clone, Copy)]
struct Job {
    work: *const (dyn Fn(usize) + Sync),
    tasks: usize,
}

// SAFETY: `job` is written by the caller alone, while the job is closed and no member is at it, and read by
// members that have entered an open job. What it points to is `Sync` and alive until all have left.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

/// [`Shared::state`]: the number of the last job in the upper half, then whether it is open, then the members
/// that are at it.
struct State;

impl State {
    const OPEN: u64 = 1 << 31;
    const MEMBERS: u64 = State::OPEN - 1;
    const JOB: u64 = 1 << 32;
}

impl Team {
    /// A team of so many threads, the caller included.
    pub(super) fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            next: (0..threads.max(1)).map(|_| Line(AtomicUsize::new(0))).collect(),
            asleep: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let member = |index: usize| {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("retrograd-{index}"));
            // Where the system grants no more threads, those that there are do the work.
            thread.spawn(move || super::alone(|| shared.serve(index))).ok()
        };
        let members = (1..threads).map_while(member).collect();
        Self { shared, members, busy: AtomicBool::new(false) }
    }

    /// How many threads share the work.
    pub(super) fn threads(&self) -> usize {
        self.members.len() + 1
    }

    /// Calls `work` with every number below `tasks`, on all threads of the team, and returns when all calls
    /// have. If some panic, one of the panics goes on here.
    pub(super) fn run(&self, tasks: usize, work: &(dyn Fn(usize) + Sync)) {
        if tasks <= 1 || self.members.is_empty() || self.busy.swap(true, Ordering::Acquire) {
            return (0..tasks).for_each(work);
        }
        let shared = &*self.shared;
        for (thread, next) in shared.next.iter().enumerate() {
            next.0.store(shared.range(thread, tasks).start, Ordering::Relaxed);
        }
        // SAFETY: the last job is closed and its members have left, and `busy` keeps other callers out. The
        // lifetime is hidden from members that all leave before `work` ends.
        unsafe {
            let work = std::mem::transmute::<
                *const (dyn Fn(usize) + Sync + '_),
                *const (dyn Fn(usize) + Sync + 'static),
            >(work);
            *shared.job.get() = Some(Job { work, tasks });
        }
        let job = (shared.state.load(Ordering::Relaxed) & !(State::JOB - 1)).wrapping_add(State::JOB);
        // SeqCst here and in `sleep`: either the caller sees who sleeps, or the sleeper sees the job.
        shared.state.store(job | State::OPEN, Ordering::SeqCst);
        if shared.asleep.load(Ordering::SeqCst) > 0 {
            self.members.iter().map(JoinHandle::thread).for_each(Thread::unpark);
        }
        shared.work_on(0, tasks, work);
        shared.state.fetch_and(!State::OPEN, Ordering::Relaxed);
        wait_until(|| shared.state.load(Ordering::Acquire) & State::MEMBERS == 0);
        let panic = shared.take_panic();
        self.busy.store(false, Ordering::Release);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        for member in self.members.drain(..) {
            member.thread().unpark();
            // A member's panics were handed to its callers.
            let _ = member.join();
        }
    }
}

impl Shared {
    /// The tasks of one thread.
    fn range(&self, thread: usize, tasks: usize) -> std::ops::Range<usize> {
        let threads = self.next.len();
        let start = |thread: usize| thread * (tasks / threads) + thread.min(tasks % threads);
        start(thread)..start(thread + 1)
    }

    /// Does the tasks of its own range, then what the others have left.
    fn work_off(&self, thread: usize, tasks: usize, work: &(dyn Fn(usize) + Sync)) {
        for other in 0..self.next.len() {
            let owner = (thread + other) % self.next.len();
            let (end, next) = (self.range(owner, tasks).end, &self.next[owner].0);
            while next.load(Ordering::Relaxed) < end {
                match next.fetch_add(1, Ordering::Relaxed) {
                    task if task < end => work(task),
                    _ => break,
                }
            }
        }
    }

    /// What a member does until its team is dropped.
    fn serve(&self, thread: usize) {
        let (mut seen, mut idle_since) = (0, Instant::now());
        while !self.closing.load(Ordering::Relaxed) {
            let state = self.state.load(Ordering::Relaxed);
            if state & State::OPEN != 0 && state / State::JOB != seen {
                // Acquire: what the caller wrote of the job is seen by who enters it.
                let entered =
                    self.state.compare_exchange(state, state + 1, Ordering::Acquire, Ordering::Relaxed);
                if entered.is_err() {
                    continue;
                }
                seen = state / State::JOB;
                self.help(thread);
                // Release: what was done happened before the caller sees that all have left.
                self.state.fetch_sub(1, Ordering::Release);
                idle_since = Instant::now();
            } else if pause(idle_since) > WATCH {
                self.sleep(seen);
                idle_since = Instant::now();
            }
        }
    }

    fn help(&self, thread: usize) {
        // SAFETY: this member has entered the job, which the caller wrote before it was opened and keeps alive
        // until the member has left.
        let (tasks, work) = unsafe {
            let Job { tasks, work } = (*self.job.get()).expect("an open job");
            (tasks, &*work)
        };
        self.work_on(thread, tasks, work);
    }

    fn sleep(&self, seen: u64) {
        self.asleep.fetch_add(1, Ordering::SeqCst);
        let state = self.state.load(Ordering::SeqCst);
        let is_new = state & State::OPEN != 0 && state / State::JOB != seen;
        if !is_new && !self.closing.load(Ordering::SeqCst) {
            std::thread::park();
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }

    /// [`work_off`](Self::work_off), the first panic of all threads being kept. What others carry is leaked: to drop it may
    /// panic again, and end this thread before it has left the job.
    fn work_on(&self, thread: usize, tasks: usize, work: &(dyn Fn(usize) + Sync)) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work_off(thread, tasks, work))) else {
            return;
        };
        let mut kept = self.panic.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match *kept {
            None => *kept = Some(panic),
            Some(_) => std::mem::forget(panic),
        }
    }

    fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.panic.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take()
    }
}

/// Waits for the last tasks of the others; gives the core to whoever needs it if that takes long.
fn wait_until(done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        if pause(begin) > WATCH {
            std::thread::yield_now();
        }
    }
}

/// A short rest of the core, and the time since `begin` after it.
fn pause(begin: Instant) -> Duration {
    for _ in 0..4 {
        std::hint::spin_loop();
    }
    begin.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_whoever_does_it() {
        for threads in 1..=4 {
            let team = Team::new(threads);
            for tasks in (0..20).chain([1000]) {
                for _ in 0..50 {
                    let done: Vec<_> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                    team.run(tasks, &|task| {
                        done[task].fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(
                        done.iter().all(|count| count.load(Ordering::Relaxed) == 1),
                        "{threads}, {tasks}"
                    );
                }
            }
        }
    }

    #[test]
    fn members_that_fell_asleep_help_again() {
        let team = Team::new(2);
        for _ in 0..3 {
            std::thread::sleep(4 * WATCH);
            let threads = Mutex::new(std::collections::HashSet::new());
            let begin = Instant::now();
            while threads.lock().unwrap().len() < 2 && begin.elapsed() < Duration::from_secs(10) {
                team.run(64, &|_| {
                    threads.lock().unwrap().insert(std::thread::current().id());
                    std::thread::sleep(Duration::from_micros(50));
                });
            }
            assert_eq!(threads.lock().unwrap().len(), 2);
        }
    }

    #[test]
    fn a_job_within_a_task_and_jobs_of_two_callers_run_alone() {
        let team = Team::new(3);
        let count = AtomicUsize::new(0);
        let job = || {
            team.run(8, &|_| {
                team.run(8, &|_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
            });
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(job);
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 4 * 64);
    }

    #[test]
    fn what_a_panic_carries_may_panic_when_it_is_dropped() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                if !std::thread::panicking() {
                    panic!("dropped");
                }
            }
        }
        let team = Team::new(4);
        for _ in 0..3 {
            let all_at_once = || {
                team.run(4, &|_| {
                    std::thread::sleep(Duration::from_millis(5));
                    std::panic::panic_any(Bomb);
                });
            };
            std::mem::forget(catch_unwind(AssertUnwindSafe(all_at_once)).unwrap_err());
            let done = AtomicUsize::new(0);
            team.run(16, &|_| {
                done.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(done.into_inner(), 16);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_goes_on() {
        let team = Team::new(3);
        for bad in [0, 7, 15] {
            let run = || team.run(16, &|task| assert!(task != bad, "task {task}"));
            let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>().unwrap(), &format!("task {bad}"));
            team.run(16, &|_| {});
        }
        for _ in 0..20 {
            let all = || team.run(16, &|task| panic!("task {task}"));
            assert!(catch_unwind(AssertUnwindSafe(all)).is_err());
            team.run(16, &|_| {});
        }
    }
}
