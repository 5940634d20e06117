//! Operations that move elements without computing: reshape, permute, slice, pad, concatenate.

use smallvec::SmallVec;

use crate::par;
use crate::tensor::addressable;
use crate::{Axes, Element, Error, Result, Shape, Tensor};

/// A range of positions along an axis, as Python's `start:stop:step`.
///
/// Made from Rust ranges: `1..3`, `2..`, `..`; [`step_by`](Slice::step_by) takes every n-th. Bounds beyond the
/// axis are cut to it; negative ones count from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The first position.
    pub start: isize,
    /// The position after the last; nothing for the axis' end.
    pub stop: Option<isize>,
    /// The distance between positions, at least 1.
    pub step: usize,
}

impl Slice {
    /// Every `step`-th position only.
    pub fn step_by(self, step: usize) -> Self {
        Self { step, ..self }
    }

    /// The positions of an axis of `extent` that are chosen: the first and how many.
    fn resolve(self, extent: usize) -> (usize, usize) {
        let bound = |at: isize| {
            let at = if at < 0 { at.saturating_add_unsigned(extent) } else { at };
            at.clamp(0, extent as isize) as usize
        };
        let (start, stop) = (bound(self.start), self.stop.map_or(extent, bound));
        (start, stop.saturating_sub(start).div_ceil(self.step))
    }
}

impl From<std::ops::RangeFull> for Slice {
    fn from(_: std::ops::RangeFull) -> Self {
        Self { start: 0, stop: None, step: 1 }
    }
}

impl From<std::ops::Range<isize>> for Slice {
    fn from(range: std::ops::Range<isize>) -> Self {
        Self { start: range.start, stop: Some(range.end), step: 1 }
    }
}

impl From<std::ops::RangeFrom<isize>> for Slice {
    fn from(range: std::ops::RangeFrom<isize>) -> Self {
        Self { start: range.start, stop: None, step: 1 }
    }
}

impl From<std::ops::RangeTo<isize>> for Slice {
    fn from(range: std::ops::RangeTo<isize>) -> Self {
        Self { start: 0, stop: Some(range.end), step: 1 }
    }
}

impl<T: Element> Tensor<T> {
    /// The same elements in another shape; one extent may be −1, which stands for what the others leave.
    ///
    /// # Errors
    /// If the shapes have different numbers of elements.
    #[track_caller]
    pub fn reshape(&self, extents: &[isize]) -> Result<Self> {
        let fact = |why: &str| format!("{} has {} elements: {why} {extents:?}", self.shape(), self.numel());
        let mut shape: Shape = extents.iter().map(|&extent| extent.max(0) as usize).collect();
        if extents.iter().any(|&extent| extent < -1)
            || extents.iter().filter(|&&extent| extent == -1).count() > 1
        {
            let why = "expected extents of at least 0, with at most one −1 among them, not";
            return Err(Error::new("reshape", fact(why)));
        }
        if let Some(free) = extents.iter().position(|&extent| extent == -1) {
            shape[free] = 1;
            let others = shape.checked_numel().unwrap_or(0);
            if others == 0 || !self.numel().is_multiple_of(others) {
                return Err(Error::new("reshape", fact("they do not fit")));
            }
            shape[free] = self.numel() / others;
        }
        self.reshape_to(shape)
    }

    /// The same elements in another shape.
    ///
    /// # Errors
    /// If the shapes have different numbers of elements.
    #[track_caller]
    pub fn reshape_to(&self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if shape.checked_numel() != Some(self.numel()) {
            return Err(Error::new(
                "reshape",
                format!("{} has {} elements: they do not fit {shape}", self.shape(), self.numel()),
            ));
        }
        Ok(self.with_shape(shape))
    }

    /// The axes `start` to the last merged into one: `[64, 16, 5, 5]` from 1 becomes `[64, 400]`. A scalar
    /// becomes a vector of one.
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn flatten(&self, start: isize) -> Result<Self> {
        self.flatten_range(start, -1)
    }

    /// The axes `start` to `end` (included) merged into one. A scalar is taken for a vector of one.
    ///
    /// # Errors
    /// If an axis does not exist, or `end` comes before `start`.
    #[track_caller]
    pub fn flatten_range(&self, start: isize, end: isize) -> Result<Self> {
        if self.rank() == 0 {
            return self.with_shape([1].into()).flatten_range(start, end);
        }
        let (start, end) = (self.shape().axis("flatten", start)?, self.shape().axis("flatten", end)?);
        if end < start {
            return Err(Error::new("flatten", format!("expected start ≤ end, found {start} and {end}")));
        }
        let extents = self.shape();
        let merged = extents[start..=end].iter().product();
        let shape =
            extents[..start].iter().copied().chain([merged]).chain(extents[end + 1..].iter().copied());
        Ok(self.with_shape(shape.collect()))
    }

    /// A new axis of extent 1 before `axis` (counted in the result).
    ///
    /// # Errors
    /// If the result has no such axis.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Result<Self> {
        let mut shape = self.shape().clone();
        shape.push(1);
        let axis = shape.axis("unsqueeze", axis)?;
        shape.remove(self.rank());
        shape.insert(axis, 1);
        Ok(self.with_shape(shape))
    }

    /// The tensor without those of `axes` (one, an array of them, or `..` for all) whose extent is 1.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn squeeze(&self, axes: impl Into<Axes>) -> Result<Self> {
        let chosen = axes.into().chosen("squeeze", self.shape())?;
        let kept = self.shape().iter().zip(chosen).filter(|&(&extent, chosen)| extent != 1 || !chosen);
        Ok(self.with_shape(kept.map(|(&extent, _)| extent).collect()))
    }

    /// The axes in another order: result axis i is axis `order[i]`.
    ///
    /// # Errors
    /// If `order` does not name every axis once.
    #[track_caller]
    pub fn permute(&self, order: &[isize]) -> Result<Self> {
        let order = permutation(self.shape(), order)?;
        let shape: Shape = order.iter().map(|&axis| self.shape()[axis]).collect();
        let strides = self.shape().strides();
        let strides: SmallVec<[usize; 5]> = order.iter().map(|&axis| strides[axis]).collect();
        if strides[..] == shape.strides()[..] {
            return Ok(self.with_shape(shape));
        }
        Ok(self.strided(shape, &strides, 0))
    }

    /// Two axes exchanged.
    ///
    /// # Errors
    /// If an axis does not exist.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Result<Self> {
        let (a, b) = (self.shape().axis("transpose", a)?, self.shape().axis("transpose", b)?);
        let mut order: SmallVec<[isize; 5]> = (0..self.rank() as isize).collect();
        order.swap(a, b);
        self.permute(&order)
    }

    /// The positions that `ranges` choose, one range an axis, the last axes whole where ranges are missing.
    ///
    /// # Errors
    /// If there are more ranges than axes, or a step is 0.
    #[track_caller]
    pub fn slice(&self, ranges: &[Slice]) -> Result<Self> {
        let (shape, steps, first) = sliced(self.shape(), ranges)?;
        if shape == *self.shape() {
            return Ok(self.clone());
        }
        Ok(self.strided(shape, &steps, first))
    }

    /// Zeros of shape `whole` with this tensor at the positions that `ranges` choose: the adjoint of
    /// [`slice`](Self::slice).
    ///
    /// # Errors
    /// If `ranges` choose another shape than this tensor's from `whole`.
    #[track_caller]
    pub fn unslice(&self, whole: impl Into<Shape>, ranges: &[Slice]) -> Result<Self> {
        let whole = addressable::<T>("unslice", whole.into())?;
        let (shape, steps, first) = sliced(&whole, ranges)?;
        if shape != *self.shape() {
            return Err(Error::new("unslice", format!("expected shape {shape}, found {}", self.shape())));
        }
        Ok(self.placed(whole, &steps, first, T::default()))
    }

    /// `value` added around the tensor: `padding` has (before, after) for each axis; a negative number cuts
    /// off.
    ///
    /// # Errors
    /// If `padding` has not one pair an axis, more is cut off than there is, or the result cannot be addressed.
    #[track_caller]
    pub fn pad(&self, padding: &[(isize, isize)], value: T) -> Result<Self> {
        let whole = addressable::<T>("pad", padded(self.shape(), padding)?)?;
        // What remains of the tensor, and where it stands in the result.
        let part = |cut: fn(isize) -> isize, extents: &Shape| -> SmallVec<[Slice; 5]> {
            std::iter::zip(padding, extents.iter())
                .map(|(&(before, after), &extent)| Slice {
                    start: cut(before),
                    stop: Some(extent as isize - cut(after)),
                    step: 1,
                })
                .collect()
        };
        let kept = self.slice(&part(|pad| (-pad).max(0), self.shape()))?;
        let (_, steps, first) = sliced(&whole, &part(|pad| pad.max(0), &whole))?;
        Ok(kept.placed(whole, &steps, first, value))
    }

    /// The tensors one after the other along `axis`. As in PyTorch, an empty vector fits among all of them.
    ///
    /// # Errors
    /// If there are none, or their shapes differ elsewhere than along `axis`.
    #[track_caller]
    pub fn concat(tensors: &[&Self], axis: isize) -> Result<Self> {
        let Some(&first) = tensors.first() else {
            return Err(Error::new("concat", "expected at least one tensor"));
        };
        let full: SmallVec<[&Self; 8]> = tensors.iter().copied().filter(|x| *x.shape() != [0]).collect();
        let tensors = if full.is_empty() { tensors } else { &full };
        let first = tensors.first().copied().unwrap_or(first);
        let axis = first.shape().axis("concat", axis)?;
        let mut shape = first.shape().clone();
        for tensor in &tensors[1..] {
            let other = tensor.shape();
            let alike = |i: usize| i == axis || other[i] == shape[i];
            if other.len() != shape.len() || !(0..shape.len()).all(alike) {
                return Err(Error::new(
                    "concat",
                    format!("shapes differ elsewhere than along axis {axis}: {} and {other}", first.shape()),
                ));
            }
            shape[axis] = shape[axis].saturating_add(other[axis]);
        }
        let shape = addressable::<T>("concat", shape)?;
        let inner: usize = shape[axis + 1..].iter().product();
        let row = shape[axis] * inner;
        Ok(Tensor::written(shape, |y| {
            let mut begin = 0;
            for tensor in tensors {
                let len = tensor.shape()[axis] * inner;
                if len > 0 {
                    for (y, x) in y.chunks_mut(row).zip(tensor.as_slice().chunks(len)) {
                        y[begin..begin + len].copy_from_slice(x);
                    }
                }
                begin += len;
            }
        }))
    }

    /// The tensors along a new axis before `axis` (counted in the result).
    ///
    /// # Errors
    /// If there are none, or their shapes differ.
    #[track_caller]
    pub fn stack(tensors: &[&Self], axis: isize) -> Result<Self> {
        let Some(first) = tensors.first() else {
            return Err(Error::new("stack", "expected at least one tensor"));
        };
        if let Some(other) = tensors.iter().find(|other| other.shape() != first.shape()) {
            return Err(Error::new(
                "stack",
                format!("shapes differ: {} and {}", first.shape(), other.shape()),
            ));
        }
        let mut parts = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            parts.push(tensor.unsqueeze(axis)?);
        }
        Self::concat(&parts.iter().collect::<Vec<_>>(), axis)
    }

    /// The tensor of `shape` whose neighbours along axis i lie `steps[i]` elements apart in this one, from
    /// `first`.
    fn strided(&self, shape: Shape, steps: &[usize], first: usize) -> Self {
        let x = self.as_slice();
        let rows = Rows::new(&shape, steps, first);
        Tensor::written(shape.clone(), |y| {
            par::rows(y, rows.len, rows.len, |from, part| {
                for (i, y) in part.chunks_mut(rows.len.max(1)).enumerate() {
                    let begin = rows.begin(from + i);
                    match rows.step {
                        1 => y.copy_from_slice(&x[begin..begin + y.len()]),
                        step => y.iter_mut().enumerate().for_each(|(j, y)| *y = x[begin + j * step]),
                    }
                }
            });
        })
    }

    /// A tensor of shape `whole`, full of `value` but for this tensor's elements, which along axis i lie
    /// `steps[i]` elements apart, from `first`.
    fn placed(&self, whole: Shape, steps: &[usize], first: usize, value: T) -> Self {
        let rows = Rows::new(self.shape(), steps, first);
        Tensor::written(whole, |y| {
            y.fill(value);
            for (i, x) in self.as_slice().chunks(rows.len.max(1)).enumerate() {
                let begin = rows.begin(i);
                match rows.step {
                    1 => y[begin..begin + x.len()].copy_from_slice(x),
                    step => x.iter().enumerate().for_each(|(j, &x)| y[begin + j * step] = x),
                }
            }
        })
    }
}

/// The rows of a strided view: the innermost axis, and where each row begins.
struct Rows<'a> {
    outer: &'a [usize],
    steps: &'a [usize],
    first: usize,
    len: usize,
    step: usize,
}

impl<'a> Rows<'a> {
    fn new(shape: &'a [usize], steps: &'a [usize], first: usize) -> Self {
        match (shape.split_last(), steps.split_last()) {
            (Some((&len, outer)), Some((&step, steps))) => Self { outer, steps, first, len, step },
            _ => Self { outer: &[], steps: &[], first, len: 1, step: 1 },
        }
    }

    fn begin(&self, mut row: usize) -> usize {
        let mut at = self.first;
        for (extent, step) in std::iter::zip(self.outer, self.steps).rev() {
            at += row % extent * step;
            row /= extent;
        }
        at
    }
}

/// `order` with every axis counted from the front.
#[track_caller]
pub(crate) fn permutation(shape: &Shape, order: &[isize]) -> Result<SmallVec<[usize; 5]>> {
    let mut axes: SmallVec<[usize; 5]> = SmallVec::new();
    for &axis in order {
        axes.push(shape.axis("permute", axis)?);
    }
    if axes.len() != shape.len() || (0..axes.len()).any(|axis| !axes.contains(&axis)) {
        return Err(Error::new("permute", format!("expected every axis of {shape} once, found {order:?}")));
    }
    Ok(axes)
}

/// The shape that `ranges` choose of `shape`, the step along each axis in elements, and the first element.
#[track_caller]
fn sliced(shape: &Shape, ranges: &[Slice]) -> Result<(Shape, SmallVec<[usize; 5]>, usize)> {
    if ranges.len() > shape.len() {
        return Err(Error::new(
            "slice",
            format!("{} ranges for the {} axes of {shape}", ranges.len(), shape.len()),
        ));
    }
    if ranges.iter().any(|range| range.step == 0) {
        return Err(Error::new("slice", "expected steps of at least 1, found 0"));
    }
    let mut chosen = shape.clone();
    let mut steps = shape.strides();
    let mut first = 0;
    for (axis, range) in ranges.iter().enumerate() {
        let (start, count) = range.resolve(shape[axis]);
        first += start * steps[axis];
        chosen[axis] = count;
        steps[axis] = steps[axis].saturating_mul(range.step);
    }
    Ok((chosen, steps, first))
}

/// `shape` with `padding` around it.
#[track_caller]
fn padded(shape: &Shape, padding: &[(isize, isize)]) -> Result<Shape> {
    if padding.len() != shape.len() {
        return Err(Error::new(
            "pad",
            format!("{} pairs for the {} axes of {shape}", padding.len(), shape.len()),
        ));
    }
    let extents = std::iter::zip(padding, shape.iter()).map(|(&(before, after), &extent)| {
        // Each side may cut off no more than there is, so that what remains is a range of the axis.
        let whole = extent
            .checked_add_signed(before.min(0))
            .and_then(|rest| rest.checked_add_signed(after.min(0)))?;
        Some(whole.saturating_add_signed(before.max(0)).saturating_add_signed(after.max(0)))
    });
    match extents.collect::<Option<Vec<_>>>() {
        Some(extents) => Ok(extents.into()),
        None => Err(Error::new("pad", format!("padding {padding:?} cuts more off {shape} than there is"))),
    }
}
