//! Optimizers: what turns gradients into a better model.

mod adam;
mod sgd;

pub use adam::{Adam, AdamW};
pub use sgd::Sgd;

use std::panic::Location;

use retrograd_autograd::{Gradients, Parameter};
use retrograd_tensor::{Error, Float, Result, Tensor};

use crate::{Item, ItemMut, Module, Path};

/// Something that trains a model.
pub trait Optimizer<T: Float = f32> {
    /// Changes every parameter of `model` that has a gradient, and makes the updates that the forward pass
    /// reported; in the order of the model's declaration.
    ///
    /// # Errors
    /// If a setting is out of its range, a gradient or an update has another shape than what it changes, or
    /// no parameter of the model has a gradient (which the gradients of another model would look like); the
    /// model is unchanged then.
    fn step(&mut self, model: &mut impl Module<T>, gradients: &Gradients<T>) -> Result<()>;

    /// How far a step goes.
    fn learning_rate(&self) -> f64;

    /// Sets how far a step goes, from the next one on.
    fn set_learning_rate(&mut self, learning_rate: f64);
}

/// Calls `change` with each parameter that has a gradient, and makes the reported updates; nothing is changed if
/// one does not fit. What is frozen stays as it is, also if it was frozen after the pass.
#[track_caller]
fn walk<T: Float>(
    op: &'static str,
    model: &mut impl Module<T>,
    gradients: &Gradients<T>,
    mut change: impl FnMut(&mut Parameter<T>, &Tensor<T>) -> Result<()>,
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
                Some(gradient) if !parameter.is_frozen() => change(parameter, gradient),
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
                updates.for_each(|update| expect("an update", buffer.value(), &update.value));
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

/// Checks that a setting is finite and at least 0, and below 1 where it is a share.
#[track_caller]
fn check(op: &'static str, name: &str, value: f64, kind: Setting) -> Result<()> {
    let (fits, expected) = match kind {
        Setting::NonNegative => (value >= 0.0 && value.is_finite(), "of at least 0"),
        Setting::Share => ((0.0..1.0).contains(&value), "from 0 to below 1"),
        Setting::Any => (value.is_finite(), "that is finite"),
    };
    if fits { Ok(()) } else { Err(Error::new(op, format!("expected {name} {expected}, found {value}"))) }
}

/// Where a setting makes sense.
#[derive(Clone, Copy)]
enum Setting {
    NonNegative,
    Share,
    Any,
}
