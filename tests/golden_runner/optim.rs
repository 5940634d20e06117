//! Optimizers: each step of a descent, with the gradients that PyTorch recorded and with ones of our own.

use retrograd::autograd::{Gradients, Parameter, Tape, Var};
use retrograd::nn::{Adam, AdamW, Module, Optimizer, Sgd, module};
use retrograd::tensor::{Float, Tensor};
use serde_json::{Value, json};

use super::call::Call;
use super::case::Case;
use super::compare::Tolerance;
use super::{Outcome, Stop};

/// The problem's variables.
struct Model<T: Float> {
    w: Parameter<T>,
    b: Parameter<T>,
}

module!(Model<T> { w, b });

pub(super) fn check<T: Float>(case: &Case) -> Outcome {
    let call = Call::<T>::new(case);
    let optimizer = || AnyOptimizer::new(call.argument("optimizer"), call.argument("options"));
    optimizer()?;
    match call.argument("groups") {
        whole if *whole == json!([{"params": ["w", "b"], "options": {}}]) => {}
        _ => return Err(Stop::unknown("groups of parameters")),
    }
    let (a, target) = (Var::from(call.var("A")?.value()), Var::from(call.var("T")?.value()));
    let start = || Ok(Model { w: Parameter::new(row(case, "w", 0)?), b: Parameter::new(row(case, "b", 0)?) });
    let steps = call.extent("steps")?;
    call.parameter("w")?;
    call.parameter("b")?;
    call.all_taken()?;

    descend(case, steps, optimizer()?, start()?, |step, model| recorded(case, step, model))?;
    descend(case, steps, optimizer()?, start()?, |step, model| own(case, step, model, &a, &target))
}
