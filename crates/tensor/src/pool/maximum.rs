//! The maximum of each window of each plane, and where it stands.

use smallvec::SmallVec;

use super::{Float, Planes, Pooling, Shape, par, simd};
use crate::storage::Storage;

/// y = the maximum of each window; places = where it stands in its plane, counted flat, if that is wanted.
///
/// Padding is skipped. Of equal maxima the first in row-major order is taken, of NaNs, which are greater than
/// all numbers, the last.
///
/// # Panics
/// If a slice is not as long as its shape says.
pub(crate) fn max_pool<T: Float>(geo: &Pooling, x: &[T], y: &mut [T], places: Option<&mut [u32]>) {
    let Some(planes) = Planes::new(geo, x.len(), y.len()) else { return };
    let windows = if planes.lanes > 1 { None } else { Windows::new(geo, &planes) };
    let in_a_task = planes.in_a_task;
    let these = |task: usize| x[task * in_a_task * planes.in_len..].chunks_exact(planes.in_len);
    let each = planes.out_len * in_a_task;
    match places {
        Some(places) => par::chunks2((y, each), (places, each), |task, y, places| {
            let y = y.chunks_exact_mut(planes.out_len);
            let places = places.chunks_exact_mut(planes.out_len);
            pool::<T, true>(&planes, windows.as_ref(), these(task).zip(y.zip(places)));
        }),
        None => par::chunks(y, each, |task, y| {
            let y = y.chunks_exact_mut(planes.out_len).map(|y| (y, <&mut [u32]>::default()));
            pool::<T, false>(&planes, windows.as_ref(), these(task).zip(y));
        }),
    }
}

/// Pools some planes, each given with its maxima and, if `PLACES`, their places.
fn pool<'a, T: Float, const PLACES: bool>(
    planes: &Planes,
    windows: Option<&Windows>,
    each: impl Iterator<Item = (&'a [T], (&'a mut [T], &'a mut [u32]))>,
) {
    simd::dispatch(
        #[inline(always)]
        || match windows {
            _ if planes.lanes > 1 => {
                for (x, (y, places)) in each {
                    planes.max_interleaved::<T, PLACES>(x, y, places);
                }
            }
            _ if planes.shape == Shape::Squares => {
                for (x, (y, places)) in each {
                    planes.max_of_squares::<T, PLACES>(x, y, places);
                }
            }
            Some(windows) => {
                let mut room = Room::new::<PLACES>(windows);
                for (x, (y, places)) in each {
                    windows.max::<T, PLACES>(x, y, places, &mut room);
                }
            }
            None => {
                for (x, (y, places)) in each {
                    planes.max::<T, PLACES>(x, y, places);
                }
            }
        },
    );
}

/// Sliding windows, all of which go through one tap at a time.
///
/// The padded plane is taken apart into *phases*: elements whose positions leave the same remainders when
/// divided by the strides. What a tap reads for neighbouring windows are neighbours in a phase, and so is what
/// it reads for the next line of windows, after a few elements that no window reads through it. So a tap is one
/// loop, whatever the stride and however short the lines are.
struct Windows {
    /// The width of a plane, and of what comes of it.
    wide: [usize; 2],
    stride: usize,
    /// How many elements the phases have together.
    room: usize,
    /// Where each line of inputs begins in the first of its phases, if a window sees it.
    lines: Vec<Option<usize>>,
    /// For each phase along a line where it begins, after that; the first of its inputs, and where that goes.
    phases: SmallVec<[[usize; 3]; 4]>,
    /// The elements of a line in a phase.
    phase: usize,
    /// How long the loops are: the windows, and what lies between one line of them and the next.
    len: usize,
    /// For each tap where its loop begins among the phases, and how far its element is from where its window
    /// begins, modulo 2³².
    taps: SmallVec<[(usize, u32); 16]>,
    /// The same distance of the first element of each window that is not padding.
    first: Vec<u32>,
    /// For each line of windows where it begins in the loops, and where the first window begins in the plane.
    windows: Vec<(usize, u32)>,
}

/// Taps beyond which windows are large and few, so that they are better gone through one by one.
const MOST_TAPS: usize = 64;
/// Loops are a multiple of this long, a vector of AVX-512.
const LANES: usize = 16;

impl Windows {
    /// Nothing where windows do not slide, or are too large.
    fn new(geo: &Pooling, planes: &Planes) -> Option<Self> {
        let axes = geo.axes()?;
        let all = axes.iter().try_fold(1usize, |all, axis| all.checked_mul(axis.kernel));
        if all.is_none_or(|all| all > MOST_TAPS) {
            return None;
        }
        let [output, stride, before] =
            [axes.map(|a| a.output), axes.map(|a| a.stride), axes.map(|a| a.before)];
        let phase = axes.map(|a| a.output + a.dilation * (a.kernel - 1) / a.stride);
        let room = phase.iter().chain(&stride).try_fold(1usize, |room, &extent| room.checked_mul(extent))?;
        if room > 4 * planes.in_len + 1024 {
            return None;
        }
        let (input, volume) = (planes.input, phase.iter().product::<usize>());
        let place = |at: [usize; 3]| flat(at, input) as u32;
        // Where an element of the padded plane goes.
        let position = |at: [usize; 3]| {
            let which = flat(std::array::from_fn(|i| at[i] % stride[i]), stride);
            which * volume + flat(std::array::from_fn(|i| at[i] / stride[i]), phase)
        };
        let seen = |at: [usize; 3]| (0..3).all(|i| at[i] / stride[i] < phase[i]);
        let taps = each(axes.map(|axis| axis.kernel)).map(|tap| {
            let ahead = std::array::from_fn(|i| tap[i] * axes[i].dilation);
            (position(ahead), place(ahead).wrapping_sub(place(before)))
        });
        let lines = each([input[0], input[1], 1]).map(|[depth, high, _]| {
            let at = [depth + before[0], high + before[1], 0];
            seen(at).then(|| position(at))
        });
        let phases = (0..stride[2]).map(|nth| {
            // The first element of the phase that is not padding.
            let first = (nth + stride[2] - before[2] % stride[2]) % stride[2];
            [nth * volume, first, (first + before[2]) / stride[2]]
        });
        let windows = each([output[0], output[1], 1]).map(|[depth, high, _]| {
            (flat([depth, high, 0], phase), place([depth * stride[0], high * stride[1], 0]))
        });
        let len = (flat(output.map(|o| o - 1), phase) + 1).next_multiple_of(LANES);
        let windows: Vec<_> = windows.collect();
        let mut first = vec![0; len];
        for ([depth, high], &(at, begin)) in planes.lines().zip(&windows) {
            for (o, (first, wide)) in first[at..].iter_mut().zip(&planes.reaches[2]).enumerate() {
                let start = place([depth.start, high.start, wide.start]);
                *first = start.wrapping_sub(begin).wrapping_sub((o * stride[2]) as u32);
            }
        }
        Some(Self {
            wide: [input[2], output[2]],
            stride: stride[2],
            room,
            lines: lines.collect(),
            phases: phases.collect(),
            phase: phase[2],
            len,
            taps: taps.collect(),
            first,
            windows,
        })
    }

    /// The maxima of a plane, and their places if `PLACES`.
    #[inline(always)]
    fn max<T: Float, const PLACES: bool>(
        &self,
        x: &[T],
        y: &mut [T],
        places: &mut [u32],
        room: &mut Room<T>,
    ) {
        let (phases, max, nearest) = (room.phases.make_mut(), room.max.make_mut(), room.places.make_mut());
        self.take_apart(x, phases);
        max.fill(T::NEG_INFINITY);
        nearest.copy_from_slice(&self.first[..nearest.len()]);
        for &(begin, place) in &self.taps {
            let x = &phases[begin..][..max.len()];
            if PLACES {
                for ((max, nearest), &x) in max.iter_mut().zip(&mut *nearest).zip(x) {
                    take(max, nearest, x, place);
                }
            } else {
                max.iter_mut().zip(x).for_each(|(max, &x)| take(max, &mut 0, x, 0));
            }
        }
        let wide = self.wide[1];
        for (line, (y, &(at, begin))) in y.chunks_exact_mut(wide).zip(&self.windows).enumerate() {
            every::<T, 1>(&max[at..][..wide], y);
            if PLACES {
                let (places, nearest) = (&mut places[line * wide..][..wide], &nearest[at..][..wide]);
                let stride = self.stride as u32;
                in_blocks!(wide, |at, LEN| {
                    let (begin, nearest) = (begin.wrapping_add(at as u32 * stride), &nearest[at..][..LEN]);
                    let block: [u32; LEN] = std::array::from_fn(|i| {
                        nearest[i].wrapping_add(begin).wrapping_add(i as u32 * stride)
                    });
                    places[at..][..LEN].copy_from_slice(&block);
                });
            }
        }
    }

    /// Writes the elements of a plane to their phases.
    #[inline(always)]
    fn take_apart<T: Float>(&self, x: &[T], phases: &mut [T]) {
        for (x, &line) in x.chunks_exact(self.wide[0]).zip(&self.lines) {
            let Some(line) = line else { continue };
            for &[at, first, begin] in &self.phases {
                let (Some(x), true) = (x.get(first..), begin < self.phase) else { continue };
                let phase = &mut phases[line + at..][begin..self.phase];
                match self.stride {
                    1 => every::<T, 1>(x, phase),
                    2 => every::<T, 2>(x, phase),
                    3 => every::<T, 3>(x, phase),
                    stride => phase.iter_mut().zip(x.iter().step_by(stride)).for_each(|(y, &x)| *y = x),
                }
            }
        }
    }
}

/// All positions within extents, in row-major order.
fn each(extents: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    let [depth, high, wide] = extents;
    (0..depth).flat_map(move |d| (0..high).flat_map(move |h| (0..wide).map(move |w| [d, h, w])))
}

/// Where a position stands in extents, counted flat.
#[inline(always)]
fn flat(at: [usize; 3], extents: [usize; 3]) -> usize {
    (at[0] * extents[1] + at[1]) * extents[2] + at[2]
}

/// Copies the first of each `STRIDE` elements, as far as they and the room for them go.
#[inline(always)]
fn every<T: Copy, const STRIDE: usize>(x: &[T], y: &mut [T]) {
    let (whole, rest) = x.as_chunks::<STRIDE>();
    let (most, last) = y.split_at_mut(whole.len().min(y.len()));
    in_blocks!(most.len(), |at, LEN| {
        let x = &whole[at..][..LEN];
        most[at..][..LEN].copy_from_slice(&std::array::from_fn::<T, LEN, _>(|i| x[i][0]));
    });
    last.iter_mut().zip(rest.first()).for_each(|(y, &x)| *y = x);
}

/// What a task works in.
struct Room<T: Float> {
    /// Padding is −∞, which is never taken into a maximum. It is written once: no plane's elements lie there.
    phases: Storage<T>,
    max: Storage<T>,
    places: Storage<u32>,
}

impl<T: Float> Room<T> {
    fn new<const PLACES: bool>(windows: &Windows) -> Self {
        Self {
            phases: Storage::filled(windows.room + LANES, T::NEG_INFINITY),
            max: Storage::unspecified(windows.len),
            places: Storage::unspecified(if PLACES { windows.len } else { 0 }),
        }
    }
}

impl Planes {
    /// As [`Windows::max`], for squares of four side by side.
    #[inline(always)]
    fn max_of_squares<T: Float, const PLACES: bool>(&self, x: &[T], y: &mut [T], places: &mut [u32]) {
        let (wide, out) = (self.input[2], self.reaches[2].len());
        for (line, (x, y)) in x.chunks_exact(2 * wide).zip(y.chunks_exact_mut(out)).enumerate() {
            let (top, bottom) = x.split_at(wide);
            let (top, bottom) = (top.as_chunks::<2>().0, bottom.as_chunks::<2>().0);
            let places = if PLACES { &mut places[line * out..][..out] } else { &mut [] };
            in_blocks!(out, |at, LEN| {
                let (top, bottom) = (&top[at..][..LEN], &bottom[at..][..LEN]);
                let begin = (2 * line * wide + 2 * at) as u32;
                let (mut max, mut found) = ([T::NEG_INFINITY; LEN], [0; LEN]);
                for i in 0..LEN {
                    let first = begin + 2 * i as u32;
                    found[i] = first;
                    take(&mut max[i], &mut found[i], top[i][0], first);
                    take(&mut max[i], &mut found[i], top[i][1], first + 1);
                    take(&mut max[i], &mut found[i], bottom[i][0], first + wide as u32);
                    take(&mut max[i], &mut found[i], bottom[i][1], first + wide as u32 + 1);
                }
                y[at..][..LEN].copy_from_slice(&max);
                if PLACES {
                    places[at..][..LEN].copy_from_slice(&found);
                }
            });
        }
    }

    /// As [`Windows::max`], for windows of any kind, one by one.
    #[inline(always)]
    fn max<T: Float, const PLACES: bool>(&self, x: &[T], y: &mut [T], places: &mut [u32]) {
        let [_, _, wide] = self.input;
        let width = &self.reaches[2];
        for (nth, (reach, y)) in self.lines().zip(y.chunks_exact_mut(width.len())).enumerate() {
            let first = (reach[0].start * self.input[1] + reach[1].start) * wide;
            y.fill(T::NEG_INFINITY);
            let places = if PLACES { &mut places[nth * width.len()..][..width.len()] } else { &mut [] };
            places.iter_mut().zip(width).for_each(|(place, reach)| *place = (first + reach.start) as u32);
            for line in self.lines_seen(reach) {
                let x = &x[line..line + wide];
                for (o, (y, reach)) in y.iter_mut().zip(width).enumerate() {
                    let place = if PLACES { &mut places[o] } else { &mut 0 };
                    for at in (reach.start..reach.end).step_by(self.steps[2]) {
                        take(y, place, x[at], (line + at) as u32);
                    }
                }
            }
        }
    }
}

/// Takes an element into a maximum. Selects rather than a branch, which no predictor foresees and no vector
/// unit takes.
#[inline(always)]
pub(super) fn take<T: Float>(max: &mut T, place: &mut u32, x: T, at: u32) {
    let better = (x > *max) | x.is_nan();
    *max = if better { x } else { *max };
    *place = if better { at } else { *place };
}
