//! Stochastic gradient descent.

use retrograd_tensor::{Error, Float, Result};

use super::descent::settings;
use super::{Descent, Rule, Setting, Step, check};

/// Stochastic gradient descent with momentum.
///
/// g ← g + weight_decay·p; v ← momentum·v + (1 − dampening)·g, v = g in the first step; p ← p − lr·v, with
/// Nesterov's momentum p ← p − lr·(g + momentum·v).
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html)
///
/// ```
/// # use retrograd_nn::{Optimizer, Parameter, Sgd, Tape, Tensor};
/// let mut weight = Parameter::new(Tensor::scalar(1.0));
/// let gradients = Tape::new().parameter(&weight).square().backward()?; // 2
/// let mut optimizer: Sgd = Sgd::new(0.1).momentum(0.9);
/// optimizer.step(&mut weight, &gradients)?;
/// assert!((weight.value().item()? - 0.8).abs() < 1e-5); // v = 2 in the first step
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
pub type Sgd<T = f32> = Descent<SgdRule, T>;

/// The rule of [`Sgd`].
#[derive(Clone, Debug)]
pub struct SgdRule {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
}

impl<T: Float> Sgd<T> {
    /// Plain descent at this learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Self::by(SgdRule { momentum: 0.0, dampening: 0.0, nesterov: false }, learning_rate)
    }
}

settings! { SgdRule {
    /// How much of the last step's velocity is kept; 0 by default.
    momentum(momentum: f64);

    /// How much of a gradient is left out of the velocity, but for the first step; 0 by default.
    dampening(dampening: f64);

    /// Whether a step looks ahead by one velocity; it does not by default.
    nesterov(nesterov: bool);
} }

impl Rule for SgdRule {
    const NAME: &'static str = "sgd";

    fn check(&self) -> Result<()> {
        check(Self::NAME, "a momentum", self.momentum, Setting::NonNegative)?;
        check(Self::NAME, "a dampening", self.dampening, Setting::Any)?;
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let fact = format!(
                "Nesterov's momentum wants a momentum and no dampening, found {} and {}",
                self.momentum, self.dampening
            );
            return Err(Error::new(Self::NAME, fact));
        }
        Ok(())
    }

    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum_buffer"] }
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.momentum)
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.momentum = momentum;
    }

    fn update<T: Float>(&self, step: Step<'_, T>) -> Result<()> {
        let rate = T::from_f64(step.learning_rate);
        if self.momentum == 0.0 {
            return step.apply(
                #[inline(always)]
                move |p, [], g| (p - rate * g, []),
            );
        }
        let (kept, fresh) = match step.number {
            1 => (0.0, 1.0),
            _ => (self.momentum, 1.0 - self.dampening),
        };
        let [momentum, kept, fresh] = [self.momentum, kept, fresh].map(T::from_f64);
        let nesterov = self.nesterov;
        step.apply(
            #[inline(always)]
            move |p, [v], g| {
                let v = kept * v + fresh * g;
                let direction = if nesterov { g + momentum * v } else { v };
                (p - rate * direction, [v])
            },
        )
    }
}
