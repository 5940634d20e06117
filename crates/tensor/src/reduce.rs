//! Reductions over axes.
//!
//! Neighbouring axes that are both kept or both reduced are merged. Where the innermost is reduced, each
//! result is a fold over contiguous runs; where it is kept, whole rows are folded into a row of results. The
//! order of every fold follows from the shape alone, so a result has the same bits at every number of
//! threads.

use std::ops::Range;

use smallvec::SmallVec;

use crate::element::{larger, smaller};
use crate::par;
use crate::simd::dispatch;
use crate::storage::Storage;
use crate::{Element, Error, Float, Result, Shape, Tensor};

/// Which axes to reduce, and whether they stay with extent 1.
///
/// Made from one axis, an array of axes, or `..` for all; negative numbers count from the back; [`keepdim`]
/// keeps.
#[derive(Clone, Debug)]
pub struct Axes {
    /// Empty for all.
    list: SmallVec<[isize; 4]>,
    all: bool,
    keep: bool,
}

/// The axes, kept with extent 1 in the result: `x.sum(keepdim(1))`.
pub fn keepdim(axes: impl Into<Axes>) -> Axes {
    Axes { keep: true, ..axes.into() }
}

impl From<isize> for Axes {
    fn from(axis: isize) -> Self {
        Self { list: SmallVec::from_slice(&[axis]), all: false, keep: false }
    }
}

impl<const N: usize> From<[isize; N]> for Axes {
    fn from(axes: [isize; N]) -> Self {
        Self { list: SmallVec::from_slice(&axes), all: false, keep: false }
    }
}

impl From<&[isize]> for Axes {
    fn from(axes: &[isize]) -> Self {
        Self { list: SmallVec::from_slice(axes), all: false, keep: false }
    }
}

impl From<std::ops::RangeFull> for Axes {
    fn from(_: std::ops::RangeFull) -> Self {
        Self { list: SmallVec::new(), all: true, keep: false }
    }
}

impl Axes {
    /// The shape that reducing `shape` over these axes gives, and the same with the axes kept.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn reduce(&self, op: &'static str, shape: &Shape) -> Result<Reduced> {
        let chosen = self.chosen(op, shape)?;
        let extents = || shape.iter().zip(&chosen);
        let kept: Shape = extents().map(|(&extent, &reduced)| if reduced { 1 } else { extent }).collect();
        let shape = match self.keep {
            true => kept.clone(),
            false => extents().filter(|&(_, &reduced)| !reduced).map(|(&extent, _)| extent).collect(),
        };
        Ok(Reduced { shape, kept, chosen })
    }

    /// For each axis of `shape` whether it is one of these.
    #[track_caller]
    pub(crate) fn chosen(&self, op: &'static str, shape: &Shape) -> Result<SmallVec<[bool; 5]>> {
        let mut chosen: SmallVec<[bool; 5]> = SmallVec::from_elem(self.all, shape.len());
        for &axis in &self.list {
            let axis = shape.axis(op, axis)?;
            if std::mem::replace(&mut chosen[axis], true) {
                return Err(Error::new(op, format!("axis {axis} is named twice in {:?}", self.list)));
            }
        }
        Ok(chosen)
    }

    /// The only axis of `shape` that is named, and whether it stays.
    ///
    /// # Errors
    /// If the axis does not exist, or it is not one that is named.
    #[track_caller]
    pub fn single(&self, op: &'static str, shape: &Shape) -> Result<(isize, bool)> {
        match (self.all, &self.list[..]) {
            (false, &[axis]) => Ok((shape.axis(op, axis)? as isize, self.keep)),
            _ => Err(Error::new(op, "expected one axis")),
        }
    }
}

/// The outcome of [`Axes::reduce`].
#[derive(Clone, Debug)]
pub struct Reduced {
    /// The result's shape.
    pub shape: Shape,
    /// The result's shape with every reduced axis kept as extent 1, which broadcasts to the operand's.
    pub kept: Shape,
    chosen: SmallVec<[bool; 5]>,
}

/// A fold: where it begins, and how two partial results are joined.
trait Fold<T>: Copy + Sync {
    const START: T;
    fn join(a: T, b: T) -> T;
}

macro_rules! folds {
    ($($name:ident: $start:ident, |$a:ident, $b:ident| $join:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;
        impl<T: Float> Fold<T> for $name {
            const START: T = T::$start;
            #[inline(always)]
            fn join($a: T, $b: T) -> T {
                $join
            }
        }
    )*};
}

folds! {
    Sum: ZERO, |a, b| a + b;
    Product: ONE, |a, b| a * b;
    Largest: NEG_INFINITY, |a, b| larger(a, b);
    Smallest: INFINITY, |a, b| smaller(a, b);
}

impl<T: Float> Tensor<T> {
    /// Σ x over `axes`; 0 over none.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn sum(&self, axes: impl Into<Axes>) -> Result<Self> {
        self.fold(Sum, axes.into().reduce("sum", self.shape())?)
    }

    /// The mean over `axes`; NaN over none.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn mean(&self, axes: impl Into<Axes>) -> Result<Self> {
        let reduced = axes.into().reduce("mean", self.shape())?;
        let count = T::from_f64(count(self, &reduced));
        Ok(self.fold(Sum, reduced)?.map(|sum| sum / count))
    }

    /// The product over `axes`; 1 over none.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn prod(&self, axes: impl Into<Axes>) -> Result<Self> {
        self.fold(Product, axes.into().reduce("prod", self.shape())?)
    }

    /// The largest element over `axes`; NaN if one is.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice, or there is no element to choose.
    #[track_caller]
    pub fn amax(&self, axes: impl Into<Axes>) -> Result<Self> {
        let reduced = axes.into().reduce("amax", self.shape())?;
        not_empty("amax", self, &reduced)?;
        self.fold(Largest, reduced)
    }

    /// The smallest element over `axes`; NaN if one is.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice, or there is no element to choose.
    #[track_caller]
    pub fn amin(&self, axes: impl Into<Axes>) -> Result<Self> {
        let reduced = axes.into().reduce("amin", self.shape())?;
        not_empty("amin", self, &reduced)?;
        self.fold(Smallest, reduced)
    }

    /// The variance over `axes`, Σ(x − mean)²/(n − `correction`): 1 gives the unbiased estimate, 0 the biased
    /// one. NaN where n = `correction`.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn var(&self, axes: impl Into<Axes>, correction: f64) -> Result<Self> {
        let reduced = axes.into().reduce("var", self.shape())?;
        let count = count(self, &reduced);
        let mean = self.fold(Sum, reduced.clone())?.map(|sum| sum / T::from_f64(count));
        let centred =
            self.zip_as("var", &mean.with_shape(reduced.kept.clone()), |x, mean| (x - mean) * (x - mean))?;
        let divisor = T::from_f64((count - correction).max(0.0));
        Ok(centred.fold(Sum, reduced)?.map(|sum| sum / divisor))
    }

    /// The deviation over `axes`, the square root of [`var`](Self::var).
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn std(&self, axes: impl Into<Axes>, correction: f64) -> Result<Self> {
        Ok(self.var(axes, correction)?.sqrt())
    }

    /// ln Σ eˣ over `axes`, max + ln Σ e^(x − max), which never overflows; −∞ over none.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.logsumexp.html)
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn logsumexp(&self, axes: impl Into<Axes>) -> Result<Self> {
        let reduced = axes.into().reduce("logsumexp", self.shape())?;
        // An infinite maximum must not meet itself in a difference; 0 keeps it what it is.
        let max = self.fold(Largest, reduced.clone())?.map(|max| if max.is_finite() { max } else { T::ZERO });
        let max = max.with_shape(reduced.kept.clone());
        let exponentials = self.zip_as(
            "logsumexp",
            &max,
            #[inline(always)]
            |x, max| (x - max).exp(),
        )?;
        let sum = exponentials.fold(Sum, reduced)?;
        sum.zip_as("logsumexp", &max.with_shape(sum.shape().clone()), |sum, max| sum.ln() + max)
    }

    /// The p-norm over `axes`, (Σ|x|ᵖ)^(1/p); for p = ∞ the largest |x|, for p = −∞ the smallest, for p = 0
    /// how many x are not 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html)
    ///
    /// # Errors
    /// If an axis does not exist or is named twice, or p is infinite and there is no element to choose.
    #[track_caller]
    pub fn norm(&self, axes: impl Into<Axes>, p: f64) -> Result<Self> {
        let reduced = axes.into().reduce("norm", self.shape())?;
        if p.is_infinite() {
            not_empty("norm", self, &reduced)?;
        }
        let power = T::from_f64(p);
        Ok(match p {
            f64::INFINITY => self.abs().fold(Largest, reduced)?,
            f64::NEG_INFINITY => self.abs().fold(Smallest, reduced)?,
            0.0 => self.map(|x| if x == T::ZERO { T::ZERO } else { T::ONE }).fold(Sum, reduced)?,
            1.0 => self.abs().fold(Sum, reduced)?,
            2.0 => self.square().fold(Sum, reduced)?.sqrt(),
            _ => self.map(|x| x.abs().powf(power)).fold(Sum, reduced)?.map(|sum| sum.powf(T::ONE / power)),
        })
    }

    /// The position of the largest element along an axis, the first of equals; NaN counts as the largest.
    /// Over `..` it is the position in row-major order.
    ///
    /// # Errors
    /// If `axes` are neither one axis nor all, the axis does not exist, or it has no elements.
    #[track_caller]
    pub fn argmax(&self, axes: impl Into<Axes>) -> Result<Tensor<i64>> {
        self.position("argmax", axes.into(), Largest)
    }

    /// The position of the smallest element along an axis, the first of equals; NaN counts as the smallest.
    /// Over `..` it is the position in row-major order.
    ///
    /// # Errors
    /// If `axes` are neither one axis nor all, the axis does not exist, or it has no elements.
    #[track_caller]
    pub fn argmin(&self, axes: impl Into<Axes>) -> Result<Tensor<i64>> {
        self.position("argmin", axes.into(), Smallest)
    }

    /// The largest element along an axis and its position, as [`argmax`](Self::argmax) gives it.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.max.html)
    ///
    /// # Errors
    /// If it is not one axis that is named, the axis does not exist, or it has no elements.
    #[track_caller]
    pub fn max_dim(&self, axis: impl Into<Axes>) -> Result<(Self, Tensor<i64>)> {
        let (axis, keep) = axis.into().single("max_dim", self.shape())?;
        self.chosen_along(axis, keep, self.position("max_dim", keepdim(axis), Largest)?)
    }

    /// The smallest element along an axis and its position, as [`argmin`](Self::argmin) gives it.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.min.html)
    ///
    /// # Errors
    /// If it is not one axis that is named, the axis does not exist, or it has no elements.
    #[track_caller]
    pub fn min_dim(&self, axis: impl Into<Axes>) -> Result<(Self, Tensor<i64>)> {
        let (axis, keep) = axis.into().single("min_dim", self.shape())?;
        self.chosen_along(axis, keep, self.position("min_dim", keepdim(axis), Smallest)?)
    }

    #[track_caller]
    fn chosen_along(&self, axis: isize, keep: bool, index: Tensor<i64>) -> Result<(Self, Tensor<i64>)> {
        let values = self.gather(axis, &index)?;
        Ok(if keep { (values, index) } else { (values.squeeze(axis)?, index.squeeze(axis)?) })
    }

    /// The position along the axis, or among all elements, of the first that is what folding gives, be it NaN.
    #[track_caller]
    fn position<F: Fold<T>>(&self, op: &'static str, axes: Axes, fold: F) -> Result<Tensor<i64>> {
        let reduced = axes.reduce(op, self.shape())?;
        not_empty(op, self, &reduced)?;
        let axis = if axes.all { 0 } else { axes.single(op, self.shape())?.0 as usize };
        let inner = match axes.all {
            true => 1,
            false => self.shape()[axis + 1..].iter().product::<usize>().max(1),
        };
        let block = if axes.all { self.numel() } else { self.shape()[axis] * inner };
        let found = self.fold(fold, reduced)?;
        let (x, best) = (self.as_slice(), found.as_slice());
        Ok(Tensor::written(found.shape().clone(), |y| {
            par::rows(y, inner, block, |first, rows| {
                for (i, y) in rows.chunks_exact_mut(inner).enumerate() {
                    let x = &x[(first + i) * block..][..block];
                    let best = &best[(first + i) * inner..][..inner];
                    dispatch(
                        #[inline(always)]
                        || first_of(x, best, y),
                    );
                }
            });
        }))
    }

    /// The tensor summed to `shape`, over every axis that broadcasting from `shape` would add or repeat: the
    /// adjoint of [`broadcast_to`](Self::broadcast_to).
    ///
    /// # Errors
    /// If `shape` does not broadcast to this tensor's.
    #[track_caller]
    pub fn sum_to(&self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if shape == *self.shape() {
            return Ok(self.clone());
        }
        if shape.broadcast("sum_to", self.shape())? != *self.shape() {
            return Err(Error::new("sum_to", format!("{shape} does not broadcast to {}", self.shape())));
        }
        let added = self.rank() - shape.len();
        let chosen: SmallVec<[bool; 5]> = (0..self.rank())
            .map(|axis| axis < added || (shape[axis - added] == 1 && self.shape()[axis] != 1))
            .collect();
        self.fold(Sum, Reduced { kept: shape.clone(), shape, chosen })
    }

    /// What is summed away may be of extent 0, and what is left too much for any memory.
    #[track_caller]
    fn fold<F: Fold<T>>(&self, _: F, reduced: Reduced) -> Result<Self> {
        let plan = Plan::new(self.shape(), &reduced.chosen);
        if !plan.inner_reduced || plan.inner >= SHORT || plan.reduced.is_empty() {
            return self.fold_by::<F>(plan, reduced.shape);
        }
        // Runs too short for vectors, again and again: they are folded as rows first, all into one.
        let axes = self.shape().iter().zip(&reduced.chosen);
        let run = axes.rev().take_while(|&(&extent, &chosen)| chosen || extent == 1).count();
        let mut across = reduced.chosen.clone();
        across[self.rank() - run..].fill(false);
        let extents = self.shape().iter().zip(&across);
        let runs: Shape = extents.map(|(&extent, &across)| if across { 1 } else { extent }).collect();
        let runs = self.fold_by::<F>(Plan::new(self.shape(), &across), runs)?;
        let plan = Plan::new(runs.shape(), &reduced.chosen);
        runs.fold_by::<F>(plan, reduced.shape)
    }

    #[track_caller]
    fn fold_by<F: Fold<T>>(&self, plan: Plan, shape: Shape) -> Result<Self> {
        let x = self.as_slice();
        Tensor::try_written("reduce", shape, |y| match plan.inner_reduced {
            true => plan.fold_runs::<T, F>(x, y),
            false => plan.fold_rows::<T, F>(x, y),
        })
    }
}

/// Where each element of `best`, or else a NaN, first stands among the rows of `x`.
#[inline(always)]
fn first_of<T: Float>(x: &[T], best: &[T], y: &mut [i64]) {
    let is_it = |x: T, best: T| (x == best) | x.is_nan();
    if let ([y], [best]) = (&mut *y, best) {
        *y = x.iter().position(|&x| is_it(x, *best)).unwrap_or(0) as i64;
        return;
    }
    // From the back, so that the first is written last, without a branch.
    for (at, x) in x.chunks_exact(best.len()).enumerate().rev() {
        for ((y, &x), &best) in y.iter_mut().zip(x).zip(best) {
            *y = if is_it(x, best) { at as i64 } else { *y };
        }
    }
}

fn count<T: Element>(x: &Tensor<T>, reduced: &Reduced) -> f64 {
    x.shape()
        .iter()
        .zip(&reduced.chosen)
        .filter(|&(_, &chosen)| chosen)
        .map(|(&extent, _)| extent as f64)
        .product()
}

#[track_caller]
fn not_empty<T: Element>(op: &'static str, x: &Tensor<T>, reduced: &Reduced) -> Result<()> {
    if count(x, reduced) == 0.0 {
        return Err(Error::new(op, format!("shape {} has no element to choose from", x.shape())));
    }
    Ok(())
}

/// Neighbouring axes merged: (extent, stride) of the kept and of the reduced ones, and the innermost apart.
struct Plan {
    kept: SmallVec<[(usize, usize); 4]>,
    reduced: SmallVec<[(usize, usize); 4]>,
    inner: usize,
    inner_reduced: bool,
}

/// Elements, of a long run or of several short ones, that are folded before their result joins the others',
/// which keeps the rounding error of a long sum small, and lets several threads share it.
const RUN: usize = 4096;
/// Elements below which a run is short.
const SHORT: usize = 64;
/// Folds side by side within a run: four vectors of AVX-512, so that additions do not wait for one another.
const LANES: usize = 64;
/// The same for what these leave over: one vector.
const SIDE: usize = 16;
/// Results that rows are folded into at a time.
const WIDE: usize = 1024;
/// Elements of short rows that are folded side by side: enough for additions not to wait for one another.
const SIDE_BY_SIDE: usize = 256;
/// Rows below which a part of them is not worth partial results.
const PART: usize = 16;

impl Plan {
    fn new(shape: &Shape, chosen: &[bool]) -> Self {
        let mut merged: SmallVec<[(usize, bool); 5]> = SmallVec::new();
        for (&extent, &reduced) in shape.iter().zip(chosen).filter(|&(&extent, _)| extent != 1) {
            match merged.last_mut() {
                Some((outer, same)) if *same == reduced => *outer *= extent,
                _ => merged.push((extent, reduced)),
            }
        }
        let (inner, inner_reduced) = merged.pop().unwrap_or((1, false));
        let (mut kept, mut reduced): (SmallVec<[_; 4]>, SmallVec<[_; 4]>) = Default::default();
        let mut stride = inner;
        for &(extent, is_reduced) in merged.iter().rev() {
            if is_reduced { &mut reduced } else { &mut kept }.insert(0, (extent, stride));
            stride *= extent;
        }
        Self { kept, reduced, inner, inner_reduced }
    }

    /// Every result is a fold over contiguous runs, several of which are a part where they are short.
    fn fold_runs<T: Float, F: Fold<T>>(&self, x: &[T], y: &mut [T]) {
        if let [y] = y {
            // No axis is kept, so all are merged into one run.
            *y = fold_long_run::<T, F>(&x[..self.inner]);
            return;
        }
        if y.is_empty() {
            return;
        }
        let runs: usize = self.reduced.iter().map(|&(extent, _)| extent).product();
        let together = (RUN / self.inner.max(1)).clamp(1, runs.max(1));
        let part = |part: usize, result: usize| {
            let first = offset(&self.kept, result);
            let run = |n: usize| &x[first + offset(&self.reduced, n)..][..self.inner];
            let mut runs = (part * together..runs.min((part + 1) * together)).map(run);
            match together {
                1 => runs.next().map_or(F::START, fold_run::<T, F>),
                _ => fold_together::<T, F>(runs),
            }
        };
        // Parts of the first runs of all results come before parts of the next, as the runs lie in memory.
        let (results, cost) = (y.len(), together * self.inner);
        fold_parts::<T, F>(runs.div_ceil(together), y, |parts| {
            par::rows(parts, 1, cost, |first, parts| {
                for (i, y) in parts.iter_mut().enumerate() {
                    *y = part((first + i) / results, (first + i) % results);
                }
            });
        });
    }

    /// Whole rows are folded into rows of results.
    fn fold_rows<T: Float, F: Fold<T>>(&self, x: &[T], y: &mut [T]) {
        if y.is_empty() {
            return;
        }
        let rows: usize = self.reduced.iter().map(|&(extent, _)| extent).product();
        let each = par::GRAIN / y.len();
        if each < PART || rows <= 2 * each {
            let results = (par::GRAIN / rows.max(1)).max(WIDE);
            return par::chunks(y, results, |i, y| self.fold_part::<T, F>(x, 0..rows, i * results, y));
        }
        // Few results for much work: parts of the rows are folded at the same time.
        let results = y.len();
        fold_parts::<T, F>(rows.div_ceil(each), y, |parts| {
            par::chunks(parts, results, |part, y| {
                self.fold_part::<T, F>(x, part * each..rows.min((part + 1) * each), 0, y);
            });
        });
    }

    /// Folds some of the rows into the results from the `first` on, at most [`WIDE`] at a time, which stay in
    /// L1 while rows pass by.
    fn fold_part<T: Float, F: Fold<T>>(&self, x: &[T], rows: Range<usize>, first: usize, y: &mut [T]) {
        // Between the innermost axis, which is kept, and the next kept one lies a reduced one: its rows are
        // adjacent.
        let adjacent = self.reduced.last().map_or(1, |&(extent, _)| extent);
        dispatch(
            #[inline(always)]
            || {
                let mut done = 0;
                while done < y.len() {
                    let (kept, column) = ((first + done) / self.inner, (first + done) % self.inner);
                    let width = (self.inner - column).min(WIDE).min(y.len() - done);
                    let y = &mut y[done..done + width];
                    let begin = offset(&self.kept, kept) + column;
                    y.fill(F::START);
                    let mut row = rows.start;
                    while row < rows.end {
                        let run = (adjacent - row % adjacent).min(rows.end - row);
                        let x = &x[begin + offset(&self.reduced, row)..][..(run - 1) * self.inner + width];
                        fold_adjacent::<T, F>(x, self.inner, y);
                        row += run;
                    }
                    done += width;
                }
            },
        );
    }
}

/// Joins so many parts of each result in order; `write` gives the first parts of all results, then the second
/// ones, and so on.
fn fold_parts<T: Float, F: Fold<T>>(parts: usize, y: &mut [T], write: impl FnOnce(&mut [T])) {
    if parts == 1 {
        return write(y);
    }
    let mut partial = Storage::unspecified(parts * y.len());
    write(partial.make_mut());
    y.fill(F::START);
    partial.chunks_exact(y.len()).for_each(|part| join::<T, F>(y, part));
}

/// Folds rows that begin `stride` apart into a row of results.
#[inline(always)]
fn fold_adjacent<T: Float, F: Fold<T>>(x: &[T], stride: usize, y: &mut [T]) {
    let side_by_side = if y.len() == stride { SIDE_BY_SIDE / stride } else { 0 };
    if side_by_side < 2 {
        return x.chunks(stride).for_each(|x| join::<T, F>(y, &x[..y.len()]));
    }
    // Rows are short and nothing is between them: several make one that is worth vectors.
    let mut results = [F::START; SIDE_BY_SIDE];
    let results = &mut results[..side_by_side * stride];
    let mut several = x.chunks_exact(results.len());
    several.by_ref().for_each(|x| join::<T, F>(results, x));
    let rest = several.remainder().chunks_exact(stride);
    results.chunks_exact(stride).chain(rest).for_each(|x| join::<T, F>(y, x));
}

/// Joins each element of `x` to the result at its place.
#[inline(always)]
fn join<T: Float, F: Fold<T>>(y: &mut [T], x: &[T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = F::join(*y, x);
    }
}

/// Where the `index`-th combination of some axes begins.
fn offset(axes: &[(usize, usize)], mut index: usize) -> usize {
    let Some((&(_, outermost), axes)) = axes.split_first() else { return 0 };
    let mut offset = 0;
    for &(extent, stride) in axes.iter().rev() {
        offset += index % extent * stride;
        index /= extent;
    }
    offset + index * outermost
}

/// A run, folded in pieces of [`RUN`] on as many threads as there are.
fn fold_long_run<T: Float, F: Fold<T>>(x: &[T]) -> T {
    if x.len() <= par::GRAIN {
        return fold_run::<T, F>(x);
    }
    let mut partial = vec![F::START; x.len().div_ceil(par::GRAIN)];
    par::chunks(&mut partial, 1, |i, partial| {
        let piece = &x[i * par::GRAIN..];
        partial[0] = fold_run::<T, F>(&piece[..piece.len().min(par::GRAIN)]);
    });
    fold_run::<T, F>(&partial)
}

/// Joins what `map` makes of all elements, `N` of them side by side, in an order that their number alone decides:
/// for loops that are compiled for the widest vectors, where one chain of additions or comparisons would be
/// waited for. What `map` makes of `neutral` changes nothing.
#[inline(always)]
pub(crate) fn join_all<T: Float, const N: usize>(
    x: &[T],
    neutral: T,
    map: impl Fn(T) -> T,
    join: impl Fn(T, T) -> T,
) -> T {
    let (vectors, rest) = x.as_chunks::<N>();
    // Only whole vectors are joined, so that the results stay in registers.
    let mut last = [neutral; N];
    last[..rest.len()].copy_from_slice(rest);
    let mut lanes = [neutral; N];
    for (lane, &x) in lanes.iter_mut().zip(&last) {
        *lane = map(x);
    }
    for vector in vectors {
        for (lane, &x) in lanes.iter_mut().zip(vector) {
            *lane = join(*lane, map(x));
        }
    }
    let mut width = N;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            lanes[i] = join(lanes[i], lanes[i + width]);
        }
    }
    lanes[0]
}

/// The largest number of a row, and −∞ of none; of no meaning if one is NaN, which whoever sums e^(x − max) meets.
#[inline(always)]
pub(crate) fn maximum<T: Float>(x: &[T]) -> T {
    join_all::<T, LANES>(
        x,
        T::NEG_INFINITY,
        #[inline(always)]
        |x| x,
        #[inline(always)]
        |max, x| if x > max { x } else { max },
    )
}

/// Σ x of a row.
#[inline(always)]
pub(crate) fn sum<T: Float>(x: &[T]) -> T {
    join_all::<T, { LANES / 2 }>(
        x,
        T::ZERO,
        #[inline(always)]
        |x| x,
        #[inline(always)]
        |a, b| a + b,
    )
}

fn fold_run<T: Float, F: Fold<T>>(x: &[T]) -> T {
    if x.len() < LANES / 2 {
        return fold_in_order::<T, F>(x);
    }
    x.chunks(RUN).fold(F::START, |total, piece| F::join(total, fold_together::<T, F>([piece])))
}

/// Folds runs as if they were one, every [`LANES`]-th element of each with its like.
fn fold_together<'a, T: Float, F: Fold<T>>(runs: impl IntoIterator<Item = &'a [T]>) -> T {
    dispatch(
        #[inline(always)]
        || {
            let (mut lanes, mut side, mut last) = ([F::START; LANES], [F::START; SIDE], F::START);
            for x in runs {
                let (vectors, rest) = x.as_chunks::<LANES>();
                vectors.iter().for_each(|vector| join::<T, F>(&mut lanes, vector));
                let (vectors, rest) = rest.as_chunks::<SIDE>();
                vectors.iter().for_each(|vector| join::<T, F>(&mut side, vector));
                last = F::join(last, fold_in_order::<T, F>(rest));
            }
            join::<T, F>(&mut lanes, &side);
            let mut width = LANES;
            while width > 1 {
                width /= 2;
                for i in 0..width {
                    lanes[i] = F::join(lanes[i], lanes[i + width]);
                }
            }
            F::join(lanes[0], last)
        },
    )
}

#[inline(always)]
fn fold_in_order<T: Float, F: Fold<T>>(x: &[T]) -> T {
    x.iter().fold(F::START, |total, &x| F::join(total, x))
}
