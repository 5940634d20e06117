//! Work on several threads, split by the shape of the data alone, so that the number of threads never shows in
//! a result.

use rayon::prelude::*;

use crate::{Error, Result};

/// Sets how many threads kernels use, for the rest of the process; otherwise there are as many as the
/// environment variable `RAYON_NUM_THREADS` says, or the machine has. Results do not depend on it.
///
/// # Errors
/// If threads are in use already, or there are to be none or more than 1024.
#[track_caller]
pub fn set_num_threads(threads: usize) -> Result<()> {
    if !(1..=MOST_THREADS).contains(&threads) {
        let fact = format!("expected 1 to {MOST_THREADS} threads, found {threads}");
        return Err(Error::new("set_num_threads", fact));
    }
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        Ok(()) => Ok(()),
        Err(error) => Err(Error::new("set_num_threads", error.to_string())),
    }
}

/// More threads than any machine has; starting them would take minutes.
const MOST_THREADS: usize = 1024;

/// Elements below which a second thread costs more than it saves: waking one takes some 10 µs, in which one
/// core does about this many simple operations.
pub(crate) const GRAIN: usize = 32 * 1024;

/// What is to be done with a chunk, given its number.
type Work<'a, T> = dyn Fn(usize, &mut [T]) + Sync + 'a;

/// Calls `work(i, chunk)` for each chunk of `chunk` elements of `out` (the last may be shorter), `i` counting
/// chunks. Runs on the calling thread where there is only one thread or one chunk.
pub(crate) fn chunks<T: Send>(out: &mut [T], chunk: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let chunk = chunk.max(1);
    if out.len() <= chunk || rayon::current_num_threads() == 1 {
        out.chunks_mut(chunk).enumerate().for_each(|(i, c)| work(i, c));
    } else {
        on_threads(out, chunk, &work);
    }
}

/// Compiled once for an element type rather than once for a closure: rayon's machinery is large, and a
/// program that trains a small network would compile it some sixty times.
#[inline(never)]
fn on_threads<T: Send>(out: &mut [T], chunk: usize, work: &Work<'_, T>) {
    out.par_chunks_mut(chunk).enumerate().for_each(|(i, c)| work(i, c));
}

/// As [`chunks`] for rows of `row` elements, several rows to a task when rows are short; `work(first, rows)`
/// gets the number of its first row.
pub(crate) fn rows<T: Send>(out: &mut [T], row: usize, cost: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let each = (GRAIN / cost.max(1)).max(1);
    chunks(out, row.max(1) * each, |i, c| work(i * each, c));
}
