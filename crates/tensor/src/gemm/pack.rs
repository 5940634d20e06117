//! Operands in the order in which a micro-kernel reads them.
//!
//! Seen from packing, both operands are *depth × lanes* matrices: depth is the summed index of length k,
//! lanes are the rows of A (so A comes transposed) or the columns of B. A *panel* of width w holds w lanes at
//! every depth, element (p, j) of the panel at `p·w + j`; panels of consecutive lanes follow each other.

use std::ops::Range;

use super::Gemm;
use super::nest::depth_blocks;
use super::view::MatRef;
use crate::storage::Storage;
use crate::{Element, par, simd};

/// A depth × lanes matrix that can write parts of itself as panels.
///
/// A [`MatRef`] is one. So is the matrix of patches of a convolution, whose depth runs over channels and taps
/// and whose lanes over output positions: it packs straight from the image and never exists as a whole.
pub(crate) trait Panels<T>: Sync {
    /// The length k of the sum.
    fn depth(&self) -> usize;

    /// The number of columns of B, or of rows of A.
    fn lanes(&self) -> usize;

    /// Writes the panels of `width` lanes of the part at `depth` and `lanes` to `out`.
    ///
    /// `out` holds exactly [`packed_len`] elements. Where the last panel has fewer than `width` lanes, what
    /// is written to the missing ones is of no consequence, and nothing need be.
    fn pack(&self, depth: Range<usize>, lanes: Range<usize>, width: usize, out: &mut [T]);
}

/// The elements of the panels of `width` lanes of a depth × lanes matrix.
pub(crate) fn packed_len(depth: usize, lanes: usize, width: usize) -> usize {
    depth * lanes.next_multiple_of(width)
}

/// An operand packed once as a whole, to be multiplied many times: the weights of a convolution, for example.
pub(crate) struct Packed<T: Element> {
    /// The panels of each block of [`depth_blocks`], one block after the other.
    panels: Storage<T>,
    depth: usize,
    lanes: usize,
    width: usize,
}

impl<T: Element> Packed<T> {
    /// Panels of `width` lanes, for a kernel with blocks of depth `block` at most.
    pub(super) fn new(source: &dyn Panels<T>, width: usize, block: usize) -> Self {
        let (depth, lanes) = (source.depth(), source.lanes());
        let width = width.min(lanes.max(1));
        let mut panels = Storage::unspecified(packed_len(depth, lanes, width));
        let mut rest = panels.make_mut();
        for part in depth_blocks(depth, block) {
            let (out, after) = rest.split_at_mut(packed_len(part.len(), lanes, width));
            let panel = width * part.len();
            let together = par::GRAIN.div_ceil(panel.max(1));
            par::chunks(out, together * panel, |i, out| {
                let first = i * together * width;
                source.pack(part.clone(), first..lanes.min(first + together * width), width, out);
            });
            rest = after;
        }
        Self { panels, depth, lanes, width }
    }
}

/// An operand of a product: a depth × lanes matrix in one of three forms.
#[derive(Clone, Copy)]
pub(crate) enum Operand<'a, T: Element> {
    /// In memory.
    View(MatRef<'a, T>),
    /// Packed part by part, just before it is read.
    Source(&'a dyn Panels<T>),
    /// Packed beforehand.
    Packed(&'a Packed<T>),
}

impl<'a, T: Element> From<&'a dyn Panels<T>> for Operand<'a, T> {
    fn from(source: &'a dyn Panels<T>) -> Self {
        Operand::Source(source)
    }
}

impl<'a, T: Element> From<&'a Packed<T>> for Operand<'a, T> {
    fn from(packed: &'a Packed<T>) -> Self {
        Operand::Packed(packed)
    }
}

impl<'a, T: Element> Operand<'a, T> {
    pub(super) fn depth(self) -> usize {
        match self {
            Operand::View(view) => view.rows(),
            Operand::Source(source) => source.depth(),
            Operand::Packed(packed) => packed.depth,
        }
    }

    pub(super) fn lanes(self) -> usize {
        match self {
            Operand::View(view) => view.cols(),
            Operand::Source(source) => source.lanes(),
            Operand::Packed(packed) => packed.lanes,
        }
    }

    /// The part at one of the blocks of depth and at `lanes`. A source is packed into `buffer`.
    pub(super) fn part<'b>(
        self,
        depth: Range<usize>,
        lanes: Range<usize>,
        width: usize,
        buffer: &'b mut Storage<T>,
    ) -> Strips<'b, T>
    where
        'a: 'b,
    {
        let rows = depth.len();
        match self {
            Operand::View(view) => Strips::View(view.block(depth, lanes)),
            Operand::Source(source) => {
                let width = width.min(lanes.len().max(1));
                let len = packed_len(rows, lanes.len(), width);
                if buffer.len() < len {
                    *buffer = Storage::unspecified(len);
                }
                let panels = &mut buffer.make_mut()[..len];
                source.pack(depth, lanes, width, panels);
                Strips::Panels { panels, first: 0, depth: rows, width }
            }
            Operand::Packed(Packed { panels, lanes: all, width: packed, .. }) => {
                assert_eq!(*packed, width.min((*all).max(1)), "an operand was packed for another kernel");
                let panels =
                    &panels[packed_len(depth.start, *all, *packed)..packed_len(depth.end, *all, *packed)];
                Strips::Panels { panels, first: lanes.start, depth: rows, width: *packed }
            }
        }
    }
}

/// A part of an operand that can be cut into strips of a few lanes, each fit for a micro-kernel.
#[derive(Clone, Copy)]
pub(super) enum Strips<'a, T> {
    View(MatRef<'a, T>),
    /// The part begins with lane `first` of the panels.
    Panels {
        panels: &'a [T],
        first: usize,
        depth: usize,
        width: usize,
    },
}

impl<'a, T: Copy> Strips<'a, T> {
    /// The depth × lanes view of `lanes`, which lie within one panel.
    #[inline]
    pub(super) fn strip(self, lanes: Range<usize>) -> MatRef<'a, T> {
        match self {
            Strips::View(view) => view.block(0..view.rows(), lanes),
            Strips::Panels { panels, first, depth, width } => {
                let lane = first + lanes.start;
                let panel = &panels[(lane - lane % width) * depth..];
                MatRef::with_strides(panel, depth, width, width, 1)
                    .block(0..depth, lane % width..lane % width + lanes.len())
            }
        }
    }

    pub(super) fn is_view(self) -> bool {
        matches!(self, Strips::View(_))
    }
}

impl<T: Gemm> Panels<T> for MatRef<'_, T> {
    fn depth(&self) -> usize {
        self.rows()
    }

    fn lanes(&self) -> usize {
        self.cols()
    }

    fn pack(&self, depth: Range<usize>, lanes: Range<usize>, width: usize, out: &mut [T]) {
        let part = self.block(depth, lanes);
        if part.rows() == 0 || part.cols() == 0 {
            return;
        }
        for (panel, first) in out.chunks_exact_mut(width * part.rows()).zip((0..).step_by(width)) {
            let strip = part.block(0..part.rows(), first..part.cols().min(first + width));
            if strip.col_stride() != 1 && strip.row_stride() == 1 {
                T::pack_lanes(strip, width, panel);
            } else {
                copy(strip, width, panel);
            }
        }
    }
}

/// Copies a strip to its panel.
pub(super) fn copy<T: Element>(strip: MatRef<'_, T>, width: usize, panel: &mut [T]) {
    simd::dispatch(
        #[inline(always)]
        || {
            // The kernels' widths are constants, so that a row of a panel is a few vectors.
            match width {
                _ if strip.col_stride() != 1 || strip.cols() < width => copy_elements(strip, width, panel),
                6 => copy_rows::<T, 6>(strip, panel),
                14 => copy_rows::<T, 14>(strip, panel),
                16 => copy_rows::<T, 16>(strip, panel),
                32 => copy_rows::<T, 32>(strip, panel),
                _ => copy_elements(strip, width, panel),
            }
        },
    );
}

#[inline(always)]
fn copy_rows<T: Element, const WIDTH: usize>(strip: MatRef<'_, T>, panel: &mut [T]) {
    for (p, to) in panel.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
        to.copy_from_slice(&strip.data()[p * strip.row_stride()..][..WIDTH]);
    }
}

#[inline(always)]
fn copy_elements<T: Element>(strip: MatRef<'_, T>, width: usize, panel: &mut [T]) {
    for (p, to) in panel.chunks_exact_mut(width).enumerate() {
        for (j, to) in to[..strip.cols()].iter_mut().enumerate() {
            *to = strip.data()[p * strip.row_stride() + j * strip.col_stride()];
        }
    }
}
