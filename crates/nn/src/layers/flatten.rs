//! Flattening.

use retrograd_autograd::Var;
use retrograd_tensor::{Float, Result};

use crate::Layer;

/// The axes `start_dim` to `end_dim` merged into one: by default all but the batch, `[n, 16, 5, 5]` to `[n,
/// 400]`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Flatten.html)
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

crate::module::no_parameters!(Flatten);

impl<T: Float> Layer<T> for Flatten {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.flatten_range(self.start_dim, self.end_dim)
    }
}
