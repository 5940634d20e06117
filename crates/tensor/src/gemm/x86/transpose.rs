//! Packing of lanes whose elements lie along the depth: a transposition, eight by eight.

use std::arch::x86_64::*;

use crate::gemm::view::MatRef;

/// Writes element (p, j) of `strip`, each of whose columns is adjacent in memory, to `panel[p·width + j]`.
/// What stands in the panel to the right of the strip's columns may change.
///
/// # Panics
/// If the strip's columns are not adjacent or more than `width`, or the panel does not hold `width` elements
/// for each of its rows.
#[target_feature(enable = "avx2")]
pub(super) fn transpose(strip: MatRef<'_, f32>, width: usize, panel: &mut [f32]) {
    let (depth, lanes, lane_step) = (strip.rows(), strip.cols(), strip.col_stride());
    assert!((strip.row_stride() == 1 || depth <= 1) && lanes <= width && depth * width <= panel.len());
    let panel = &mut panel[..depth * width];
    let whole = depth - depth % 8;
    // Eight lanes are written even where fewer are left. The surplus falls on the first lanes of the next
    // depth, which are written later because the groups of lanes come in descending order.
    for j in (0..lanes).step_by(8).rev() {
        // A lane that is missing repeats the last.
        let lane = |i: usize| &strip.data()[(j + i).min(lanes - 1) * lane_step..][..depth];
        let group = [lane(0), lane(1), lane(2), lane(3), lane(4), lane(5), lane(6), lane(7)];
        for p in (0..whole).step_by(8) {
            let columns = transpose_8x8(group, p);
            let to = &mut panel[p * width + j..];
            if to.len() >= 7 * width + 8 {
                for (i, column) in columns.into_iter().enumerate() {
                    // SAFETY: the slice was found to hold eight elements after `7 · width`.
                    unsafe { _mm256_storeu_ps(to.as_mut_ptr().add(i * width), column) }
                }
            } else {
                for (to, column) in to.chunks_mut(width).zip(columns) {
                    let mut eight = [0.0; 8];
                    // SAFETY: there are eight elements to write.
                    unsafe { _mm256_storeu_ps(eight.as_mut_ptr(), column) }
                    let len = to.len().min(8);
                    to[..len].copy_from_slice(&eight[..len]);
                }
            }
        }
    }
    for p in whole..depth {
        for j in 0..lanes {
            panel[p * width + j] = strip.data()[j * lane_step + p];
        }
    }
}

/// The columns of the eight rows of eight elements from `at` on.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_8x8(rows: [&[f32]; 8], at: usize) -> [__m256; 8] {
    assert!(rows.iter().all(|row| row.len() >= at + 8));
    // Four elements of row i beside four of row i + 4: each half of a register is transposed by itself.
    let pair = |i: usize, at: usize| {
        // SAFETY: `at` is at most four beyond the argument, and the rows were found to hold eight from there.
        unsafe {
            let (low, high) = (rows[i].as_ptr().add(at), rows[i + 4].as_ptr().add(at));
            _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high))
        }
    };
    let half = |at: usize| {
        let (r0, r1, r2, r3) = (pair(0, at), pair(1, at), pair(2, at), pair(3, at));
        let (a, b) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
        let (c, d) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
        [
            _mm256_shuffle_ps::<0b01_00_01_00>(a, c),
            _mm256_shuffle_ps::<0b11_10_11_10>(a, c),
            _mm256_shuffle_ps::<0b01_00_01_00>(b, d),
            _mm256_shuffle_ps::<0b11_10_11_10>(b, d),
        ]
    };
    let ([c0, c1, c2, c3], [c4, c5, c6, c7]) = (half(at), half(at + 4));
    [c0, c1, c2, c3, c4, c5, c6, c7]
}
