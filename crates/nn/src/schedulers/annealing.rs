//! Schedules along a cosine.

use std::f64::consts::PI;

use retrograd_tensor::Result;

use super::{Schedule, check_count};
use crate::optim::{Setting, check};

/// lr = eta_min + (base − eta_min)·(1 + cos(π·epoch/T_max))/2: down over `T_max` epochs, then up again, and
/// so on.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html),
/// [Loshchilov & Hutter 2017](https://arxiv.org/abs/1608.03983)
///
/// ```
/// # use retrograd_nn::{CosineAnnealingLR, Schedule};
/// assert_eq!(CosineAnnealingLR::new(100).eta_min(0.01).rate(100, 0.1)?, 0.01);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CosineAnnealingLR {
    t_max: usize,
    eta_min: f64,
}

impl CosineAnnealingLR {
    /// To the minimum over `t_max` epochs.
    pub fn new(t_max: usize) -> Self {
        Self { t_max, eta_min: 0.0 }
    }

    /// The minimum; 0 by default.
    pub fn eta_min(self, eta_min: f64) -> Self {
        Self { eta_min, ..self }
    }
}

impl Schedule for CosineAnnealingLR {
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        check_count("cosine_annealing_lr", "a T_max", self.t_max)?;
        check("cosine_annealing_lr", "an eta_min", self.eta_min, Setting::Any)?;
        let epoch = epoch % self.t_max.saturating_mul(2);
        Ok(descend(base, self.eta_min, epoch as f64 / self.t_max as f64))
    }
}

/// As [`CosineAnnealingLR`], but at the minimum the rate returns to its base at once. The first descent takes
/// `T_0` epochs, each other one `T_mult` times as many as that before.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html),
/// [Loshchilov & Hutter 2017](https://arxiv.org/abs/1608.03983)
///
/// ```
/// # use retrograd_nn::{CosineAnnealingWarmRestarts, Schedule};
/// let schedule = CosineAnnealingWarmRestarts::new(10).t_mult(2);
/// assert_eq!([schedule.rate(10, 0.1)?, schedule.rate(30, 0.1)?], [0.1; 2]);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CosineAnnealingWarmRestarts {
    t_0: usize,
    t_mult: usize,
    eta_min: f64,
}

impl CosineAnnealingWarmRestarts {
    /// The first descent takes `t_0` epochs.
    pub fn new(t_0: usize) -> Self {
        Self { t_0, t_mult: 1, eta_min: 0.0 }
    }

    /// How much longer a descent is than that before; 1 by default.
    pub fn t_mult(self, t_mult: usize) -> Self {
        Self { t_mult, ..self }
    }

    /// The minimum; 0 by default.
    pub fn eta_min(self, eta_min: f64) -> Self {
        Self { eta_min, ..self }
    }
}

impl Schedule for CosineAnnealingWarmRestarts {
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        check_count("cosine_annealing_warm_restarts", "a T_0", self.t_0)?;
        check_count("cosine_annealing_warm_restarts", "a T_mult", self.t_mult)?;
        check("cosine_annealing_warm_restarts", "an eta_min", self.eta_min, Setting::Any)?;
        let (mut epoch, mut length) = (epoch, self.t_0);
        if self.t_mult == 1 {
            epoch %= length;
        }
        while epoch >= length {
            epoch -= length;
            length = length.saturating_mul(self.t_mult);
        }
        Ok(descend(base, self.eta_min, epoch as f64 / length as f64))
    }
}

/// From `from` to `to` along half a period of a cosine, of which a share is done.
pub(super) fn descend(from: f64, to: f64, done: f64) -> f64 {
    to + (from - to) * (1.0 + (PI * done).cos()) / 2.0
}
