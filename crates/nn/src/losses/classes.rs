//! Losses of classifications.

use retrograd_autograd::Var;
use retrograd_autograd::loss::{self, IGNORE_INDEX, Reduction, Target};
use retrograd_tensor::{Float, Result, Tensor};

/// The cross-entropy of logits with classes or class probabilities; formula and shapes at
/// [`loss::cross_entropy`].
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
///
/// ```
/// # use retrograd_nn::{CrossEntropyLoss, Tensor, Var};
/// let loss = CrossEntropyLoss { label_smoothing: 0.1, ..Default::default() };
/// let logits = Var::from(Tensor::from([[2.0f32, 0.0], [0.0, 0.0]]));
/// assert!(loss.forward(&logits, &Tensor::from([0i64, -100]))?.item()? > 0.2);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CrossEntropyLoss<T: Float = f32> {
    /// The weight of each class, `[classes]`.
    pub weight: Option<Tensor<T>>,
    /// The class number that counts for nothing.
    pub ignore_index: i64,
    /// The share ε of the target that goes to all classes evenly.
    pub label_smoothing: f64,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

/// No weights, no smoothing, −100 ignored, the mean.
impl<T: Float> Default for CrossEntropyLoss<T> {
    fn default() -> Self {
        Self { weight: None, ignore_index: IGNORE_INDEX, label_smoothing: 0.0, reduction: Reduction::Mean }
    }
}

impl<T: Float> CrossEntropyLoss<T> {
    /// The loss of logits `[n, classes, d₁, …]` for classes `[n, d₁, …]` or probabilities of the logits' shape.
    ///
    /// # Errors
    /// See [`loss::cross_entropy`].
    #[track_caller]
    pub fn forward<'a>(&self, input: &Var<T>, target: impl Into<Target<'a, T>>) -> Result<Var<T>> {
        let Self { weight, ignore_index, label_smoothing, reduction } = self;
        loss::cross_entropy(input, target, weight.as_ref(), *ignore_index, *label_smoothing, *reduction)
    }
}

/// The negative log-likelihood −w_y·x_y of log-probabilities; shapes and mean at [`loss::nll`].
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html)
///
/// ```
/// # use retrograd_nn::{NLLLoss, Tensor, Var};
/// let logarithms = Var::from(Tensor::from([[-0.5f32, -1.0]]));
/// assert_eq!(NLLLoss::default().forward(&logarithms, &Tensor::from([1]))?.item()?, 1.0);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NLLLoss<T: Float = f32> {
    /// The weight of each class, `[classes]`.
    pub weight: Option<Tensor<T>>,
    /// The class number that counts for nothing.
    pub ignore_index: i64,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

/// No weights, −100 ignored, the mean.
impl<T: Float> Default for NLLLoss<T> {
    fn default() -> Self {
        Self { weight: None, ignore_index: IGNORE_INDEX, reduction: Reduction::Mean }
    }
}

impl<T: Float> NLLLoss<T> {
    /// The loss of log-probabilities `[n, classes, d₁, …]` for classes `[n, d₁, …]`.
    ///
    /// # Errors
    /// See [`loss::nll`].
    #[track_caller]
    pub fn forward(&self, input: &Var<T>, target: &Tensor<i64>) -> Result<Var<T>> {
        loss::nll(input, target, self.weight.as_ref(), self.ignore_index, self.reduction)
    }
}
