//! Work on several threads. Sums are split by the shape of the data alone, so that the number of threads never shows
//! in a result.

mod team;

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use crate::{Error, Result};
use team::Team;

/// The team of whoever has none of its own.
static TEAM: OnceLock<Arc<Team>> = OnceLock::new();

thread_local! {
    /// The team that [`with_threads`] gave this thread.
    static OWN: RefCell<Option<Arc<Team>>> = const { RefCell::new(None) };
}

/// Sets how many threads kernels use, for the rest of the process; otherwise there are as many as the
/// environment variable `RAYON_NUM_THREADS` says, or the machine has. Results do not depend on it.
///
/// Kernels called from within a task of rayon's run on that task's thread alone: whoever shares out work at
/// large wants no second division of it.
///
/// # Errors
/// If threads are in use already, or there are to be none or more than 1024.
#[track_caller]
pub fn set_num_threads(threads: usize) -> Result<()> {
    check("set_num_threads", threads)?;
    if TEAM.get().is_some() || TEAM.set(Arc::new(Team::new(threads))).is_err() {
        return Err(Error::new("set_num_threads", "the threads are in use already"));
    }
    Ok(())
}

/// Runs `f` with as many threads for its kernels as `threads` says, whatever the rest of the process uses; they
/// are started before and ended after. Results do not depend on it. With one, kernels run on the calling thread
/// alone, which is what a program wants that divides its work itself.
///
/// # Errors
/// If there are to be no threads or more than 1024.
#[track_caller]
pub fn with_threads<R>(threads: usize, f: impl FnOnce() -> R) -> Result<R> {
    check("with_threads", threads)?;
    Ok(with_team(Arc::new(Team::new(threads)), f))
}

/// Calls `work` with every number below `tasks` on the threads of the kernels, for work at large: what a task calls
/// is not divided again, but a single task's is. Which thread does which task, and when, is not known.
///
/// # Panics
/// If a task does, once all others have ended.
pub fn share_out(tasks: usize, work: impl Fn(usize) + Sync) {
    match threads() {
        threads if threads == 1 || tasks <= 1 => (0..tasks).for_each(work),
        _ => team(|team| alone(|| team.run(tasks, &work))),
    }
}

/// More threads than any machine has; starting them would take minutes.
const MOST_THREADS: usize = 1024;

#[track_caller]
fn check(op: &'static str, threads: usize) -> Result<()> {
    if (1..=MOST_THREADS).contains(&threads) {
        return Ok(());
    }
    Err(Error::new(op, format!("expected 1 to {MOST_THREADS} threads, found {threads}")))
}

/// Runs `f` on a thread that gets no help.
fn alone<R>(f: impl FnOnce() -> R) -> R {
    with_team(Arc::new(Team::new(1)), f)
}

fn with_team<R>(team: Arc<Team>, f: impl FnOnce() -> R) -> R {
    /// Gives the thread back what it had, also if `f` panics.
    struct Restore(Option<Arc<Team>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            OWN.set(self.0.take());
        }
    }
    // A thread that is about to end has none of its own any more, and gets no help.
    let _restore = OWN.try_with(|own| Restore(own.replace(Some(team))));
    f()
}

/// Calls `f` with this thread's team.
fn team<R>(f: impl FnOnce(&Team) -> R) -> R {
    // As above.
    let own = OWN.try_with(|own| own.borrow().clone()).unwrap_or_else(|_| Some(Arc::new(Team::new(1))));
    match own {
        Some(team) => f(&team),
        None => f(TEAM.get_or_init(|| Arc::new(Team::new(default_threads())))),
    }
}

/// What the environment says, if it says a number that can be, or as many as the machine has.
fn default_threads() -> usize {
    let wanted = std::env::var("RAYON_NUM_THREADS").ok().and_then(|threads| threads.parse().ok());
    match wanted {
        Some(threads) if (1..=MOST_THREADS).contains(&threads) => threads,
        _ => std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS),
    }
}

/// How many threads share the work of this one.
pub(crate) fn threads() -> usize {
    match rayon::current_thread_index() {
        Some(_) => 1,
        None => team(Team::threads),
    }
}

/// Elements below which a second thread costs more than it saves: handing it work takes a microsecond or two,
/// in which one core does about this many simple operations.
pub(crate) const GRAIN: usize = 32 * 1024;

/// Calls `work(i, chunk)` for each chunk of `chunk` elements of `out` (the last may be shorter), `i` counting
/// chunks. Runs on the calling thread where there is only one thread or one chunk.
pub(crate) fn chunks<T: Send>(out: &mut [T], chunk: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let chunk = chunk.max(1);
    if out.len() <= chunk || threads() == 1 {
        out.chunks_mut(chunk).enumerate().for_each(|(i, c)| work(i, c));
        return;
    }
    let shared = Shared::new(out);
    team(|team| {
        team.run(shared.len.div_ceil(chunk), &|i| {
            let start = i * chunk;
            // SAFETY: chunks of different numbers have no element in common, and the team does each task once.
            work(i, unsafe { shared.part(start, chunk.min(shared.len - start)) });
        });
    });
}

/// How many of `count` things make a task, each of which costs `cost`: there are as many tasks for every thread, as even
/// as can be, so that a thread meets again what it had in the kernel before, whatever the sizes of the two.
pub(crate) fn each(count: usize, cost: usize) -> usize {
    /// Things below which a task more or less shows.
    const FEW: usize = 4;
    let tasks = count.saturating_mul(cost.max(1)).div_ceil(GRAIN);
    if tasks <= 1 {
        return count.max(1);
    }
    let threads = threads();
    let tasks = if tasks > threads { tasks - tasks % threads } else { tasks };
    match count.div_ceil(tasks) {
        few if few < FEW => 1,
        each => each,
    }
}

/// Calls `work` with every number below `tasks`; several to a thread at once when `cost`, what a task costs, is
/// little.
#[cfg(target_arch = "x86_64")]
pub(crate) fn tasks(tasks: usize, cost: usize, work: impl Fn(usize) + Sync) {
    let each = each(tasks, cost);
    if tasks <= each || threads() == 1 {
        return (0..tasks).for_each(work);
    }
    team(|team| {
        team.run(tasks.div_ceil(each), &|i| (i * each..tasks.min((i + 1) * each)).for_each(&work));
    });
}

/// A slice that is being written in parts by several threads.
pub(crate) struct Shared<'a, T> {
    first: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: a `Shared` hands out parts of an exclusive borrow, which may each go to another thread as `&mut [T]`.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self { first: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// Where `len` elements from `start` on stand, to be written through the pointer by one thread at a time.
    ///
    /// # Panics
    /// If they do not lie in the slice.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn pointer(&self, start: usize, len: usize) -> *mut T {
        assert!(start <= self.len && len <= self.len - start, "a part reaches beyond its slice");
        self.first.wrapping_add(start)
    }

    /// The `len` elements from `start` on.
    ///
    /// # Safety
    /// They lie in the slice, and no other part with one of them is in use.
    #[expect(clippy::mut_from_ref, reason = "the caller promises that parts are disjoint")]
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &mut [T] {
        // SAFETY: the caller's promise, and the exclusive borrow that `self` stands for.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(start), len) }
    }
}

/// As [`chunks`] for rows of `row` elements, of which each costs `cost`, several rows to a task when that is little;
/// `work(first, rows)` gets the number of its first row.
pub(crate) fn rows<T: Send>(out: &mut [T], row: usize, cost: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    /// Elements of a line of the cache, or more.
    const LINE: usize = 16;
    let row = row.max(1);
    let mut each = each(out.len().div_ceil(row), cost);
    if row < LINE && each > LINE {
        each = each.next_multiple_of(LINE);
    }
    chunks(out, row * each, |i, c| work(i * each, c));
}

/// As [`chunks`] for two slices that have as many chunks.
pub(crate) fn chunks2<T: Send, U: Send>(
    (a, each_a): (&mut [T], usize),
    (b, each_b): (&mut [U], usize),
    work: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    let (each_a, each_b) = (each_a.max(1), each_b.max(1));
    let tasks = a.len().div_ceil(each_a);
    assert_eq!(tasks, b.len().div_ceil(each_b), "two slices of different numbers of chunks");
    let (a, b) = (Shared::new(a), Shared::new(b));
    let task = |i: usize| {
        let part = |each: usize, len: usize| (i * each, each.min(len - i * each));
        let ((at_a, len_a), (at_b, len_b)) = (part(each_a, a.len), part(each_b, b.len));
        // SAFETY: parts of different tasks have no element in common, and each task is done once.
        unsafe { work(i, a.part(at_a, len_a), b.part(at_b, len_b)) }
    };
    match threads() {
        1 => (0..tasks).for_each(task),
        _ => team(|team| team.run(tasks, &task)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_as_many_for_every_thread_and_as_even_as_can_be() {
        let shares = |threads: usize, count: usize, cost: usize| {
            let each = with_threads(threads, || each(count, cost)).unwrap();
            (each, count.div_ceil(each))
        };
        assert_eq!(shares(2, 0, 5), (1, 0));
        assert_eq!(shares(2, 100, 10), (100, 1), "too little for a second thread");
        assert_eq!(shares(2, 301_056, 1), (30_106, 10));
        assert_eq!(shares(3, 301_056, 1), (33_451, 9));
        assert_eq!(shares(64, 301_056, 1), (30_106, 10), "fewer tasks than threads");
        assert_eq!(shares(2, 5, GRAIN / 2), (1, 5), "few things, one by one");
        assert_eq!(shares(2, 7, usize::MAX), (1, 7));
    }

    #[test]
    fn kernels_work_while_a_thread_drops_what_it_has_of_its_own() {
        use crate::{Geometry, Sliding, Slot, Tensor};
        struct Last;
        impl Drop for Last {
            fn drop(&mut self) {
                let x = Tensor::<f32>::ones([8, 3, 100, 100]).unwrap();
                let w = Tensor::ones([4, 3, 3, 3]).unwrap();
                let geo = Geometry::convolution("test", x.shape(), w.shape(), 1, Sliding::<2>::default());
                let solve = || geo.unwrap().solve(Slot::Output, [&x, &w]).unwrap();
                assert_eq!(with_threads(2, solve).unwrap().as_slice()[0], 27.0);
                assert_eq!(x.sum([0, 1, 2, 3]).unwrap().item().unwrap(), 240_000.0);
            }
        }
        thread_local!(static LAST: Last = const { Last });
        // Dropped after what kernels keep for a thread, because it was there before.
        let kernels = || {
            LAST.with(|_| ());
            drop(Last);
        };
        std::thread::spawn(kernels).join().unwrap();
    }

    #[test]
    fn a_few_costly_rows_are_a_task_each() {
        let tasks = |rows_of: usize, cost: usize| {
            let count = std::sync::atomic::AtomicUsize::new(0);
            let work = |_, _: &mut [f32]| {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            };
            with_threads(2, || rows(&mut vec![0.0; rows_of], 1, cost, work)).unwrap();
            count.into_inner()
        };
        assert_eq!(tasks(12, 2 * GRAIN), 12);
        assert_eq!(tasks(1000, 1), 1);
        assert_eq!(tasks(2 * GRAIN, 1), 2);
    }
}
