//! Resampling: planes brought to other extents, by the nearest input or linearly between two, and the adjoint.
//!
//! Along an axis output o reads the inputs `at` and `next`: y[o] = (1 − w)·x[at] + w·x[next], or x[at] alone
//! where both are one. Several axes are passed through one after the other, those that shrink first, so that
//! nothing in between is larger than the larger of input and output.

use smallvec::SmallVec;

use crate::pool::check_input;
use crate::storage::Storage;
use crate::tensor::countable;
use crate::window::axis_name;
use crate::{Error, Float, Result, Shape, par, simd};

/// To what extents a tensor is brought, along each of `D` axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resize<const D: usize> {
    /// To these.
    Size([usize; D]),
    /// From H to ⌊factor·H⌋ each.
    ScaleFactor {
        /// How often each extent is taken.
        factor: [f64; D],
        /// Whether places are computed from the two extents, as with [`Size`](Self::Size), instead of the
        /// factor.
        recompute: bool,
    },
}

/// What an output reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The input at ⌊o·in/out⌋.
    #[default]
    Nearest,
    /// The inputs around its place, in proportion: linear along one axis, bilinear and trilinear along more.
    Linear {
        /// Whether the first and the last element of both lie on each other, so that output o has its place at
        /// o·(in − 1)/(out − 1). Otherwise their outer edges do, the place is (o + ½)·in/out − ½, and what lies
        /// outside the input is brought to its border.
        align_corners: bool,
    },
}

/// A fully resolved resampling over 1, 2 or 3 axes of tensors `[batch, channels, …]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Resampling {
    input: Shape,
    output: Shape,
    /// The factors from which places are computed where the extents do not say.
    factors: [Option<f64>; 3],
    interpolation: Interpolation,
}

impl Resampling {
    /// The resampling of a tensor `[batch, channels, …]`.
    ///
    /// # Errors
    /// If an extent other than that of the batch is 0 in input or result, a factor is not a positive number, or
    /// the result cannot be addressed. `op` is the operation that the message names.
    #[track_caller]
    pub fn new<const D: usize>(
        op: &'static str,
        input: &[usize],
        resize: Resize<D>,
        interpolation: Interpolation,
    ) -> Result<Self> {
        check_input::<D>(op, input)?;
        let mut output = Shape::from(input);
        let mut factors = [None; 3];
        for axis in 0..D {
            let (name, extent) = (axis_name(3 - D + axis), input[axis + 2]);
            output[axis + 2] = match resize {
                Resize::Size(size) => size[axis],
                Resize::ScaleFactor { factor, recompute } => {
                    factors[axis] = (!recompute).then_some(factor[axis]);
                    scaled(op, name, extent, factor[axis])?
                }
            };
            if extent == 0 || output[axis + 2] == 0 {
                let output = output[axis + 2];
                let fact =
                    format!("{extent} to {output} elements at axis {name} (expected at least 1 of both)");
                return Err(Error::new(op, fact));
            }
        }
        Ok(Self { input: input.into(), output: countable(op, output)?, factors, interpolation })
    }

    /// The shape of what is resampled.
    pub fn input(&self) -> &Shape {
        &self.input
    }

    /// The shape of the result.
    pub fn output(&self) -> &Shape {
        &self.output
    }

    /// The passes from input to output.
    pub(crate) fn passes<T: Float>(&self) -> Passes<T> {
        if self.output.numel() == 0 {
            // Of an empty batch any extent may be enormous.
            return Passes::new();
        }
        let axes = self.input.len() - 2;
        let shrinks = |axis: &usize| self.output[axis + 2] < self.input[axis + 2];
        let mut order: SmallVec<[usize; 3]> = (0..axes).rev().filter(shrinks).collect();
        order.extend((0..axes).rev().filter(|axis| !shrinks(axis)));
        let mut now = self.input.clone();
        let pass = |axis: usize| {
            let (outer, inner) = (now[2..axis + 2].iter().product(), now[axis + 3..].iter().product());
            let [input, output] = [self.input[axis + 2], self.output[axis + 2]];
            now[axis + 2] = output;
            let reads: Vec<Read<T>> = (0..output).map(|o| self.read(axis, o)).collect();
            let same =
                input == output && reads.iter().enumerate().all(|(o, read)| (read.at, read.next) == (o, o));
            (!same).then_some(Pass { outer, input, inner, reads, adjoint: false })
        };
        order.into_iter().filter_map(pass).collect()
    }

    /// The adjoint passes from output to input.
    pub(crate) fn adjoint_passes<T: Float>(&self) -> Passes<T> {
        self.passes().into_iter().rev().map(|pass| Pass { adjoint: true, ..pass }).collect()
    }

    /// What output `o` of an axis reads.
    fn read<T: Float>(&self, axis: usize, o: usize) -> Read<T> {
        let [input, output] = [self.input[axis + 2], self.output[axis + 2]];
        let o = o as f64;
        // Multiplied before it is divided, so that what is an integer comes out as one.
        let shrunk = |o: f64| match self.factors[axis] {
            Some(factor) => o / factor,
            None => o * input as f64 / output as f64,
        };
        let place = match self.interpolation {
            Interpolation::Nearest => shrunk(o).floor(),
            Interpolation::Linear { align_corners: false } => (shrunk(o + 0.5) - 0.5).max(0.0),
            Interpolation::Linear { align_corners: true } if output == 1 => 0.0,
            Interpolation::Linear { align_corners: true } => o * (input - 1) as f64 / (output - 1) as f64,
        };
        let at = (place as usize).min(input - 1);
        let weight = (place - at as f64).min(1.0);
        let next = if weight > 0.0 { (at + 1).min(input - 1) } else { at };
        Read { at, next, weight: T::from_f64(weight) }
    }
}

/// ⌊factor·extent⌋, if there is such an extent.
#[track_caller]
fn scaled(op: &'static str, axis: isize, extent: usize, factor: f64) -> Result<usize> {
    let scaled = (extent as f64 * factor).floor();
    // NaN is not within, nor is what floating point cannot count.
    if factor > 0.0 && scaled < (1u64 << f64::MANTISSA_DIGITS) as f64 {
        return Ok(scaled as usize);
    }
    let fact =
        format!("scale factor {factor} at axis {axis} of extent {extent} (expected a positive number)");
    Err(Error::new(op, fact))
}

/// What an output reads along an axis.
#[derive(Clone, Copy, Debug)]
struct Read<T> {
    at: usize,
    next: usize,
    /// That of `next`; the other has the rest.
    weight: T,
}

/// The passes through the axes of a plane, in order.
pub(crate) type Passes<T> = SmallVec<[Pass<T>; 3]>;

/// One axis of a plane resampled: `[outer, input, inner]` to `[outer, reads, inner]`, or back again.
pub(crate) struct Pass<T> {
    outer: usize,
    input: usize,
    inner: usize,
    reads: Vec<Read<T>>,
    adjoint: bool,
}

/// y = x taken through the passes, plane by plane; x itself if there are none.
///
/// # Panics
/// If a slice is not as long as the passes say.
pub(crate) fn resample<T: Float>(passes: &[Pass<T>], x: &[T], y: &mut [T]) {
    let [Some(first), Some(last)] = [passes.first(), passes.last()] else { return y.copy_from_slice(x) };
    let ([before, _], [_, after]) = (first.lengths(), last.lengths());
    let between: usize = passes.iter().rev().skip(1).map(|pass| pass.lengths()[1]).sum();
    par::rows(y, after, before + between + after, |plane, y| {
        let mut scratch = Storage::unspecified(between);
        let x = x[plane * before..].chunks_exact(before);
        for (x, y) in x.zip(y.chunks_exact_mut(after)) {
            through(passes, x, y, scratch.make_mut());
        }
    });
}

/// One plane through the passes; what lies between two of them goes into `scratch`.
fn through<T: Float>(passes: &[Pass<T>], x: &[T], y: &mut [T], scratch: &mut [T]) {
    match passes {
        [] => {}
        [pass] => pass.run(x, y),
        [pass, rest @ ..] => {
            let (between, scratch) = scratch.split_at_mut(pass.lengths()[1]);
            pass.run(x, between);
            through(rest, between, y, scratch);
        }
    }
}

impl<T: Float> Pass<T> {
    /// The elements of a plane before and after the pass.
    fn lengths(&self) -> [usize; 2] {
        let Self { outer, input, inner, reads, adjoint } = self;
        let [input, output] = [input, &reads.len()].map(|extent| outer * extent * inner);
        if *adjoint { [output, input] } else { [input, output] }
    }

    fn run(&self, x: &[T], y: &mut [T]) {
        simd::dispatch(
            #[inline(always)]
            || {
                let [input, output] = [self.input, self.reads.len()].map(|extent| extent * self.inner);
                if self.adjoint {
                    y.fill(T::ZERO);
                    x.chunks_exact(output)
                        .zip(y.chunks_exact_mut(input))
                        .for_each(|(g, gx)| self.spread(g, gx));
                } else {
                    x.chunks_exact(input).zip(y.chunks_exact_mut(output)).for_each(|(x, y)| self.blend(x, y));
                }
            },
        );
    }

    /// Each line of outputs from the lines that it reads.
    #[inline(always)]
    fn blend(&self, x: &[T], y: &mut [T]) {
        if self.inner == 1 {
            for (y, &Read { at, next, weight }) in y.iter_mut().zip(&self.reads) {
                *y = if at == next { x[at] } else { (T::ONE - weight) * x[at] + weight * x[next] };
            }
            return;
        }
        let line = |i: usize| &x[i * self.inner..][..self.inner];
        for (y, &Read { at, next, weight }) in y.chunks_exact_mut(self.inner).zip(&self.reads) {
            if at == next {
                y.copy_from_slice(line(at));
                continue;
            }
            for (y, (&a, &b)) in y.iter_mut().zip(line(at).iter().zip(line(next))) {
                *y = (T::ONE - weight) * a + weight * b;
            }
        }
    }

    /// Each line of outputs added to the lines that it was read from.
    #[inline(always)]
    fn spread(&self, g: &[T], gx: &mut [T]) {
        if self.inner == 1 {
            for (&g, &Read { at, next, weight }) in g.iter().zip(&self.reads) {
                if at == next {
                    gx[at] += g;
                } else {
                    gx[at] += (T::ONE - weight) * g;
                    gx[next] += weight * g;
                }
            }
            return;
        }
        let mut add = |i: usize, g: &[T], weight: T| {
            let line = &mut gx[i * self.inner..][..self.inner];
            line.iter_mut().zip(g).for_each(|(gx, &g)| *gx += weight * g);
        };
        for (g, &Read { at, next, weight }) in g.chunks_exact(self.inner).zip(&self.reads) {
            if at == next {
                add(at, g, T::ONE);
            } else {
                add(at, g, T::ONE - weight);
                add(next, g, weight);
            }
        }
    }
}
