//! The one-cycle policy.

use retrograd_tensor::{Error, Result};

use super::Schedule;
use super::annealing::descend;
use crate::optim::{Setting, check};

/// One cycle: the rate rises from max/div_factor to max, then falls to max/div_factor/final_div_factor;
/// meanwhile the momentum falls from its maximum to its base and rises again. Learning rates of groups are
/// not regarded: all follow the cycle.
///
/// The rise ends at epoch pct_start·total − 1, the fall at total − 1. In three phases the fall to
/// max/div_factor takes as long as the rise, and the rest goes to the last rate.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html),
/// [Smith & Topin 2018](https://arxiv.org/abs/1708.07120)
///
/// ```
/// # use retrograd_nn::{Adam, OneCycleLR, Optimizer, Schedule};
/// let mut optimizer: Adam = Adam::new(1e-3);
/// let mut scheduler = OneCycleLR::new(0.1, 10 * 782).on(&mut optimizer)?; // 10 epochs of 782 batches
/// assert!((optimizer.learning_rate() - 0.1 / 25.0).abs() < 1e-12);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OneCycleLR {
    max_lr: f64,
    total_steps: usize,
    pct_start: f64,
    anneal_strategy: Anneal,
    /// The base and the maximum, unless the momentum is left alone.
    momentum: (f64, f64),
    cycle_momentum: bool,
    div_factor: f64,
    final_div_factor: f64,
    three_phase: bool,
}

/// The way from one rate to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anneal {
    /// Half a period of a cosine.
    Cos,
    /// A straight line.
    Linear,
}

impl Anneal {
    fn between(self, from: f64, to: f64, done: f64) -> f64 {
        match self {
            Anneal::Cos => descend(from, to, done),
            Anneal::Linear => from + (to - from) * done,
        }
    }
}

impl OneCycleLR {
    /// With PyTorch's other settings. `total_steps` counts the steps of the scheduler, which is called after
    /// each batch: epochs times batches of an epoch.
    pub fn new(max_lr: f64, total_steps: usize) -> Self {
        Self {
            max_lr,
            total_steps,
            pct_start: 0.3,
            anneal_strategy: Anneal::Cos,
            momentum: (0.85, 0.95),
            cycle_momentum: true,
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }

    /// The share of the steps that the rise takes, from 0 to 1; 0.3 by default.
    pub fn pct_start(self, pct_start: f64) -> Self {
        Self { pct_start, ..self }
    }

    /// The way from one rate to the next; a cosine by default.
    pub fn anneal_strategy(self, anneal_strategy: Anneal) -> Self {
        Self { anneal_strategy, ..self }
    }

    /// Whether the momentum (the first beta) changes as well; it does by default.
    pub fn cycle_momentum(self, cycle_momentum: bool) -> Self {
        Self { cycle_momentum, ..self }
    }

    /// The momentum at the highest rate; 0.85 by default.
    pub fn base_momentum(self, base_momentum: f64) -> Self {
        Self { momentum: (base_momentum, self.momentum.1), ..self }
    }

    /// The momentum at the lowest rates; 0.95 by default.
    pub fn max_momentum(self, max_momentum: f64) -> Self {
        Self { momentum: (self.momentum.0, max_momentum), ..self }
    }

    /// How much lower than the highest rate the first one is; 25 by default.
    pub fn div_factor(self, div_factor: f64) -> Self {
        Self { div_factor, ..self }
    }

    /// How much lower than the first rate the last one is; 10⁴ by default.
    pub fn final_div_factor(self, final_div_factor: f64) -> Self {
        Self { final_div_factor, ..self }
    }

    /// Whether the fall is in two parts; it is not by default.
    pub fn three_phase(self, three_phase: bool) -> Self {
        Self { three_phase, ..self }
    }

    #[track_caller]
    fn check(&self, epoch: usize) -> Result<()> {
        const OP: &str = "one_cycle_lr";
        check(OP, "a highest rate", self.max_lr, Setting::Any)?;
        check(OP, "a share of the rise", self.pct_start, Setting::ClosedShare)?;
        check(OP, "a division factor", self.div_factor, Setting::Positive)?;
        check(OP, "a final division factor", self.final_div_factor, Setting::Positive)?;
        check(OP, "a base momentum", self.momentum.0, Setting::Any)?;
        check(OP, "a highest momentum", self.momentum.1, Setting::Any)?;
        super::check_count(OP, "a number of steps", self.total_steps)?;
        if epoch > self.total_steps {
            let fact = format!("expected at most {} steps, found step {epoch}", self.total_steps);
            return Err(Error::new(OP, fact));
        }
        Ok(())
    }

    /// What goes from `low` to `high`, back to `low` and on to `last`, at an epoch.
    fn at(&self, epoch: usize, [low, high, last]: [f64; 3]) -> f64 {
        let (total, epoch) = (self.total_steps as f64, epoch as f64);
        let risen = self.pct_start * total - 1.0;
        let falls: &[(f64, f64)] = match self.three_phase {
            false => &[(total - 1.0, last)],
            true => &[(2.0 * risen, low), (total - 1.0, last)],
        };
        let (mut start, mut end, mut from, mut to) = (0.0, risen, low, high);
        for &(next_end, next) in falls {
            if epoch <= end {
                break;
            }
            (start, end, from, to) = (end, next_end, to, next);
        }
        let done = if end > start { (epoch - start) / (end - start) } else { 1.0 };
        self.anneal_strategy.between(from, to, done)
    }
}

impl Schedule for OneCycleLR {
    #[track_caller]
    fn rate(&self, epoch: usize, _base: f64) -> Result<f64> {
        self.check(epoch)?;
        let first = self.max_lr / self.div_factor;
        Ok(self.at(epoch, [first, self.max_lr, first / self.final_div_factor]))
    }

    fn momentum(&self, epoch: usize) -> Option<f64> {
        let (base, max) = self.momentum;
        self.cycle_momentum.then(|| self.at(epoch, [max, base, max]))
    }
}
