//! Padding with what is there already: mirrored, repeated or wrapped around.
//!
//! Along each axis, position j of the result is a copy of one position of the tensor, s(j). So padding is a
//! linear map, y`[j]` = x`[s(j)]`, and its adjoint adds up what an element was copied to: x`[i]` = Σ y`[j]`
//! over the j with s(j) = i. All axes are gone through in one pass, and inside the border neighbours are copies
//! of neighbours.

use smallvec::SmallVec;

use crate::tensor::{addressable, countable};
use crate::{Error, Float, Result, Shape, Tensor, par};

/// What padding holds; a b c d stands for the tensor along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PaddingMode {
    /// 0 0 | a b c d | 0 0
    #[default]
    Zeros,
    /// c b | a b c d | c b: mirrored at the outermost elements, which are not repeated.
    Reflect,
    /// a a | a b c d | d d: the outermost elements again.
    Replicate,
    /// c d | a b c d | a b: the other end's.
    Circular,
}

impl<T: Float> Tensor<T> {
    /// The tensor with a border along its last axes: `padding` has (before, after) for each of them, outermost
    /// first; a negative number cuts off.
    ///
    /// What is cut off is still seen by [`PaddingMode::Reflect`] and [`PaddingMode::Replicate`], while
    /// [`PaddingMode::Circular`] wraps around what is left, all as in
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html).
    ///
    /// # Errors
    /// If there are more pairs than axes, more is cut off than there is, the result cannot be addressed,
    /// something is to be made of an axis without elements, a reflected border is not shorter than the axis, or
    /// a circular one longer.
    #[track_caller]
    pub fn pad_with(&self, padding: &[(isize, isize)], mode: PaddingMode) -> Result<Self> {
        if mode == PaddingMode::Zeros {
            return self.pad(&every_axis(self.shape(), padding)?, T::ZERO);
        }
        let border = Border::new(self.shape(), padding, mode)?;
        if border.axes.is_empty() {
            return Ok(self.clone());
        }
        let [inner, outer] = border.planes();
        let x = self.as_slice();
        Tensor::try_written("pad", border.outer.clone(), |y| {
            par::rows(y, outer, outer, |first, planes| {
                for (i, y) in planes.chunks_exact_mut(outer.max(1)).enumerate() {
                    let x = &x[(first + i) * inner..][..inner];
                    border.walk(|from, to, len| y[to..][..len].copy_from_slice(&x[from..][..len]));
                }
            });
        })
    }

    /// The adjoint of [`pad_with`](Self::pad_with) for tensors of shape `inner`: each element is added to the
    /// one that it would be a copy of, in row-major order.
    ///
    /// # Errors
    /// As [`pad_with`](Self::pad_with); also if this is not the shape that it gives.
    #[track_caller]
    pub fn unpad(
        &self,
        inner: impl Into<Shape>,
        padding: &[(isize, isize)],
        mode: PaddingMode,
    ) -> Result<Self> {
        let whole = addressable::<T>("unpad", inner.into())?;
        if mode == PaddingMode::Zeros {
            let opposite =
                |&(before, after): &(isize, isize)| (before.saturating_neg(), after.saturating_neg());
            let padding: Padding = every_axis(&whole, padding)?.iter().map(opposite).collect();
            return self.pad(&padding, T::ZERO);
        }
        let border = Border::new(&whole, padding, mode)?;
        if border.outer != *self.shape() {
            return Err(Error::new(
                "unpad",
                format!("expected shape {}, found {}", border.outer, self.shape()),
            ));
        }
        if border.axes.is_empty() {
            return Ok(self.clone());
        }
        let [inner, outer] = border.planes();
        let y = self.as_slice();
        Ok(Tensor::written(whole, |x| {
            par::rows(x, inner, inner + outer, |first, planes| {
                planes.fill(T::ZERO);
                for (i, x) in planes.chunks_exact_mut(inner.max(1)).enumerate() {
                    let y = &y[(first + i) * outer..][..outer];
                    border.walk(|to, from, len| {
                        std::iter::zip(&mut x[to..][..len], &y[from..][..len]).for_each(|(x, &y)| *x += y);
                    });
                }
            });
        }))
    }
}

type Padding = SmallVec<[(isize, isize); 5]>;

/// `padding` of the last axes, with nothing for those before them.
#[track_caller]
fn every_axis(shape: &Shape, padding: &[(isize, isize)]) -> Result<Padding> {
    let Some(others) = shape.len().checked_sub(padding.len()) else {
        let fact = format!("{} pairs for the {} axes of {shape}", padding.len(), shape.len());
        return Err(Error::new("pad", fact));
    };
    Ok(std::iter::repeat_n((0, 0), others).chain(padding.iter().copied()).collect())
}

/// Which element each one of the padded tensor is a copy of.
struct Border {
    /// The shape with the border.
    outer: Shape,
    /// The first padded axis and those after it; the planes that they make are padded alike.
    axes: SmallVec<[Axis; 3]>,
}

/// A padded axis.
#[derive(Clone, Copy)]
struct Axis {
    mode: PaddingMode,
    /// Extents without and with the border.
    inner: usize,
    outer: usize,
    before: isize,
    after: isize,
    /// Elements from one position to the next, without and with the border.
    steps: [usize; 2],
}

impl Border {
    #[track_caller]
    fn new(shape: &Shape, padding: &[(isize, isize)], mode: PaddingMode) -> Result<Self> {
        let mut outer = shape.clone();
        let mut axes: SmallVec<[Axis; 3]> = SmallVec::new();
        for (i, (before, after)) in every_axis(shape, padding)?.into_iter().enumerate() {
            if !axes.is_empty() || (before, after) != (0, 0) {
                let axis = Axis { mode, inner: shape[i], outer: shape[i], before, after, steps: [1; 2] };
                let extent = match axis.padded() {
                    Ok(extent) => extent,
                    Err(fact) => return Err(axis.refused(shape, i, &fact)), // a closure would hide the line
                };
                axes.push(Axis { outer: extent, ..axis });
                outer[i] = extent;
            }
        }
        let outer = countable("pad", outer)?;
        let first = shape.len() - axes.len();
        for (axis, steps) in axes.iter_mut().zip(std::iter::zip(shape.strides(), outer.strides()).skip(first))
        {
            axis.steps = steps.into();
        }
        Ok(Self { outer, axes })
    }

    /// Elements of a plane, without and with the border.
    fn planes(&self) -> [usize; 2] {
        [self.axes.iter().map(|axis| axis.inner).product(), self.axes.iter().map(|axis| axis.outer).product()]
    }

    /// Calls `copy(from, to, len)` for stretches of neighbours in a plane that are copies of neighbours, in
    /// row-major order of the copies.
    fn walk(&self, mut copy: impl FnMut(usize, usize, usize)) {
        walk(&self.axes, [0; 2], &mut copy);
    }
}

fn walk(axes: &[Axis], [from, to]: [usize; 2], copy: &mut impl FnMut(usize, usize, usize)) {
    match axes {
        [] => copy(from, to, 1),
        [last] => {
            let (begin, end) = last.inside();
            (0..begin).for_each(|j| copy(from + last.source(j), to + j, 1));
            if begin < end {
                copy(from + last.source(begin), to + begin, end - begin);
            }
            (end..last.outer).for_each(|j| copy(from + last.source(j), to + j, 1));
        }
        [axis, rest @ ..] => {
            for j in 0..axis.outer {
                walk(rest, [from + axis.source(j) * axis.steps[0], to + j * axis.steps[1]], copy);
            }
        }
    }
}

impl Axis {
    /// The extent with the border, or why there is none.
    fn padded(&self) -> Result<usize, String> {
        let Self { mode, inner, before, after, .. } = *self;
        if (before, after) == (0, 0) {
            return Ok(inner);
        }
        let (most, (_, left)) = (before.max(after), self.left());
        match mode {
            PaddingMode::Reflect if most >= inner as isize => {
                return Err(format!("expected a reflected border of less than the extent {inner}"));
            }
            PaddingMode::Circular if most > left => {
                return Err(format!("expected a circular border of at most the {left} elements there are"));
            }
            PaddingMode::Replicate if inner == 0 => {
                return Err("expected an element to be repeated".into());
            }
            _ => {}
        }
        let extent = inner as i128 + before as i128 + after as i128;
        // As PyTorch has it: a circular border may cut off everything.
        let least = if mode == PaddingMode::Circular { 0 } else { 1 };
        if extent < least {
            return Err(format!("expected at least {least} of {inner} elements to be left"));
        }
        usize::try_from(extent).map_err(|_| "expected an extent that can be addressed".into())
    }

    #[track_caller]
    fn refused(&self, shape: &Shape, i: usize, fact: &str) -> Error {
        let axis = i as isize - shape.len() as isize;
        let found = (self.before, self.after);
        Error::new("pad", format!("{fact} at axis {axis} of {shape}, found padding {found:?}"))
    }

    /// The first position that is not cut off, and how many are not.
    fn left(&self) -> (isize, isize) {
        let first = self.before.min(0).saturating_neg();
        (first, (self.inner as isize).saturating_add(self.after.min(0)).saturating_sub(first).max(0))
    }

    /// The positions with the border, from and to, that are the tensor itself.
    fn inside(&self) -> (usize, usize) {
        let begin = (self.before.max(0) as usize).min(self.outer);
        let end = self.inner.saturating_add_signed(self.before);
        (begin, end.clamp(begin, self.outer))
    }

    /// The position without the border that position `j` with it is a copy of.
    fn source(&self, j: usize) -> usize {
        let (i, last) = ((j as isize).saturating_sub(self.before), self.inner as isize - 1);
        let source = match self.mode {
            PaddingMode::Zeros => i,
            PaddingMode::Reflect => last - (last - i.abs()).abs(),
            PaddingMode::Replicate => i.clamp(0, last),
            PaddingMode::Circular => {
                let (first, count) = self.left();
                first + (i - first).rem_euclid(count)
            }
        };
        source as usize
    }
}
