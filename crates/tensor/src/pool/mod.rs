//! Pooling: the maximum or the average of each window of each plane, and the average's adjoint.
//!
//! A plane is one channel of one image. What an output sees is a range of inputs along each axis, whether
//! windows slide or adapt to the input's extent, so that one set of loops computes both. They go through a
//! line of outputs at a time, and through the lines of inputs that it sees. Unpooling puts maxima back to where
//! they were.

/// Does something for each block of a line of `$len` elements, `$LEN` being its length. Lines are short, so
/// blocks are as long as a line allows, and the last repeats a part of the one before rather than leaving
/// elements that go one by one.
macro_rules! in_blocks {
    ($len:expr, |$at:ident, $LEN:ident| $work:expr) => {{
        let len: usize = $len;
        match len {
            0..4 => in_blocks!(len, 1, |$at, $LEN| $work),
            4..8 => in_blocks!(len, 4, |$at, $LEN| $work),
            8..16 => in_blocks!(len, 8, |$at, $LEN| $work),
            16.. => in_blocks!(len, 16, |$at, $LEN| $work),
        }
    }};
    ($len:ident, $block:literal, |$at:ident, $LEN:ident| $work:expr) => {{
        const $LEN: usize = $block;
        for at in (0..$len).step_by($LEN) {
            let $at = at.min($len - $LEN);
            $work;
        }
    }};
}

/// Does something for each block of `$len` elements side by side, which are a multiple of eight; none twice.
macro_rules! in_whole_blocks {
    ($len:expr, |$at:ident, $LEN:ident| $work:expr) => {{
        let len: usize = $len;
        match len % 16 {
            0 => in_blocks!(len, 16, |$at, $LEN| $work),
            _ => in_blocks!(len, 8, |$at, $LEN| $work),
        }
    }};
}

mod geometry;
mod interleaved;
mod maximum;
mod places;
mod unpool;

#[cfg(test)]
mod tests;

use std::num::NonZeroI64;
use std::ops::Range;

use smallvec::SmallVec;

pub use geometry::{OutputSize, Pooling, Window};
pub use unpool::Unpooling;

use crate::reduce::sum;
use crate::storage::Storage;
use crate::{Float, par, simd};
pub(crate) use geometry::check_input;
use geometry::{Reach, Reaches};
pub(crate) use maximum::max_pool;
pub(crate) use places::{add_at, pick};
pub(crate) use unpool::put;

/// What an average divides the sum of a window by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Divisor {
    /// The inputs and the padding that the window covers, but never what lies beyond the padding.
    IncludePadding,
    /// The inputs that the window covers.
    ExcludePadding,
    /// Always the same number.
    Fixed(NonZeroI64),
}

/// y = the sum of each window, divided.
///
/// # Panics
/// If a slice is not as long as its shape says, or the windows are dilated.
pub(crate) fn avg_pool<T: Float>(geo: &Pooling, divisor: Divisor, x: &[T], y: &mut [T]) {
    let Some(planes) = Planes::new(geo, x.len(), y.len()) else { return };
    let divisors = Divisors::new(&planes, divisor);
    let (of_all, factor) = (divisors.of_all(&planes), divisors.factor(&planes));
    par::chunks(y, planes.out_len * planes.in_a_task, |task, y| {
        let mut sums = Storage::unspecified(planes.input[2]);
        let sums = sums.make_mut();
        simd::dispatch(
            #[inline(always)]
            || {
                let x = &x[task * planes.in_a_task * planes.in_len..];
                if planes.lanes > 1 {
                    return planes.average_interleaved(x, y, &divisors, factor);
                }
                if let (Shape::Squares, Some(factor)) = (planes.shape, factor) {
                    return planes.average_squares(x, y, factor);
                }
                for (x, y) in x.chunks_exact(planes.in_len).zip(y.chunks_exact_mut(planes.out_len)) {
                    match planes.shape {
                        Shape::Whole => y[0] = sum(x) / of_all,
                        _ => planes.average(x, y, &divisors, sums),
                    }
                }
            },
        )
    });
}

/// gx = the adjoint of [`avg_pool`] at g: each element of g, divided, goes to all inputs that its window
/// covers.
///
/// # Panics
/// If a slice is not as long as its shape says, or the windows are dilated.
pub(crate) fn avg_pool_adjoint<T: Float>(geo: &Pooling, divisor: Divisor, g: &[T], gx: &mut [T]) {
    let Some(planes) = Planes::new(geo, gx.len(), g.len()) else { return };
    let divisors = Divisors::new(&planes, divisor);
    let (of_all, factor) = (divisors.of_all(&planes), divisors.factor(&planes));
    par::chunks(gx, planes.in_len * planes.in_a_task, |task, gx| {
        let mut shares = Storage::unspecified(planes.input[2]);
        let shares = shares.make_mut();
        simd::dispatch(
            #[inline(always)]
            || {
                let g = &g[task * planes.in_a_task * planes.out_len..];
                if planes.lanes > 1 {
                    return planes.spread_interleaved(g, gx, &divisors, factor);
                }
                if let (Shape::Squares, Some(factor)) = (planes.shape, factor) {
                    return planes.spread_squares(g, gx, factor);
                }
                for (gx, g) in gx.chunks_exact_mut(planes.in_len).zip(g.chunks_exact(planes.out_len)) {
                    match planes.shape {
                        Shape::Whole => gx.fill(g[0] / of_all),
                        _ => planes.spread(g, gx, &divisors, shares),
                    }
                }
            },
        )
    });
}

/// Elements of lines that are gone through together: few enough to stay in the nearest cache.
const STRETCH: usize = 1024;

/// What the outputs of a plane see, for loops of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// All of the plane, the only one there is.
    Whole,
    /// Squares of four side by side, in a plane that is one layer deep.
    Squares,
    Any,
}

/// The loops over one plane.
struct Planes {
    /// The extents of a plane of inputs, and its elements; the elements of a plane of outputs.
    input: [usize; 3],
    in_len: usize,
    out_len: usize,
    /// How many planes make a task: tasks are as equal as can be.
    in_a_task: usize,
    /// What the outputs along each axis see.
    reaches: [Reaches; 3],
    /// How far apart neighbouring elements of a window are.
    steps: [usize; 3],
    /// Whether the outputs of a line see neighbouring pairs.
    pairs: bool,
    shape: Shape,
    /// How many elements side by side are seen by as many outputs, each by its own: those of the last axis, if windows are
    /// one wide along it. The axes are then the others, and an element of a plane stands for so many.
    lanes: usize,
}

impl Planes {
    /// The loops over tensors of `x` and `y` elements; nothing where there are no planes, of which every
    /// number but that of the elements may be enormous.
    fn new(geo: &Pooling, x: usize, y: usize) -> Option<Self> {
        assert_eq!(Some(x), geo.input().checked_numel(), "elements of the input of {geo:?}");
        assert_eq!(Some(y), geo.output().checked_numel(), "elements of the output of {geo:?}");
        if y == 0 {
            return None;
        }
        let (mut input, mut reaches, mut steps) = (geo.in_extents(), geo.reaches(), geo.steps());
        let (in_len, out_len) =
            (input.iter().product::<usize>(), reaches.iter().map(|reaches| reaches.len()).product::<usize>());
        let itself = |(o, r): (usize, &Reach)| r.start == o && r.end == o + 1;
        let mut lanes = 1;
        if input[2].is_multiple_of(8)
            && reaches[2].len() == input[2]
            && reaches[2].iter().enumerate().all(itself)
        {
            lanes = input[2];
            (input, steps) = ([1, input[0], input[1]], [1, steps[0], steps[1]]);
            reaches.rotate_right(1);
            reaches[0] = SmallVec::from_iter([Reach { start: 0, end: 1, padded: 1 }]);
        }
        let pairs = |axis: usize| {
            let pair = |(o, r): (usize, &Reach)| r.start == 2 * o && r.end == 2 * o + 2;
            steps[axis] == 1
                && reaches[axis].len() == input[axis] / 2
                && reaches[axis].iter().enumerate().all(pair)
        };
        let whole = |axis: usize| {
            steps[axis] == 1 && matches!(reaches[axis][..], [r] if r.start == 0 && r.end == input[axis])
        };
        let shape = if (0..3).all(whole) {
            Shape::Whole
        } else if input[0] == 1 && pairs(1) && pairs(2) {
            Shape::Squares
        } else {
            Shape::Any
        };
        Some(Self {
            input,
            in_len,
            out_len,
            in_a_task: par::each(y / out_len, in_len.max(out_len)),
            pairs: pairs(2),
            shape,
            lanes,
            reaches,
            steps,
        })
    }

    /// For each line of outputs, in order, what it sees along the first two axes.
    #[inline(always)]
    fn lines(&self) -> impl Iterator<Item = [Reach; 2]> {
        let [depth, height, _] = &self.reaches;
        depth.iter().flat_map(|&d| height.iter().map(move |&h| [d, h]))
    }

    /// The beginnings of the lines of inputs that a line of outputs sees.
    #[inline(always)]
    fn lines_seen(&self, [depth, height]: [Reach; 2]) -> impl Iterator<Item = usize> {
        let ([_, high, wide], [deep_step, high_step, _]) = (self.input, self.steps);
        (depth.start..depth.end).step_by(deep_step).flat_map(move |d| {
            (height.start..height.end).step_by(high_step).map(move |h| (d * high + h) * wide)
        })
    }

    /// For [`Shape::Squares`], the lines of inputs and of outputs that are gone through together: a block in
    /// each of them, then the next block, so that nothing need be decided for each line.
    #[inline(always)]
    fn stretches(&self, planes: usize) -> impl Iterator<Item = [Range<usize>; 2]> {
        let ([_, high, wide], out) = (self.input, self.reaches[2].len());
        // Where no line is left over, the pairs go on from plane to plane.
        let (planes, pairs) = match high % 2 {
            0 => (1, planes * high / 2),
            _ => (planes, high / 2),
        };
        let together = (STRETCH / (2 * wide)).max(1);
        (0..planes).flat_map(move |plane| {
            let (x, y) = (plane * self.in_len, plane * self.out_len);
            (0..pairs).step_by(together).map(move |first| {
                let end = pairs.min(first + together);
                [x + 2 * first * wide..x + 2 * end * wide, y + first * out..y + end * out]
            })
        })
    }

    /// As [`average`](Self::average), for planes of [`Shape::Squares`] and with the divisor's reciprocal.
    #[inline(always)]
    fn average_squares<T: Float>(&self, x: &[T], y: &mut [T], factor: T) {
        let (wide, out) = (self.input[2], self.reaches[2].len());
        for [inputs, outputs] in self.stretches(y.len() / self.out_len) {
            let (x, y) = (&x[inputs], &mut y[outputs]);
            in_blocks!(out, |at, LEN| {
                for (x, y) in x.chunks_exact(2 * wide).zip(y.chunks_exact_mut(out)) {
                    let (top, bottom) = x.split_at(wide);
                    let top = top[2 * at..][..2 * LEN].as_chunks::<2>().0;
                    let bottom = bottom[2 * at..][..2 * LEN].as_chunks::<2>().0;
                    let mut block = [T::ZERO; LEN];
                    for (y, (top, bottom)) in block.iter_mut().zip(top.iter().zip(bottom)) {
                        *y = ((top[0] + bottom[0]) + (top[1] + bottom[1])) * factor;
                    }
                    y[at..][..LEN].copy_from_slice(&block);
                }
            });
        }
    }

    /// As [`spread`](Self::spread), for planes of [`Shape::Squares`] and with the divisor's reciprocal.
    #[inline(always)]
    fn spread_squares<T: Float>(&self, g: &[T], gx: &mut [T], factor: T) {
        let ([_, high, wide], out) = (self.input, self.reaches[2].len());
        if high % 2 + wide % 2 > 0 {
            gx.fill(T::ZERO);
        }
        for [inputs, outputs] in self.stretches(gx.len() / self.in_len) {
            let (gx, g) = (&mut gx[inputs], &g[outputs]);
            in_blocks!(out, |at, LEN| {
                for (gx, g) in gx.chunks_exact_mut(2 * wide).zip(g.chunks_exact(out)) {
                    let (top, bottom) = gx.split_at_mut(wide);
                    let mut shares = [[T::ZERO; 2]; LEN];
                    for (shares, &g) in shares.iter_mut().zip(&g[at..][..LEN]) {
                        *shares = [g * factor; 2];
                    }
                    top[2 * at..][..2 * LEN].copy_from_slice(shares.as_flattened());
                    bottom[2 * at..][..2 * LEN].copy_from_slice(shares.as_flattened());
                }
            });
        }
    }

    /// Adds up the lines that a line of outputs sees, then what each output sees of that sum.
    #[inline(always)]
    fn average<T: Float>(&self, x: &[T], y: &mut [T], divisors: &Divisors<T>, sums: &mut [T]) {
        let wide = self.input[2];
        let width = &self.reaches[2];
        for (reach, y) in self.lines().zip(y.chunks_exact_mut(width.len())) {
            let mut lines = self.lines_seen(reach);
            let first = lines.next().expect("a window sees an input");
            sums.copy_from_slice(&x[first..first + wide]);
            for line in lines {
                sums.iter_mut().zip(&x[line..line + wide]).for_each(|(sum, &x)| *sum += x);
            }
            let divisors = divisors.of_line(reach);
            if self.pairs {
                for ((y, sums), divisor) in y.iter_mut().zip(sums.chunks_exact(2)).zip(divisors) {
                    *y = (sums[0] + sums[1]) / divisor;
                }
            } else {
                for ((y, reach), divisor) in y.iter_mut().zip(width).zip(divisors) {
                    *y = sums[reach.start..reach.end].iter().copied().sum::<T>() / divisor;
                }
            }
        }
    }

    /// Spreads each output over what it sees along the last axis, then that line over the lines that it sees.
    #[inline(always)]
    fn spread<T: Float>(&self, g: &[T], gx: &mut [T], divisors: &Divisors<T>, shares: &mut [T]) {
        let wide = self.input[2];
        let width = &self.reaches[2];
        gx.fill(T::ZERO);
        shares.fill(T::ZERO);
        for (reach, g) in self.lines().zip(g.chunks_exact(width.len())) {
            let divisors = divisors.of_line(reach);
            if self.pairs {
                for ((&g, shares), divisor) in g.iter().zip(shares.chunks_exact_mut(2)).zip(divisors) {
                    shares.fill(g / divisor);
                }
            } else {
                shares.fill(T::ZERO);
                for ((&g, reach), divisor) in g.iter().zip(width).zip(divisors) {
                    let share = g / divisor;
                    shares[reach.start..reach.end].iter_mut().for_each(|sum| *sum += share);
                }
            }
            for line in self.lines_seen(reach) {
                gx[line..line + wide].iter_mut().zip(&*shares).for_each(|(gx, &share)| *gx += share);
            }
        }
    }
}

/// The divisor of each window: a product of one factor for each axis.
struct Divisors<T> {
    divisor: Divisor,
    /// The factors along the last axis.
    width: SmallVec<[T; 32]>,
}

impl<T: Float> Divisors<T> {
    fn new(planes: &Planes, divisor: Divisor) -> Self {
        assert_eq!(planes.steps, [1; 3], "windows to average are not dilated");
        let width = planes.reaches[2].iter().map(|reach| T::from_f64(extent(divisor, reach))).collect();
        Self { divisor, width }
    }

    /// The divisor of windows that all count as many.
    #[inline(always)]
    fn of_all(&self, planes: &Planes) -> T {
        let first = planes.lines().next().and_then(|reach| self.of_line(reach).next());
        first.expect("there is a window")
    }

    /// What multiplies to the same bits as [`of_all`](Self::of_all) divides to: the reciprocal, if that is of
    /// a power of two.
    fn factor(&self, planes: &Planes) -> Option<T> {
        let divisor = self.of_all(planes);
        let fraction = divisor.to_f64().to_bits() << (u64::BITS - (f64::MANTISSA_DIGITS - 1));
        (fraction == 0).then(|| T::ONE / divisor)
    }

    /// The divisors of a line of outputs.
    #[inline(always)]
    fn of_line(&self, [depth, height]: [Reach; 2]) -> impl Iterator<Item = T> {
        let factor = match self.divisor {
            Divisor::Fixed(divisor) => divisor.get() as f64,
            divisor => extent(divisor, &depth) * extent(divisor, &height),
        };
        let factor = T::from_f64(factor);
        self.width.iter().map(move |&width| factor * width)
    }
}

/// What a window counts along an axis.
fn extent(divisor: Divisor, reach: &Reach) -> f64 {
    match divisor {
        Divisor::IncludePadding => reach.padded as f64,
        Divisor::ExcludePadding => (reach.end - reach.start) as f64,
        Divisor::Fixed(_) => 1.0,
    }
}
