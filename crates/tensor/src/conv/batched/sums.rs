//! The weight: the sums of a tile of channels and taps at a time.

use std::ops::Range;

use smallvec::SmallVec;

use super::frame::Frame;
use super::minimal::Cut;
use super::{Batched, CHANNELS, of_groups, pieces, places};
use crate::simd::{self, Vector, Vectorised};
use crate::storage::Storage;

/// Elements of the lines that are added up for all taps before the next ones: so few that they stay in the first-level
/// cache.
const NEAR: usize = 7 * 1024;

/// What the sums of a weight have in common.
pub(super) struct Correlation<'a> {
    of: &'a Batched,
    /// How a channel of the results' gradient lies in memory.
    pub(super) y_frame: Frame,
    /// Kinds of products of transformed lines, each with sums of its own, and how many there are in a line, side by side;
    /// else one, of the positions.
    pub(super) products: usize,
    wide: usize,
    /// The offset of each tap.
    taps: SmallVec<[usize; 64]>,
}

impl<'a> Correlation<'a> {
    pub(super) fn new(of: &'a Batched) -> Self {
        let extents = of.geo.axes.map(|axis| axis.output);
        let plain = Frame { before: [0; 3], inner: extents, extents, lines: None };
        let (y_frame, [deep, high, across], products, wide) = match of.minimal {
            Some(minimal) => {
                let [deep, high, products] = of.kernel();
                (plain.cut(minimal, Cut::Tiles), [deep, high, 1], products, minimal.tiles)
            }
            None => (plain, of.kernel(), 1, extents[2]),
        };
        let steps = of.read.steps();
        let taps = places([deep, high, across])
            .map(|at| (0..3).map(|i| at[i] * of.geo.axes[i].dilation * steps[i]).sum())
            .collect();
        Self { of, y_frame, products, wide, taps }
    }

    /// Sums of a channel of results, of one kind of products.
    pub(super) fn row(&self) -> usize {
        self.of.geo.group_in() * self.taps.len()
    }

    /// Adds up y·x over some vectors of images for some channels of results, and hands on the sums of each kind of products
    /// and of a few channels at a time, a vector for each weight.
    pub(super) fn add_up(
        &self,
        [y, x]: [&[f32]; 2],
        vectors: Range<usize>,
        channels: Range<usize>,
        mut hand_on: impl FnMut(usize, Range<usize>, &[f32]),
    ) {
        let of = self.of;
        let (group_in, group_out, row) = (of.geo.group_in(), of.geo.group_out(), self.row() * of.lanes);
        // Where there is one vector of images only, the sums of a few channels end before those of the next begin.
        let kept = vectors.len() > 1;
        let most = if kept { channels.len() } else { of.channels };
        let mut sums = Storage::unspecified(most * self.products * row);
        let [mut x_frames, mut y_frames] = [Storage::EMPTY; 2];
        for vector in vectors.clone() {
            let (begins, ends) = (vector == vectors.start, vector + 1 == vectors.end);
            for (group, of_group) in of_groups(channels.clone(), group_out) {
                let (first, read) = (group * group_out, group * group_in..(group + 1) * group_in);
                let x = of.framed(vector, read, x, of.read, &mut x_frames);
                for few in pieces(first + of_group.start..first + of_group.end, of.channels) {
                    let y = of.framed(vector, few.clone(), y, self.y_frame, &mut y_frames);
                    let len = few.len() * row;
                    let before = if kept { few.start - channels.start } else { 0 };
                    let of_few = &mut sums.make_mut()[before * self.products * row..][..self.products * len];
                    for (product, sums) in of_few.chunks_exact_mut(len).enumerate() {
                        Sums { plan: self, x, y, at: product * self.wide, begins, sums }.find(few.len());
                        if ends {
                            hand_on(product, few.clone(), sums);
                        }
                    }
                }
            }
        }
    }
}

/// Σ y·x over the positions of the images of a vector, for some channels of results.
struct Sums<'a> {
    plan: &'a Correlation<'a>,
    /// Frames of the channels of the group.
    x: &'a [f32],
    /// These channels of the results' gradient, in frames as well.
    y: &'a [f32],
    /// Where in a line of either the first position is.
    at: usize,
    /// Whether these are the first images.
    begins: bool,
    /// A vector for each weight.
    sums: &'a mut [f32],
}

impl Sums<'_> {
    fn find(self, channels: usize) {
        match channels {
            1 => self.find_tiles::<1>(),
            2 => self.find_tiles::<2>(),
            3 => self.find_tiles::<3>(),
            4 => self.find_tiles::<4>(),
            5 => self.find_tiles::<5>(),
            6 => self.find_tiles::<6>(),
            7 => self.find_tiles::<7>(),
            _ => self.find_tiles::<CHANNELS>(),
        }
    }

    fn find_tiles<const R: usize>(self) {
        let (level, together) = (self.plan.of.level, self.plan.of.together);
        match together {
            2 => simd::vectorised(level, Correlate::<R, 2>(self)),
            3 => simd::vectorised(level, Correlate::<R, 3>(self)),
            4 => simd::vectorised(level, Correlate::<R, 4>(self)),
            _ => simd::vectorised(level, Correlate::<R, 5>(self)),
        }
    }
}

/// Sums of `R` channels of results and `S` taps at a time.
struct Correlate<'a, const R: usize, const S: usize>(Sums<'a>);

impl<const R: usize, const S: usize> Vectorised for Correlate<'_, R, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Sums { plan, x, y, at, begins, sums } = self.0;
        let Correlation { of, y_frame, wide, ref taps, .. } = *plan;
        let (len, steps) = (of.read.len(), of.read.steps());
        let axes = of.geo.axes;
        let steps: [usize; 3] = std::array::from_fn(|i| steps[i] * axes[i].stride * V::LANES);
        let [deep, high, y_line] = y_frame.extents;
        let (plane, row) = (y_frame.len() * V::LANES, plan.row());
        assert!(x.len() >= of.geo.group_in() * len * V::LANES && y.len() >= R * plane);
        assert!(at + wide <= y_line && sums.len() == R * row * V::LANES && of.lanes == V::LANES);
        // Neighbouring lines see much the same of x. How many decides the order of the sums, if there are planes, and so
        // must not depend on `R`, which the number of threads decides.
        let some = (NEAR / (deep * (of.channels + axes[1].stride) * wide * V::LANES)).max(1);
        for (start, c, tap) in (0..high).step_by(some).flat_map(|start| {
            let of_channel = move |c| (0..taps.len()).step_by(S).map(move |tap| (start, c, tap));
            (0..of.geo.group_in()).flat_map(of_channel)
        }) {
            let (mut offsets, mut places) = ([0; S], [0; S]);
            for s in 0..S {
                // A tap that is missing repeats the last.
                let tap = (tap + s).min(taps.len() - 1);
                (offsets[s], places[s]) = (taps[tap] * V::LANES, (c * taps.len() + tap) * V::LANES);
            }
            // SAFETY: the frame holds what each position sees through each tap, `y` the positions of `R` channels, and
            // `sums` a vector for each of their weights.
            unsafe {
                let x = x.as_ptr().add((c * len + at) * V::LANES);
                let y = y.as_ptr().add(at * V::LANES);
                let sums = sums.as_mut_ptr();
                let mut totals = [[V::zero(); S]; R];
                if !begins || start > 0 {
                    for r in 0..R {
                        for s in 0..S {
                            totals[r][s] = V::load(sums.wrapping_add(r * row * V::LANES + places[s]));
                        }
                    }
                }
                for d in 0..deep {
                    for h in start..high.min(start + some) {
                        let mut x = x.wrapping_add(d * steps[0] + h * steps[1]);
                        let mut y = y.wrapping_add((d * high + h) * y_line * V::LANES);
                        for _ in 0..wide {
                            let mut factors = [V::zero(); R];
                            for r in 0..R {
                                factors[r] = V::load(y.wrapping_add(r * plane));
                            }
                            for s in 0..S {
                                let x = V::load(x.wrapping_add(offsets[s]));
                                for r in 0..R {
                                    totals[r][s] = x.mul_add(factors[r], totals[r][s]);
                                }
                            }
                            x = x.wrapping_add(steps[2]);
                            y = y.wrapping_add(V::LANES);
                        }
                    }
                }
                for r in 0..R {
                    for s in 0..S {
                        totals[r][s].store(sums.wrapping_add(r * row * V::LANES + places[s]));
                    }
                }
            }
        }
    }
}
