//! Flattening, and its reverse.

use retrograd_autograd::Var;
use retrograd_tensor::{Float, Result};

use crate::Layer;

/// The axes `start_dim` to `end_dim` merged into one: by default all but the batch, `[n, 16, 5, 5]` to `[n,
/// 400]`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Flatten.html)
///
/// # Errors
/// An input without these axes; an `end_dim` before the `start_dim`.
///
/// ```
/// # use retrograd_nn::{Flatten, Layer, Tensor};
/// let y = Flatten::default().predict(&Tensor::<f32>::zeros([2, 16, 5, 5])?)?;
/// assert_eq!(*y.shape(), [2, 400]);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flatten {
    /// The first axis to merge.
    pub start_dim: isize,
    /// The last axis to merge.
    pub end_dim: isize,
}

/// From axis 1 to the last.
impl Default for Flatten {
    fn default() -> Self {
        Self { start_dim: 1, end_dim: -1 }
    }
}

/// Axis `dim` divided into several: `[n, 400]` by axis 1 into `[16, 5, 5]` gives `[n, 16, 5, 5]`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Unflatten.html)
///
/// # Errors
/// An input without this axis, or whose extent there is not the product of the sizes.
///
/// ```
/// # use retrograd_nn::{Layer, Tensor, Unflatten};
/// let y = Unflatten::new(1, &[16, 5, -1]).predict(&Tensor::<f32>::zeros([2, 400])?)?;
/// assert_eq!(*y.shape(), [2, 16, 5, 5]);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unflatten {
    /// The axis to divide.
    pub dim: isize,
    /// The extents that it is divided into; one may be −1, which stands for what the others leave.
    pub sizes: Vec<isize>,
}

impl Unflatten {
    /// Axis `dim` into `sizes`.
    pub fn new(dim: isize, sizes: &[isize]) -> Self {
        Self { dim, sizes: sizes.into() }
    }
}

crate::module::no_parameters!(Flatten);
crate::module::no_parameters!(Unflatten);

impl<T: Float> Layer<T> for Flatten {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.flatten_range(self.start_dim, self.end_dim)
    }
}

impl<T: Float> Layer<T> for Unflatten {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.unflatten(self.dim, &self.sizes)
    }
}
