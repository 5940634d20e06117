//! Padding.

use retrograd_tensor::{Float, Result, Tensor};
use smallvec::SmallVec;

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
}
