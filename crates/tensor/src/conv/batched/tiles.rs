//! The results, a tile of channels and positions at a time.

use smallvec::SmallVec;

use super::super::sight::{Seen, Sight};
use super::minimal::{Results, Taps};
use super::{Batched, CHANNELS, Slot, channels_of_group};
use crate::par::Shared;
use crate::simd::{self, Vector, Vectorised};
use crate::storage::Storage;

/// Products that are found before results are made of them: so few that they stay in the first-level cache.
const PRODUCTS: usize = 512;

/// What the blocks of a convolution have in common.
pub(super) struct Plan<'a> {
    of: &'a Batched,
    sights: [Sight; 3],
    /// Of the results.
    pub(super) extents: [usize; 3],
    /// What each plane and line of the results sees.
    lines: [SmallVec<[Seen; 32]>; 2],
    /// The taps in the order of the sums, `[groups, read, taps, written]`, or what they are transformed to.
    weight: Storage<f32>,
    /// Channels of each group that are read and written.
    pub(super) read: usize,
    pub(super) written: usize,
}

impl<'a> Plan<'a> {
    pub(super) fn new(of: &'a Batched, w: &[f32]) -> Self {
        let sights = of.geo.axes.map(|axis| Sight::new(axis, of.slot));
        let extents = sights.map(|sight| sight.extents()[0]);
        let every = |axis: usize| (0..extents[axis]).map(move |at| sights[axis].seen(at, 1));
        let lines = [every(0).collect(), every(1).collect()];
        let [read, written] = channels_of_group(&of.geo, of.slot);
        Self { of, sights, extents, lines, weight: weight(of, w), read, written }
    }

    /// Pairs of a tap and a position that sees something through it.
    pub(super) fn pairs(&self) -> usize {
        let across = self.lines.iter().map(|lines| lines.iter().map(|seen| seen.count).sum::<usize>());
        let along: usize = self.of.runs.iter().map(|run| run.seen.count * run.positions).sum();
        across.product::<usize>() * along
    }

    /// Where a tap of the first channels stands in the weight.
    fn tap(&self, [deep, high, wide]: [usize; 3]) -> usize {
        let [_, high_taps, wide_taps] = self.of.kernel();
        ((deep * high_taps + high) * wide_taps + wide) * self.written
    }
}

/// The weight as [`Plan`] has it.
fn weight(of: &Batched, w: &[f32]) -> Storage<f32> {
    let (taps, [group_in, group_out]) = (of.geo.taps(), [of.geo.group_in(), of.geo.group_out()]);
    let mut weight = Storage::unspecified(w.len());
    let parts = weight.make_mut().chunks_exact_mut(group_in * group_out * taps);
    for (part, w) in parts.zip(w.chunks_exact(group_in * group_out * taps)) {
        if of.slot == Slot::Input {
            for (to, from) in part.chunks_exact_mut(group_in * taps).zip(w.chunks_exact(group_in * taps)) {
                simd::transpose_slice(of.level, from, to, group_in);
            }
        } else {
            simd::transpose_slice(of.level, w, part, group_out);
        }
    }
    let Some(minimal) = of.minimal else { return weight };
    let mut transformed = Storage::unspecified(w.len() / taps * of.kernel().iter().product::<usize>());
    let ([_, channels], reversed) = (channels_of_group(&of.geo, of.slot), of.slot == Slot::Input);
    let taps = Taps { minimal, channels, reversed, from: &weight, to: transformed.make_mut() };
    simd::vectorised(of.level, taps);
    transformed
}

/// Some lines of some channels of results of the images of a vector.
pub(super) struct Block<'a> {
    pub(super) plan: &'a Plan<'a>,
    /// Frames of the channels of the group that are read.
    pub(super) x: &'a [f32],
    /// The group of channels, and the first channel of the group.
    pub(super) group: usize,
    pub(super) first: usize,
    pub(super) lines: std::ops::Range<usize>,
    /// What the sums of each channel begin with.
    pub(super) bias: Option<&'a [f32]>,
    /// Where the results go, which no other block writes: the first of them, and how far apart channels are.
    pub(super) to: &'a Shared<'a, f32>,
    pub(super) start: usize,
    pub(super) step: usize,
}

impl Block<'_> {
    /// Finds the results of so many channels.
    pub(super) fn find(self, channels: usize) {
        let level = self.plan.of.level;
        match channels {
            1 => simd::vectorised(level, Tiles::<1>(self)),
            2 => simd::vectorised(level, Tiles::<2>(self)),
            3 => simd::vectorised(level, Tiles::<3>(self)),
            4 => simd::vectorised(level, Tiles::<4>(self)),
            5 => simd::vectorised(level, Tiles::<5>(self)),
            6 => simd::vectorised(level, Tiles::<6>(self)),
            7 => simd::vectorised(level, Tiles::<7>(self)),
            _ => simd::vectorised(level, Tiles::<CHANNELS>(self)),
        }
    }
}

/// Tiles of `R` channels.
struct Tiles<'a, const R: usize>(Block<'a>);

impl<const R: usize> Vectorised for Tiles<'_, R> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Block { plan, x, group, first, lines, bias, to, start, step } = self.0;
        let Plan { of, sights, extents, weight, read, written, .. } = plan;
        let (frame, taps) = (of.read, of.kernel().iter().product::<usize>());
        let [_, high, wide] = *extents;
        let (len, steps) = (frame.len() * V::LANES, frame.steps().map(|step| (step * V::LANES) as isize));
        assert!(x.len() >= (read * frame.len() + frame.before[2]) * V::LANES);
        let weight = &weight[group * read * taps * written..][..read * taps * written];
        let channel = lines.len() * wide * V::LANES;
        assert!(channel <= step && first + R <= *written && of.lanes == V::LANES);
        let to = to.pointer(start, (R - 1) * step + channel);
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
        // What is found of some lines at a time: the results, or products of which these are made. Neighbouring lines
        // see much the same, which is in the cache.
        let (line_of, some, products) = match of.minimal {
            Some(minimal) => {
                let some = (PRODUCTS / (R * minimal.wide())).clamp(1, lines.len());
                (minimal.wide(), some, R * some * minimal.wide() * V::LANES)
            }
            None => (wide, lines.len(), 0),
        };
        let mut products = Storage::unspecified(products);
        let products = products.make_mut();
        for nth in (0..lines.len()).step_by(some) {
            let some = lines.start + nth..lines.end.min(lines.start + nth + some);
            let (found, channel) = match of.minimal {
                Some(_) => (products.as_mut_ptr(), some.len() * line_of * V::LANES),
                None => (to, step),
            };
            for run in &of.runs {
                assert!(run.first + (run.positions - 1) * sights[2].position < line_of);
                for (nth, line) in some.clone().enumerate() {
                    let seen = [plan.lines[0][line / high], plan.lines[1][line % high], run.seen];
                    let tap = plan.tap(seen.map(|seen| seen.tap)) + first;
                    let border = [0, 0, frame.before[2] as isize];
                    let element: isize = (0..3).map(|i| (seen[i].element + border[i]) * steps[i]).sum();
                    let tile = Tile {
                        w: weight.as_ptr().wrapping_add(tap),
                        x: x.as_ptr().wrapping_offset(element),
                        to: found.wrapping_add((nth * line_of + run.first) * V::LANES),
                        channels: (*read, (taps * written, len as isize)),
                        taps: [0, 1, 2].map(|i| (seen[i].count, along[i])),
                        position,
                        channel,
                        begin: if of.minimal.is_some() { [0.0; R] } else { begin },
                    };
                    // SAFETY: each position sees elements of the frame through the taps of its run, or zeros of
                    // the border; `weight` has `R` numbers from `first` on for each of these taps, and `found` the
                    // run's positions of `R` channels.
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
            let Some(minimal) = of.minimal else { continue };
            for r in 0..R {
                // SAFETY: `to` has the lines of each channel, which no other block writes.
                let to = unsafe {
                    let to = to.add(r * step + nth * wide * V::LANES);
                    std::slice::from_raw_parts_mut(to, some.len() * wide * V::LANES)
                };
                let products = &products[r * channel..][..channel];
                // Compiled by itself, whatever the number of channels.
                simd::vectorised(of.level, Results { minimal, wide, products, bias: begin[r], to });
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
