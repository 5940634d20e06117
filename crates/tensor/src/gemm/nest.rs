//! The loops around a micro-kernel, as in BLIS (Van Zee and van de Geijn, "BLIS: A Framework for Rapidly
//! Instantiating BLAS Functionality", 2015), and their division among threads.
//!
//! An element of C is a chain of sums in the order of the depth, cut only where [`depth_blocks`] cuts it,
//! wherever it lies in its tile, block or thread's share. So no division of C shows in the result.

use std::ops::Range;

use smallvec::SmallVec;

use super::Write;
use super::pack::{Operand, Strips};
use super::view::{MatMut, MatRef};
use crate::storage::Storage;
use crate::{Element, par};

/// A micro-kernel, and the sizes of the blocks that feed it.
pub(super) trait Kernel: Copy + Send + Sync {
    type Scalar: Element;
    /// The most rows of a tile; lanes of a panel of A.
    const MR: usize;
    /// The most columns of a tile that reads B from a panel; lanes of such a panel.
    const NR: usize;
    /// The most rows of a block of A, a multiple of MR: what is packed at a time.
    const MC: usize;
    /// The most depth of a block. A strip of A, of KC·MR elements, stays in the first-level cache.
    const KC: usize;
    /// The most columns of a block of B, a multiple of NR. Its KC·NC elements stay in the second-level cache.
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

/// The ranges, as even as multiples of `unit` allow, that `0..len` is cut into so that none is longer than
/// `most`, a multiple of `unit`.
pub(super) fn blocks(len: usize, most: usize, unit: usize) -> impl Iterator<Item = Range<usize>> {
    let each = len.div_ceil(len.div_ceil(most).max(1)).next_multiple_of(unit).max(unit);
    (0..len).step_by(each).map(move |start| start..len.min(start + each))
}

/// The blocks, of depth `most` at most, that a sum of length `depth` is cut into.
pub(super) fn depth_blocks(depth: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    blocks(depth, most, 1)
}

/// Multiplications and additions that are worth a second thread: some ten microseconds of them.
const PARALLEL: usize = 1 << 20;

/// Multiplications and additions that a part of C has at least, and half of the rows or columns from which it is cut.
const PART: usize = 1 << 19;
const PART_LEN: usize = 48;

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
    divide(c, b.depth(), units, &|at, part| share(kernel, a, b, part, at, write));
}

fn multiplications(m: usize, n: usize, k: usize) -> usize {
    m.saturating_mul(n).saturating_mul(k)
}

/// Calls `work` with parts of C and where they begin, one for each thread if that is worth it. What a thread packs it
/// reads itself, from its own cache: fetching from another core what that has packed takes longer than packing twice.
pub(super) fn divide<T: Send>(
    c: MatMut<'_, T>,
    depth: usize,
    units: (usize, usize),
    work: &(impl Fn((usize, usize), MatMut<'_, T>) + Sync),
) {
    let all = multiplications(c.rows(), c.cols(), depth);
    let shares = if all < PARALLEL { 1 } else { par::threads().min(all / PART) };
    if shares == 1 {
        return work((0, 0), c);
    }
    let mut parts = SmallVec::new();
    cut(c, (0, 0), shares, units, &mut parts);
    par::chunks(&mut parts, 1, |_, part| {
        for part in part.iter_mut() {
            work(part.at, part.c.whole());
        }
    });
}

/// A part of C and where it begins.
struct Part<'a, T> {
    c: MatMut<'a, T>,
    at: (usize, usize),
}

/// Cuts C, the longer way first, into at most `shares` parts, as even as whole tiles allow.
fn cut<'a, T>(
    c: MatMut<'a, T>,
    (row, col): (usize, usize),
    shares: usize,
    units: (usize, usize),
    parts: &mut SmallVec<[Part<'a, T>; 16]>,
) {
    let (m, n) = (c.rows(), c.cols());
    if shares == 1 || m.max(n) < 2 * PART_LEN {
        return parts.push(Part { c, at: (row, col) });
    }
    let before = shares / 2;
    let at = |len: usize, unit: usize| (len * before / shares + unit / 2) / unit * unit;
    let ((first, second), next) = if n >= m {
        let at = at(n, units.1);
        (c.split_at_col(at), (row, col + at))
    } else {
        let at = at(m, units.0);
        (c.split_at_row(at), (row + at, col))
    };
    cut(first, (row, col), before, units, parts);
    cut(second, next, shares - before, units, parts);
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
    let (m, n) = (c.rows(), c.cols());
    let (mut a_panels, mut b_panels) = (Storage::EMPTY, Storage::EMPTY);
    // Loop jc: columns of C and B.
    for jc in blocks(n, K::NC, K::NR) {
        // Loop pc: depth of A and B.
        for pc in depth_blocks(a.depth(), K::KC) {
            let write = if pc.start == 0 { write } else { Write::Add };
            let b = b.part(pc.clone(), at.1 + jc.start..at.1 + jc.end, K::NR, &mut b_panels);
            // Loop ic: rows of C and A.
            for ic in blocks(m, K::MC, K::MR) {
                let a = a.part(pc.clone(), at.0 + ic.start..at.0 + ic.end, K::MR, &mut a_panels);
                block(kernel, a, b, c.block(ic, jc.clone()), write);
            }
        }
    }
}

/// The product of a block of A and a block of B. A strip of A is read for every tile beside each other, so it is the
/// one that stays in the nearest cache; C is walked along its rows.
fn block<K: Kernel>(
    kernel: K,
    a: Strips<'_, K::Scalar>,
    b: Strips<'_, K::Scalar>,
    mut c: MatMut<'_, K::Scalar>,
    write: Write,
) {
    let (m, n) = (c.rows(), c.cols());
    let columns = if b.is_view() && m <= K::MR { K::columns(m) } else { K::NR };
    // A panel is cut already. The tiles of a view are as even as can be: one of few rows has too few sums to hide how long
    // a multiplication takes.
    let unit = if a.is_view() { 1 } else { K::MR };
    // Loop ir: rows of a tile.
    for ir in blocks(m, K::MR, unit) {
        let a = a.strip(ir.clone()).t();
        // Loop jr: columns of a tile.
        for jr in (0..n).step_by(columns) {
            let jr = jr..n.min(jr.saturating_add(columns));
            kernel.tile(a, b.strip(jr.clone()), c.block(ir.clone(), jr), write);
        }
    }
}
