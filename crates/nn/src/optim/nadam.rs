//! NAdam: Adam with Nesterov's momentum.

use retrograd_tensor::{Error, Float, Result, Tensor};

use super::descent::settings;
use super::{Descent, Rule, Setting, Step, check, check_betas};

/// NAdam: with μₜ = β₁·(1 − ½·0.96^(t·momentum_decay)), Πₜ = μ₁·…·μₜ, and m, v, v̂ as in [`Adam`](crate::Adam),
/// p ← p − lr·((1 − μₜ)/(1 − Πₜ)·g + μₜ₊₁/(1 − Πₜ₊₁)·m)/(√v̂ + ε).
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html),
/// [Dozat 2016](https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ)
///
/// ```
/// # use retrograd_nn::{NAdam, Optimizer, Parameter, Tape, Tensor};
/// let mut weight = Parameter::new(Tensor::scalar(1.0));
/// let gradients = Tape::new().parameter(&weight).square().backward()?; // 2
/// let mut optimizer: NAdam = NAdam::new(0.1);
/// optimizer.step(&mut weight, &gradients)?;
/// assert!((weight.value().item()? - 0.894_355).abs() < 1e-5); // a little further than Adam
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
pub type NAdam<T = f32> = Descent<NAdamRule, T>;

/// The rule of [`NAdam`].
#[derive(Clone, Debug)]
pub struct NAdamRule {
    betas: (f64, f64),
    eps: f64,
    momentum_decay: f64,
    decoupled_weight_decay: bool,
}

impl<T: Float> NAdam<T> {
    /// With PyTorch's other settings: betas 0.9 and 0.999, epsilon 10⁻⁸, momentum decay 0.004.
    pub fn new(learning_rate: f64) -> Self {
        let rule =
            NAdamRule { betas: (0.9, 0.999), eps: 1e-8, momentum_decay: 4e-3, decoupled_weight_decay: false };
        Self::by(rule, learning_rate)
    }
}

settings! { NAdamRule {
    /// How much of the running means of the gradient and of its square is kept in a step.
    betas(beta1: f64, beta2: f64);

    /// What is added to the root of the mean square.
    eps(eps: f64);

    /// How fast the momentum rises to β₁.
    momentum_decay(momentum_decay: f64);

    /// Whether weight decay is apart from the gradient, as in [`AdamW`](crate::AdamW); it is not by default.
    decoupled_weight_decay(decoupled_weight_decay: bool);
} }

impl NAdamRule {
    /// μₜ.
    fn momentum_at(&self, step: u64) -> f64 {
        self.betas.0 * (1.0 - 0.5 * 0.96f64.powf(step as f64 * self.momentum_decay))
    }
}

impl Rule for NAdamRule {
    const NAME: &'static str = "nadam";

    fn check(&self) -> Result<()> {
        check_betas(Self::NAME, self.betas)?;
        check(Self::NAME, "an epsilon", self.eps, Setting::NonNegative)?;
        check(Self::NAME, "a momentum decay", self.momentum_decay, Setting::NonNegative)
    }

    fn slots(&self) -> &'static [&'static str] {
        &["exp_avg", "exp_avg_sq", "mu_product"]
    }

    fn fresh<T: Float>(&self, slot: &str, parameter: &Tensor<T>) -> Tensor<T> {
        if slot == "mu_product" { Tensor::scalar(T::ONE) } else { parameter.zeros_like() }
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
        let (mu, next) = (self.momentum_at(step.number), self.momentum_at(step.number + 1));
        let [_, _, product] = &mut *step.state else {
            return Err(Error::new(Self::NAME, format!("expected 3 slots, found {}", step.state.len())));
        };
        let so_far = T::from_f64(product.item()?.to_f64() * mu);
        *product = Tensor::scalar(so_far);
        let so_far = so_far.to_f64();
        let of_gradient = T::from_f64(step.learning_rate * (1.0 - mu) / (1.0 - so_far));
        let of_mean = T::from_f64(step.learning_rate * next / (1.0 - so_far * next));
        let root = T::from_f64(step.weight(beta2).sqrt());
        let [b1, b2, fresh1, fresh2] = [beta1, beta2, 1.0 - beta1, 1.0 - beta2].map(T::from_f64);
        let eps = T::from_f64(self.eps);
        step.apply(
            #[inline(always)]
            move |p, [m, v], g| {
                let m = b1 * m + fresh1 * g;
                let v = b2 * v + fresh2 * (g * g);
                (p - (of_gradient * g + of_mean * m) / (v.sqrt() / root + eps), [m, v])
            },
        )
    }
}
