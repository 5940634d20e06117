//! A schedule that looks at how the training goes.

use retrograd_tensor::{Error, Float, Result};

use crate::Optimizer;
use crate::optim::{Setting, check};

/// Multiplies the learning rates by a factor when a metric has not improved for more than `patience` epochs.
///
/// A metric improves if it is below best·(1 − threshold), or best − threshold with
/// [`absolute`](Self::absolute); for [`maximum`](Self::maximum), above best·(1 + threshold) or best +
/// threshold. NaN is no improvement. A rate does not fall below `min_lr`, nor by `eps` or less.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html)
///
/// ```
/// # use retrograd_nn::{Optimizer, ReduceLROnPlateau, Sgd};
/// let mut optimizer: Sgd = Sgd::new(0.1);
/// let mut scheduler = ReduceLROnPlateau::new().patience(1).factor(0.5);
/// for loss in [1.0, 0.5, 0.5, 0.5] {
///     scheduler.step(&mut optimizer, loss)?;
/// }
/// assert_eq!(optimizer.learning_rate(), 0.05);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReduceLROnPlateau {
    maximum: bool,
    factor: f64,
    patience: usize,
    threshold: f64,
    absolute: bool,
    cooldown: usize,
    min_lr: f64,
    eps: f64,
    state: PlateauState,
}

/// What a [`ReduceLROnPlateau`] knows of the training, to be saved. The learning rates are the optimizer's:
/// [`Optimizer::learning_rates`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlateauState {
    /// The best metric.
    pub best: Option<f64>,
    /// How many epochs have passed without improvement.
    pub bad_epochs: usize,
    /// For how many epochs none is counted.
    pub cooldown: usize,
}

impl Default for ReduceLROnPlateau {
    fn default() -> Self {
        Self::new()
    }
}

impl ReduceLROnPlateau {
    /// With PyTorch's settings: a tenth of the rate after 10 epochs in which a loss has not fallen by a
    /// ten-thousandth.
    pub fn new() -> Self {
        Self {
            maximum: false,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            absolute: false,
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
            state: PlateauState::default(),
        }
    }

    /// Whether a higher metric is better (PyTorch's mode "max"); it is not by default.
    pub fn maximum(self, maximum: bool) -> Self {
        Self { maximum, ..self }
    }

    /// The factor, below 1; 0.1 by default.
    pub fn factor(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    /// How many epochs without improvement are borne; 10 by default.
    pub fn patience(self, patience: usize) -> Self {
        Self { patience, ..self }
    }

    /// How far a metric must get beyond the best; 10⁻⁴ by default.
    pub fn threshold(self, threshold: f64) -> Self {
        Self { threshold, ..self }
    }

    /// Whether the threshold is a difference rather than a share (PyTorch's threshold mode "abs"); it is not by
    /// default.
    pub fn absolute(self, absolute: bool) -> Self {
        Self { absolute, ..self }
    }

    /// How many epochs after a reduction are not counted; 0 by default.
    pub fn cooldown(self, cooldown: usize) -> Self {
        Self { cooldown, ..self }
    }

    /// The lowest rate; 0 by default.
    pub fn min_lr(self, min_lr: f64) -> Self {
        Self { min_lr, ..self }
    }

    /// A reduction by no more than this is not made; 10⁻⁸ by default.
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// What it knows of the training.
    pub fn state(&self) -> PlateauState {
        self.state
    }

    /// Goes on with what [`state`](Self::state) told.
    pub fn resume(self, state: PlateauState) -> Self {
        Self { state, ..self }
    }

    /// Takes in the metric of an epoch, and reduces the learning rates if it is time.
    ///
    /// # Errors
    /// If the factor is not below 1, or another setting is no number.
    #[track_caller]
    pub fn step<T: Float>(&mut self, optimizer: &mut impl Optimizer<T>, metric: f64) -> Result<()> {
        self.check()?;
        let mut next = self.state;
        if self.improves(metric) {
            next.best = Some(metric);
            next.bad_epochs = 0;
        } else {
            next.bad_epochs += 1;
        }
        if next.cooldown > 0 {
            next.cooldown -= 1;
            next.bad_epochs = 0;
        }
        if next.bad_epochs > self.patience {
            next.cooldown = self.cooldown;
            next.bad_epochs = 0;
            let reduced: Vec<f64> =
                optimizer.learning_rates().into_iter().map(|rate| self.reduce(rate)).collect();
            optimizer.set_learning_rates(&reduced)?;
        }
        self.state = next;
        Ok(())
    }

    #[track_caller]
    fn check(&self) -> Result<()> {
        const OP: &str = "reduce_lr_on_plateau";
        check(OP, "a factor", self.factor, Setting::Any)?;
        if self.factor >= 1.0 {
            return Err(Error::new(OP, format!("expected a factor below 1, found {}", self.factor)));
        }
        check(OP, "a threshold", self.threshold, Setting::Any)?;
        check(OP, "a lowest rate", self.min_lr, Setting::Any)?;
        check(OP, "an epsilon", self.eps, Setting::Any)
    }

    fn improves(&self, metric: f64) -> bool {
        let sign = if self.maximum { 1.0 } else { -1.0 };
        let best = self.state.best.unwrap_or(-sign * f64::INFINITY);
        let margin = match self.absolute {
            true => best + sign * self.threshold,
            false => best * (1.0 + sign * self.threshold),
        };
        if self.maximum { metric > margin } else { metric < margin }
    }

    fn reduce(&self, rate: f64) -> f64 {
        let reduced = (rate * self.factor).max(self.min_lr);
        if rate - reduced > self.eps { reduced } else { rate }
    }
}
