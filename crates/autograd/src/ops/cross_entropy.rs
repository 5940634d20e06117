//! Cross-entropy and negative log-likelihood.

use retrograd_tensor::{
    ClassTargets, Error, Float, Result, Shape, Tensor, check_smoothing, class_axis, class_count,
    class_weights,
};

use crate::Var;
use crate::loss::Reduction;
use crate::op::{Op, Reads};

/// What a classification is to give: a class for each position, or a probability for each class.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a, T: Float> {
    /// Class numbers, of the logits' shape without the axis of the classes.
    Classes(&'a Tensor<i64>),
    /// Probabilities, of the logits' shape; a gradient flows to them.
    Probabilities(&'a Var<T>),
}

impl<'a, T: Float> From<&'a Tensor<i64>> for Target<'a, T> {
    fn from(classes: &'a Tensor<i64>) -> Self {
        Target::Classes(classes)
    }
}

impl<'a, T: Float> From<&'a Var<T>> for Target<'a, T> {
    fn from(probabilities: &'a Var<T>) -> Self {
        Target::Probabilities(probabilities)
    }
}

/// The losses of the positions before their reduction. Softmax is computed again from its normaliser,
/// `parts`, when the gradient is: an exponential costs less than to store it.
struct CrossEntropy<T: Float> {
    targets: ClassTargets<T>,
    parts: Tensor<T>,
}

impl<T: Float> Op<T, 1> for CrossEntropy<T> {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        Ok(self.targets.cross_entropy(x).0)
    }

    /// gx = g·((Σ q)·softmax(x) − q).
    fn vjp(&self, [x]: [&Var<T>; 1], _: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        let targets = &self.targets;
        if x.tape().is_none() && g.tape().is_none() {
            return Ok([Some(Var::from(targets.pullback(x.value(), &self.parts, g.value())))]);
        }
        let axis = targets.axis();
        // As in the kernel, what is ignored has no gradient even where the cotangent is infinite.
        let g = Var::where_(&targets.kept(), g, &Var::from(Tensor::scalar(T::ZERO)))?;
        let pull = g.mul(&Var::from(targets.masses()))?.unsqueeze(axis)?;
        let hits = g.unsqueeze(axis)?.mul(&Var::from(targets.distribution()))?;
        Ok([Some(x.softmax(axis)?.mul(&pull)?.sub(&hits)?)])
    }

    fn reads(&self, _: [bool; 1]) -> Reads<1> {
        Reads::inputs([true])
    }

    fn held_bytes(&self) -> usize {
        self.targets.held_bytes() + self.parts.held_bytes()
    }
}

/// The cross-entropy of logits `[n, classes]`, `[n, classes, d₁, …]` or `[classes]` with a [`Target`].
///
/// With class numbers y the loss of a position is −w_y·ln softmax(x)_y, and with smoothing ε it is
/// (1 − ε)·(−w_y·ln p_y) + ε/classes·Σ_c −w_c·ln p_c; it is 0 where y is `ignore_index`. The mean divides by
/// Σ w_y over what is not ignored, so that it is NaN where everything is. With probabilities q the loss is
/// −Σ_c w_c·((1 − ε)·q_c + ε/classes)·ln p_c, and the mean divides by the number of positions.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
///
/// # Errors
/// If the shapes do not fit, `weight` is not `[classes]`, a target is neither a class nor `ignore_index`, the
/// smoothing is not within `[0, 1]`, or a class is to be ignored among probabilities.
#[track_caller]
pub fn cross_entropy<'a, T: Float>(
    logits: &Var<T>,
    target: impl Into<Target<'a, T>>,
    weight: Option<&Tensor<T>>,
    ignore_index: i64,
    label_smoothing: f64,
    reduction: Reduction,
) -> Result<Var<T>> {
    let op = "cross_entropy";
    match target.into() {
        Target::Classes(target) => {
            let targets =
                ClassTargets::new(op, logits.shape(), target, weight, ignore_index, label_smoothing)?;
            let total = targets.total_weight();
            let (losses, parts) = targets.cross_entropy(logits.value());
            weighted(&CrossEntropy { targets, parts }.apply_to([logits], losses)?, reduction, total)
        }
        Target::Probabilities(_) if ignore_index >= 0 => {
            let fact = format!("probabilities know no class to ignore, found ignore_index {ignore_index}");
            Err(Error::new(op, fact))
        }
        Target::Probabilities(target) => {
            check_smoothing(op, label_smoothing)?;
            reduction.of(&with_probabilities(op, logits, target, weight, label_smoothing)?)
        }
    }
}

/// −Σ_c w_c·((1 − ε)·q_c + ε/classes)·ln p_c.
#[track_caller]
fn with_probabilities<T: Float>(
    op: &'static str,
    logits: &Var<T>,
    target: &Var<T>,
    weight: Option<&Tensor<T>>,
    label_smoothing: f64,
) -> Result<Var<T>> {
    let classes = class_count(op, logits.shape())?;
    super::loss::same_shape(op, logits, target)?;
    let axis = class_axis(logits.shape()) as isize;
    let mut smoothed = target.clone();
    if label_smoothing > 0.0 {
        smoothed = smoothed.scale(1.0 - label_smoothing).shift(label_smoothing / classes as f64);
    }
    if weight.is_some() {
        let mut column = Shape::from([classes]);
        (2..logits.rank()).for_each(|_| column.push(1));
        let weight = class_weights(op, classes, weight)?.reshape_to(column)?;
        smoothed = smoothed.mul(&Var::from(weight))?;
    }
    Ok(logits.log_softmax(axis)?.mul(&smoothed)?.sum(axis)?.neg())
}

/// The negative log-likelihood of log-probabilities `[n, classes]`, `[n, classes, d₁, …]` or `[classes]`:
/// −w_y·x_y at each position of class y, and 0 where y is `ignore_index`. The mean divides by Σ w_y over what
/// is not ignored.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.nll_loss.html)
///
/// # Errors
/// If the shapes do not fit, `weight` is not `[classes]`, or a target is neither a class nor `ignore_index`.
#[track_caller]
pub fn nll<T: Float>(
    log_probabilities: &Var<T>,
    target: &Tensor<i64>,
    weight: Option<&Tensor<T>>,
    ignore_index: i64,
    reduction: Reduction,
) -> Result<Var<T>> {
    let targets =
        ClassTargets::new("nll_loss", log_probabilities.shape(), target, weight, ignore_index, 0.0)?;
    let axis = targets.axis();
    let picked = log_probabilities.gather(axis, &targets.classes().unsqueeze(axis)?)?.squeeze(axis)?;
    let losses = picked.mul(&Var::from(targets.weights()))?.neg();
    // Not a product with 0, which an infinite logarithm would make NaN.
    let losses = Var::where_(&targets.kept(), &losses, &Var::from(Tensor::scalar(T::ZERO)))?;
    weighted(&losses, reduction, targets.total_weight())
}

/// The losses reduced, their mean weighted.
#[track_caller]
fn weighted<T: Float>(losses: &Var<T>, reduction: Reduction, total_weight: f64) -> Result<Var<T>> {
    match reduction {
        Reduction::Mean => Ok(losses.sum(..)?.divide(total_weight)),
        _ => reduction.of(losses),
    }
}
