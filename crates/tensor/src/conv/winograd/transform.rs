//! The matrices of the algorithm, applied to one column or row of elements. Interpolation is at 0, ±1, ±2 and ∞.

use super::{TAPS, TILE, WINDOW};
use crate::simd::Vector;

/// Bᵀ·x, of a window.
#[inline(always)]
pub(super) unsafe fn window<V: Vector>(x: [V; WINDOW]) -> [V; WINDOW] {
    // SAFETY: the caller's promise, the instructions of the vector, is that of the callees; so below.
    unsafe {
        let (a, b) = (x[4].plus(-4.0, x[2]), x[3].plus(-4.0, x[1]));
        let (c, d) = (x[4].sub(x[2]), x[3].sub(x[1]).scale(2.0));
        let first = x[4].plus(-5.0, x[2]).plus(4.0, x[0]);
        let last = x[5].plus(-5.0, x[3]).plus(4.0, x[1]);
        [first, a.add(b), a.sub(b), c.add(d), c.sub(d), last]
    }
}

/// Aᵀ·m, of products.
#[inline(always)]
pub(super) unsafe fn results<V: Vector>(m: [V; WINDOW]) -> [V; TILE] {
    // SAFETY: as above.
    unsafe {
        let (a, b) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (c, d) = (m[3].add(m[4]), m[3].sub(m[4]));
        [m[0].add(a).add(c), b.plus(2.0, d), a.plus(4.0, c), b.plus(8.0, d).add(m[5])]
    }
}

/// A·y, of results.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector>(y: [V; TILE]) -> [V; WINDOW] {
    // SAFETY: as above.
    unsafe {
        let (a, b) = (y[0].add(y[2]), y[1].add(y[3]));
        let (c, d) = (y[0].plus(4.0, y[2]), y[1].plus(4.0, y[3]).scale(2.0));
        [y[0], a.add(b), a.sub(b), c.add(d), c.sub(d), y[3]]
    }
}

/// G·w, of taps.
#[inline(always)]
pub(super) unsafe fn taps<V: Vector>(w: [V; TAPS]) -> [V; WINDOW] {
    // SAFETY: as above.
    unsafe {
        let (a, b) = (w[0].add(w[2]).scale(-1.0 / 6.0), w[1].scale(-1.0 / 6.0));
        let (c, d) = (w[0].plus(4.0, w[2]).scale(1.0 / 24.0), w[1].scale(1.0 / 12.0));
        [w[0].scale(0.25), a.add(b), a.sub(b), c.add(d), c.sub(d), w[2]]
    }
}

/// Gᵀ·u, of products.
#[inline(always)]
pub(super) unsafe fn gradient<V: Vector>(u: [V; WINDOW]) -> [V; TAPS] {
    // SAFETY: as above.
    unsafe {
        let (a, b) = (u[1].add(u[2]).scale(-1.0 / 6.0), u[2].sub(u[1]).scale(1.0 / 6.0));
        let (c, d) = (u[3].add(u[4]), u[3].sub(u[4]).scale(1.0 / 12.0));
        [a.plus(1.0 / 24.0, c).plus(0.25, u[0]), b.add(d), a.plus(1.0 / 6.0, c).add(u[5])]
    }
}

/// M·x·Mᵀ for the matrix M whose product with a column is `matrix`; element (i, j) of x is `load(i, j)`, one of
/// the result goes to `store(i, j, _)`.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "the loops run over registers, several arrays at a time")]
pub(super) unsafe fn on_both_sides<V: Vector, const FROM: usize, const TO: usize>(
    matrix: impl Fn([V; FROM]) -> [V; TO],
    load: impl Fn(usize, usize) -> V,
    store: impl Fn(usize, usize, V),
) {
    // SAFETY: the caller promises the instructions of the vector.
    let mut half = [[unsafe { V::zero() }; FROM]; TO];
    for j in 0..FROM {
        // SAFETY: as above.
        let mut column = [unsafe { V::zero() }; FROM];
        for i in 0..FROM {
            column[i] = load(i, j);
        }
        let column = matrix(column);
        for i in 0..TO {
            half[i][j] = column[i];
        }
    }
    for i in 0..TO {
        let row = matrix(half[i]);
        for j in 0..TO {
            store(i, j, row[j]);
        }
    }
}
