//! Schedulers: how the learning rate changes in the course of a training.
//!
//! A [`Schedule`] is a function: the learning rate after so many steps of the scheduler. It is PyTorch's, in
//! closed form, so that a training can be resumed anywhere; a [`Scheduler`] counts the steps and sets the
//! rate.

mod annealing;
mod combine;
mod decay;
mod one_cycle;
mod plateau;

pub use annealing::{CosineAnnealingLR, CosineAnnealingWarmRestarts};
pub use combine::{ChainedScheduler, SequentialLR};
pub use decay::{ConstantLR, ExponentialLR, LambdaLR, LinearLR, MultiStepLR, PolynomialLR, StepLR};
pub use one_cycle::{Anneal, OneCycleLR};
pub use plateau::{PlateauState, ReduceLROnPlateau};

use retrograd_tensor::{Error, Float, Result};

use crate::Optimizer;

/// The learning rate as a function of how often the scheduler has stepped.
///
/// ```
/// # use retrograd_nn::{CosineAnnealingLR, LinearLR, Optimizer, Schedule, Sgd};
/// let mut optimizer: Sgd = Sgd::new(0.1).momentum(0.9);
/// let warmup = LinearLR::new(5).start_factor(0.1);
/// let mut scheduler = warmup.then(5, CosineAnnealingLR::new(95)).on(&mut optimizer)?;
/// assert_eq!(optimizer.learning_rate(), 0.1 * 0.1);
/// for epoch in 0..100 {
///     // … the batches of the epoch …
///     scheduler.step(&mut optimizer)?;
/// }
/// assert!(optimizer.learning_rate() < 1e-9);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
pub trait Schedule {
    /// The learning rate of a group of parameters after `epoch` steps of the scheduler; `base` is the group's
    /// own, at which it was built.
    ///
    /// # Errors
    /// If a setting is out of its range, or the schedule has no such epoch.
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64>;

    /// The momentum, where the schedule changes it as well.
    fn momentum(&self, epoch: usize) -> Option<f64> {
        let _ = epoch;
        None
    }

    /// This schedule until `milestone`, then the other, from its own beginning.
    fn then<S: Schedule>(self, milestone: usize, next: S) -> SequentialLR<Self, S>
    where
        Self: Sized,
    {
        SequentialLR::new(self, milestone, next)
    }

    /// This schedule, and the other on the rate that this one gives.
    fn and<S: Schedule>(self, other: S) -> ChainedScheduler<Self, S>
    where
        Self: Sized,
    {
        ChainedScheduler::new(self, other)
    }

    /// Begins the schedule: remembers the learning rate of each group, and sets those of epoch 0.
    ///
    /// # Errors
    /// If a setting is out of its range, or the schedule changes the momentum and the optimizer has none.
    #[track_caller]
    fn on<T: Float>(self, optimizer: &mut impl Optimizer<T>) -> Result<Scheduler<Self>>
    where
        Self: Sized,
    {
        if self.momentum(0).is_some() && optimizer.momentum().is_none() {
            let fact = "the schedule changes the momentum, and the optimizer has none";
            return Err(Error::new("scheduler", fact));
        }
        let mut scheduler = Scheduler { schedule: self, bases: optimizer.learning_rates(), epoch: 0 };
        scheduler.set_epoch(optimizer, 0)?;
        Ok(scheduler)
    }
}

/// A schedule of any kind.
impl<S: Schedule + ?Sized> Schedule for Box<S> {
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        (**self).rate(epoch, base)
    }

    fn momentum(&self, epoch: usize) -> Option<f64> {
        (**self).momentum(epoch)
    }
}

/// A [`Schedule`] at work on an optimizer; made by [`Schedule::on`].
#[derive(Clone, Debug)]
pub struct Scheduler<S> {
    schedule: S,
    bases: Vec<f64>,
    epoch: usize,
}

impl<S: Schedule> Scheduler<S> {
    /// Sets the learning rates of the next epoch; or of the next batch, if that is where it is called.
    ///
    /// # Errors
    /// If the schedule is at its end, or the optimizer has another number of groups than it had.
    #[track_caller]
    pub fn step<T: Float>(&mut self, optimizer: &mut impl Optimizer<T>) -> Result<()> {
        self.set_epoch(optimizer, self.epoch.saturating_add(1))
    }

    /// How often it has stepped.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// Sets the learning rates of this epoch, with which a training goes on that was saved.
    ///
    /// # Errors
    /// If the schedule has no such epoch, or the optimizer has another number of groups than it had.
    #[track_caller]
    pub fn set_epoch<T: Float>(&mut self, optimizer: &mut impl Optimizer<T>, epoch: usize) -> Result<()> {
        let mut rates = Vec::with_capacity(self.bases.len());
        for &base in &self.bases {
            rates.push(self.schedule.rate(epoch, base)?);
        }
        optimizer.set_learning_rates(&rates)?;
        if let Some(momentum) = self.schedule.momentum(epoch) {
            optimizer.set_momentum(momentum);
        }
        self.epoch = epoch;
        Ok(())
    }
}

/// Checks that a schedule has a first step.
#[track_caller]
fn check_count(op: &'static str, name: &str, count: usize) -> Result<()> {
    if count > 0 { Ok(()) } else { Err(Error::new(op, format!("expected {name} of at least 1, found 0"))) }
}

/// How much of a count of steps is done, from 0 to 1; nothing if there are none.
fn done(epoch: usize, total: usize) -> Option<f64> {
    (total > 0).then(|| epoch.min(total) as f64 / total as f64)
}

/// f to the power of a count.
fn power(factor: f64, count: usize) -> f64 {
    factor.powi(i32::try_from(count).unwrap_or(i32::MAX))
}
