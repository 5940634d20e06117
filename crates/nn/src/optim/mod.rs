//! Optimizers: what turns gradients into a better model.

mod adam;
mod sgd;

pub use adam::{Adam, AdamW};
pub use sgd::Sgd;

use retrograd_autograd::{Gradients, Parameter};
use retrograd_tensor::{Error, Float, Result, Tensor};

use crate::{ItemMut, Module, Path};

/// Something that trains a model.
pub trait Optimizer<T: Float = f32> {
    /// Changes every parameter of `model` that has a gradient, and makes the updates that the forward pass
    /// reported; in the order of the model's declaration.
    ///
    /// # Errors
    /// If a setting is out of its range, a gradient has another shape than its parameter, or no parameter of
    /// the model has a gradient (which the gradients of another model would look like).
    fn step(&mut self, model: &mut impl Module<T>, gradients: &Gradients<T>) -> Result<()>;

    /// How far a step goes.
    fn learning_rate(&self) -> f64;

    /// Sets how far a step goes, from the next one on.
    fn set_learning_rate(&mut self, learning_rate: f64);
}

/// Calls `change` with each parameter that has a gradient, and makes the reported updates.
#[track_caller]
fn walk<T: Float>(
    op: &'static str,
    model: &mut impl Module<T>,
    gradients: &Gradients<T>,
    mut change: impl FnMut(&mut Parameter<T>, &Tensor<T>) -> Result<()>,
) -> Result<()> {
    let mut outcome = Ok(());
    let (mut parameters, mut changed) = (0, 0);
    model.visit_mut(&Path::ROOT, &mut |path, item| {
        if outcome.is_err() {
            return;
        }
        let result = match item {
            ItemMut::Parameter(parameter) => {
                parameters += usize::from(!parameter.is_frozen());
                let Some(gradient) = gradients.get(parameter) else { return };
                changed += 1;
                change(parameter, gradient)
            }
            ItemMut::Buffer(buffer) => gradients.update(buffer),
        };
        outcome = result.map_err(|error| error.within(path));
    });
    outcome?;
    if parameters > 0 && changed == 0 {
        let fact =
            format!("none of the model's {parameters} parameters has a gradient: are they of another model?");
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
    if fits { Ok(()) } else { Err(Error::new(op, format!("expected a {name} {expected}, found {value}"))) }
}

/// Where a setting makes sense.
#[derive(Clone, Copy)]
enum Setting {
    NonNegative,
    Share,
    Any,
}
