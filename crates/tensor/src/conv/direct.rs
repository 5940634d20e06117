//! Convolution straight from the image, for few channels: no unfolded matrix.
//!
//! Each image is laid out with its padding, so that a tap is an offset, the same for every position. Sixteen
//! elements of the layout that follow each other are the lanes of a vector, and so are the results at these
//! places: Σ w·x over channels and taps, w a single number, x the vector at the place plus the tap's offset. What
//! is computed at places between two lines is dropped. The weight's gradient multiplies the same vectors by
//! those of the results' gradient, which are 0 between lines, and adds up over places and images.

#![allow(clippy::needless_range_loop, reason = "the loops run over registers, several arrays at a time")]

use smallvec::SmallVec;

use super::unfold::even;
use super::{Finish, Geometry, PER_OPERATION, Slot, partial};
use crate::par;
use crate::simd::{self, Level, Vector, Vectorised};
use crate::storage::Storage;

/// Channels and taps of a tile of the weight's gradient.
const CHANNELS: usize = 4;
const TAPS: usize = 5;
/// Lanes of the widest vector: what may be read beyond a layout.
const LANES: usize = 16;
/// Elements of a laid out image at most, lest each tap fetch it from memory: a second-level cache of 1 MB.
const LAID_OUT: usize = 256 * 1024;
/// Taps of all channels at most, lest those of the channels of a tile leave the first-level cache.
const DEPTH: usize = 512;
/// The longest stride: elements are sorted by their remainders, of which there should be few.
const STRIDE: usize = 8;
/// Elements that stay in the first-level cache.
const AT_HAND: usize = 8 * 1024;
/// Elements of the sums of the weight at most, a vector for each: 2 MB.
const SUMS: usize = 512 * 1024;
/// Images below which the channels of an image are divided among threads.
const FEW: usize = 4;
/// Partial sums of the weight that can be computed at the same time.
const PARTS: usize = 4;

/// A convolution, or the gradient of its input, which is one as well: with the channels' roles exchanged and the
/// taps reversed.
pub(super) struct Direct {
    level: Level,
    /// What is solved for.
    slot: Slot,
    /// The convolution; of the results' gradient, if the input is solved for.
    geo: Geometry,
    layout: Layout,
    /// The offset of each tap.
    taps: SmallVec<[usize; 32]>,
    /// Where each line of the image, and each line of results, stands in the layout.
    lines: SmallVec<[usize; 32]>,
    result_lines: SmallVec<[usize; 32]>,
    /// Places from the first result to one past the last.
    places: usize,
}

/// How a channel of an image is laid out: padded, and elements sorted by the remainders of their places by the
/// strides, so that what neighbouring positions see is adjacent.
#[derive(Clone, Copy)]
struct Layout {
    strides: [usize; 3],
    /// Extents of the elements of one remainder.
    extents: [usize; 3],
}

impl Layout {
    fn new(geo: &Geometry) -> Self {
        let extents = geo.axes.map(|axis| {
            let seen = (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
            seen.max(axis.before + axis.input).div_ceil(axis.stride)
        });
        Self { strides: geo.axes.map(|axis| axis.stride), extents }
    }

    /// Elements of a channel.
    fn len(&self) -> usize {
        self.extents.iter().chain(&self.strides).product()
    }

    /// Where an element of the padded channel stands.
    fn at(&self, at: [usize; 3]) -> usize {
        let flat = |extents: [usize; 3], at: [usize; 3]| (at[0] * extents[1] + at[1]) * extents[2] + at[2];
        let remainder: [usize; 3] = std::array::from_fn(|i| at[i] % self.strides[i]);
        let place = std::array::from_fn(|i| at[i] / self.strides[i]);
        flat(self.strides, remainder) * self.extents.iter().product::<usize>() + flat(self.extents, place)
    }
}

impl Direct {
    /// The algorithm for a slot, where it is worth it: one group of channels, more than one tap, an image that
    /// stays in the cache, and not too much between the lines.
    pub(super) fn new(geo: &Geometry, slot: Slot, level: Level) -> Option<Self> {
        if level < Level::Avx2 || geo.groups != 1 || geo.taps() == 1 {
            return None;
        }
        if geo.axes.iter().any(|axis| axis.stride > STRIDE) {
            return None;
        }
        let geo = match slot {
            Slot::Input => geo.reversed()?,
            Slot::Output | Slot::Weight => *geo,
        };
        let layout = Layout::new(&geo);
        // Each extent can be counted, but perhaps not all of them together.
        let extents = layout.extents.iter().chain(&layout.strides);
        let laid_out = extents.fold(geo.in_channels.max(1), |len, &extent| len.saturating_mul(extent));
        if laid_out > LAID_OUT {
            return None;
        }
        let [depth, height, width] = geo.axes;
        let [_, high, wide] = layout.extents;
        let places = ((depth.output - 1) * high + height.output - 1) * wide + width.output;
        let sum = geo.in_channels.checked_mul(geo.taps())?;
        let sums = if slot == Slot::Weight { geo.out_channels.checked_mul(sum * LANES)? } else { 0 };
        if sum > DEPTH || sums > SUMS || places.next_multiple_of(LANES) > 2 * geo.out_plane() {
            return None;
        }
        let each = |extents: [usize; 3]| {
            let [deep, high, wide] = extents;
            (0..deep).flat_map(move |d| (0..high).flat_map(move |h| (0..wide).map(move |w| [d, h, w])))
        };
        let taps: SmallVec<[usize; 32]> = each(geo.axes.map(|axis| axis.kernel))
            .map(|at| layout.at(std::array::from_fn(|i| at[i] * geo.axes[i].dilation)))
            .collect();
        assert!(taps.iter().all(|&tap| tap <= layout.len() - places), "a tap leaves the layout of {geo:?}");
        let lines = each([depth.input, height.input, 1])
            .map(|[d, h, _]| layout.at([depth.before + d, height.before + h, width.before]));
        let result_lines = each([depth.output, height.output, 1]).map(|[d, h, _]| (d * high + h) * wide);
        let (lines, result_lines) = (lines.collect(), result_lines.collect());
        Some(Self { level, slot, geo, layout, taps, lines, result_lines, places })
    }

    /// What the operands determine of the slot.
    pub(super) fn solve(&self, [a, b]: [&[f32]; 2], finish: &Finish<f32>, result: &mut [f32]) {
        match self.slot {
            Slot::Input => self.convolve(b, a, finish, result),
            Slot::Weight => self.weight(a, b, result),
            Slot::Output => self.convolve(a, b, finish, result),
        }
    }

    fn lanes(&self) -> usize {
        if self.level == Level::Avx512 { 16 } else { 8 }
    }

    /// Simple operations that an image costs.
    fn cost(&self) -> usize {
        let channels = self.geo.out_channels * self.geo.in_channels;
        (channels * self.taps.len()).saturating_mul(self.geo.out_plane()) / PER_OPERATION
    }

    /// Elements of an image, and of a laid out one.
    fn image(&self) -> usize {
        self.geo.in_channels * self.geo.in_plane()
    }

    fn laid_out(&self) -> usize {
        self.geo.in_channels * self.layout.len()
    }

    /// Lays out some images, where the padding is 0 already.
    fn lay_out(&self, from: &[f32], to: &mut [f32]) {
        let wide = self.geo.axes[2];
        if wide.stride == 1 {
            return self.copy_lines((from, wide.input), (to, self.layout.len()), &self.lines);
        }
        let channels = from.chunks_exact(self.geo.in_plane()).zip(to.chunks_exact_mut(self.layout.len()));
        for (from, to) in channels {
            for (from, &line) in from.chunks_exact(wide.input).zip(&self.lines) {
                for remainder in 0..wide.stride.min(wide.input) {
                    let column = |column| self.layout.at([0, 0, wide.before + column]);
                    let to = &mut to[line - column(0) + column(remainder)..];
                    let from = from[remainder..].iter().step_by(wide.stride);
                    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
                }
            }
        }
    }

    /// Copies planes of lines of `wide` elements to planes of `len` elements, each line to its place.
    fn copy_lines(&self, (from, wide): (&[f32], usize), (to, len): (&mut [f32], usize), lines: &[usize]) {
        simd::vectorised(self.level, CopyLines { from, wide, to, len, lines });
    }

    /// y from x and w, or x from w and y.
    fn convolve(&self, from: &[f32], w: &[f32], finish: &Finish<f32>, to: &mut [f32]) {
        let most = if self.level == Level::Avx512 { 8 } else { 4 };
        let rows = even(self.geo.out_channels, most);
        let weight = self.weights(w, rows);
        let (begin, rest) = finish.begun();
        let mut first_sums = Storage::filled(self.geo.out_channels.next_multiple_of(rows), 0.0);
        if let Some(begin) = begin {
            first_sums.make_mut()[..begin.len()].copy_from_slice(begin);
        }
        let (plane, depth) = (self.geo.out_plane(), self.geo.in_channels * self.taps.len());
        let image = self.geo.out_channels * plane;
        let panels = |x: &[f32], first: usize, to: &mut [f32]| {
            let panels = weight.chunks_exact(rows * depth).zip(first_sums.chunks_exact(rows)).skip(first);
            for (nth, ((panel, begin), to)) in (first..).zip(panels.zip(to.chunks_mut(rows * plane))) {
                self.convolve_channels(Planes { of: self, x, panel, begin, to: &mut *to }, rows);
                rest.planes(nth * rows, to, plane);
            }
        };
        if self.geo.batch < FEW {
            let mut x = Storage::filled(self.laid_out() + LANES, 0.0);
            for (from, to) in from.chunks_exact(self.image()).zip(to.chunks_exact_mut(image)) {
                self.lay_out(from, x.make_mut());
                par::rows(to, rows * plane, rows * plane * depth / PER_OPERATION, |first, to| {
                    panels(&x, first, to)
                });
            }
            return;
        }
        par::rows(to, image, self.cost(), |first, to| {
            let mut x = Storage::filled(self.laid_out() + LANES, 0.0);
            for (nth, to) in to.chunks_exact_mut(image).enumerate() {
                self.lay_out(&from[(first + nth) * self.image()..][..self.image()], x.make_mut());
                panels(&x, 0, to);
            }
        });
    }

    /// The results of some channels.
    fn convolve_channels(&self, of: Planes<'_>, rows: usize) {
        let level = self.level;
        match (rows, level) {
            (1, _) => simd::vectorised(level, Rows::<1, 4>(of)),
            (2, _) => simd::vectorised(level, Rows::<2, 4>(of)),
            (3, _) => simd::vectorised(level, Rows::<3, 4>(of)),
            (4, Level::Avx512) => simd::vectorised(level, Rows::<4, 4>(of)),
            (4, _) => simd::vectorised(level, Rows::<4, 3>(of)),
            (5, _) => simd::vectorised(level, Rows::<5, 4>(of)),
            (6, _) => simd::vectorised(level, Rows::<6, 4>(of)),
            (7, _) => simd::vectorised(level, Rows::<7, 3>(of)),
            (8, _) => simd::vectorised(level, Rows::<8, 3>(of)),
            _ => unreachable!("{rows} channels at a time"),
        }
    }

    /// The taps in the order of the sums, those of `rows` channels of results beside each other.
    fn weights(&self, w: &[f32], rows: usize) -> Storage<f32> {
        let (from, to, taps) = (self.geo.in_channels, self.geo.out_channels, self.taps.len());
        let mut weight = Storage::unspecified(to.next_multiple_of(rows) * from * taps);
        let depth = from * taps;
        for (block, panel) in weight.make_mut().chunks_exact_mut(rows * depth).enumerate() {
            let channels = rows.min(to - block * rows);
            match self.slot {
                Slot::Input => {
                    for (c, panel) in panel.chunks_exact_mut(rows * taps).enumerate() {
                        for r in 0..channels {
                            let w = w[(c * to + block * rows + r) * taps..][..taps].iter().rev();
                            panel[r..].iter_mut().step_by(rows).zip(w).for_each(|(panel, &w)| *panel = w);
                        }
                    }
                }
                Slot::Output | Slot::Weight => {
                    let w = &w[block * rows * depth..][..channels * depth];
                    simd::transpose_slice(self.level, w, panel, rows);
                }
            }
            if channels < rows {
                // A channel that is missing has taps of 0.
                panel.chunks_exact_mut(rows).for_each(|panel| panel[channels..].fill(0.0));
            }
        }
        weight
    }

    /// w from y and x: its sums over parts of the batch, added in order.
    fn weight(&self, y: &[f32], x: &[f32], w: &mut [f32]) {
        let batch = self.geo.batch;
        let parts = PARTS.min(batch).min(self.cost().saturating_mul(batch).div_ceil(par::GRAIN)).max(1);
        let each = batch.div_ceil(parts);
        let len = w.len() * self.lanes();
        let mut sums = Storage::unspecified(batch.div_ceil(each) * len);
        par::chunks(sums.make_mut(), len, |part, sums| {
            self.weight_of(part * each..batch.min((part + 1) * each), y, x, sums);
        });
        // Vectors are added up, which costs less than as many elements.
        let cost = sums.len() / w.len() / 4;
        partial::add_lanes(self.level, &sums, cost, w);
    }

    /// The part of the weight's gradient that some images have: a vector for each weight.
    fn weight_of(&self, images: std::ops::Range<usize>, y: &[f32], x: &[f32], sums: &mut [f32]) {
        let (from, to) = (self.geo.in_channels, self.geo.out_channels);
        let places = self.places.next_multiple_of(self.lanes());
        let rows = even(to, CHANNELS);
        // Images at a time: those that stay in the cache while the taps of a channel read them.
        let some = (AT_HAND / (self.layout.len() + rows * places)).clamp(1, images.len());
        let mut memory = Storage::filled(some * (self.laid_out() + to * places) + LANES, 0.0);
        let (laid_out, gradients) = memory.make_mut().split_at_mut(some * self.laid_out() + LANES);
        for first in images.clone().step_by(some) {
            let count = some.min(images.end - first);
            self.lay_out(&x[first * self.image()..][..count * self.image()], laid_out);
            let y = &y[first * to * self.geo.out_plane()..][..count * to * self.geo.out_plane()];
            self.copy_lines((y, self.geo.axes[2].output), (gradients, places), &self.result_lines);
            let row = from * self.taps.len() * self.lanes();
            for (block, sums) in sums.chunks_mut(rows * row).enumerate() {
                let channels = sums.len() / row;
                let (channel, begins) = (block * rows, first == images.start);
                let of = Sums { of: self, x: laid_out, y: gradients, images: count, channel, begins, sums };
                match channels {
                    1 => simd::vectorised(self.level, Channels::<1>(of)),
                    2 => simd::vectorised(self.level, Channels::<2>(of)),
                    3 => simd::vectorised(self.level, Channels::<3>(of)),
                    4 => simd::vectorised(self.level, Channels::<4>(of)),
                    rows => unreachable!("sums of {rows} channels"),
                }
            }
        }
    }
}

/// The lines of some planes, to be copied to their places in larger planes.
struct CopyLines<'a> {
    from: &'a [f32],
    wide: usize,
    to: &'a mut [f32],
    len: usize,
    lines: &'a [usize],
}

impl Vectorised for CopyLines<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { from, wide, to, len, lines } = self;
        for (from, to) in from.chunks_exact(wide * lines.len()).zip(to.chunks_exact_mut(len)) {
            for (from, &line) in from.chunks_exact(wide).zip(lines) {
                let to = &mut to[line..][..wide];
                for column in (0..wide).step_by(V::LANES) {
                    // SAFETY: both lines have `wide` elements; the mask leaves out what is beyond.
                    unsafe {
                        let mask = V::mask(wide - column);
                        let x = V::load_part(from.as_ptr().add(column), mask);
                        x.store_part(to.as_mut_ptr().add(column), mask);
                    }
                }
            }
        }
    }
}

/// Some channels of results of an image.
struct Planes<'a> {
    of: &'a Direct,
    /// The image, laid out.
    x: &'a [f32],
    /// The taps of these channels; see [`Direct::weights`].
    panel: &'a [f32],
    /// What their sums begin with.
    begin: &'a [f32],
    /// The planes of these channels, or of the first of them.
    to: &'a mut [f32],
}

/// `R` channels of results, `S` vectors of places at a time.
struct Rows<'a, const R: usize, const S: usize>(Planes<'a>);

impl<const R: usize, const S: usize> Vectorised for Rows<'_, R, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Planes { of, x, panel, begin, to } = self.0;
        let (geo, taps, len) = (&of.geo, &of.taps[..], of.layout.len());
        let (plane, wide) = (geo.out_plane(), geo.axes[2].output);
        assert!(x.len() >= of.laid_out() + LANES && panel.len() == R * geo.in_channels * taps.len());
        assert!(begin.len() == R && to.len().is_multiple_of(plane) && to.len() / plane <= R);
        let (rows, to) = (to.len() / plane, to.as_mut_ptr());
        let mut tile = [[[0.0f32; LANES]; S]; R];
        let mut line = 0;
        for place in (0..of.places).step_by(S * V::LANES) {
            let end = (place + S * V::LANES).min(of.places);
            let vectors = (end - place).div_ceil(V::LANES);
            let tile = tile.as_mut_ptr().cast::<f32>();
            let step = S * LANES;
            // SAFETY: the layout holds the places of the results plus every tap's offset, up to `LANES` more; a
            // vector that is missing repeats the last. The panel holds `R` numbers for each channel and tap, and
            // the tile `R` rows of `S` vectors, in which the lines of results are found again that lie here.
            unsafe {
                let mut at = [0; S];
                for s in 0..S {
                    at[s] = s.min(vectors - 1) * V::LANES;
                }
                let mut sums = [[V::zero(); S]; R];
                for r in 0..R {
                    sums[r] = [V::splat(&begin[r]); S];
                }
                let (mut w, mut x) = (panel.as_ptr(), x.as_ptr().add(place));
                for _ in 0..geo.in_channels {
                    for &tap in taps {
                        let from = x.wrapping_add(tap);
                        let mut row = [V::zero(); S];
                        for s in 0..S {
                            row[s] = V::load(from.wrapping_add(at[s]));
                        }
                        for r in 0..R {
                            let factor = V::splat(w.wrapping_add(r));
                            for s in 0..S {
                                sums[r][s] = factor.mul_add(row[s], sums[r][s]);
                            }
                        }
                        w = w.wrapping_add(R);
                    }
                    x = x.wrapping_add(len);
                }
                for r in 0..R {
                    for s in 0..S {
                        sums[r][s].store(tile.add(r * step + s * V::LANES));
                    }
                }
                // The first line may have begun before, the last may go on.
                while let Some(&start) = of.result_lines.get(line)
                    && start < end
                {
                    let (from, until) = (start.max(place), (start + wide).min(end));
                    for column in (from..until).step_by(V::LANES) {
                        let mask = V::mask(until - column);
                        let (from, to) = (tile.add(column - place), to.add(line * wide + column - start));
                        for r in 0..rows {
                            V::load_part(from.add(r * step), mask).store_part(to.add(r * plane), mask);
                        }
                    }
                    if start + wide > end {
                        break;
                    }
                    line += 1;
                }
            }
        }
    }
}

/// Σ y·x over images and places, for some channels of results.
struct Sums<'a> {
    of: &'a Direct,
    /// Laid out images.
    x: &'a [f32],
    /// The results' gradients in the same layout, up to the last result, in whole vectors.
    y: &'a [f32],
    images: usize,
    /// The first of the channels.
    channel: usize,
    /// Whether these are the first images.
    begins: bool,
    /// A vector for each weight of the channels.
    sums: &'a mut [f32],
}

/// Sums of `R` channels of results.
struct Channels<'a, const R: usize>(Sums<'a>);

impl<const R: usize> Vectorised for Channels<'_, R> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Sums { of, x, y, images, channel: k, begins, sums } = self.0;
        let (from, to) = (of.geo.in_channels, of.geo.out_channels);
        let places = of.places.next_multiple_of(V::LANES);
        let row = from * of.taps.len() * V::LANES;
        assert!(k + R <= to && sums.len() == R * row);
        assert!(x.len() >= images * of.laid_out() + LANES && y.len() >= images * to * places);
        for c in 0..from {
            for t in (0..of.taps.len()).step_by(TAPS) {
                let (mut taps, mut weights) = ([0; TAPS], [0; TAPS]);
                for s in 0..TAPS {
                    // A tap that is missing repeats the last.
                    let t = (t + s).min(of.taps.len() - 1);
                    (taps[s], weights[s]) = (of.taps[t], (c * of.taps.len() + t) * V::LANES);
                }
                // SAFETY: the layout holds the places of the results plus every tap's offset, up to `LANES` more,
                // `y` the places of every channel, and `sums` a vector for each weight of the `R` channels.
                unsafe {
                    let sums = sums.as_mut_ptr();
                    let mut totals = [[V::zero(); TAPS]; R];
                    if !begins {
                        for r in 0..R {
                            for s in 0..TAPS {
                                totals[r][s] = V::load(sums.wrapping_add(r * row + weights[s]));
                            }
                        }
                    }
                    for image in 0..images {
                        let x = x.as_ptr().add(image * of.laid_out() + c * of.layout.len());
                        let y = y.as_ptr().add((image * to + k) * places);
                        for place in (0..places).step_by(V::LANES) {
                            let (x, y) = (x.wrapping_add(place), y.wrapping_add(place));
                            let mut factors = [V::zero(); R];
                            for r in 0..R {
                                factors[r] = V::load(y.wrapping_add(r * places));
                            }
                            for s in 0..TAPS {
                                let x = V::load(x.wrapping_add(taps[s]));
                                for r in 0..R {
                                    totals[r][s] = x.mul_add(factors[r], totals[r][s]);
                                }
                            }
                        }
                    }
                    for r in 0..R {
                        for s in 0..TAPS {
                            totals[r][s].store(sums.wrapping_add(r * row + weights[s]));
                        }
                    }
                }
            }
        }
    }
}
