//! Schedules that multiply the learning rate by a factor of the epoch.

use retrograd_tensor::Result;

use super::{Schedule, check_count, done, power};
use crate::optim::{Setting, check};

/// lr = base·γ^⌊epoch/step_size⌋; γ is 0.1 by default.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html)
///
/// ```
/// # use retrograd_nn::{Schedule, StepLR};
/// assert_eq!(StepLR::new(30).gamma(0.5).rate(60, 0.8)?, 0.2);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StepLR {
    step_size: usize,
    gamma: f64,
}

impl StepLR {
    /// Changes the rate every `step_size` epochs.
    pub fn new(step_size: usize) -> Self {
        Self { step_size, gamma: 0.1 }
    }

    /// The factor.
    pub fn gamma(self, gamma: f64) -> Self {
        Self { gamma, ..self }
    }
}

impl Schedule for StepLR {
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        check_count("step_lr", "a step size", self.step_size)?;
        check("step_lr", "a gamma", self.gamma, Setting::Any)?;
        Ok(base * power(self.gamma, epoch / self.step_size))
    }
}

/// lr = base·γⁿ, n the number of milestones up to the epoch, repeated ones each; γ is 0.1 by default.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html)
///
/// ```
/// # use retrograd_nn::{MultiStepLR, Schedule};
/// assert_eq!(MultiStepLR::new([30, 80]).gamma(0.5).rate(80, 0.8)?, 0.2);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MultiStepLR {
    milestones: Vec<usize>,
    gamma: f64,
}

impl MultiStepLR {
    /// Changes the rate at these epochs.
    pub fn new(milestones: impl Into<Vec<usize>>) -> Self {
        Self { milestones: milestones.into(), gamma: 0.1 }
    }

    /// The factor.
    pub fn gamma(self, gamma: f64) -> Self {
        Self { gamma, ..self }
    }
}

impl Schedule for MultiStepLR {
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        check("multi_step_lr", "a gamma", self.gamma, Setting::Any)?;
        let passed = self.milestones.iter().filter(|&&milestone| milestone <= epoch).count();
        Ok(base * power(self.gamma, passed))
    }
}

/// lr = base·γ^epoch.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html)
///
/// ```
/// # use retrograd_nn::{ExponentialLR, Schedule};
/// assert_eq!(ExponentialLR::new(0.5).rate(3, 0.8)?, 0.1);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExponentialLR {
    gamma: f64,
}

impl ExponentialLR {
    /// With this factor.
    pub fn new(gamma: f64) -> Self {
        Self { gamma }
    }
}

impl Schedule for ExponentialLR {
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        check("exponential_lr", "a gamma", self.gamma, Setting::Any)?;
        Ok(base * power(self.gamma, epoch))
    }
}

/// lr = base·(start + (end − start)·min(epoch/total, 1)): a warmup. The factor is 1/3 at the start and 1 at
/// the end by default; without epochs it stays at the start.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html)
///
/// ```
/// # use retrograd_nn::{LinearLR, Schedule};
/// assert_eq!(LinearLR::new(4).start_factor(0.5).rate(2, 0.8)?, 0.8 * 0.75);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinearLR {
    total_iters: usize,
    start_factor: f64,
    end_factor: f64,
}

impl LinearLR {
    /// Over this many epochs.
    pub fn new(total_iters: usize) -> Self {
        Self { total_iters, start_factor: 1.0 / 3.0, end_factor: 1.0 }
    }

    /// The factor at the start, above 0 and at most 1.
    pub fn start_factor(self, start_factor: f64) -> Self {
        Self { start_factor, ..self }
    }

    /// The factor at the end, from 0 to 1.
    pub fn end_factor(self, end_factor: f64) -> Self {
        Self { end_factor, ..self }
    }
}

impl Schedule for LinearLR {
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        let Self { total_iters, start_factor, end_factor } = *self;
        check("linear_lr", "a start factor", start_factor, Setting::Positive)?;
        check("linear_lr", "a start factor", start_factor, Setting::ClosedShare)?;
        check("linear_lr", "an end factor", end_factor, Setting::ClosedShare)?;
        let done = done(epoch, total_iters).unwrap_or(0.0);
        Ok(base * (start_factor + (end_factor - start_factor) * done))
    }
}

/// lr = base·factor before epoch `total_iters`, then base. The factor is 1/3 by default; without epochs it
/// stays.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html)
///
/// ```
/// # use retrograd_nn::{ConstantLR, Schedule};
/// assert_eq!(ConstantLR::new(5).factor(0.5).rate(4, 0.8)?, 0.4);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConstantLR {
    total_iters: usize,
    factor: f64,
}

impl ConstantLR {
    /// For this many epochs.
    pub fn new(total_iters: usize) -> Self {
        Self { total_iters, factor: 1.0 / 3.0 }
    }

    /// The factor, from 0 to 1.
    pub fn factor(self, factor: f64) -> Self {
        Self { factor, ..self }
    }
}

impl Schedule for ConstantLR {
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        check("constant_lr", "a factor", self.factor, Setting::ClosedShare)?;
        let held = epoch < self.total_iters || self.total_iters == 0;
        Ok(if held { base * self.factor } else { base })
    }
}

/// lr = base·(1 − min(epoch/total, 1))^power; the power is 1 by default, and without epochs the rate stays.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.PolynomialLR.html)
///
/// ```
/// # use retrograd_nn::{PolynomialLR, Schedule};
/// assert_eq!(PolynomialLR::new(4).power(2.0).rate(2, 0.8)?, 0.2);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PolynomialLR {
    total_iters: usize,
    power: f64,
}

impl PolynomialLR {
    /// To 0 over this many epochs.
    pub fn new(total_iters: usize) -> Self {
        Self { total_iters, power: 1.0 }
    }

    /// The power.
    pub fn power(self, power: f64) -> Self {
        Self { power, ..self }
    }
}

impl Schedule for PolynomialLR {
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        check("polynomial_lr", "a power", self.power, Setting::Any)?;
        Ok(base * done(epoch, self.total_iters).map_or(1.0, |done| (1.0 - done).powf(self.power)))
    }
}

/// lr = base·f(epoch).
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LambdaLR.html)
///
/// ```
/// # use retrograd_nn::{LambdaLR, Schedule};
/// assert_eq!(LambdaLR::new(|epoch| 1.0 / (1.0 + epoch as f64)).rate(3, 0.8)?, 0.2);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LambdaLR<F> {
    factor: F,
}

impl<F: Fn(usize) -> f64> LambdaLR<F> {
    /// With this function of the epoch as the factor.
    pub fn new(factor: F) -> Self {
        Self { factor }
    }
}

impl<F: Fn(usize) -> f64> Schedule for LambdaLR<F> {
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        Ok(base * (self.factor)(epoch))
    }
}
