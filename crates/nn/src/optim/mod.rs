//! Optimizers: what turns gradients into a better model.
//!
//! Each is a [`Descent`] by a [`Rule`] of its own: its settings and its formula.

mod adagrad;
mod adam;
mod descent;
mod lion;
mod nadam;
mod radam;
mod rmsprop;
mod sgd;

pub use adagrad::{Adadelta, AdadeltaRule, Adagrad, AdagradRule};
pub use adam::{Adam, AdamRule, AdamW};
pub use descent::{Descent, Group, Rule, Step};
pub use lion::{Lion, LionRule};
pub use nadam::{NAdam, NAdamRule};
pub use radam::{RAdam, RAdamRule};
pub use rmsprop::{RMSprop, RMSpropRule};
pub use sgd::{Sgd, SgdRule};

use std::panic::Location;

use retrograd_autograd::{Gradients, Parameter};
use retrograd_tensor::{Error, Float, Result, Tensor};

use crate::{Item, ItemMut, Module, Path};

/// Something that trains a model.
///
/// Gradients are data, which add up: a step on the gradients of several passes is a step on a larger batch.
///
/// ```
/// # use retrograd_nn::{Layer, Linear, Optimizer, Sgd, Tape, Tensor};
/// # use rand::{SeedableRng, rngs::StdRng};
/// # let mut model = Linear::new(2, 1).build(&mut StdRng::seed_from_u64(0))?;
/// # let batches: [Tensor; 2] = [Tensor::ones([3, 2])?, Tensor::zeros([3, 2])?];
/// let mut optimizer = Sgd::new(0.1);
/// let mut sum = None;
/// for batch in batches {
///     let tape = Tape::new();
///     let loss = model.forward(&tape.constant(batch))?.square().mean(..)? * 0.5;
///     let gradients = loss.backward()?;
///     match &mut sum {
///         Some(sum) => *sum += gradients,
///         None => sum = Some(gradients),
///     }
/// }
/// if let Some(gradients) = sum {
///     optimizer.step(&mut model, &gradients)?;
/// }
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
pub trait Optimizer<T: Float = f32> {
    /// Changes every parameter of `model` that has a gradient, and makes the updates that the forward pass
    /// reported; in the order of the model's declaration.
    ///
    /// # Errors
    /// If a setting is out of its range, a gradient or an update has another shape than what it changes, or
    /// no parameter of the model has a gradient (which the gradients of another model would look like), or
    /// the model has no parameters, none at all or none for a group; the model is unchanged then.
    fn step(&mut self, model: &mut impl Module<T>, gradients: &Gradients<T>) -> Result<()>;

    /// How far a step goes, of the parameters that are in no group.
    fn learning_rate(&self) -> f64;

    /// Sets how far a step goes, from the next one on; groups of parameters keep theirs.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// The learning rate of the parameters that are in no group, then that of each group.
    fn learning_rates(&self) -> Vec<f64> {
        vec![self.learning_rate()]
    }

    /// Sets what [`learning_rates`](Self::learning_rates) tells.
    ///
    /// # Errors
    /// If there are more or fewer.
    #[track_caller]
    fn set_learning_rates(&mut self, rates: &[f64]) -> Result<()> {
        let &[rate] = rates else {
            let fact = format!("expected 1 learning rate, found {}", rates.len());
            return Err(Error::new("set_learning_rates", fact));
        };
        self.set_learning_rate(rate);
        Ok(())
    }

    /// How much of the running mean of the gradients is kept in a step, the momentum or the first beta, if
    /// there is one.
    fn momentum(&self) -> Option<f64> {
        None
    }

    /// Sets what [`momentum`](Self::momentum) tells, of all groups; nothing where there is none.
    fn set_momentum(&mut self, momentum: f64) {
        let _ = momentum;
    }
}

/// Calls `change` with each parameter that has a gradient, and makes the reported updates; nothing is changed
/// if one does not fit. What is frozen stays as it is, also if it was frozen after the pass.
#[track_caller]
fn walk<T: Float>(
    op: &'static str,
    model: &mut impl Module<T>,
    gradients: &Gradients<T>,
    mut change: impl FnMut(&Path<'_>, &mut Parameter<T>, &Tensor<T>) -> Result<()>,
) -> Result<()> {
    fits(op, model, gradients)?;
    let line = Location::caller();
    let mut outcome = Ok(());
    model.visit_mut(&Path::ROOT, &mut |path, item| {
        if outcome.is_err() {
            return;
        }
        let result = match item {
            ItemMut::Parameter(parameter) => match gradients.get(parameter) {
                Some(gradient) if !parameter.is_frozen() => change(path, parameter, gradient),
                _ => Ok(()),
            },
            ItemMut::Buffer(buffer) => gradients.update(buffer),
        };
        outcome = result.map_err(|error| error.within(path).called_from(line));
    });
    outcome
}

/// Checks that the gradients are of this model: that one parameter has one at least, and that all of them, and
/// all updates of buffers, have the shape of what they change.
#[track_caller]
fn fits<T: Float>(op: &'static str, model: &impl Module<T>, gradients: &Gradients<T>) -> Result<()> {
    let (mut trained, mut found, mut misshaped) = (0, 0, None);
    model.visit(&Path::ROOT, &mut |path, item| {
        let mut expect = |what: &str, own: &Tensor<T>, given: &Tensor<T>| {
            if own.shape() != given.shape() && misshaped.is_none() {
                let fact = format!("expected {what} of shape {}, found {}", own.shape(), given.shape());
                misshaped = Some((path.to_string(), fact));
            }
        };
        match item {
            Item::Parameter(parameter) if parameter.is_frozen() => {}
            Item::Parameter(parameter) => {
                trained += 1;
                let Some(gradient) = gradients.get(parameter) else { return };
                found += 1;
                expect("a gradient", parameter.value(), gradient);
            }
            Item::Buffer(buffer) => {
                let updates = gradients.updates().iter().filter(|update| update.buffer == buffer.id());
                let values = updates.filter_map(|update| update.change.value());
                values.for_each(|value| expect("an update", buffer.value(), value));
            }
        }
    });
    if let Some((path, fact)) = misshaped {
        return Err(Error::new(op, fact).within(path));
    }
    if trained > 0 && found == 0 {
        let fact =
            format!("none of the model's {trained} parameters has a gradient: are they of another model?");
        return Err(Error::new(op, fact));
    }
    Ok(())
}

/// Checks that a setting is a number in its range.
#[track_caller]
pub(crate) fn check(op: &'static str, name: &str, value: f64, kind: Setting) -> Result<()> {
    let (fits, expected) = match kind {
        Setting::NonNegative => (value >= 0.0 && value.is_finite(), "of at least 0"),
        Setting::Positive => (value > 0.0 && value.is_finite(), "above 0"),
        Setting::Share => ((0.0..1.0).contains(&value), "from 0 to below 1"),
        Setting::ClosedShare => ((0.0..=1.0).contains(&value), "from 0 to 1"),
        Setting::Any => (value.is_finite(), "that is finite"),
    };
    if fits { Ok(()) } else { Err(Error::new(op, format!("expected {name} {expected}, found {value}"))) }
}

#[track_caller]
fn check_betas(op: &'static str, (beta1, beta2): (f64, f64)) -> Result<()> {
    check(op, "a first beta", beta1, Setting::Share)?;
    check(op, "a second beta", beta2, Setting::Share)
}

/// Where a setting makes sense.
#[derive(Clone, Copy)]
pub(crate) enum Setting {
    NonNegative,
    Positive,
    Share,
    ClosedShare,
    Any,
}
