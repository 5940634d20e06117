//! RMSprop.

use retrograd_tensor::{Float, Result};

use super::descent::settings;
use super::{Descent, Rule, Setting, Step, check};

/// RMSprop: g ← g + weight_decay·p; v ← α·v + (1 − α)·g²; p ← p − lr·g/(√v + ε).
///
/// Centred, v − a² takes the place of v in the step, with a ← α·a + (1 − α)·g; with momentum the step is lr·b
/// with b ← momentum·b + g/(√v + ε).
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html),
/// [Graves 2013](https://arxiv.org/abs/1308.0850)
///
/// ```
/// # use retrograd_nn::{Optimizer, Parameter, RMSprop, Tape, Tensor};
/// let mut weight = Parameter::new(Tensor::scalar(1.0));
/// let gradients = Tape::new().parameter(&weight).square().backward()?; // 2
/// let mut optimizer: RMSprop = RMSprop::new(0.1).alpha(0.75);
/// optimizer.step(&mut weight, &gradients)?;
/// assert!((weight.value().item()? - 0.8).abs() < 1e-5); // the mean square is 1
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
pub type RMSprop<T = f32> = Descent<RMSpropRule, T>;

/// The rule of [`RMSprop`].
#[derive(Clone, Debug)]
pub struct RMSpropRule {
    alpha: f64,
    eps: f64,
    momentum: f64,
    centered: bool,
}

impl<T: Float> RMSprop<T> {
    /// With PyTorch's other settings: α 0.99, epsilon 10⁻⁸, no momentum.
    pub fn new(learning_rate: f64) -> Self {
        Self::by(RMSpropRule { alpha: 0.99, eps: 1e-8, momentum: 0.0, centered: false }, learning_rate)
    }
}

settings! { RMSpropRule {
    /// How much of the running mean of the squared gradient is kept in a step.
    alpha(alpha: f64);

    /// What is added to the root of the mean square.
    eps(eps: f64);

    /// How much of the last step is kept; 0 by default.
    momentum(momentum: f64);

    /// Whether the gradient's variance takes the place of its mean square; it does not by default.
    centered(centered: bool);
} }

impl Rule for RMSpropRule {
    const NAME: &'static str = "rmsprop";

    fn check(&self) -> Result<()> {
        check(Self::NAME, "an alpha", self.alpha, Setting::NonNegative)?;
        check(Self::NAME, "an epsilon", self.eps, Setting::NonNegative)?;
        check(Self::NAME, "a momentum", self.momentum, Setting::NonNegative)
    }

    fn slots(&self) -> &'static [&'static str] {
        match (self.centered, self.momentum > 0.0) {
            (false, false) => &["square_avg"],
            (false, true) => &["square_avg", "momentum_buffer"],
            (true, false) => &["square_avg", "grad_avg"],
            (true, true) => &["square_avg", "grad_avg", "momentum_buffer"],
        }
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.momentum)
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.momentum = momentum;
    }

    fn update<T: Float>(&self, step: Step<'_, T>) -> Result<()> {
        let [rate, momentum, eps] = [step.learning_rate, self.momentum, self.eps].map(T::from_f64);
        let [alpha, fresh] = [self.alpha, 1.0 - self.alpha].map(T::from_f64);
        match (self.centered, self.momentum > 0.0) {
            (false, false) => step.apply(
                #[inline(always)]
                move |p, [v], g| {
                    let v = alpha * v + fresh * (g * g);
                    (p - rate * (g / (v.sqrt() + eps)), [v])
                },
            ),
            (false, true) => step.apply(
                #[inline(always)]
                move |p, [v, b], g| {
                    let v = alpha * v + fresh * (g * g);
                    let b = momentum * b + g / (v.sqrt() + eps);
                    (p - rate * b, [v, b])
                },
            ),
            (true, false) => step.apply(
                #[inline(always)]
                move |p, [v, a], g| {
                    let (v, a) = (alpha * v + fresh * (g * g), alpha * a + fresh * g);
                    (p - rate * (g / ((v - a * a).sqrt() + eps)), [v, a])
                },
            ),
            (true, true) => step.apply(
                #[inline(always)]
                move |p, [v, a, b], g| {
                    let (v, a) = (alpha * v + fresh * (g * g), alpha * a + fresh * g);
                    let b = momentum * b + g / ((v - a * a).sqrt() + eps);
                    (p - rate * b, [v, a, b])
                },
            ),
        }
    }
}
