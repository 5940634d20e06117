//! Sums over parts of a batch, computed at the same time and then added in order.

use crate::par;
#[cfg(target_arch = "x86_64")]
use crate::simd::{self, Level, MOST_LANES, Vector, Vectorised};

/// Elements of a task.
const CHUNK: usize = par::GRAIN / 8;

/// w = the sum of the parts that follow each other in `partial`.
pub(super) fn add_parts<T: crate::Float>(partial: &[T], w: &mut [T]) {
    let len = w.len();
    par::chunks(w, CHUNK, |i, w| {
        w.copy_from_slice(&partial[i * CHUNK..][..w.len()]);
        for part in partial.chunks_exact(len).skip(1) {
            w.iter_mut().zip(&part[i * CHUNK..]).for_each(|(w, &p)| *w += p);
        }
    });
}

/// As [`add_parts`] where an element of a part is a vector, whose lanes are added up in the end; each costs `cost`.
#[cfg(target_arch = "x86_64")]
pub(super) fn add_lanes(level: Level, partial: &[f32], cost: usize, w: &mut [f32]) {
    let len = w.len();
    par::rows(w, 1, cost, |first, w| {
        simd::vectorised(level, AddLanes { partial, len, first, w });
    });
}

#[cfg(target_arch = "x86_64")]
struct AddLanes<'a> {
    partial: &'a [f32],
    /// Elements of a part.
    len: usize,
    /// The first element that is written.
    first: usize,
    w: &'a mut [f32],
}

#[cfg(target_arch = "x86_64")]
impl Vectorised for AddLanes<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { partial, len, first, w } = self;
        assert!(partial.len().is_multiple_of(len * V::LANES) && first + w.len() <= len);
        for (nth, w) in w.chunks_mut(V::LANES).enumerate() {
            // SAFETY: the assertion: each part has a vector for each element; the mask leaves out what is beyond.
            unsafe {
                // As many loops whatever the elements, so that totals are registers.
                let mut totals = [V::zero(); MOST_LANES];
                for (i, total) in totals.iter_mut().enumerate().take(V::LANES) {
                    // A lane without an element repeats the last.
                    let at = (first + nth * V::LANES + i.min(w.len() - 1)) * V::LANES;
                    for part in (0..partial.len()).step_by(len * V::LANES) {
                        *total = total.add(V::load(partial.as_ptr().add(part + at)));
                    }
                }
                V::sums(totals).store_part(w.as_mut_ptr(), V::mask(w.len()));
            }
        }
    }
}
