//! Convolution of as many images at a time as a vector has lanes.
//!
//! An element of sixteen images (eight with AVX2) is a vector, and what is computed of one image is computed of all
//! of them: lanes are full whatever the extents, strides and dilations, and taps that no position of a tile needs
//! are left out, which is where narrow images and the gradients of inputs lose most otherwise. The images are
//! transposed on the way in, the results on the way out, unless they are interleaved: then they lie so in memory.
//!
//! - output and input: a position of a channel is Σ w·x over the channels and taps that it sees, for some channels
//!   and positions at a time
//! - weight: a tap is Σ y·x over the positions of all images; the lanes are added up in the end
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

use super::sight::{Run, Seen, Sight};
use super::unfold::even;
use super::{Geometry, PER_OPERATION, Slot, partial};
use crate::par::{self, Shared};
use crate::simd::{self, Level};
use crate::storage::Storage;
use crate::window::Axis;
use frame::{Frame, Framed, LayOut, Memory, Restore};
use minimal::{Cut, Gradient, Minimal, Taps};
use sums::{Correlate, Sums};
use tiles::{Block, Plan, Tiles};

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
/// Tasks for each thread, so that none waits long for another.
const TASKS: usize = 4;
/// Vectors of images for each thread that are in frames at once.
const AHEAD: usize = 2;

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
            Slot::Weight => self.weight(a, b, result),
            Slot::Output => self.convolve(a, b, bias, result),
        }
    }

    /// The images of a vector.
    fn images(&self, vector: usize) -> Range<usize> {
        vector * self.lanes..self.geo.batch.min((vector + 1) * self.lanes)
    }

    /// Some vectors of images in frames of all channels. `from` has all images.
    fn framed<'a>(&self, vectors: Range<usize>, from: &'a [f32], frame: Frame) -> Framed<'a> {
        let image = from.len() / self.geo.batch;
        if self.interleaved && frame.is_bare() {
            return Framed { vectors, each: image * self.lanes, memory: Memory::InPlace(from) };
        }
        let channel: usize = frame.inner.iter().product();
        let (channels, framed) = (image / channel, frame.len() * self.lanes);
        // With the border after the last.
        let each = channels * framed + frame.before[2] * self.lanes;
        let mut memory = Storage::unspecified(vectors.len() * each);
        let shared = Shared::new(memory.make_mut());
        let cost = channel * self.lanes * if frame.lines.is_some() { 4 } else { 1 };
        par::tasks(vectors.len() * channels, cost, |task| {
            let (nth, channel) = (task / channels, task % channels);
            let images = self.images(vectors.start + nth);
            let end = if channel + 1 == channels { each } else { (channel + 1) * framed };
            // SAFETY: a channel of a vector, which no other task has.
            let to = unsafe { shared.part(nth * each + channel * framed, end - channel * framed) };
            // Zeros where there is a border, or a lane is left without an image that is not written as the transform
            // of zeros.
            if !frame.is_full() || frame.lines.is_none() && images.len() < self.lanes {
                to.fill(0.0);
            } else {
                to[framed..].fill(0.0);
            }
            let (from, to) = (&from[images.start * image..images.end * image], &mut to[..framed]);
            let (images, interleaved) = (images.len(), self.interleaved);
            simd::vectorised(self.level, LayOut { from, images, interleaved, channel, frame, to });
        });
        Framed { vectors, each, memory: Memory::Copied(memory) }
    }

    fn vectors(&self) -> usize {
        self.geo.batch.div_ceil(self.lanes)
    }

    /// y from x and w, or x from w and y.
    fn convolve(&self, from: &[f32], w: &[f32], bias: Option<&[f32]>, to: &mut [f32]) {
        let sights = self.geo.axes.map(|axis| Sight::new(axis, self.slot));
        let extents = sights.map(|sight| sight.extents()[0]);
        let every = |axis: usize| (0..extents[axis]).map(move |at| sights[axis].seen(at, 1));
        let [of_taps, of_group] = channels_of_group(&self.geo, self.slot);
        let blocks = of_group.div_ceil(self.channels);
        let plane: usize = extents.iter().product();
        let lines = extents[0] * extents[1];
        let plan = Plan {
            of: self,
            sights,
            extents,
            lines: [every(0).collect(), every(1).collect()],
            weight: self.weights(w),
            read: of_taps,
            written: of_group,
        };
        let image = of_group * self.geo.groups * plane;
        let taps: usize = self.kernel().iter().product();
        let multiplied = self.channels * of_taps * taps * self.geo.out_plane();
        let (threads, vectors) = (par::threads(), self.vectors());
        let tasks = self.geo.groups * blocks;
        // Few images are divided by lines, too.
        let parts = match threads {
            1 => 1,
            _ => (TASKS * threads).div_ceil((vectors * tasks).max(1)).min(lines),
        };
        let cost = multiplied.div_ceil(parts) * self.lanes / PER_OPERATION;
        let shared = Shared::new(to);
        let convolve = |vectors: Range<usize>| {
            let x = self.framed(vectors.clone(), from, self.read);
            par::tasks(vectors.len() * tasks * parts, cost, |task| {
                let (task, part) = (task / parts, task % parts);
                let (block, group, nth) =
                    (task % blocks, task / blocks % self.geo.groups, task / blocks / self.geo.groups);
                let images = self.images(vectors.start + nth);
                let first = block * self.channels;
                let channels = self.channels.min(of_group - first);
                let lines = part * lines / parts..(part + 1) * lines / parts;
                let [start, found] = [lines.start, lines.len()].map(|lines| lines * extents[2]);
                let start = (group * of_group + first) * plane + start;
                let find = |to, start, step| {
                    let x = x.vector(nth);
                    let block = Block { plan: &plan, x, group, first, lines, bias, to, start, step };
                    match channels {
                        1 => simd::vectorised(self.level, Tiles::<1>(block)),
                        2 => simd::vectorised(self.level, Tiles::<2>(block)),
                        3 => simd::vectorised(self.level, Tiles::<3>(block)),
                        4 => simd::vectorised(self.level, Tiles::<4>(block)),
                        5 => simd::vectorised(self.level, Tiles::<5>(block)),
                        6 => simd::vectorised(self.level, Tiles::<6>(block)),
                        7 => simd::vectorised(self.level, Tiles::<7>(block)),
                        _ => simd::vectorised(self.level, Tiles::<CHANNELS>(block)),
                    }
                };
                if self.interleaved {
                    return find(&shared, images.start * image + start * self.lanes, plane * self.lanes);
                }
                let mut results = Storage::unspecified(channels * found * self.lanes);
                find(&Shared::new(results.make_mut()), 0, found * self.lanes);
                // Whole channels follow each other.
                let span = if parts == 1 { channels * plane } else { found };
                let (from, to) = (&results, &shared);
                simd::vectorised(self.level, Restore { from, span, to, images, image, plane, first: start });
            });
        };
        // Frames are made of some vectors before these are convolved, by as many threads; or, where there are vectors
        // enough, by the task that convolves one: what a task calls is not divided again.
        let some = AHEAD * threads;
        match vectors < TASKS * threads {
            true => (0..vectors).step_by(some).for_each(|first| convolve(first..vectors.min(first + some))),
            false => par::tasks(vectors, cost * tasks * parts, |vector| convolve(vector..vector + 1)),
        }
    }

    /// The taps in the order of the sums, `[groups, read, taps, written]`.
    fn weights(&self, w: &[f32]) -> Storage<f32> {
        let (taps, [group_in, group_out]) = (self.geo.taps(), [self.geo.group_in(), self.geo.group_out()]);
        let mut weight = Storage::unspecified(w.len());
        let parts = weight.make_mut().chunks_exact_mut(group_in * group_out * taps);
        for (part, w) in parts.zip(w.chunks_exact(group_in * group_out * taps)) {
            if self.slot == Slot::Input {
                for (to, from) in part.chunks_exact_mut(group_in * taps).zip(w.chunks_exact(group_in * taps))
                {
                    simd::transpose_slice(self.level, from, to, group_in);
                }
            } else {
                simd::transpose_slice(self.level, w, part, group_out);
            }
        }
        let Some(minimal) = self.minimal else { return weight };
        let mut transformed = Storage::unspecified(w.len() / taps * self.kernel().iter().product::<usize>());
        let ([_, channels], reversed) = (channels_of_group(&self.geo, self.slot), self.slot == Slot::Input);
        let of = Taps { minimal, channels, reversed, from: &weight, to: transformed.make_mut() };
        simd::vectorised(self.level, of);
        transformed
    }

    /// w from y and x: its sums over parts of the batch, added in order.
    fn weight(&self, y: &[f32], x: &[f32], w: &mut [f32]) {
        let geo = &self.geo;
        let each = self.vectors().div_ceil(PARTS);
        let parts = self.vectors().div_ceil(each);
        let extents = geo.axes.map(|axis| axis.output);
        let plain = Frame { before: [0; 3], inner: extents, extents, lines: None };
        // Products of a kind are sums of their own, of taps that see as many elements side by side.
        let (y_frame, [deep, high, across], products, wide) = match self.minimal {
            Some(minimal) => {
                let [deep, high, products] = self.kernel();
                (plain.cut(minimal, Cut::Tiles), [deep, high, 1], products, minimal.tiles)
            }
            None => (plain, self.kernel(), 1, extents[2]),
        };
        let steps = self.read.steps();
        let taps: SmallVec<[usize; 64]> = places([deep, high, across])
            .map(|at| (0..3).map(|i| at[i] * geo.axes[i].dilation * steps[i]).sum())
            .collect();
        let (group_in, group_out) = (geo.group_in(), geo.group_out());
        // The sums of a channel, of a tile's channels, and of a group of channels.
        let row = group_in * taps.len() * self.lanes;
        let channels = self.channels;
        let group_row = group_out * row;
        let cost = channels * row * y_frame.len() / products / PER_OPERATION;
        let len = products * geo.groups * group_row;
        let mut sums = Storage::unspecified(parts * len);
        let shared = Shared::new(sums.make_mut());
        let blocks = group_out.div_ceil(channels);
        let sum = |first_part: usize, nth: usize, vectors: Range<usize>| {
            let (x, y) =
                (self.framed(vectors.clone(), x, self.read), self.framed(vectors.clone(), y, y_frame));
            par::tasks(vectors.len() * products * geo.groups * blocks, cost, |task| {
                let (block, task) = (task % blocks, task / blocks);
                let (group, product, part) =
                    (task % geo.groups, task / geo.groups % products, task / geo.groups / products);
                let first = group * group_out + block * channels;
                let channels = channels.min(group_out - block * channels);
                let start = (first_part + part) * len + product * geo.groups * group_row + first * row;
                // SAFETY: the sums of some channels, which no other task has.
                let sums = unsafe { shared.part(start, channels * row) };
                let of = Sums {
                    of: self,
                    x: &x.vector(part)[group * group_in * self.read.len() * self.lanes..],
                    y: &y.vector(part)[first * y_frame.len() * self.lanes..],
                    y_frame,
                    at: product * wide,
                    wide,
                    taps: &taps,
                    begins: nth == 0,
                    sums,
                };
                match channels {
                    1 => self.correlate::<1>(of),
                    2 => self.correlate::<2>(of),
                    3 => self.correlate::<3>(of),
                    4 => self.correlate::<4>(of),
                    5 => self.correlate::<5>(of),
                    6 => self.correlate::<6>(of),
                    7 => self.correlate::<7>(of),
                    _ => self.correlate::<CHANNELS>(of),
                }
            });
        };
        let sum_of = |part: usize| {
            let vectors = part * each..self.vectors().min((part + 1) * each);
            vectors.enumerate().for_each(|(nth, vector)| sum(part, nth, vector..vector + 1));
        };
        // What a task calls is not divided again.
        match each {
            1 => sum(0, 0, 0..parts),
            _ if parts < par::threads() => (0..parts).for_each(sum_of),
            _ => par::tasks(parts, cost * products * geo.groups * blocks * each, sum_of),
        }
        // As dear as all their elements: each core has those that it computed.
        let cost = parts * self.lanes;
        let Some(minimal) = self.minimal else { return partial::add_lanes(self.level, &sums, cost, w) };
        let mut totals = Storage::unspecified(len / self.lanes);
        partial::add_lanes(self.level, &sums, cost, totals.make_mut());
        simd::vectorised(self.level, Gradient { minimal, from: &totals, to: w });
    }

    fn correlate<const R: usize>(&self, of: Sums<'_>) {
        match self.together {
            2 => simd::vectorised(self.level, Correlate::<R, 2>(of)),
            3 => simd::vectorised(self.level, Correlate::<R, 3>(of)),
            4 => simd::vectorised(self.level, Correlate::<R, 4>(of)),
            _ => simd::vectorised(self.level, Correlate::<R, 5>(of)),
        }
    }
}

/// Every place below the extents, the last axis first.
fn places([deep, high, wide]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..deep).flat_map(move |d| (0..high).flat_map(move |h| (0..wide).map(move |w| [d, h, w])))
}
