//! RAdam: Adam whose first steps are rectified.

use retrograd_tensor::{Float, Result};

use super::descent::settings;
use super::{Descent, Rule, Setting, Step, check, check_betas};

/// RAdam: with m, v and m̂ as in [`Adam`](crate::Adam), ρ∞ = 2/(1 − β₂) − 1 and ρ = ρ∞ − 2t·β₂ᵗ/(1 − β₂ᵗ):
/// where ρ > 5, p ← p − lr·r·m̂·√(1 − β₂ᵗ)/(√v + ε) with r² = (ρ − 4)(ρ − 2)ρ∞/((ρ∞ − 4)(ρ∞ − 2)ρ); before
/// that p ← p − lr·m̂.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.RAdam.html),
/// [Liu et al. 2020](https://arxiv.org/abs/1908.03265)
///
/// ```
/// # use retrograd_nn::{Optimizer, Parameter, RAdam, Tape, Tensor};
/// let mut weight = Parameter::new(Tensor::scalar(1.0));
/// let gradients = Tape::new().parameter(&weight).square().backward()?; // 2
/// let mut optimizer: RAdam = RAdam::new(0.1);
/// optimizer.step(&mut weight, &gradients)?;
/// assert!((weight.value().item()? - 0.8).abs() < 1e-5); // ρ = 1 in the first step, which is lr·m̂
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
pub type RAdam<T = f32> = Descent<RAdamRule, T>;

/// The rule of [`RAdam`].
#[derive(Clone, Debug)]
pub struct RAdamRule {
    betas: (f64, f64),
    eps: f64,
    decoupled_weight_decay: bool,
}

impl<T: Float> RAdam<T> {
    /// With PyTorch's other settings: betas 0.9 and 0.999, epsilon 10⁻⁸.
    pub fn new(learning_rate: f64) -> Self {
        Self::by(RAdamRule { betas: (0.9, 0.999), eps: 1e-8, decoupled_weight_decay: false }, learning_rate)
    }
}

settings! { RAdamRule {
    /// How much of the running means of the gradient and of its square is kept in a step.
    betas(beta1: f64, beta2: f64);

    /// What is added to the root of the mean square.
    eps(eps: f64);

    /// Whether weight decay is apart from the gradient, as in [`AdamW`](crate::AdamW); it is not by default.
    decoupled_weight_decay(decoupled_weight_decay: bool);
} }

impl RAdamRule {
    /// r, once the variance of the step can be told.
    fn rectification(&self, step: u64, weight: f64) -> Option<f64> {
        let (beta2, step) = (self.betas.1, step as f64);
        let last = 2.0 / (1.0 - beta2) - 1.0;
        let now = last - 2.0 * step * beta2.powf(step) / weight;
        let square = (now - 4.0) * (now - 2.0) * last / ((last - 4.0) * (last - 2.0) * now);
        (now > 5.0).then(|| square.sqrt())
    }
}

impl Rule for RAdamRule {
    const NAME: &'static str = "radam";

    fn check(&self) -> Result<()> {
        check_betas(Self::NAME, self.betas)?;
        check(Self::NAME, "an epsilon", self.eps, Setting::NonNegative)
    }

    fn slots(&self) -> &'static [&'static str] {
        &["exp_avg", "exp_avg_sq"]
    }

    fn decouples_decay(&self) -> bool {
        self.decoupled_weight_decay
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.betas.0)
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.betas.0 = momentum;
    }

    fn update<T: Float>(&self, step: Step<'_, T>) -> Result<()> {
        let (beta1, beta2) = self.betas;
        let (rate, weight) = (step.learning_rate / step.weight(beta1), step.weight(beta2));
        let rectification = self.rectification(step.number, weight);
        let rate = T::from_f64(rectification.map_or(rate, |r| rate * r * weight.sqrt()));
        let [b1, b2, fresh1, fresh2] = [beta1, beta2, 1.0 - beta1, 1.0 - beta2].map(T::from_f64);
        let (adaptive, eps) = (rectification.is_some(), T::from_f64(self.eps));
        step.apply(
            #[inline(always)]
            move |p, [m, v], g| {
                let m = b1 * m + fresh1 * g;
                let v = b2 * v + fresh2 * (g * g);
                let direction = if adaptive { m / (v.sqrt() + eps) } else { m };
                (p - rate * direction, [m, v])
            },
        )
    }
}
