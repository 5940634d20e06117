//! Losses.

use retrograd_tensor::{Error, Float, Result, Tensor};

use crate::Var;

impl<T: Float> Var<T> {
    /// The mean over the batch of −ln softmax(x)\[target\]: `self` holds logits `[n, classes]` or `[n, classes,
    /// d₁, …]`, or `[classes]` of one example; `target` the class numbers, `[n]`, `[n, d₁, …]` or a scalar. NaN
    /// for an empty batch.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
    ///
    /// # Errors
    /// If the shapes do not fit, or a target is no class.
    #[track_caller]
    pub fn cross_entropy(&self, target: &Tensor<i64>) -> Result<Var<T>> {
        let axis = if self.rank() == 1 { 0 } else { 1 };
        let mut expected = self.shape().clone();
        if self.rank() == 0 || expected.remove(axis) == 0 {
            return Err(Error::new(
                "cross_entropy",
                format!("expected logits [n, classes], found shape {}", self.shape()),
            ));
        }
        if *target.shape() != expected {
            return Err(Error::new(
                "cross_entropy",
                format!("logits {} want targets of shape {expected}, found {}", self.shape(), target.shape()),
            ));
        }
        let classes = self.shape()[axis];
        if let Some(class) = target.as_slice().iter().find(|&&class| class < 0 || class as usize >= classes) {
            return Err(Error::new(
                "cross_entropy",
                format!("target {class} is no class of the {classes} (0 to {})", classes - 1),
            ));
        }
        let axis = axis as isize;
        self.log_softmax(axis)?.gather(axis, &target.unsqueeze(axis)?)?.mean(..).map(|mean| mean.scale(-1.0))
    }

    /// The mean of (x − target)² over all elements.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html)
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn mse_loss(&self, target: &Var<T>) -> Result<Var<T>> {
        if self.shape() != target.shape() {
            return Err(Error::new(
                "mse_loss",
                format!("shapes differ: {} and {}", self.shape(), target.shape()),
            ));
        }
        self.sub(target)?.square().mean(..)
    }
}
