//! Padding. With a constant it is affine; with what is there already, linear, and owes its adjoint.

use retrograd_tensor::{Float, PaddingMode, Result, Shape, Tensor};
use smallvec::SmallVec;

use super::linear::{Linear, Map};
use crate::Var;
use crate::op::{Op, Reads};

/// Padding with a constant, which is affine: linear but for the constant.
struct Pad {
    padding: SmallVec<[(isize, isize); 5]>,
    value: f64,
}

impl<T: Float> Op<T, 1> for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        x.pad(&self.padding, T::from_f64(self.value))
    }

    fn vjp(&self, _: [&Var<T>; 1], _: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        let padding = self.padding.iter().map(|&(before, after)| (-before, -after)).collect();
        Ok([Some(Pad { padding, value: 0.0 }.apply([g])?)])
    }

    fn reads(&self, _: [bool; 1]) -> Reads<1> {
        Reads::NOTHING
    }
}

/// A border along the last axes.
#[derive(Clone)]
struct PadWith {
    padding: SmallVec<[(isize, isize); 3]>,
    mode: PaddingMode,
}

/// Each element of the border added to the one that it is a copy of: the adjoint of [`PadWith`].
struct Unpad {
    inner: Shape,
    border: PadWith,
}

impl<T: Float> Linear<T> for PadWith {
    type Adjoint = Unpad;
    const NAME: &'static str = "pad_with";

    fn map(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        x.pad_with(&self.padding, self.mode)
    }

    fn adjoint(&self, inner: &Shape) -> Unpad {
        Unpad { inner: inner.clone(), border: self.clone() }
    }
}

impl<T: Float> Linear<T> for Unpad {
    type Adjoint = PadWith;
    const NAME: &'static str = "unpad";

    fn map(&self, g: &Tensor<T>) -> Result<Tensor<T>> {
        g.unpad(&self.inner, &self.border.padding, self.border.mode)
    }

    fn adjoint(&self, _: &Shape) -> PadWith {
        self.border.clone()
    }
}

impl<T: Float> Var<T> {
    /// `value` added around the variable: `padding` has (before, after) for each axis; a negative number cuts
    /// off.
    ///
    /// # Errors
    /// If `padding` has not one pair an axis, more is cut off than there is, or the result cannot be addressed.
    #[track_caller]
    pub fn pad(&self, padding: &[(isize, isize)], value: f64) -> Result<Var<T>> {
        Pad { padding: padding.into(), value }.apply([self])
    }

    /// A border of zeros or of what is there already along the last axes: `padding` has (before, after) for
    /// each of them, outermost first; a negative number cuts off. An element gets the gradients of all its
    /// copies.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html)
    ///
    /// # Errors
    /// If there are more pairs than axes, more is cut off than there is, the result cannot be addressed,
    /// something is to be made of an axis without elements, a reflected border is not shorter than the axis, or
    /// a circular one longer.
    #[track_caller]
    pub fn pad_with(&self, padding: &[(isize, isize)], mode: PaddingMode) -> Result<Var<T>> {
        Map(PadWith { padding: padding.into(), mode }).apply([self])
    }
}
