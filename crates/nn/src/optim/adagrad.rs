//! Adagrad and Adadelta.

use retrograd_tensor::{Float, Result, Tensor};

use super::descent::settings;
use super::{Descent, Rule, Setting, Step, check};

/// Adagrad: g ← g + weight_decay·p; s ← s + g²; p ← p − lr/(1 + (t − 1)·lr_decay)·g/(√s + ε), with s
/// beginning as `initial_accumulator_value`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html),
/// [Duchi et al. 2011](https://jmlr.org/papers/v12/duchi11a.html)
///
/// ```
/// # use retrograd_nn::{Adagrad, Optimizer, Parameter, Tape, Tensor};
/// let mut weight = Parameter::new(Tensor::scalar(1.0));
/// let gradients = Tape::new().parameter(&weight).square().backward()?; // 2
/// let mut optimizer: Adagrad = Adagrad::new(0.1).lr_decay(1e-3);
/// optimizer.step(&mut weight, &gradients)?;
/// assert!((weight.value().item()? - 0.9).abs() < 1e-5); // the sum is 4, its root 2
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
pub type Adagrad<T = f32> = Descent<AdagradRule, T>;

/// The rule of [`Adagrad`].
#[derive(Clone, Debug)]
pub struct AdagradRule {
    lr_decay: f64,
    initial_accumulator_value: f64,
    eps: f64,
}

impl<T: Float> Adagrad<T> {
    /// With PyTorch's other settings: epsilon 10⁻¹⁰, no decay, sums that begin as 0.
    pub fn new(learning_rate: f64) -> Self {
        Self::by(AdagradRule { lr_decay: 0.0, initial_accumulator_value: 0.0, eps: 1e-10 }, learning_rate)
    }
}

settings! { AdagradRule {
    /// How fast the learning rate falls: to half of it after 1/`lr_decay` steps.
    lr_decay(lr_decay: f64);

    /// What the sums of squares begin as.
    initial_accumulator_value(initial_accumulator_value: f64);

    /// What is added to the root of the sum of squares.
    eps(eps: f64);
} }

impl Rule for AdagradRule {
    const NAME: &'static str = "adagrad";

    fn check(&self) -> Result<()> {
        check(Self::NAME, "a decay of the learning rate", self.lr_decay, Setting::NonNegative)?;
        check(Self::NAME, "an initial sum", self.initial_accumulator_value, Setting::NonNegative)?;
        check(Self::NAME, "an epsilon", self.eps, Setting::NonNegative)
    }

    fn slots(&self) -> &'static [&'static str] {
        &["sum"]
    }

    fn fresh<T: Float>(&self, _: &str, parameter: &Tensor<T>) -> Tensor<T> {
        let start = T::from_f64(self.initial_accumulator_value);
        parameter.map(move |_| start)
    }

    fn update<T: Float>(&self, step: Step<'_, T>) -> Result<()> {
        let rate = step.learning_rate / (1.0 + (step.number - 1) as f64 * self.lr_decay);
        let [rate, eps] = [rate, self.eps].map(T::from_f64);
        step.apply(
            #[inline(always)]
            move |p, [s], g| {
                let s = s + g * g;
                (p - rate * (g / (s.sqrt() + eps)), [s])
            },
        )
    }
}

/// Adadelta: g ← g + weight_decay·p; v ← ρ·v + (1 − ρ)·g²; d = √(u + ε)/√(v + ε)·g; u ← ρ·u + (1 − ρ)·d²;
/// p ← p − lr·d. The paper's learning rate is 1.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adadelta.html),
/// [Zeiler 2012](https://arxiv.org/abs/1212.5701)
///
/// ```
/// # use retrograd_nn::{Adadelta, Optimizer, Parameter, Tape, Tensor};
/// let mut weight = Parameter::new(Tensor::scalar(1.0));
/// let gradients = Tape::new().parameter(&weight).square().backward()?; // 2
/// let mut optimizer: Adadelta = Adadelta::new(100.0).rho(0.75);
/// optimizer.step(&mut weight, &gradients)?;
/// assert!((weight.value().item()? - 0.8).abs() < 1e-5); // √ε = 10⁻³ times 2, times the rate
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
pub type Adadelta<T = f32> = Descent<AdadeltaRule, T>;

/// The rule of [`Adadelta`].
#[derive(Clone, Debug)]
pub struct AdadeltaRule {
    rho: f64,
    eps: f64,
}

impl<T: Float> Adadelta<T> {
    /// With PyTorch's other settings: ρ 0.9, epsilon 10⁻⁶.
    pub fn new(learning_rate: f64) -> Self {
        Self::by(AdadeltaRule { rho: 0.9, eps: 1e-6 }, learning_rate)
    }
}

settings! { AdadeltaRule {
    /// How much of the running means of the squared gradient and of the squared step is kept in a step.
    rho(rho: f64);

    /// What is added to the mean squares.
    eps(eps: f64);
} }

impl Rule for AdadeltaRule {
    const NAME: &'static str = "adadelta";

    fn check(&self) -> Result<()> {
        check(Self::NAME, "a rho", self.rho, Setting::ClosedShare)?;
        check(Self::NAME, "an epsilon", self.eps, Setting::NonNegative)
    }

    fn slots(&self) -> &'static [&'static str] {
        &["square_avg", "acc_delta"]
    }

    fn update<T: Float>(&self, step: Step<'_, T>) -> Result<()> {
        let [rate, rho, fresh, eps] =
            [step.learning_rate, self.rho, 1.0 - self.rho, self.eps].map(T::from_f64);
        step.apply(
            #[inline(always)]
            move |p, [v, u], g| {
                let v = rho * v + fresh * (g * g);
                let d = (u + eps).sqrt() / (v + eps).sqrt() * g;
                (p - rate * d, [v, rho * u + fresh * (d * d)])
            },
        )
    }
}
