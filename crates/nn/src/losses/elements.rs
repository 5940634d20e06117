//! Losses of elements with targets of the same shape.

use retrograd_autograd::Var;
use retrograd_autograd::loss::{self, Reduction};
use retrograd_tensor::{Float, Result, Tensor};

/// The squared error (x − t)².
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html)
///
/// ```
/// # use retrograd_nn::{MSELoss, Reduction, Tensor, Var};
/// let [x, t] = [[1.0f32, 2.0], [0.0, 4.0]].map(|values| Var::from(Tensor::from(values)));
/// assert_eq!(MSELoss { reduction: Reduction::Sum }.forward(&x, &t)?.item()?, 5.0);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MSELoss {
    /// What becomes of the losses.
    pub reduction: Reduction,
}

impl MSELoss {
    /// The loss; `target` has the shape of `input`.
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: Float>(&self, input: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        loss::mse(input, target, self.reduction)
    }
}

/// The absolute error |x − t|; its slope at 0 is 0.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.L1Loss.html)
///
/// ```
/// # use retrograd_nn::{L1Loss, Tensor, Var};
/// let [x, t] = [[1.0f32, 2.0], [0.0, 4.0]].map(|values| Var::from(Tensor::from(values)));
/// assert_eq!(L1Loss::default().forward(&x, &t)?.item()?, 1.5);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1Loss {
    /// What becomes of the losses.
    pub reduction: Reduction,
}

impl L1Loss {
    /// The loss; `target` has the shape of `input`.
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: Float>(&self, input: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        loss::l1(input, target, self.reduction)
    }
}

/// d²/(2β) where |d| < β, else |d| − β/2, of d = x − t; with β = 0 it is [`L1Loss`].
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.SmoothL1Loss.html)
///
/// ```
/// # use retrograd_nn::{SmoothL1Loss, Tensor, Var};
/// let [x, t] = [[1.0f32, 2.0], [0.0, 5.0]].map(|values| Var::from(Tensor::from(values)));
/// assert_eq!(SmoothL1Loss { beta: 2.0, ..Default::default() }.forward(&x, &t)?.item()?, 1.125);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1Loss {
    /// Where the parabola ends, β ≥ 0.
    pub beta: f64,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

/// β = 1, the mean.
impl Default for SmoothL1Loss {
    fn default() -> Self {
        Self { beta: 1.0, reduction: Reduction::Mean }
    }
}

impl SmoothL1Loss {
    /// The loss; `target` has the shape of `input`.
    ///
    /// # Errors
    /// If the shapes differ, or β is negative or NaN.
    #[track_caller]
    pub fn forward<T: Float>(&self, input: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        loss::smooth_l1(input, target, self.beta, self.reduction)
    }
}

/// d²/2 where |d| ≤ δ, else δ·(|d| − δ/2), of d = x − t.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.HuberLoss.html)
///
/// ```
/// # use retrograd_nn::{HuberLoss, Tensor, Var};
/// let [x, t] = [[1.0f32, 2.0], [0.0, 5.0]].map(|values| Var::from(Tensor::from(values)));
/// assert_eq!(HuberLoss { delta: 2.0, ..Default::default() }.forward(&x, &t)?.item()?, 2.25);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HuberLoss {
    /// Where the parabola ends, δ > 0.
    pub delta: f64,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

/// δ = 1, the mean.
impl Default for HuberLoss {
    fn default() -> Self {
        Self { delta: 1.0, reduction: Reduction::Mean }
    }
}

impl HuberLoss {
    /// The loss; `target` has the shape of `input`.
    ///
    /// # Errors
    /// If the shapes differ, or δ is not above 0.
    #[track_caller]
    pub fn forward<T: Float>(&self, input: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        loss::huber(input, target, self.delta, self.reduction)
    }
}

/// −w·(t·ln x + (1 − t)·ln(1 − x)) of probabilities x; the logarithms are no lower than −100.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html)
///
/// ```
/// # use retrograd_nn::{BCELoss, Tensor, Var};
/// let [x, t] = [[0.0f32, 1.0], [1.0, 1.0]].map(|values| Var::from(Tensor::from(values)));
/// assert_eq!(BCELoss::default().forward(&x, &t)?.item()?, 50.0);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct BCELoss<T: Float = f32> {
    /// Weights that broadcast to the input.
    pub weight: Option<Tensor<T>>,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

impl<T: Float> BCELoss<T> {
    /// The loss; `target` has the shape of `input`.
    ///
    /// # Errors
    /// If the shapes do not fit, or an element of input or target is not within `[0, 1]`.
    #[track_caller]
    pub fn forward(&self, input: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        loss::binary_cross_entropy(input, target, self.weight.as_ref(), self.reduction)
    }
}

/// [`BCELoss`] of σ(x), without its rounding: w·((1 − t)·x + (1 + (w₊ − 1)·t)·ln(1 + e⁻ˣ)).
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html)
///
/// ```
/// # use retrograd_nn::{BCEWithLogitsLoss, Tensor, Var};
/// let [x, t] = [[-200.0f32, 200.0], [1.0, 1.0]].map(|values| Var::from(Tensor::from(values)));
/// let loss = BCEWithLogitsLoss { pos_weight: Some(Tensor::scalar(3.0)), ..Default::default() };
/// assert_eq!(loss.forward(&x, &t)?.item()?, 300.0);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct BCEWithLogitsLoss<T: Float = f32> {
    /// Weights w that broadcast to the input.
    pub weight: Option<Tensor<T>>,
    /// The weight w₊ of what the target has, which broadcasts to the input.
    pub pos_weight: Option<Tensor<T>>,
    /// What becomes of the losses.
    pub reduction: Reduction,
}

impl<T: Float> BCEWithLogitsLoss<T> {
    /// The loss; `target` has the shape of `input`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, input: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        let (weight, pos_weight) = (self.weight.as_ref(), self.pos_weight.as_ref());
        loss::binary_cross_entropy_with_logits(input, target, weight, pos_weight, self.reduction)
    }
}

/// What becomes of the divergences of a batch's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KLDivReduction {
    /// They stay as they are.
    None,
    /// Their mean over all elements, which is not the divergence: that is [`BatchMean`](Self::BatchMean).
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Their sum, divided by the number of examples (the extent of axis 0).
    BatchMean,
}

/// The divergence t·(ln t − x) of the distribution with logarithm x from the target; eᵗ·(t − x) where the
/// target is a logarithm too.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
///
/// ```
/// # use retrograd_nn::{KLDivLoss, KLDivReduction, Tensor, Var};
/// let x = Var::from(Tensor::from([[0.5f32.ln(), 0.5f32.ln()]]));
/// let loss = KLDivLoss { reduction: KLDivReduction::BatchMean, ..Default::default() };
/// assert_eq!(loss.forward(&x, &Var::from(Tensor::from([[1.0, 0.0]])))?.item()?, 2f32.ln());
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KLDivLoss {
    /// Whether the target is a logarithm.
    pub log_target: bool,
    /// What becomes of the divergences.
    pub reduction: KLDivReduction,
}

impl KLDivLoss {
    /// The loss; `target` has the shape of `input`.
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: Float>(&self, input: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
        let reduction = match self.reduction {
            KLDivReduction::None => Reduction::None,
            KLDivReduction::Mean => Reduction::Mean,
            KLDivReduction::Sum | KLDivReduction::BatchMean => Reduction::Sum,
        };
        let reduced = loss::kl_div(input, target, self.log_target, reduction)?;
        if self.reduction != KLDivReduction::BatchMean {
            return Ok(reduced);
        }
        let examples = input.shape().first().copied().unwrap_or(1);
        Ok(reduced.divide(examples as f64))
    }
}
