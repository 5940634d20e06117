//! Convolution of as many images at a time as a vector has lanes.
//!
//! An element of sixteen images (eight with AVX2) is a vector, and what is computed of one image is computed of all
//! of them: lanes are full whatever the extents, strides and dilations, and taps that no position of a tile needs
//! are left out, which is where narrow images and the gradients of inputs lose most otherwise. The images are
//! transposed on the way in, the results on the way out.
//!
//! - output and input: a position of a channel is Σ w·x over the channels and taps that it sees, for some channels
//!   and positions at a time
//! - weight: a tap is Σ y·x over the positions of all images; the lanes are added up in the end

#![allow(clippy::needless_range_loop, reason = "the loops run over registers, several arrays at a time")]

use smallvec::SmallVec;

use super::sight::{Run, Seen, Sight};
use super::unfold::even;
use super::{Geometry, PER_OPERATION, Slot, partial};
use crate::par::{self, Shared};
use crate::simd::{self, Level, Vector, Vectorised};
use crate::storage::Storage;
use crate::window::Axis;

/// The most channels of a tile of results.
const CHANNELS: usize = 6;
/// Positions or taps of a tile at most: how few and how many may do best. Runs of positions may be shorter.
const TOGETHER: std::ops::RangeInclusive<usize> = 3..=5;
/// Elements of the images of a vector, or of the sums of the weight, at most: 2 MB.
const AT_HAND: usize = 512 * 1024;
/// The longest stride, dilation and border: so short that no number of a position overflows.
const FAR: usize = 1 << 16;
/// Taps of all channels of a group at most, lest those of a tile leave the first-level cache.
const DEPTH: usize = 1024;
/// Partial sums of the weight that can be computed at the same time, and so many parts of the results if there are lines enough.
const PARTS: usize = 4;

/// A convolution of whole vectors of images.
pub(super) struct Batched {
    level: Level,
    /// What is solved for.
    slot: Slot,
    geo: Geometry,
    /// Images of a vector.
    lanes: usize,
    /// Channels of a tile at most, and its positions or taps at most.
    channels: usize,
    together: usize,
    /// How a channel of what is read lies in memory: of the input, or of the results, if the input is solved for.
    read: Frame,
    /// How the positions of a line are found; none of the weight's.
    runs: SmallVec<[Run; 16]>,
}

/// A channel with a border of zeros around it; its elements are vectors.
#[derive(Clone, Copy)]
struct Frame {
    before: [usize; 3],
    inner: [usize; 3],
    extents: [usize; 3],
}

impl Frame {
    /// Elements of the channel and its border.
    fn len(&self) -> usize {
        self.extents.iter().product()
    }

    /// How far apart neighbours along each axis are.
    fn steps(&self) -> [usize; 3] {
        [self.extents[1] * self.extents[2], self.extents[2], 1]
    }
}

impl Batched {
    /// The algorithm for a slot, where it is worth it: lanes for most images, more than one tap, and channels that
    /// stay in the cache.
    pub(super) fn new(geo: &Geometry, slot: Slot, level: Level) -> Option<Self> {
        if level < Level::Avx2 || geo.taps() == 1 {
            return None;
        }
        let (lanes, registers) = if level == Level::Avx512 { (16, 32) } else { (8, 16) };
        if geo.batch * 4 < geo.batch.next_multiple_of(lanes) * 3 {
            return None;
        }
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
        if slot != Slot::Weight && wide.extents()[0].div_ceil(wide.position) < *TOGETHER.start() {
            return None;
        }
        let written = if slot == Slot::Input { geo.group_in() } else { geo.group_out() };
        // The registers hold the sums, a factor of each channel and one of the elements seen.
        let channels = |together: usize| even(written, CHANNELS.min((registers - 1) / (together + 1)));
        // Multiplications, and the loads of factors and elements.
        let instructions = |together: usize| {
            let blocks = written.div_ceil(channels(together));
            let of = |positions: usize| positions * written + written + positions * blocks;
            match slot {
                Slot::Weight => geo.taps().div_ceil(together) * of(together),
                _ => wide.runs(together).map(|run| run.seen.count * of(run.positions)).sum(),
            }
        };
        let together = TOGETHER.rev().min_by_key(|&together| instructions(together))?;
        let channels = channels(together);
        let mut runs = SmallVec::new();
        let read = match slot {
            Slot::Weight => Frame {
                before: geo.axes.map(|axis| axis.before),
                inner: geo.axes.map(|axis| axis.input),
                extents: geo.axes.map(|axis| {
                    let seen = (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
                    seen.max(axis.before + axis.input)
                }),
            },
            Slot::Input | Slot::Output => {
                runs.extend(wide.runs(together));
                let border = runs.iter().map(|run| wide.overhang(run)).max()?;
                let inner = geo.axes.map(|axis| Sight::new(axis, slot).extents()[1]);
                let [deep, high, wide] = inner;
                // The border after a line is the one before the next.
                Frame { before: [0, 0, border], inner, extents: [deep, high, wide + border] }
            }
        };
        let channels_read = if slot == Slot::Input { geo.out_channels } else { geo.in_channels };
        let framed = read.extents.iter().try_fold(channels_read, |len, &extent| len.checked_mul(extent))?;
        (framed <= at_hand).then_some(Self { level, slot, geo: *geo, lanes, channels, together, read, runs })
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
    fn images(&self, vector: usize) -> std::ops::Range<usize> {
        vector * self.lanes..self.geo.batch.min((vector + 1) * self.lanes)
    }

    /// Memory for so many frames of a vector of images, and for the border after the last: zeros where there is a
    /// border, or a lane is left without an image.
    fn memory(&self, vector: usize, frame: Frame, channels: usize) -> Storage<f32> {
        let len = (channels * frame.len() + frame.before[2]) * self.lanes;
        match frame.extents == frame.inner && self.images(vector).len() == self.lanes {
            true => Storage::unspecified(len),
            false => Storage::filled(len, 0.0),
        }
    }

    fn vectors(&self) -> usize {
        self.geo.batch.div_ceil(self.lanes)
    }

    /// Transposes the images of a vector into [`memory`](Self::memory). `from` has all images.
    fn lay_out(&self, vector: usize, from: &[f32], frame: Frame, to: &mut [f32]) {
        let images = self.images(vector);
        let channel: usize = frame.inner.iter().product();
        let channels = from.len() / self.geo.batch / channel;
        let from = &from[images.start * channels * channel..images.end * channels * channel];
        par::rows(to, frame.len() * self.lanes, channel * self.lanes, |first, to| {
            let of = LayOut { from, images: images.len(), channel: first, frame, to };
            simd::vectorised(self.level, of);
        });
    }

    /// y from x and w, or x from w and y.
    fn convolve(&self, from: &[f32], w: &[f32], bias: Option<&[f32]>, to: &mut [f32]) {
        let sights = self.geo.axes.map(|axis| Sight::new(axis, self.slot));
        let extents = sights.map(|sight| sight.extents()[0]);
        let every = |axis: usize| (0..extents[axis]).map(move |at| sights[axis].seen(at, 1));
        let [of_group, of_taps] = match self.slot {
            Slot::Input => [self.geo.group_in(), self.geo.group_out()],
            _ => [self.geo.group_out(), self.geo.group_in()],
        };
        let blocks = of_group.div_ceil(self.channels);
        let plane: usize = extents.iter().product();
        let lines = extents[0] * extents[1];
        // Few images are divided by lines too, by four of these at a time: where a line is a multiple of four, what is
        // written begins with a line of the cache.
        let divided = PARTS.div_ceil(self.vectors().max(1) * self.geo.groups * blocks);
        let each = lines.div_ceil(divided).next_multiple_of(4);
        let parts = lines.div_ceil(each);
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
        let multiplied = self.channels * of_taps * self.geo.taps() * self.geo.out_plane();
        let cost = multiplied.div_ceil(parts) * self.lanes / PER_OPERATION;
        let shared = Shared::new(to);
        let convolve = |vector| {
            let mut x = self.memory(vector, self.read, of_taps * self.geo.groups);
            self.lay_out(vector, from, self.read, x.make_mut());
            par::tasks(self.geo.groups * blocks * parts, cost, |task| {
                let (group, block, part) = (task / parts / blocks, task / parts % blocks, task % parts);
                let first = block * self.channels;
                let channels = self.channels.min(of_group - first);
                let lines = part * each..lines.min((part + 1) * each);
                let [start, found] = [lines.start, lines.len()].map(|lines| lines * extents[2]);
                // Whole channels follow each other.
                let span = if parts == 1 { channels * plane } else { found };
                let mut results = Storage::unspecified(channels * found * self.lanes);
                let to = results.make_mut();
                let block = Block { plan: &plan, x: &x, group, first, lines, bias, to };
                match channels {
                    1 => simd::vectorised(self.level, Tiles::<1>(block)),
                    2 => simd::vectorised(self.level, Tiles::<2>(block)),
                    3 => simd::vectorised(self.level, Tiles::<3>(block)),
                    4 => simd::vectorised(self.level, Tiles::<4>(block)),
                    5 => simd::vectorised(self.level, Tiles::<5>(block)),
                    _ => simd::vectorised(self.level, Tiles::<CHANNELS>(block)),
                }
                let of = Restore {
                    from: &results,
                    span,
                    to: &shared,
                    images: self.images(vector),
                    image,
                    plane,
                    first: (group * of_group + first) * plane + start,
                };
                simd::vectorised(self.level, of);
            });
        };
        // A task divides its work only where it is not one of several.
        match self.vectors() < par::threads() {
            true => (0..self.vectors()).for_each(convolve),
            false => par::tasks(self.vectors(), cost * parts * blocks * self.geo.groups, convolve),
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
        weight
    }

    /// w from y and x: its sums over parts of the batch, added in order.
    fn weight(&self, y: &[f32], x: &[f32], w: &mut [f32]) {
        let geo = &self.geo;
        let each = self.vectors().div_ceil(PARTS);
        let parts = self.vectors().div_ceil(each);
        let extents = geo.axes.map(|axis| axis.output);
        let plain = Frame { before: [0; 3], inner: extents, extents };
        let steps = self.read.steps();
        let taps: SmallVec<[usize; 64]> = places(geo.axes.map(|axis| axis.kernel))
            .map(|at| (0..3).map(|i| at[i] * geo.axes[i].dilation * steps[i]).sum())
            .collect();
        let (group_in, group_out) = (geo.group_in(), geo.group_out());
        // The sums of a channel, of a tile's channels, and of a group of channels.
        let row = group_in * geo.taps() * self.lanes;
        let channels = self.channels;
        let group_row = group_out * row;
        let cost = channels * row * geo.out_plane() / PER_OPERATION;
        let len = w.len() * self.lanes;
        let mut sums = Storage::unspecified(parts * len);
        let sum = |part: usize, sums: &mut [f32]| {
            let vectors = part * each..self.vectors().min((part + 1) * each);
            for vector in vectors.clone() {
                let mut x_vectors = self.memory(vector, self.read, geo.in_channels);
                let mut y_vectors = self.memory(vector, plain, geo.out_channels);
                self.lay_out(vector, x, self.read, x_vectors.make_mut());
                self.lay_out(vector, y, plain, y_vectors.make_mut());
                par::chunks(sums, group_row, |group, sums| {
                    let x = &x_vectors[group * group_in * self.read.len() * self.lanes..];
                    let y = &y_vectors[group * group_out * geo.out_plane() * self.lanes..];
                    par::rows(sums, channels * row, cost, |first, sums| {
                        for (block, sums) in sums.chunks_mut(channels * row).enumerate() {
                            let y = &y[(first + block) * channels * geo.out_plane() * self.lanes..];
                            let begins = vector == vectors.start;
                            let of = Sums { of: self, x, y, taps: &taps, begins, sums };
                            match of.sums.len() / row {
                                1 => self.correlate::<1>(of),
                                2 => self.correlate::<2>(of),
                                3 => self.correlate::<3>(of),
                                4 => self.correlate::<4>(of),
                                5 => self.correlate::<5>(of),
                                _ => self.correlate::<CHANNELS>(of),
                            }
                        }
                    });
                });
            }
        };
        match parts < par::threads() {
            true => sums.make_mut().chunks_mut(len).enumerate().for_each(|(part, sums)| sum(part, sums)),
            false => par::chunks(sums.make_mut(), len, sum),
        }
        partial::add_lanes(self.level, &sums, w);
    }

    fn correlate<const R: usize>(&self, of: Sums<'_>) {
        match self.together {
            3 => simd::vectorised(self.level, Correlate::<R, 3>(of)),
            4 => simd::vectorised(self.level, Correlate::<R, 4>(of)),
            _ => simd::vectorised(self.level, Correlate::<R, 5>(of)),
        }
    }
}

/// Images of a vector to be transposed into frames.
struct LayOut<'a> {
    from: &'a [f32],
    images: usize,
    /// The first channel.
    channel: usize,
    frame: Frame,
    /// The frames of this channel and those after it.
    to: &'a mut [f32],
}

impl Vectorised for LayOut<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { from, images, channel, frame, to } = self;
        let [deep, high, wide] = frame.inner;
        let (plane, image, steps) = (deep * high * wide, from.len() / images, frame.steps());
        let channels = to.len() / (frame.len() * V::LANES);
        assert!((channel + channels) * plane <= image);
        for line in 0..channels * deep * high {
            let (c, d, h) = (line / (deep * high), line / high % deep, line % high);
            let [d, h, w] = [d + frame.before[0], h + frame.before[1], frame.before[2]];
            let at = (c * frame.len() + d * steps[0] + h * steps[1] + w) * V::LANES;
            let to = &mut to[at..][..wide * V::LANES];
            // SAFETY: the assertion: the images have the channels. The line lies in `to`.
            unsafe {
                let from = from.as_ptr().add(channel * plane + line * wide);
                simd::transpose::<V>((from, image), (to.as_mut_ptr(), V::LANES), images, wide);
            }
        }
    }
}

/// The results of some channels, as vectors, to be transposed back into the images.
struct Restore<'a> {
    from: &'a [f32],
    /// How many elements follow each other in an image, too.
    span: usize,
    to: &'a Shared<'a, f32>,
    images: std::ops::Range<usize>,
    /// Elements of an image, and of a channel of it.
    image: usize,
    plane: usize,
    /// The first element of an image that is written.
    first: usize,
}

impl Vectorised for Restore<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { from, span, to, images, image, plane, first } = self;
        for (channel, from) in from.chunks_exact(span * V::LANES).enumerate() {
            let first = images.start * image + channel * plane + first;
            let to = to.pointer(first, (images.len() - 1) * image + span);
            let some = span.min(V::LANES);
            for at in (0..span).step_by(V::LANES) {
                // The last of them, of which some may be done, rather than fewer.
                let at = at.min(span - some);
                let (from, to) = (from[at * V::LANES..].as_ptr(), to.wrapping_add(at));
                // SAFETY: `pointer` has the places of all images; no other task has these elements of them.
                unsafe { simd::transpose::<V>((from, V::LANES), (to, image), some, images.len()) }
            }
        }
    }
}

/// What the blocks of a convolution have in common.
struct Plan<'a> {
    of: &'a Batched,
    sights: [Sight; 3],
    /// Of the results.
    extents: [usize; 3],
    /// What each plane and line of the results sees.
    lines: [SmallVec<[Seen; 32]>; 2],
    /// See [`Batched::weights`].
    weight: Storage<f32>,
    /// Channels of each group that are read and written.
    read: usize,
    written: usize,
}

impl Plan<'_> {
    /// Where a tap of the first channels stands in the weight.
    fn tap(&self, [deep, high, wide]: [usize; 3]) -> usize {
        let [_, high_taps, wide_taps] = self.of.geo.axes.map(|axis| axis.kernel);
        ((deep * high_taps + high) * wide_taps + wide) * self.written
    }
}

/// Some lines of some channels of results of the images of a vector.
struct Block<'a> {
    plan: &'a Plan<'a>,
    /// Frames of all channels that are read.
    x: &'a [f32],
    /// The group of channels, and the first channel of the group.
    group: usize,
    first: usize,
    lines: std::ops::Range<usize>,
    /// What the sums of each channel begin with.
    bias: Option<&'a [f32]>,
    to: &'a mut [f32],
}

/// Tiles of `R` channels.
struct Tiles<'a, const R: usize>(Block<'a>);

impl<const R: usize> Vectorised for Tiles<'_, R> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Block { plan, x, group, first, lines, bias, to } = self.0;
        let Plan { of, sights, extents, weight, read, written, .. } = plan;
        let (frame, taps) = (of.read, of.geo.taps());
        let [_, high, wide] = *extents;
        let (len, steps) = (frame.len() * V::LANES, frame.steps().map(|step| (step * V::LANES) as isize));
        let x = &x[group * read * len..];
        assert!(x.len() >= (read * frame.len() + frame.before[2]) * V::LANES);
        let weight = &weight[group * read * taps * written..][..read * taps * written];
        let channel = lines.len() * wide * V::LANES;
        assert!(to.len() == R * channel && first + R <= *written && of.lanes == V::LANES);
        let mut begin = [0.0; R];
        if let Some(bias) = bias {
            begin.copy_from_slice(&bias[group * written + first..][..R]);
        }
        // How far it is to the next tap along each axis, in the weight and in what is seen.
        let along = [0, 1, 2].map(|i| {
            let mut next = [0; 3];
            next[i] = sights[i].tap;
            (plan.tap(next), sights[i].tap_element * steps[i])
        });
        let position = [sights[2].element, sights[2].position].map(|step| step * V::LANES);
        for (nth, line) in lines.enumerate() {
            for run in &of.runs {
                let seen = [plan.lines[0][line / high], plan.lines[1][line % high], run.seen];
                let tap = plan.tap(seen.map(|seen| seen.tap)) + first;
                let border = [0, 0, frame.before[2] as isize];
                let element: isize = (0..3).map(|i| (seen[i].element + border[i]) * steps[i]).sum();
                let tile = Tile {
                    w: weight.as_ptr().wrapping_add(tap),
                    x: x.as_ptr().wrapping_offset(element),
                    to: to[(nth * wide + run.first) * V::LANES..].as_mut_ptr(),
                    channels: (*read, (taps * written, len as isize)),
                    taps: [0, 1, 2].map(|i| (seen[i].count, along[i])),
                    position,
                    channel,
                    begin,
                };
                // SAFETY: each position sees elements of the frame through the taps of its run, or zeros of the
                // border; `weight` has `R` numbers from `first` on for each of these taps, and `to` the run's
                // positions of `R` channels.
                unsafe {
                    match run.positions {
                        1 => tile.find::<V, 1>(),
                        2 => tile.find::<V, 2>(),
                        3 => tile.find::<V, 3>(),
                        4 => tile.find::<V, 4>(),
                        _ => tile.find::<V, 5>(),
                    }
                }
            }
        }
    }
}

/// A run of positions of `R` channels.
struct Tile<const R: usize> {
    /// The first tap, the element that the first position sees through it, and where its sum goes.
    w: *const f32,
    x: *const f32,
    to: *mut f32,
    /// How many channels are read, and how far apart they are in the weight and in what is seen.
    channels: (usize, (usize, isize)),
    /// The same of the taps along each axis.
    taps: [(usize, (usize, isize)); 3],
    /// How far apart positions are, in what is seen and in the results.
    position: [usize; 2],
    /// How far apart channels of the results are.
    channel: usize,
    /// What the sums begin with.
    begin: [f32; R],
}

impl<const R: usize> Tile<R> {
    /// Finds the results of `S` positions.
    ///
    /// # Safety
    /// The processor has the vector's instructions; the positions see elements that may be read, and their results
    /// may be written.
    #[inline(always)]
    unsafe fn find<V: Vector, const S: usize>(self) {
        let Self { w, x, to, channels, taps: [deep, high, wide], position, channel, begin } = self;
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[V::zero(); S]; R];
            for r in 0..R {
                sums[r] = [V::splat(&begin[r]); S];
            }
            for (w, x) in walk((w, x), channels) {
                for (w, x) in walk((w, x), deep) {
                    for (w, x) in walk((w, x), high) {
                        for (w, x) in walk((w, x), wide) {
                            let mut factors = [V::zero(); R];
                            for r in 0..R {
                                factors[r] = V::splat(w.wrapping_add(r));
                            }
                            for s in 0..S {
                                let x = V::load(x.wrapping_add(s * position[0]));
                                for r in 0..R {
                                    sums[r][s] = x.mul_add(factors[r], sums[r][s]);
                                }
                            }
                        }
                    }
                }
            }
            for r in 0..R {
                for s in 0..S {
                    sums[r][s].store(to.wrapping_add(r * channel + s * position[1]));
                }
            }
        }
    }
}

/// Goes along `count` places of the weight and of what is seen, which are so far apart.
#[inline(always)]
fn walk(
    from: (*const f32, *const f32),
    (count, (w_step, x_step)): (usize, (usize, isize)),
) -> impl Iterator<Item = (*const f32, *const f32)> {
    let next =
        move |at: &(*const f32, *const f32)| Some((at.0.wrapping_add(w_step), at.1.wrapping_offset(x_step)));
    std::iter::successors(Some(from), next).take(count)
}

/// Every place below the extents, the last axis first.
fn places([deep, high, wide]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..deep).flat_map(move |d| (0..high).flat_map(move |h| (0..wide).map(move |w| [d, h, w])))
}

/// Σ y·x over the positions of the images of a vector, for some channels of results.
struct Sums<'a> {
    of: &'a Batched,
    /// Frames of the channels of the group.
    x: &'a [f32],
    /// These channels of the results' gradient.
    y: &'a [f32],
    /// The offset of each tap.
    taps: &'a [usize],
    /// Whether these are the first images.
    begins: bool,
    /// A vector for each weight.
    sums: &'a mut [f32],
}

/// Sums of `R` channels of results and `S` taps at a time.
struct Correlate<'a, const R: usize, const S: usize>(Sums<'a>);

impl<const R: usize, const S: usize> Vectorised for Correlate<'_, R, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Sums { of, x, y, taps, begins, sums } = self.0;
        let (len, steps) = (of.read.len(), of.read.steps());
        let axes = of.geo.axes;
        let steps: [usize; 3] = std::array::from_fn(|i| steps[i] * axes[i].stride * V::LANES);
        let [deep, high, wide] = axes.map(|axis| axis.output);
        let (plane, row) = (of.geo.out_plane() * V::LANES, of.geo.group_in() * taps.len());
        assert!(x.len() >= of.geo.group_in() * len * V::LANES && y.len() >= R * plane);
        assert!(sums.len() == R * row * V::LANES && of.lanes == V::LANES);
        for c in 0..of.geo.group_in() {
            for tap in (0..taps.len()).step_by(S) {
                let (mut offsets, mut places) = ([0; S], [0; S]);
                for s in 0..S {
                    // A tap that is missing repeats the last.
                    let tap = (tap + s).min(taps.len() - 1);
                    (offsets[s], places[s]) = (taps[tap] * V::LANES, (c * taps.len() + tap) * V::LANES);
                }
                // SAFETY: the frame holds what each position sees through each tap, `y` the positions of `R`
                // channels, and `sums` a vector for each of their weights.
                unsafe {
                    let x = x.as_ptr().add(c * len * V::LANES);
                    let mut y = y.as_ptr();
                    let sums = sums.as_mut_ptr();
                    let mut totals = [[V::zero(); S]; R];
                    if !begins {
                        for r in 0..R {
                            for s in 0..S {
                                totals[r][s] = V::load(sums.wrapping_add(r * row * V::LANES + places[s]));
                            }
                        }
                    }
                    for d in 0..deep {
                        for h in 0..high {
                            let mut x = x.wrapping_add(d * steps[0] + h * steps[1]);
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
}
