//! Lion: the sign of a momentum.

use retrograd_tensor::{Float, Result};

use super::descent::settings;
use super::{Descent, Rule, Step, check_betas};

/// Lion: p ← p − lr·weight_decay·p; p ← p − lr·sign(β₁m + (1 − β₁)g); then m ← β₂m + (1 − β₂)g. The sign of 0
/// is 0.
///
/// Every element moves by the learning rate, which is 3 to 10 times smaller than Adam's for that.
/// [Chen et al. 2023](https://arxiv.org/abs/2302.06675)
///
/// ```
/// # use retrograd_nn::{Lion, Optimizer, Parameter, Tape, Tensor};
/// let mut weight = Parameter::new(Tensor::scalar(1.0));
/// let gradients = Tape::new().parameter(&weight).square().backward()?; // 2
/// let mut optimizer: Lion = Lion::new(0.1).weight_decay(0.5);
/// optimizer.step(&mut weight, &gradients)?;
/// assert!((weight.value().item()? - 0.85).abs() < 1e-5); // 0.05 of decay, and 0.1 by sign
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
pub type Lion<T = f32> = Descent<LionRule, T>;

/// The rule of [`Lion`].
#[derive(Clone, Debug)]
pub struct LionRule {
    betas: (f64, f64),
}

impl<T: Float> Lion<T> {
    /// With the paper's betas, 0.9 and 0.99.
    pub fn new(learning_rate: f64) -> Self {
        Self::by(LionRule { betas: (0.9, 0.99) }, learning_rate)
    }
}

settings! { LionRule {
    /// How much of the running mean of the gradient is in the step, and how much of it is kept.
    betas(beta1: f64, beta2: f64);
} }

impl Rule for LionRule {
    const NAME: &'static str = "lion";

    fn check(&self) -> Result<()> {
        check_betas(Self::NAME, self.betas)
    }

    fn slots(&self) -> &'static [&'static str] {
        &["exp_avg"]
    }

    fn decouples_decay(&self) -> bool {
        true
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.betas.0)
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.betas.0 = momentum;
    }

    fn update<T: Float>(&self, step: Step<'_, T>) -> Result<()> {
        let (beta1, beta2) = self.betas;
        let rate = T::from_f64(step.learning_rate);
        let [b1, b2, fresh1, fresh2] = [beta1, beta2, 1.0 - beta1, 1.0 - beta2].map(T::from_f64);
        step.apply(
            #[inline(always)]
            move |p, [m], g| {
                let c = b1 * m + fresh1 * g;
                // A NaN goes on into the parameter, as it does in every other optimizer.
                let sign = if c > T::ZERO {
                    T::ONE
                } else if c < T::ZERO {
                    -T::ONE
                } else {
                    c
                };
                (p - rate * sign, [b2 * m + fresh2 * g])
            },
        )
    }
}
