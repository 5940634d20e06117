//! The loops around a micro-kernel, as in BLIS (Van Zee and van de Geijn, "BLIS: A Framework for Rapidly
//! Instantiating BLAS Functionality", 2015), and their division among threads.
//!
//! An element of C is a chain of sums in the order of the depth, cut only where [`depth_blocks`] cuts it. It is the
//! same wherever the element lies in its tile, block or thread's share, so no division of C shows in the result.

use std::ops::Range;

use super::Write;
use super::pack::{Operand, Strips};
use super::view::{MatMut, MatRef};
use crate::Element;
use crate::storage::Storage;

/// A micro-kernel, and the sizes of the blocks that feed it.
pub(super) trait Kernel: Copy + Send + Sync {
    type Scalar: Element;
    /// The most rows of a tile; lanes of a panel of A.
    const MR: usize;
    /// The most columns of a tile that reads B from a panel; lanes of such a panel.
    const NR: usize;
    /// The most rows of a block of A, a multiple of MR: KC·MC elements stay in the L2 cache.
    const MC: usize;
    /// The most depth of a block: a panel of B, of KC·NR elements, stays in the L1 cache.
    const KC: usize;
    /// The most columns of a block of B, a multiple of NR: KC·NC elements stay in the L3 cache.
    const NC: usize;

    /// The most columns of a tile of so many rows that reads B in place.
    fn columns(rows: usize) -> usize;

    /// C = A·B or C += A·B for a tile, where the columns of B are adjacent.
    fn tile(
        self,
        a: MatRef<'_, Self::Scalar>,
        b: MatRef<'_, Self::Scalar>,
        c: MatMut<'_, Self::Scalar>,
        write: Write,
    );
}

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

/// The ranges, as even as multiples of `unit` allow, that `0..len` is cut into so that none is longer than `most`.
fn blocks(len: usize, most: usize, unit: usize) -> impl Iterator<Item = Range<usize>> {
    let each = len.div_ceil(len.div_ceil(most).max(1)).next_multiple_of(unit).max(unit);
    (0..len).step_by(each).map(move |start| start..len.min(start + each))
}

/// The blocks, of depth `most` at most, that a sum of length `depth` is cut into.
pub(super) fn depth_blocks(depth: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    blocks(depth, most, 1)
}

/// Multiplications and additions from which on a product is worth a second thread, which takes some 10 µs to wake.
const PARALLEL: usize = 4 << 20;

/// Multiplications and additions, and rows or columns, below which a part of C is not divided further: the operands
/// of each part are packed anew, which the part has to be worth.
const PART: usize = 2 << 20;
const PART_LEN: usize = 128;

/// C = Aᵀ·B or C += Aᵀ·B, where `a` is depth × rows of C and `b` depth × columns of C.
///
/// A view is read in place; the lanes of one that is `b` are adjacent.
pub(super) fn multiply<K: Kernel>(
    kernel: K,
    a: Operand<'_, K::Scalar>,
    b: Operand<'_, K::Scalar>,
    c: MatMut<'_, K::Scalar>,
    write: Write,
) {
    let units = (K::MR.min(PART_LEN), K::NR.min(PART_LEN));
    divide(c, a.depth(), units, &|at, part| share(kernel, a, b, part, at, write));
}

/// C = A·B or C += A·B as scalar products, where the columns of `a` and the rows of `b` are adjacent.
pub(super) fn multiply_dots<K: Dots>(
    kernel: K,
    a: MatRef<'_, K::Scalar>,
    b: MatRef<'_, K::Scalar>,
    c: MatMut<'_, K::Scalar>,
    write: Write,
) {
    divide(c, a.cols(), (1, 1), &|(row, col), mut c| {
        for j in (0..c.cols()).step_by(K::COLUMNS) {
            let j = j..c.cols().min(j + K::COLUMNS);
            let b = b.block(0..b.rows(), col + j.start..col + j.end);
            for i in (0..c.rows()).step_by(K::ROWS) {
                let i = i..c.rows().min(i + K::ROWS);
                let a = a.block(row + i.start..row + i.end, 0..a.cols());
                kernel.dots(a, b, c.block(i, j.clone()), write);
            }
        }
    });
}

/// Calls `work` with the parts of C and where they begin, on several threads if the product is large.
fn divide<T: Send>(
    c: MatMut<'_, T>,
    depth: usize,
    units: (usize, usize),
    work: &(impl Fn((usize, usize), MatMut<'_, T>) + Sync),
) {
    let size = c.rows().saturating_mul(c.cols()).saturating_mul(depth);
    if size < PARALLEL || rayon::current_num_threads() == 1 {
        work((0, 0), c);
    } else {
        halve(c, (0, 0), depth, units, work);
    }
}

fn halve<T: Send>(
    c: MatMut<'_, T>,
    (row, col): (usize, usize),
    depth: usize,
    units: (usize, usize),
    work: &(impl Fn((usize, usize), MatMut<'_, T>) + Sync),
) {
    let (m, n) = (c.rows(), c.cols());
    let size = m.saturating_mul(n).saturating_mul(depth);
    if size <= PART || m.max(n) < 2 * PART_LEN {
        return work((row, col), c);
    }
    let ((first, second), at) = if n >= m {
        let half = (n / 2).next_multiple_of(units.1);
        (c.split_at_col(half), (row, col + half))
    } else {
        let half = (m / 2).next_multiple_of(units.0);
        (c.split_at_row(half), (row + half, col))
    };
    rayon::join(|| halve(first, (row, col), depth, units, work), || halve(second, at, depth, units, work));
}

/// The part `c` of the product, whose first element is `at`, on the calling thread.
fn share<K: Kernel>(
    kernel: K,
    a: Operand<'_, K::Scalar>,
    b: Operand<'_, K::Scalar>,
    mut c: MatMut<'_, K::Scalar>,
    at: (usize, usize),
    write: Write,
) {
    let (m, n, k) = (c.rows(), c.cols(), a.depth());
    // Blocks are for the sake of packed operands.
    let (mc, kc, nc) = if a.is_view() && b.is_view() { (m, k, n) } else { (K::MC, K::KC, K::NC) };
    let (mut a_panels, mut b_panels) = (Storage::EMPTY, Storage::EMPTY);
    // Loop jc: columns of C and B.
    for jc in blocks(n, nc, K::NR) {
        // Loop pc: depth of A and B.
        for pc in depth_blocks(k, kc) {
            let write = if pc.start == 0 { write } else { Write::Add };
            let b = b.part(pc.clone(), at.1 + jc.start..at.1 + jc.end, K::NR, &mut b_panels);
            // Loop ic: rows of C and A.
            for ic in blocks(m, mc, K::MR) {
                let a = a.part(pc.clone(), at.0 + ic.start..at.0 + ic.end, K::MR, &mut a_panels);
                block(kernel, a, b, c.block(ic, jc.clone()), write);
            }
        }
    }
}

/// The product of a block of A and a block of B.
fn block<K: Kernel>(
    kernel: K,
    a: Strips<'_, K::Scalar>,
    b: Strips<'_, K::Scalar>,
    mut c: MatMut<'_, K::Scalar>,
    write: Write,
) {
    let (m, n) = (c.rows(), c.cols());
    let columns = if b.is_view() && m <= K::MR { K::columns(m) } else { K::NR };
    // Loop jr: columns of a tile.
    for jr in (0..n).step_by(columns) {
        let jr = jr..n.min(jr.saturating_add(columns));
        let b = b.strip(jr.clone());
        // Loop ir: rows of a tile.
        for ir in (0..m).step_by(K::MR) {
            let ir = ir..m.min(ir.saturating_add(K::MR));
            kernel.tile(a.strip(ir.clone()).t(), b, c.block(ir, jr.clone()), write);
        }
    }
}
