//! Schedules one after the other and one on top of the other.

use retrograd_tensor::Result;

use super::Schedule;

/// One schedule until a milestone, then another from its own beginning; made by [`Schedule::then`]. More than
/// two are made by `a.then(5, b).then(20, c)`, with milestones counted from the beginning of all.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html)
///
/// ```
/// # use retrograd_nn::{CosineAnnealingLR, LinearLR, Schedule};
/// let schedule = LinearLR::new(5).start_factor(0.1).then(5, CosineAnnealingLR::new(95));
/// assert_eq!(schedule.rate(5, 0.1)?, 0.1);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SequentialLR<A, B> {
    first: A,
    milestone: usize,
    next: B,
}

impl<A: Schedule, B: Schedule> SequentialLR<A, B> {
    /// `first` before the epoch `milestone`, `next` from it on.
    pub fn new(first: A, milestone: usize, next: B) -> Self {
        Self { first, milestone, next }
    }
}

impl<A: Schedule, B: Schedule> Schedule for SequentialLR<A, B> {
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        match epoch.checked_sub(self.milestone) {
            None => self.first.rate(epoch, base),
            Some(epoch) => self.next.rate(epoch, base),
        }
    }

    fn momentum(&self, epoch: usize) -> Option<f64> {
        match epoch.checked_sub(self.milestone) {
            None => self.first.momentum(epoch),
            Some(epoch) => self.next.momentum(epoch),
        }
    }
}

/// Two schedules at once, the second on the rate that the first gives; made by [`Schedule::and`]. Factors of
/// the epoch multiply.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html)
///
/// ```
/// # use retrograd_nn::{ConstantLR, ExponentialLR, Schedule};
/// let schedule = ConstantLR::new(4).factor(0.5).and(ExponentialLR::new(0.5));
/// assert_eq!([schedule.rate(1, 0.8)?, schedule.rate(4, 0.8)?], [0.2, 0.05]);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ChainedScheduler<A, B> {
    first: A,
    second: B,
}

impl<A: Schedule, B: Schedule> ChainedScheduler<A, B> {
    /// `second` on what `first` gives.
    pub fn new(first: A, second: B) -> Self {
        Self { first, second }
    }
}

impl<A: Schedule, B: Schedule> Schedule for ChainedScheduler<A, B> {
    #[track_caller]
    fn rate(&self, epoch: usize, base: f64) -> Result<f64> {
        self.second.rate(epoch, self.first.rate(epoch, base)?)
    }

    fn momentum(&self, epoch: usize) -> Option<f64> {
        self.second.momentum(epoch).or(self.first.momentum(epoch))
    }
}
