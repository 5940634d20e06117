//! The weight: the sums of a tile of channels and taps at a time.

use std::ops::Range;

use smallvec::SmallVec;

use super::frame::Frame;
use super::minimal::{Cut, Minimal};
use super::{Batched, CHANNELS, of_groups, pieces, places};
use crate::simd::{self, Vector, Vectorised};
use crate::storage::Storage;

/// Elements of the lines that are added up for all taps before the next ones: so few that they stay in the first-level
/// cache.
const NEAR: usize = 7 * 1024;
/// Vectors that are added up side by side.
const SIDE_BY_SIDE: usize = 4;

/// What the sums of a weight, and those of a bias, have in common.
///
/// The sums follow each other: those of each kind of products, for each channel of results, and then a sum for each channel.
pub(super) struct Correlation<'a> {
    of: &'a Batched,
    /// Whether there is a bias.
    biased: bool,
    /// How a channel of the results' gradient lies in memory.
    pub(super) y_frame: Frame,
    /// Kinds of products of transformed lines, each with sums of its own, and how many there are in a line, side by side;
    /// else one, of the positions.
    products: usize,
    wide: usize,
    /// The kind whose factor of a tile is the sum of its positions.
    ones: usize,
    /// The offset of each tap.
    taps: SmallVec<[usize; 64]>,
}

impl<'a> Correlation<'a> {
    pub(super) fn new(of: &'a Batched, biased: bool) -> Self {
        let extents = of.geo.axes.map(|axis| axis.output);
        let plain = Frame { before: [0; 3], inner: extents, extents, lines: None };
        let (y_frame, [deep, high, across], products, wide, ones) = match of.minimal {
            Some(minimal) => {
                let [deep, high, products] = of.kernel();
                (plain.cut(minimal, Cut::Tiles), [deep, high, 1], products, minimal.tiles, Minimal::ONES)
            }
            None => (plain, of.kernel(), 1, extents[2], 0),
        };
        let steps = of.read.steps();
        let taps = places([deep, high, across])
            .map(|at| (0..3).map(|i| at[i] * of.geo.axes[i].dilation * steps[i]).sum())
            .collect();
        Self { of, biased, y_frame, products, wide, ones, taps }
    }

    /// Sums of a channel of results, of one kind of products.
    pub(super) fn row(&self) -> usize {
        self.of.geo.group_in() * self.taps.len()
    }

    /// Sums of the weight, which those of the bias follow.
    pub(super) fn of_weight(&self) -> usize {
        self.products * self.of.geo.out_channels * self.row()
    }

    /// All sums.
    pub(super) fn len(&self) -> usize {
        self.of_weight() + if self.biased { self.of.geo.out_channels } else { 0 }
    }

    /// Adds up y·x, and y, over some vectors of images for some channels of results, and hands on the sums of a few channels
    /// at a time, a vector for each, and the place of the first.
    pub(super) fn add_up(
        &self,
        [y, x]: [&[f32]; 2],
        vectors: Range<usize>,
        channels: Range<usize>,
        mut hand_on: impl FnMut(usize, &[f32]),
    ) {
        let of = self.of;
        let (group_in, group_out, row) = (of.geo.group_in(), of.geo.group_out(), self.row());
        // Where there is one vector of images only, the sums of a few channels end before those of the next begin.
        let kept = vectors.len() > 1;
        let most = if kept { channels.len() } else { of.channels };
        let of_channel = self.len() / of.geo.out_channels * of.lanes;
        let mut sums = Storage::unspecified(most * of_channel);
        let [mut x_frames, mut y_frames] = [Storage::EMPTY; 2];
        for vector in vectors.clone() {
            let (begins, ends) = (vector == vectors.start, vector + 1 == vectors.end);
            for (group, of_group) in of_groups(channels.clone(), group_out) {
                let (first, read) = (group * group_out, group * group_in..(group + 1) * group_in);
                let x = of.framed(vector, read, x, of.read, &mut x_frames);
                for few in pieces(first + of_group.start..first + of_group.end, of.channels) {
                    let y = of.framed(vector, few.clone(), y, self.y_frame, &mut y_frames);
                    let before = if kept { few.start - channels.start } else { 0 };
                    let sums = &mut sums.make_mut()[before * of_channel..][..few.len() * of_channel];
                    let (products, bias) = sums.split_at_mut(few.len() * self.products * row * of.lanes);
                    for (product, sums) in products.chunks_exact_mut(few.len() * row * of.lanes).enumerate() {
                        Sums { all: self, x, y, at: product * self.wide, begins, sums }.find(few.len());
                        if ends {
                            hand_on((product * of.geo.out_channels + few.start) * row, sums);
                        }
                    }
                    if self.biased {
                        simd::vectorised(of.level, Biases { all: self, y, begins, sums: &mut *bias });
                        if ends {
                            hand_on(self.of_weight() + few.start, bias);
                        }
                    }
                }
            }
        }
    }
}

/// Σ y over the positions of the images of a vector, for each of some channels of results.
struct Biases<'a> {
    all: &'a Correlation<'a>,
    /// These channels, in frames.
    y: &'a [f32],
    /// Whether these are the first images.
    begins: bool,
    /// A vector for each channel.
    sums: &'a mut [f32],
}

impl Vectorised for Biases<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { all: &Correlation { of, y_frame, wide, ones, .. }, y, begins, sums } = self;
        assert!(of.lanes == V::LANES);
        let (plane, line) = (y_frame.len() * V::LANES, y_frame.extents[2] * V::LANES);
        for (y, sum) in y.chunks_exact(plane).zip(sums.chunks_exact_mut(V::LANES)) {
            // SAFETY: the caller promises the instructions; every slice is of whole vectors.
            unsafe {
                // Side by side, so that additions do not wait for one another.
                let mut totals = [V::zero(); SIDE_BY_SIDE];
                let mut rest = if begins { V::zero() } else { V::load(sum.as_ptr()) };
                for line in y.chunks_exact(line) {
                    let line = &line[ones * wide * V::LANES..][..wide * V::LANES];
                    let mut several = line.chunks_exact(SIDE_BY_SIDE * V::LANES);
                    for several in several.by_ref() {
                        for (i, total) in totals.iter_mut().enumerate() {
                            *total = total.add(V::load(several.as_ptr().add(i * V::LANES)));
                        }
                    }
                    for one in several.remainder().chunks_exact(V::LANES) {
                        rest = rest.add(V::load(one.as_ptr()));
                    }
                }
                let [a, b, c, d] = totals;
                rest.add(a.add(b).add(c.add(d))).store(sum.as_mut_ptr());
            }
        }
    }
}

/// Σ y·x over the positions of the images of a vector, for some channels of results.
struct Sums<'a> {
    all: &'a Correlation<'a>,
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
        let (level, together) = (self.all.of.level, self.all.of.together);
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
        let Sums { all, x, y, at, begins, sums } = self.0;
        let Correlation { of, y_frame, wide, ref taps, .. } = *all;
        let (len, steps) = (of.read.len(), of.read.steps());
        let axes = of.geo.axes;
        let steps: [usize; 3] = std::array::from_fn(|i| steps[i] * axes[i].stride * V::LANES);
        let [deep, high, y_line] = y_frame.extents;
        let (plane, row) = (y_frame.len() * V::LANES, all.row());
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
