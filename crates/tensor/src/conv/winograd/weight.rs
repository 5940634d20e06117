//! The weight: transformed for a convolution, and its gradient.

use std::ops::Range;

use super::layout::Matrices;
use super::transform::{self, on_both_sides};
use super::{ELEMENTS, LANES, Slot, TAPS, WINDOW, Winograd};
use crate::gemm::{self, MatMut, Operand, Write};
use crate::par::{self, Shared};
use crate::simd::{self, Vector, Vectorised};
use crate::storage::Storage;

/// Tiles below which a partial sum of the weight costs more than it saves.
const TILES_OF_PART: usize = 128;
/// Read channels whose taps are transposed together: transpositions take four columns at a time.
pub(super) const TOGETHER: usize = 4;
/// Partial sums of the weight that can be computed at the same time.
const PARTS: usize = 8;
/// The element at the point 1 along both axes: of AyAᵀ it is the sum of the tile.
const ONES: usize = WINDOW + 1;

impl Winograd {
    /// w from y and x, and Σ y of each channel: sums over parts of the tiles, added in order. The latter cost so little that
    /// they are always there.
    pub(in crate::conv) fn weight(&self, y: &[f32], x: &[f32], w: &mut [f32], bias: Option<&mut [f32]>) {
        let blocks = self.blocks();
        let parts = (self.batch * self.tiles[0] * self.tiles[1] / TILES_OF_PART).clamp(1, PARTS.min(blocks));
        let each = blocks.div_ceil(parts);
        let parts = blocks.div_ceil(each);
        let of_weight = ELEMENTS * self.written.channels * self.read.lanes();
        let len = of_weight + self.written.lanes();
        let mut sums = Storage::unspecified(parts * len);
        par::chunks(sums.make_mut(), len, |part, sum| {
            let blocks = part * each..blocks.min((part + 1) * each);
            let (weight, bias) = sum.split_at_mut(of_weight);
            simd::vectorised(self.level, Correlate { of: self, blocks, x, y, weight, bias });
        });
        if let Some(bias) = bias {
            bias.fill(0.0);
            for sum in sums.chunks_exact(len) {
                bias.iter_mut().zip(&sum[of_weight..]).for_each(|(bias, sum)| *bias += sum);
            }
        }
        let row = self.read.channels * TAPS * TAPS;
        par::rows(w, row, row * ELEMENTS / LANES * parts, |first, w| {
            for (k, w) in w.chunks_exact_mut(row).enumerate() {
                simd::vectorised(
                    self.level,
                    Taps { of: self, channel: first + k, sums: &sums, part: len, w },
                );
            }
        });
    }
}

/// Partial sums over some blocks: of the weight's gradient, Σ AyAᵀ ⊙ BᵀxB, `[written channels, lanes of the read ones]` for
/// each element, and of the bias's, Σ y, for the lanes of the written channels.
struct Correlate<'a> {
    of: &'a Winograd,
    blocks: Range<usize>,
    x: &'a [f32],
    y: &'a [f32],
    weight: &'a mut [f32],
    bias: &'a mut [f32],
}

impl Vectorised for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { of: &Winograd { level, read, written, .. }, blocks, x, y, weight, bias } = self;
        let most = self.of.tiles_of(blocks.start);
        let [mut a, mut b, mut strip] = self.of.memory(most, written.lanes()).map(Storage::unspecified);
        let mut windows = Matrices::apart(&mut a.make_mut(), most, read.lanes());
        let mut gradients = Matrices::apart(&mut b.make_mut(), most, written.lanes());
        let memory = strip.make_mut();
        let each = written.channels * read.lanes();
        bias.fill(0.0);
        for block in blocks.clone() {
            // SAFETY: the caller promises the instructions.
            unsafe {
                self.of.windows::<V>(block, x, &mut windows, memory);
                self.of.gradients::<V>(block, y, &mut gradients, memory);
            }
            let tiles = self.of.tiles_of(block);
            let write = if block == blocks.start { Write::Overwrite } else { Write::Add };
            for tile in 0..tiles {
                bias.iter_mut().zip(gradients.lanes_of(ONES, tile)).for_each(|(bias, sum)| *bias += sum);
            }
            for (element, sum) in weight.chunks_exact_mut(each).enumerate() {
                let a = gradients.matrix(element, tiles, written.channels);
                let b = windows.matrix(element, tiles, read.channels);
                let c = MatMut::with_stride(sum, written.channels, read.channels, read.lanes());
                gemm::multiply_at(level, Operand::View(a), Operand::View(b), c, write);
            }
        }
    }
}

/// The gradient of one written channel's taps: Gᵀ·(the partial sums, added)·G.
struct Taps<'a> {
    of: &'a Winograd,
    channel: usize,
    sums: &'a [f32],
    /// Elements of a part of the sums.
    part: usize,
    w: &'a mut [f32],
}

impl Vectorised for Taps<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let (from, lanes) = (self.of.read.channels, self.of.read.lanes());
        let each = self.of.written.channels * lanes;
        assert!(self.part >= ELEMENTS * each && self.channel < self.of.written.channels);
        assert!(!self.sums.is_empty() && self.sums.len().is_multiple_of(self.part));
        for lane in (0..lanes).step_by(V::LANES) {
            let mut taps = [[0.0; LANES]; TAPS * TAPS];
            let to = taps.as_mut_ptr();
            // SAFETY: the assertion: the sums hold the lanes of this channel for every part and element.
            unsafe {
                let first = self.sums.as_ptr().add(self.channel * lanes + lane);
                on_both_sides(
                    #[inline(always)]
                    |u| transform::gradient::<V>(u),
                    #[inline(always)]
                    |i, j| {
                        let mut sum = V::load(first.add((i * WINDOW + j) * each));
                        for part in (self.part..self.sums.len()).step_by(self.part) {
                            sum = sum.add(V::load(first.add(part + (i * WINDOW + j) * each)));
                        }
                        sum
                    },
                    #[inline(always)]
                    |i, j, tap| tap.store((*to.add(i * TAPS + j)).as_mut_ptr()),
                );
            }
            for channel in lane..from.min(lane + V::LANES) {
                for (tap, lanes) in taps.iter().enumerate() {
                    self.w[channel * TAPS * TAPS + tap] = lanes[channel - lane];
                }
            }
        }
    }
}

/// GwGᵀ of the taps between some read channels and some written ones.
pub(super) struct Weights<'a> {
    pub(super) of: &'a Winograd,
    pub(super) read: Range<usize>,
    pub(super) written: Range<usize>,
    pub(super) w: &'a [f32],
    pub(super) to: &'a Shared<'a, f32>,
    /// Where those of the first channels go among [`Matrices`], and how far apart their rows, one for each of the read
    /// channels, and the matrices are.
    pub(super) at: (usize, usize, usize),
}

impl Vectorised for Weights<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { of, read, written, w, to, at: (at, row, element) } = self;
        let (all_read, all_written) = (of.read.channels, of.written.channels);
        let reversed = of.slot == Slot::Input;
        assert!(w.len() == all_read * all_written * TAPS * TAPS);
        assert!(read.end <= all_read && written.end <= all_written);
        // Channels whose taps follow each other are transposed together. Those for the input are taken backwards.
        let together = if reversed { 1 } else { TOGETHER };
        // Lanes without a channel have taps of another, and results that nobody reads.
        let mut taps = [[0.0f32; LANES]; TOGETHER * TAPS * TAPS];
        for lane in (0..written.len()).step_by(V::LANES) {
            let rows = (written.len() - lane).min(V::LANES);
            for begin in read.clone().step_by(together) {
                // Where the taps of the first of these written channels begin, and those of the next.
                let (first, step) = match of.slot {
                    Slot::Input => (begin * all_written + written.start + lane, 1),
                    Slot::Output | Slot::Weight => ((written.start + lane) * all_read + begin, all_read),
                };
                let count = together.min(read.end - begin);
                // SAFETY: the assertions: `w` has the taps of each pair of channels.
                unsafe {
                    let w = (w.as_ptr().add(first * TAPS * TAPS), step * TAPS * TAPS);
                    simd::transpose::<V>(w, (taps.as_mut_ptr().cast(), LANES), rows, count * TAPS * TAPS);
                }
                for (nth, taps) in taps.as_chunks_mut::<{ TAPS * TAPS }>().0[..count].iter_mut().enumerate() {
                    if reversed {
                        taps.reverse();
                    }
                    let at = at + (begin + nth - read.start) * row + lane;
                    let to = to.pointer(at, (ELEMENTS - 1) * element + V::LANES);
                    // SAFETY: nobody else has these channels; their lanes lie in the matrices.
                    unsafe {
                        on_both_sides(
                            #[inline(always)]
                            |w| transform::taps::<V>(w),
                            #[inline(always)]
                            |i, j| V::load(taps[i * TAPS + j].as_ptr()),
                            #[inline(always)]
                            |i, j, u| u.store(to.add((i * WINDOW + j) * element)),
                        );
                    }
                }
            }
        }
    }
}
