//! Adam and AdamW.

use retrograd_tensor::{Float, Result};

use super::descent::settings;
use super::{Descent, Rule, Setting, Step, check, check_betas};

/// Adam: g ← g + weight_decay·p; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; p ← p − lr·m̂/(√v̂ + ε) with
/// m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ). With AMSGrad the largest v so far takes the place of v in the step.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html),
/// [Kingma & Ba 2015](https://arxiv.org/abs/1412.6980), [Reddi et al. 2018](https://arxiv.org/abs/1904.09237)
///
/// ```
/// # use retrograd_nn::{Adam, Optimizer, Parameter, Tape, Tensor};
/// let mut weight = Parameter::new(Tensor::scalar(1.0));
/// let gradients = Tape::new().parameter(&weight).square().backward()?; // 2
/// let mut optimizer: Adam = Adam::new(0.1).betas(0.9, 0.99).amsgrad(true);
/// optimizer.step(&mut weight, &gradients)?;
/// assert!((weight.value().item()? - 0.9).abs() < 1e-5); // m̂/√v̂ = 1 in the first step
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
pub type Adam<T = f32> = Descent<AdamRule<false>, T>;

/// AdamW: as [`Adam`], but the weight decay is apart from the gradient: p ← p − lr·weight_decay·p, then the
/// step.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html),
/// [Loshchilov & Hutter 2019](https://arxiv.org/abs/1711.05101)
///
/// ```
/// # use retrograd_nn::{AdamW, Optimizer, Parameter, Tape, Tensor};
/// let mut weight = Parameter::new(Tensor::scalar(1.0));
/// let gradients = Tape::new().parameter(&weight).square().backward()?; // 2
/// let mut optimizer: AdamW = AdamW::new(0.1).weight_decay(0.5);
/// optimizer.step(&mut weight, &gradients)?;
/// assert!((weight.value().item()? - 0.85).abs() < 1e-5); // 0.05 of decay, and 0.1 as in Adam
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
pub type AdamW<T = f32> = Descent<AdamRule<true>, T>;

/// The rule of [`Adam`] and of [`AdamW`], whose weight decay is decoupled.
#[derive(Clone, Debug)]
pub struct AdamRule<const DECOUPLED: bool> {
    betas: (f64, f64),
    eps: f64,
    amsgrad: bool,
}

impl<const DECOUPLED: bool, T: Float> Descent<AdamRule<DECOUPLED>, T> {
    /// With PyTorch's other settings: betas 0.9 and 0.999, epsilon 10⁻⁸.
    pub fn new(learning_rate: f64) -> Self {
        let rule = AdamRule { betas: (0.9, 0.999), eps: 1e-8, amsgrad: false };
        Self::by(rule, learning_rate).weight_decay(if DECOUPLED { 0.01 } else { 0.0 })
    }
}

settings! { AdamRule<const DECOUPLED: bool> {
    /// How much of the running means of the gradient and of its square is kept in a step.
    betas(beta1: f64, beta2: f64);

    /// What is added to the root of the mean square.
    eps(eps: f64);

    /// Whether the largest mean square so far counts (AMSGrad); it does not by default.
    amsgrad(amsgrad: bool);
} }

impl<const DECOUPLED: bool> Rule for AdamRule<DECOUPLED> {
    const NAME: &'static str = if DECOUPLED { "adamw" } else { "adam" };

    fn check(&self) -> Result<()> {
        check_betas(Self::NAME, self.betas)?;
        check(Self::NAME, "an epsilon", self.eps, Setting::NonNegative)
    }

    fn slots(&self) -> &'static [&'static str] {
        if self.amsgrad { &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] } else { &["exp_avg", "exp_avg_sq"] }
    }

    fn decouples_decay(&self) -> bool {
        DECOUPLED
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.betas.0)
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.betas.0 = momentum;
    }

    fn update<T: Float>(&self, step: Step<'_, T>) -> Result<()> {
        let (beta1, beta2) = self.betas;
        let rate = T::from_f64(step.learning_rate / step.weight(beta1));
        let root = T::from_f64(step.weight(beta2).sqrt());
        let [b1, b2, fresh1, fresh2] = [beta1, beta2, 1.0 - beta1, 1.0 - beta2].map(T::from_f64);
        let eps = T::from_f64(self.eps);
        if self.amsgrad {
            return step.apply(
                #[inline(always)]
                move |p, [m, v, max], g| {
                    let m = b1 * m + fresh1 * g;
                    let v = b2 * v + fresh2 * (g * g);
                    let max = if v > max || v.is_nan() { v } else { max };
                    (p - rate * (m / (max.sqrt() / root + eps)), [m, v, max])
                },
            );
        }
        step.apply(
            #[inline(always)]
            move |p, [m, v], g| {
                let m = b1 * m + fresh1 * g;
                let v = b2 * v + fresh2 * (g * g);
                (p - rate * (m / (v.sqrt() / root + eps)), [m, v])
            },
        )
    }
}
