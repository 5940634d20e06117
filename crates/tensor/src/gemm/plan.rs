//! Which operands are packed, and which products are computed as scalar products.
//!
//! A micro-kernel can read A with any strides, and B if the elements of its rows are adjacent. Packing an
//! operand pays where it is read often from far away; it never shows in the result. Scalar products add in
//! another order, so the sizes of the whole product decide on them. The thresholds were measured on a Zen 5
//! with 48 KB of L1 and 1 MB of L2 cache, those of scalar products and of deep operands on a Sapphire Rapids with
//! 48 KB and 2 MB.

use super::nest::{self, Kernel};
use super::pack::Operand;
use super::view::{MatMut, MatRef};
use super::{Gemm, Write};

/// [`Gemm::multiply`] by `kernel`, with views packed where that is worth its time.
pub(super) fn multiply<K: Dots>(
    kernel: K,
    a: Operand<'_, K::Scalar>,
    b: Operand<'_, K::Scalar>,
    mut c: MatMut<'_, K::Scalar>,
    write: Write,
) where
    K::Scalar: Gemm,
{
    if !super::begin(a, b, &mut c, write) {
        return;
    }
    let (m, n, k) = (c.rows(), c.cols(), a.depth());
    if let (Operand::View(a), Operand::View(b)) = (a, b) {
        // A single column is a single row of the transposed product.
        if n == 1
            && m > 1
            && let Some(row) = c.as_row()
        {
            return multiply(kernel, Operand::View(b), Operand::View(a), row, write);
        }
        let along_depth = |view: MatRef<'_, _>| view.row_stride() == 1 && view.col_stride() != 1;
        if suits_dots::<K>(m, n, k) && along_depth(b) && a.row_stride() == 1 {
            return multiply_dots(kernel, a.t(), b, c, write);
        }
    }
    let (packed_a, packed_b);
    let a = match a {
        Operand::View(view) if !a_in_place::<K>(view, n) => {
            packed_a = view;
            Operand::Source(&packed_a)
        }
        _ => a,
    };
    let b = match b {
        Operand::View(view) if !b_in_place(view, m) => {
            packed_b = view;
            Operand::Source(&packed_b)
        }
        _ => b,
    };
    nest::multiply(kernel, a, b, c, write);
}

/// Whether scalar products are faster than packing B: for few rows, the more of them the longer the sums are, as long as A,
/// if it is more than one tile of rows, stays in the second-level cache, for it is read again for every few columns; and
/// for very small products. Measured with both kernels.
fn suits_dots<K: Dots>(m: usize, n: usize, k: usize) -> bool {
    const MOST_ROWS: usize = 48;
    /// Elements of A: 1 MB.
    const NEAR: usize = 256 * 1024;
    let few = m <= (1 + k / 8).min(MOST_ROWS) && (m <= K::ROWS || m.saturating_mul(k) <= NEAR);
    few || m.saturating_mul(n).saturating_mul(k) <= 1024
}

/// Whether A, depth × rows of C, is better read where it is, once for each [`Kernel::NR`] columns, than
/// packed.
fn a_in_place<K: Kernel>(a: MatRef<'_, K::Scalar>, n: usize) -> bool {
    // Where lanes are adjacent, each depth is another cache line: of few lanes a strip uses a small part, and the lines of a
    // deep operand, at even distances, crowd each other out of the nearest cache.
    let apart = a.col_stride() == 1 && a.cols() > 64;
    if apart && K::MR < 8 {
        n <= 64
    } else {
        n <= 256 || !(apart && a.rows() > 256) && a.rows().saturating_mul(a.cols()) <= IN_PLACE
    }
}

/// Whether B, depth × columns of C, is better read where it is, once for each [`Kernel::MR`] rows, than
/// packed.
fn b_in_place<T: Copy>(b: MatRef<'_, T>, m: usize) -> bool {
    b.has_adjacent_cols() && (m <= 128 || b.rows().saturating_mul(b.cols()) <= IN_PLACE)
}

/// The most elements of an operand that is read in place however often it is read.
const IN_PLACE: usize = 512 * 1024;

/// A kernel for products of few rows and operands that are both adjacent along the depth.
pub(super) trait Dots: Kernel {
    /// The most columns of a tile.
    const COLUMNS: usize;
    /// The most rows of a tile.
    const ROWS: usize = 3;

    /// C = A·B or C += A·B for a tile, where the columns of A and the rows of B are adjacent.
    fn dots(
        self,
        a: MatRef<'_, Self::Scalar>,
        b: MatRef<'_, Self::Scalar>,
        c: MatMut<'_, Self::Scalar>,
        write: Write,
    );
}

/// C = A·B or C += A·B as scalar products, where the columns of `a` and the rows of `b` are adjacent.
pub(super) fn multiply_dots<K: Dots>(
    kernel: K,
    a: MatRef<'_, K::Scalar>,
    b: MatRef<'_, K::Scalar>,
    c: MatMut<'_, K::Scalar>,
    write: Write,
) {
    nest::divide(c, a.cols(), (1, K::COLUMNS), &|(row, col), mut c| {
        for j in (0..c.cols()).step_by(K::COLUMNS) {
            let j = j..c.cols().min(j + K::COLUMNS);
            let b = b.block(0..b.rows(), col + j.start..col + j.end);
            for i in nest::blocks(c.rows(), K::ROWS, 1) {
                let a = a.block(row + i.start..row + i.end, 0..a.cols());
                kernel.dots(a, b, c.block(i, j.clone()), write);
            }
        }
    });
}
