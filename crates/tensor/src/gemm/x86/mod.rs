//! The kernels for `f32` on x86-64.
//!
//! [`Avx2`] and [`Avx512`] are proofs that the processor has the instructions: only `new` makes one, and it
//! asks. Everything a kernel does is safe to call, given one.

mod micro;

use std::arch::x86_64::{__m256, __m512};

use super::Write;
use super::nest::Kernel;
use super::plan::Dots;
use super::view::{MatMut, MatRef};
use crate::simd::{self, Level, Vector, Vectorised};

macro_rules! kernel {
    (
        $(#[$doc:meta])*
        $name:ident on $vector:ty, with $features:literal, blocks of $mc:literal x $kc:literal x $nc:literal,
        tiles of $vectors:literal vectors and rows by vectors { $($rows:literal: $wide:literal),* },
        dots of $dots:literal columns
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name(());

        impl $name {
            /// # Panics
            /// If the processor lacks the instructions.
            pub(super) fn new() -> Self {
                assert!(Level::available().contains(&Level::$name), "no {}", Level::$name.name());
                Self(())
            }

            #[target_feature(enable = $features)]
            unsafe fn micro_tile<const R: usize, const S: usize, const FULL: bool>(
                a: MatRef<'_, f32>,
                b: MatRef<'_, f32>,
                c: &mut MatMut<'_, f32>,
                write: Write,
            ) {
                // SAFETY: the caller's promise is that of the callee.
                unsafe { micro::tile::<$vector, R, S, FULL>(a, b, c, write) }
            }

            #[target_feature(enable = $features)]
            unsafe fn micro_dots<const R: usize>(
                a: MatRef<'_, f32>,
                b: MatRef<'_, f32>,
                c: &mut MatMut<'_, f32>,
                write: Write,
            ) {
                // SAFETY: the caller's promise is that of the callee.
                unsafe { micro::dots::<$vector, R, $dots>(a, b, c, write) }
            }
        }

        impl Kernel for $name {
            type Scalar = f32;
            const MR: usize = [$($rows),*].len();
            const NR: usize = $vectors * <$vector as Vector>::LANES;
            const MC: usize = $mc;
            const KC: usize = $kc;
            const NC: usize = $nc;

            fn columns(rows: usize) -> usize {
                let vectors = match rows {
                    $($rows => $wide,)*
                    _ => $vectors,
                };
                vectors * <$vector as Vector>::LANES
            }

            fn tile(self, a: MatRef<'_, f32>, b: MatRef<'_, f32>, mut c: MatMut<'_, f32>, write: Write) {
                const LANES: usize = <$vector as Vector>::LANES;
                let (rows, cols) = (c.rows(), c.cols());
                assert!(a.rows() == rows && b.cols() == cols && a.cols() == b.rows());
                assert!(b.has_adjacent_cols());
                let c = &mut c;
                match rows {
                    // SAFETY: `self` proves the instructions, the assertion above the sizes, and the match
                    // that the tile has as many rows and no more columns.
                    $($rows => unsafe {
                        match cols {
                            0 => {}
                            _ if cols == $wide * LANES => {
                                Self::micro_tile::<$rows, $wide, true>(a, b, c, write)
                            }
                            _ if cols <= LANES => Self::micro_tile::<$rows, 1, false>(a, b, c, write),
                            _ if cols <= 2 * LANES => Self::micro_tile::<$rows, 2, false>(a, b, c, write),
                            _ if cols <= $wide * LANES => {
                                Self::micro_tile::<$rows, $wide, false>(a, b, c, write)
                            }
                            _ => panic!("a tile of {cols} columns for a kernel of {} vectors", $wide),
                        }
                    },)*
                    0 => {}
                    _ => panic!("a tile of {rows} rows for a kernel of {}", Self::MR),
                }
            }
        }

        impl Dots for $name {
            const COLUMNS: usize = $dots;

            fn dots(self, a: MatRef<'_, f32>, b: MatRef<'_, f32>, mut c: MatMut<'_, f32>, write: Write) {
                let (rows, cols) = (c.rows(), c.cols());
                assert!(a.rows() == rows && b.cols() == cols && a.cols() == b.rows());
                assert!(a.has_adjacent_cols() && b.t().has_adjacent_cols() && (1..=$dots).contains(&cols));
                let c = &mut c;
                // SAFETY: `self` proves the instructions, the assertions above the sizes and strides.
                unsafe {
                    match rows {
                        1 => Self::micro_dots::<1>(a, b, c, write),
                        2 => Self::micro_dots::<2>(a, b, c, write),
                        3 => Self::micro_dots::<3>(a, b, c, write),
                        _ => panic!("scalar products with {rows} rows at a time"),
                    }
                }
            }
        }
    };
}

kernel! {
    /// Tiles of 14 × 32 in 28 of the 32 registers; fewer rows leave room for more columns.
    Avx512 on __m512, with "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", blocks of 126 x 384 x 512,
    tiles of 2 vectors and rows by vectors {
        1: 8, 2: 8, 3: 8, 4: 4, 5: 4, 6: 4, 7: 2, 8: 2, 9: 2, 10: 2, 11: 2, 12: 2, 13: 2, 14: 2
    },
    dots of 8 columns
}

kernel! {
    /// Tiles of 6 × 16 in 12 of the 16 registers; fewer rows leave room for more columns.
    Avx2 on __m256, with "avx2,fma", blocks of 144 x 384 x 512,
    tiles of 2 vectors and rows by vectors { 1: 8, 2: 4, 3: 4, 4: 2, 5: 2, 6: 2 },
    dots of 4 columns
}

/// The packing of a strip whose columns are adjacent in memory: its transposition.
struct PackLanes<'a> {
    strip: MatRef<'a, f32>,
    width: usize,
    panel: &'a mut [f32],
}

/// Packs a strip, each of whose columns is adjacent in memory, to a panel of `width` lanes.
///
/// # Panics
/// If the columns are not adjacent or more than `width`, the panel does not hold `width` elements for each of the
/// rows, or the level has no vectors.
pub(super) fn pack_lanes(level: Level, strip: MatRef<'_, f32>, width: usize, panel: &mut [f32]) {
    simd::vectorised(level, PackLanes { strip, width, panel });
}

impl Vectorised for PackLanes<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { strip, width, panel } = self;
        let (depth, lanes) = (strip.rows(), strip.cols());
        assert!((strip.row_stride() == 1 || depth <= 1) && lanes <= width && depth * width <= panel.len());
        // SAFETY: the assertion, and the invariant of the view: its columns lie in its data.
        unsafe {
            let from = (strip.data().as_ptr(), strip.col_stride());
            simd::transpose::<V>(from, (panel.as_mut_ptr(), width), lanes, depth);
        }
    }
}
