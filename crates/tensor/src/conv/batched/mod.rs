//! Convolution of as many images at a time as a vector has lanes.
//!
//! An element of sixteen images (eight with AVX2) is a vector, and what is computed of one image is computed of all
//! of them: lanes are full whatever the extents, strides and dilations, and taps that no position of a tile needs
//! are left out, which is where narrow images and the gradients of inputs lose most otherwise. The images are
//! transposed on the way in, the results on the way out, unless they are interleaved: then they lie so in memory.
//!
//! - output and input: a position of a channel is Σ w·x over the channels and taps that it sees, for some channels
//!   and positions at a time
//! - weight: a tap is Σ y·x over the positions of all images, and the bias's gradient Σ y; the lanes are added up in the end
//!
//! Lines of three or five taps side by side may be transformed, as `minimal.rs` says, where that pays.

#![allow(clippy::needless_range_loop, reason = "the loops run over registers, several arrays at a time")]

mod frame;
mod minimal;
mod sums;
mod tiles;

use std::iter;
use std::ops::Range;

use smallvec::SmallVec;

use super::sight::{Run, Sight};
use super::unfold::even;
use super::{Geometry, PER_OPERATION, Slot, partial};
use crate::par::{self, Shared};
use crate::simd::{self, Level};
use crate::storage::Storage;
use crate::window::Axis;
use frame::{Frame, LayOut, Restore};
use minimal::{Cut, Gradient, Minimal};
use sums::Correlation;
use tiles::{Block, Plan};

/// The most channels of a tile of results.
const CHANNELS: usize = 8;
/// Positions or taps of a tile at most: how few and how many may do best. Runs of positions may be shorter.
const TOGETHER: std::ops::RangeInclusive<usize> = 2..=5;
/// The shortest line of results.
const SHORTEST: usize = 3;
/// Elements of the images of a vector, transformed or not, or of the weight's gradient in vectors before it is
/// transformed, at most: 2 MB.
const AT_HAND: usize = 512 * 1024;
/// The longest stride, dilation and border: so short that no number of a position overflows.
const FAR: usize = 1 << 16;
/// Taps of all channels of a group at most, lest those of a tile, or what they are transformed to, leave the cache.
const DEPTH: usize = 1024;
/// Partial sums of the weight that can be computed at the same time.
const PARTS: usize = 4;
/// Tasks for each thread that cutting makes at most: more would not make them end more evenly.
const MANY: usize = 4;

/// A convolution of whole vectors of images.
pub(super) struct Batched {
    level: Level,
    /// What is solved for.
    slot: Slot,
    geo: Geometry,
    /// Images of a vector.
    pub(super) lanes: usize,
    /// Whether an element of the images of a vector is a vector in memory, too.
    interleaved: bool,
    /// Channels of a tile at most, and its positions or taps at most.
    channels: usize,
    together: usize,
    /// Whether lines are transformed.
    minimal: Option<Minimal>,
    /// How a channel of what is read lies in memory: of the input, or of the results, if the input is solved for.
    read: Frame,
    /// How the positions of a line are found; none of the weight's.
    runs: SmallVec<[Run; 32]>,
}

/// The channels of a group that are read, and those that are written; of the weight's gradient, those of `x` and `y`.
fn channels_of_group(geo: &Geometry, slot: Slot) -> [usize; 2] {
    match slot {
        Slot::Input => [geo.group_out(), geo.group_in()],
        Slot::Output | Slot::Weight => [geo.group_in(), geo.group_out()],
    }
}

/// The images of a vector, if there are any.
pub(super) fn lanes(level: Level) -> Option<usize> {
    match level {
        Level::Portable => None,
        Level::Avx2 => Some(8),
        Level::Avx512 => Some(16),
    }
}

impl Batched {
    /// The algorithm for a slot, where it is worth it if images fill vectors: more than one tap, and channels that stay
    /// in the cache.
    pub(super) fn new(geo: &Geometry, slot: Slot, level: Level) -> Option<Self> {
        let lanes = lanes(level).filter(|_| geo.taps() > 1)?;
        let registers = 2 * lanes;
        let apart = geo.deinterleaved(lanes);
        let (interleaved, geo) = (apart.is_some(), &apart.unwrap_or(*geo));
        let far = |axis: &Axis| axis.stride.max(axis.dilation).max(axis.before).max(axis.after) > FAR;
        let depth = geo.taps().checked_mul(geo.group_in().max(geo.group_out()))?;
        let (elements, sums) = match slot {
            Slot::Input => (geo.out_channels * geo.out_plane(), 0),
            Slot::Output => (geo.in_channels * geo.in_plane(), 0),
            Slot::Weight => {
                (geo.in_channels * geo.in_plane(), geo.out_channels * geo.group_in() * geo.taps())
            }
        };
        let at_hand = AT_HAND / lanes;
        if geo.axes.iter().any(far) || depth > DEPTH || elements.max(sums) > at_hand {
            return None;
        }
        let wide = Sight::new(geo.axes[2], slot);
        if slot != Slot::Weight && wide.extents()[0].div_ceil(wide.position) < SHORTEST {
            return None;
        }
        let [read, written] = channels_of_group(geo, slot);
        // The registers hold the sums, a factor of each channel and one of the elements seen.
        let channels = |together: usize| even(written, CHANNELS.min((registers - 1) / (together + 1)));
        let runs = |minimal: Option<Minimal>, together: usize| -> SmallVec<[Run; 32]> {
            match minimal {
                Some(minimal) => minimal.runs(together).collect(),
                None => wide.runs(together).collect(),
            }
        };
        // Multiplications and the loads of factors and elements for a line, and what transforming it takes.
        let instructions = |&(minimal, together): &(Option<Minimal>, usize)| {
            let blocks = written.div_ceil(channels(together));
            let of = |positions: usize| positions * written + written + positions * blocks;
            let across = geo.axes[0].kernel * geo.axes[1].kernel;
            let multiplied: usize = match (slot, minimal) {
                (Slot::Weight, Some(minimal)) => minimal.wide() * across.div_ceil(together) * of(together),
                (Slot::Weight, None) => geo.axes[2].output * geo.taps().div_ceil(together) * of(together),
                _ => {
                    let runs = runs(minimal, together);
                    across * runs.iter().map(|run| run.seen.count * of(run.positions)).sum::<usize>()
                }
            };
            read * multiplied + minimal.map_or(0, |minimal| (read + written) * minimal.cost())
        };
        let minimal = iter::once(None).chain(Minimal::all(geo.axes[2], slot).map(Some));
        let ways =
            TOGETHER.rev().flat_map(|together| minimal.clone().map(move |minimal| (minimal, together)));
        let (minimal, together) = ways.min_by_key(instructions)?;
        let channels = channels(together);
        let runs = if slot == Slot::Weight { SmallVec::new() } else { runs(minimal, together) };
        let mut frame = match slot {
            Slot::Weight => Frame {
                before: geo.axes.map(|axis| axis.before),
                inner: geo.axes.map(|axis| axis.input),
                extents: geo.axes.map(|axis| {
                    let seen = (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
                    seen.max(axis.before + axis.input)
                }),
                lines: None,
            },
            Slot::Input | Slot::Output => {
                let inner = geo.axes.map(|axis| Sight::new(axis, slot).extents()[1]);
                let border = match minimal {
                    Some(_) => 0,
                    None => runs.iter().map(|run| wide.overhang(run)).max()?,
                };
                let [deep, high, wide] = inner;
                // The border after a line is the one before the next.
                Frame { before: [0, 0, border], inner, extents: [deep, high, wide + border], lines: None }
            }
        };
        if let Some(minimal) = minimal {
            frame = frame.cut(minimal, Cut::Windows);
        }
        let channels_read = if slot == Slot::Input { geo.out_channels } else { geo.in_channels };
        let framed = frame.extents.iter().try_fold(channels_read, |len, &extent| len.checked_mul(extent))?;
        let this = Self {
            level,
            slot,
            geo: *geo,
            lanes,
            interleaved,
            channels,
            together,
            minimal,
            read: frame,
            runs,
        };
        (framed <= at_hand).then_some(this)
    }

    /// The products of a tile, where lines are transformed.
    #[cfg(test)]
    pub(super) fn products(&self) -> Option<usize> {
        self.minimal.map(|minimal| minimal.products)
    }

    /// The images of a last vector that is not full.
    pub(super) fn rest(&self) -> usize {
        self.geo.batch % self.lanes
    }

    /// Taps along each axis, or what there is of them where lines are transformed.
    fn kernel(&self) -> [usize; 3] {
        let [deep, high, wide] = self.geo.axes.map(|axis| axis.kernel);
        [deep, high, self.minimal.map_or(wide, |minimal| minimal.products)]
    }

    /// What the operands determine of the slot.
    pub(super) fn solve(&self, [a, b]: [&[f32]; 2], bias: Option<&[f32]>, result: &mut [f32]) {
        match self.slot {
            Slot::Input => self.convolve(b, a, bias, result),
            Slot::Weight => self.weight(a, b, result, None),
            Slot::Output => self.convolve(a, b, bias, result),
        }
    }

    /// The images of a vector.
    fn images(&self, vector: usize) -> Range<usize> {
        vector * self.lanes..self.geo.batch.min((vector + 1) * self.lanes)
    }

    /// Some channels of a vector of images in frames, with the border after the last: in `memory`, unless they are so where
    /// they are. `from` has all images.
    fn framed<'a>(
        &self,
        vector: usize,
        channels: Range<usize>,
        from: &'a [f32],
        frame: Frame,
        memory: &'a mut Storage<f32>,
    ) -> &'a [f32] {
        let (image, images) = (from.len() / self.geo.batch, self.images(vector));
        let channel: usize = frame.inner.iter().product();
        if self.interleaved && frame.is_bare() {
            let first = images.start * image + channels.start * channel * self.lanes;
            return &from[first..][..channels.len() * channel * self.lanes];
        }
        let framed = channels.len() * frame.len() * self.lanes;
        let len = framed + frame.before[2] * self.lanes;
        if memory.len() < len {
            *memory = Storage::unspecified(len);
        }
        let to = &mut memory.make_mut()[..len];
        // Zeros for the border, and for lanes without an image; those of transformed lines are written as transforms of zeros.
        debug_assert!(!frame.is_full() || frame.before[2] == 0);
        if !frame.is_full() || frame.lines.is_none() && images.len() < self.lanes {
            to.fill(0.0);
        }
        let from = &from[images.start * image..images.end * image];
        let (images, interleaved) = (images.len(), self.interleaved);
        let of = LayOut { from, images, interleaved, channel: channels.start, frame, to: &mut to[..framed] };
        simd::vectorised(self.level, of);
        to
    }

    fn vectors(&self) -> usize {
        self.geo.batch.div_ceil(self.lanes)
    }

    /// y from x and w, or x from w and y.
    fn convolve(&self, from: &[f32], w: &[f32], bias: Option<&[f32]>, to: &mut [f32]) {
        let plan = Plan::new(self, w);
        let ([of_taps, of_group], extents) = ([plan.read, plan.written], plan.extents);
        let (lines, plane) = (extents[0] * extents[1], extents.iter().product::<usize>());
        let written = of_group * self.geo.groups;
        let image = written * plane;
        let multiplied = written * of_taps * plan.pairs() * self.lanes / PER_OPERATION;
        let [by_channels, by_lines] = self.shares(self.vectors(), multiplied, lines);
        let shares = by_channels * by_lines;
        let shared = Shared::new(to);
        par::tasks(self.vectors() * shares, multiplied / shares, |task| {
            let (vector, channels, part) = (task / shares, task / by_lines % by_channels, task % by_lines);
            let images = self.images(vector);
            let lines = share(lines, part, by_lines);
            let [skipped, found] = [lines.start, lines.len()].map(|lines| lines * extents[2]);
            let mut frames = Storage::EMPTY;
            for (group, channels) in of_groups(share(written, channels, by_channels), of_group) {
                let read = group * of_taps..(group + 1) * of_taps;
                let x = self.framed(vector, read, from, self.read, &mut frames);
                for channels in pieces(channels, self.channels) {
                    let start = (group * of_group + channels.start) * plane + skipped;
                    let (first, channels) = (channels.start, channels.len());
                    let find = |to, start, step| {
                        let lines = lines.clone();
                        let block = Block { plan: &plan, x, group, first, lines, bias, to, start, step };
                        block.find(channels);
                    };
                    if self.interleaved {
                        find(&shared, images.start * image + start * self.lanes, plane * self.lanes);
                        continue;
                    }
                    let mut results = Storage::unspecified(channels * found * self.lanes);
                    find(&Shared::new(results.make_mut()), 0, found * self.lanes);
                    // Whole channels follow each other.
                    let span = if by_lines == 1 { channels * plane } else { found };
                    let (from, to, images) = (&results, &shared, images.clone());
                    simd::vectorised(
                        self.level,
                        Restore { from, span, to, images, image, plane, first: start },
                    );
                }
            }
        });
    }

    /// Into how many shares each of so many tasks is cut, by the channels that are written and by their `lines`, so that the
    /// last thread ends soonest; `multiplied` is what the products of a vector cost.
    ///
    /// Each share makes the frames of the channels that it reads for itself, for what another core has just written comes
    /// from its cache more slowly than it is made. Shares that read the same group each make its frames, and those with less
    /// than a tile of channels load an element for fewer products.
    fn shares(&self, tasks: usize, multiplied: usize, lines: usize) -> [usize; 2] {
        let threads = par::threads();
        if threads == 1 {
            return [1, 1];
        }
        let ([read, written], groups) = (channels_of_group(&self.geo, self.slot), self.geo.groups);
        let in_place = self.interleaved && self.read.is_bare();
        let framing = if in_place { 0 } else { groups * read * self.read.cost() * self.lanes };
        let written = groups * written;
        let most = (MANY * threads).min(self.vectors() * multiplied / par::GRAIN) / tasks;
        // Between groups, or within each as often.
        let along = |channels: &usize| channels.is_multiple_of(groups) || groups.is_multiple_of(*channels);
        let cuts = (1..=most.min(lines)).flat_map(|by_lines| {
            let by_channels = (1..=(most / by_lines).min(written)).filter(along);
            by_channels.map(move |by_channels| [by_channels, by_lines])
        });
        let ends = |&[by_channels, by_lines]: &[usize; 2]| {
            let (channels, of_lines) = (written.div_ceil(by_channels), lines.div_ceil(by_lines));
            let loads = channels.div_ceil(self.channels);
            let products = multiplied * of_lines / lines * (channels + loads) / written;
            let share = products + framing / by_channels.min(groups);
            // As many shares after each other, and the wait for another thread: a quarter of one.
            share * (4 * (tasks * by_channels * by_lines).div_ceil(threads) + 1)
        };
        cuts.min_by_key(ends).unwrap_or([1, 1])
    }

    /// w from y and x, and Σ y of each channel: sums over parts of the batch, added in order.
    pub(super) fn weight(&self, y: &[f32], x: &[f32], w: &mut [f32], bias: Option<&mut [f32]>) {
        let sums_of = Correlation::new(self, bias.is_some());
        let each = self.vectors().div_ceil(PARTS);
        let parts = self.vectors().div_ceil(each);
        let multiplied =
            self.geo.out_channels * sums_of.row() * sums_of.y_frame.len() * self.lanes / PER_OPERATION;
        let [shares, _] = self.shares(parts, multiplied, 1);
        let mut totals = Storage::unspecified(parts * sums_of.len());
        let shared = Shared::new(totals.make_mut());
        par::tasks(parts * shares, each * multiplied / shares, |task| {
            let part = task / shares;
            let vectors = part * each..self.vectors().min((part + 1) * each);
            let channels = share(self.geo.out_channels, task % shares, shares);
            sums_of.add_up([y, x], vectors, channels, |first, sums| {
                // SAFETY: the sums of some channels, which no other task has.
                let totals = unsafe { shared.part(part * sums_of.len() + first, sums.len() / self.lanes) };
                partial::add_lanes(self.level, sums, 1, totals);
            });
        });
        let mut sums = Storage::unspecified(sums_of.len());
        partial::add_parts(&totals, sums.make_mut());
        let (of_weight, of_bias) = sums.split_at(sums_of.of_weight());
        match self.minimal {
            Some(minimal) => simd::vectorised(self.level, Gradient { minimal, from: of_weight, to: w }),
            None => w.copy_from_slice(of_weight),
        }
        if let Some(bias) = bias {
            bias.copy_from_slice(of_bias);
        }
    }
}

/// The `nth` of as many even shares of numbers.
fn share(all: usize, nth: usize, shares: usize) -> Range<usize> {
    nth * all / shares..(nth + 1) * all / shares
}

/// Channels by groups of so many: which group, and which of it.
fn of_groups(channels: Range<usize>, each: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    (channels.start / each..channels.end.div_ceil(each)).map(move |group| {
        let first = group * each;
        (group, channels.start.max(first) - first..channels.end.min(first + each) - first)
    })
}

/// Even pieces of at most so many.
fn pieces(all: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let each = even(all.len(), most);
    all.clone().step_by(each).map(move |start| start..all.end.min(start + each))
}

/// Every place below the extents, the last axis first.
fn places([deep, high, wide]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..deep).flat_map(move |d| (0..high).flat_map(move |h| (0..wide).map(move |w| [d, h, w])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sliding, with_threads};

    #[test]
    fn a_vector_is_cut_so_that_the_last_thread_ends_soonest() {
        let cut = |threads: usize, vectors: usize, groups: usize, multiplied: usize| {
            let (input, weight) = ([16 * vectors, 12, 14, 14], [16, 12 / groups, 5, 5]);
            let geo = Geometry::convolution("test", &input, &weight, groups, Sliding::<2>::default());
            let of = Batched::new(&geo.unwrap(), Slot::Output, Level::Avx512).unwrap();
            with_threads(threads, || of.shares(vectors, multiplied, 10)).unwrap()
        };
        let much = 1 << 20;
        assert_eq!(cut(1, 1, 1, 64 * much), [1, 1]);
        assert_eq!(cut(2, 1, 1, par::GRAIN), [1, 1], "too little for a second thread");
        assert_eq!(cut(2, 1, 1, much), [2, 1], "channels before lines");
        assert_eq!(cut(2, 2, 1, much), [1, 1], "a vector for each thread");
        assert_eq!(cut(8, 8, 1, par::GRAIN / 2), [1, 1], "less than what is worth a thread");
        assert_eq!(cut(2, 3, 1, much), [2, 1]);
        assert_eq!(cut(16, 15, 1, much), [1, 1], "one thread idle, but no frame made twice");
        let [channels, lines] = cut(16, 1, 1, 64 * much);
        assert!(channels > 1 && lines > 1 && channels * lines >= 16, "{channels} by {lines}");
        assert_eq!(cut(4, 1, 4, 8 * par::GRAIN), [4, 1], "between groups");
    }
}
