//! The rectifier with a learnable slope.

use retrograd_tensor::{Error, Float, Result, Tensor};

use crate::Var;

impl<T: Float> Var<T> {
    /// y = x where x > 0, else w·x, with one slope w for all or one for each channel (axis 1; `weight` is `[1]`
    /// or `[channels]`). ∂y/∂x at 0 is w; ∂y/∂w = x where x ≤ 0, else 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.prelu.html)
    ///
    /// # Errors
    /// If there are neither one nor as many slopes as channels.
    #[track_caller]
    pub fn prelu(&self, weight: &Var<T>) -> Result<Var<T>> {
        let channels = self.shape().get(1).copied().unwrap_or(1);
        if weight.rank() > 1 || ![1, channels].contains(&weight.numel()) {
            let fact = format!(
                "expected slopes [1] or [{channels}] for x {}, found {}",
                self.shape(),
                weight.shape()
            );
            return Err(Error::new("prelu", fact));
        }
        let mut column = vec![weight.numel() as isize];
        column.resize(self.rank().saturating_sub(1).max(1), 1);
        let slopes = weight.reshape(if weight.numel() == 1 { &[] } else { &column })?;
        let positive = self.value().map(|x| x > T::ZERO);
        // Masked before it is multiplied: an infinite x > 0 must not reach the slope as 0·∞.
        let below = Var::where_(&positive, &Var::from(Tensor::scalar(T::ZERO)), self)?;
        Var::where_(&positive, self, &below.mul(&slopes)?)
    }
}
