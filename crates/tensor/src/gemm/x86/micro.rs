//! The micro-kernels: a tile of C in registers, written once for every kind of [`Vector`].
//!
//! Loops to constant bounds are unrolled, so that an element of an array is a register.

#![allow(clippy::needless_range_loop, reason = "the loops run over registers, several arrays at a time")]

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

use crate::gemm::Write;
use crate::gemm::view::{MatMut, MatRef};
use crate::simd::{MOST_LANES, Vector};

/// How many rows of B ahead are asked for, beyond the end of a panel the first rows of the next: a packed B comes from
/// the second-level cache.
const AHEAD: usize = 24;

/// C = A·B or C += A·B for `R` rows and at most `S` vectors of columns, as `R·S` vectors of sums.
///
/// At each depth p, row p of B is loaded once and element (r, p) of A spread over a vector for each row r.
/// Each element of C is one chain of fused multiplications and additions in the order of p, wherever in a
/// tile it is. With `FULL` the tile is `S` vectors wide; otherwise masks keep to its columns.
///
/// # Safety
/// The processor has the vector's instructions. A is R×k, B k×n with adjacent columns, and C R×n, where n is
/// `S · LANES` if `FULL`, and at most that otherwise.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector, const R: usize, const S: usize, const FULL: bool>(
    a: MatRef<'_, f32>,
    b: MatRef<'_, f32>,
    c: &mut MatMut<'_, f32>,
    write: Write,
) {
    let (row_step, depth_step) = (a.row_stride(), a.col_stride());
    let (depth, b_step, c_step, cols) = (a.cols(), b.row_stride(), c.row_stride(), c.cols());
    let (mut a, mut b, c) = (a.data().as_ptr(), b.data().as_ptr(), c.as_mut_ptr());

    // SAFETY: by the caller's promise and the invariant of the views, p < k, r < R and the columns below n
    // are elements of A, B and C; the masks are those of these columns. Pointers beyond are never read: what is
    // asked for ahead need not be there.
    unsafe {
        for r in 0..R {
            for s in 0..S {
                _mm_prefetch::<_MM_HINT_T0>(c.wrapping_add(r * c_step + s * V::LANES).cast());
            }
        }
        let mut masks = [V::mask(0); S];
        for s in 0..S {
            masks[s] = V::mask(cols.saturating_sub(s * V::LANES));
        }
        let mut sums = [[V::zero(); S]; R];
        if row_step == 1 {
            for _ in 0..depth {
                for s in 0..S {
                    _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(AHEAD * b_step + s * V::LANES).cast());
                }
                multiply::<V, R, S, FULL>(
                    &mut sums,
                    #[inline(always)]
                    |r| a.wrapping_add(r),
                    b,
                    &masks,
                );
                a = a.wrapping_add(depth_step);
                b = b.wrapping_add(b_step);
            }
        } else {
            // Two pointers, the second hidden from the compiler: it finds the rows one from the other, and a chain
            // of so many additions takes longer than the multiplications.
            let half = R / 2;
            let (mut low, mut high) = (a, std::hint::black_box(a.wrapping_add(half * row_step)));
            for _ in 0..depth {
                multiply::<V, R, S, FULL>(
                    &mut sums,
                    #[inline(always)]
                    |r| match r < half {
                        true => low.wrapping_add(r * row_step),
                        false => high.wrapping_add((r - half) * row_step),
                    },
                    b,
                    &masks,
                );
                low = low.wrapping_add(depth_step);
                high = high.wrapping_add(depth_step);
                b = b.wrapping_add(b_step);
            }
        }
        for r in 0..R {
            for s in 0..S {
                let at = c.wrapping_add(r * c_step + s * V::LANES);
                let mut sum = sums[r][s];
                if write == Write::Add {
                    sum = sum.add(if FULL { V::load(at) } else { V::load_part(at, masks[s]) });
                }
                if FULL { sum.store(at) } else { sum.store_part(at, masks[s]) }
            }
        }
    }
}

/// Adds the products of a column of A and a row of B, whose elements begin at `row(r)` and at `b`.
///
/// # Safety
/// As for [`tile`], of which this is one depth.
#[inline(always)]
unsafe fn multiply<V: Vector, const R: usize, const S: usize, const FULL: bool>(
    sums: &mut [[V; S]; R],
    row: impl Fn(usize) -> *const f32,
    b: *const f32,
    masks: &[V::Mask; S],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut vectors = [V::zero(); S];
        for s in 0..S {
            let from = b.wrapping_add(s * V::LANES);
            vectors[s] = if FULL { V::load(from) } else { V::load_part(from, masks[s]) };
        }
        for r in 0..R {
            let factor = V::splat(row(r));
            for s in 0..S {
                sums[r][s] = factor.mul_add(vectors[s], sums[r][s]);
            }
        }
    }
}

/// C = A·B or C += A·B for `R` rows and at most `S` columns, as `R·S` scalar products.
///
/// # Safety
/// The processor has the vector's instructions. A is R×k with adjacent columns, B k×n with adjacent rows, and
/// C R×n, where 1 ≤ n ≤ `S`.
#[inline(always)]
pub(super) unsafe fn dots<V: Vector, const R: usize, const S: usize>(
    a: MatRef<'_, f32>,
    b: MatRef<'_, f32>,
    c: &mut MatMut<'_, f32>,
    write: Write,
) {
    let (depth, cols) = (a.cols(), c.cols());
    let (row_step, col_step) = (a.row_stride(), b.col_stride());
    let (a, b) = (a.data().as_ptr(), b.data().as_ptr());

    const { assert!(R * S <= 2 * V::LANES) };
    // SAFETY: by the caller's promise and the invariant of the views, the elements at p < k of the R rows of
    // A and of the columns of B are adjacent and within them; the mask is that of the elements left. By the assertion,
    // there is room for the sums' vectors in `totals`.
    unsafe {
        let mut sums = [[V::zero(); S]; R];
        let whole = depth - depth % V::LANES;
        let mask = V::mask(depth - whole);
        for p in (0..depth).step_by(V::LANES) {
            let load = |from: *const f32| if p < whole { V::load(from) } else { V::load_part(from, mask) };
            let mut x = [V::zero(); R];
            for r in 0..R {
                x[r] = load(a.wrapping_add(r * row_step + p));
            }
            for s in 0..S {
                // A column that is missing repeats the last.
                let y = load(b.wrapping_add(s.min(cols - 1) * col_step + p));
                for r in 0..R {
                    sums[r][s] = x[r].mul_add(y, sums[r][s]);
                }
            }
        }
        let (mut totals, mut vectors) = ([0.0; 2 * MOST_LANES], [[V::zero(); MOST_LANES]; 2]);
        for r in 0..R {
            for s in 0..S {
                let i = r * S + s;
                vectors[i / V::LANES][i % V::LANES] = sums[r][s];
            }
        }
        for i in 0..(R * S).div_ceil(V::LANES) {
            V::sums(vectors[i]).store(totals.as_mut_ptr().add(i * V::LANES));
        }
        for (r, totals) in totals.chunks_exact(S).take(R).enumerate() {
            for (c, &total) in c.row(r).iter_mut().zip(totals) {
                *c = if write == Write::Add { *c + total } else { total };
            }
        }
    }
}
