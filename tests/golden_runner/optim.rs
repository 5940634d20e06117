//! Optimizers: the steps of a descent, first along the gradients that PyTorch recorded, then along our own.
//! What an optimizer keeps between steps is its own affair; it shows in the next ones.

use retrograd::autograd::{Gradients, Parameter, Tape, Var};
use retrograd::nn::{Adam, AdamW, Module, Optimizer, Sgd, module};
use retrograd::tensor::{Float, Result, Tensor};
use serde_json::{Map, Value, json};

use super::call::Call;
use super::case::Case;
use super::compare::Tolerance;
use super::{Outcome, Stop};

/// The variables of the problem.
struct Variables<T: Float> {
    w: Parameter<T>,
    b: Parameter<T>,
}

module!(Variables<T> { w, b });

pub(super) fn check<T: Float>(case: &Case) -> Outcome {
    let call = Call::<T>::new(case);
    let optimizer = || AnyOptimizer::new(call.argument("optimizer"), call.argument("options"));
    optimizer()?;
    if *call.argument("groups") != json!([{"params": ["w", "b"], "options": {}}]) {
        return Err(Stop::unknown("groups of parameters"));
    }
    let (steps, [w, b, a, target]) = (call.extent("steps")?, ["w", "b", "A", "T"].map(|name| call.var(name)));
    let (w, b, a, target) = (w?.value(), b?.value(), Var::from(a?.value()), Var::from(target?.value()));
    call.all_taken()?;
    let start = || Variables { w: Parameter::new(w.clone()), b: Parameter::new(b.clone()) };

    descend(case, steps, optimizer()?, start(), |step, model| {
        let tape = Tape::new();
        let part = |parameter, name| -> Outcome<Var<T>> {
            let gradient = Var::from(row(case.numbers(name)?, step)?.cast::<T>());
            Ok(tape.parameter(parameter).mul(&gradient)?.sum(..)?)
        };
        Ok(part(&model.w, "grad.w")?.add(&part(&model.b, "grad.b")?)?.backward()?)
    })?;
    descend(case, steps, optimizer()?, start(), |step, model| {
        let tolerance = Tolerance::of::<T>(case);
        let loss = problem(model, &a, &target)?;
        tolerance.compare(&format!("loss {step}"), loss.value(), &row(case.numbers("loss")?, step)?)?;
        let gradients = loss.backward()?;
        for (name, parameter) in model.parameters() {
            let found =
                gradients.get(parameter).ok_or_else(|| Stop::Failed(format!("no gradient of {name}")))?;
            let expected = row(case.numbers(&format!("grad.{name}"))?, step)?;
            tolerance.compare(&format!("grad.{name} {step}"), found, &expected)?;
        }
        Ok(gradients)
    })
}

/// Takes every step of the case and compares where it leads.
fn descend<T: Float>(
    case: &Case,
    steps: usize,
    mut optimizer: AnyOptimizer<T>,
    mut model: Variables<T>,
    gradients: impl Fn(usize, &Variables<T>) -> Outcome<Gradients<T>>,
) -> Outcome {
    for step in 0..steps {
        let gradients = gradients(step, &model)?;
        optimizer.step(&mut model, &gradients)?;
        for (name, parameter) in model.parameters() {
            let expected = row(case.numbers(&format!("param.{name}"))?, step + 1)?;
            Tolerance::of::<T>(case).compare(
                &format!("{name} after step {step}"),
                parameter.value(),
                &expected,
            )?;
        }
    }
    Ok(())
}

/// ½·mean (tanh(A·w + b) − T)² + 0.05·Σ w² + 0.1·Σ ln(1 + b²).
fn problem<T: Float>(model: &Variables<T>, a: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
    let tape = Tape::new();
    let (w, b) = (tape.parameter(&model.w), tape.parameter(&model.b));
    let misfit = a.matmul(&w)?.add(&b)?.tanh().mse_loss(target)?;
    Ok(misfit * 0.5 + w.square().sum(..)? * 0.05 + b.square().ln_1p().sum(..)? * 0.1)
}

fn row(rows: &Tensor<f64>, i: usize) -> Result<Tensor<f64>> {
    let i = i as isize;
    rows.slice(&[(i..i + 1).into()])?.squeeze(0)
}

/// An optimizer that a case names.
pub(super) enum AnyOptimizer<T: Float> {
    Sgd(Sgd<T>),
    Adam(Adam<T>),
    AdamW(AdamW<T>),
}

impl<T: Float> AnyOptimizer<T> {
    /// The optimizer with PyTorch's name and options. An option is added by one row.
    pub(super) fn new(name: &Value, options: &Value) -> Outcome<Self> {
        let mut options = options.as_object().cloned().unwrap_or_else(Map::new);
        let rate =
            options.remove("lr").and_then(|rate| rate.as_f64()).expect("a case gives the learning rate");
        options.retain(|_, value| *value != Value::Bool(false));
        let number = |value: &Value| value.as_f64().expect("a number");
        let unknown =
            |option: &str| Stop::unknown(format!("{} without {option}", name.as_str().unwrap_or("?")));
        macro_rules! build {
            ($Type:ident, $optimizer:ident, $value:ident: $($option:literal => $set:expr,)*) => {
                options
                    .iter()
                    .try_fold($Type::new(rate), |$optimizer, (option, $value)| match option.as_str() {
                        $($option => Ok($set),)*
                        other => Err(unknown(other)),
                    })
                    .map(Self::$Type)
            };
        }
        match name.as_str() {
            Some("SGD") => build! { Sgd, sgd, value:
                "momentum" => sgd.momentum(number(value)),
                "dampening" => sgd.dampening(number(value)),
                "weight_decay" => sgd.weight_decay(number(value)),
                "nesterov" => sgd.nesterov(true),
            },
            Some("Adam") => build! { Adam, adam, value:
                "betas" => adam.betas(number(&value[0]), number(&value[1])),
                "eps" => adam.eps(number(value)),
                "weight_decay" => adam.weight_decay(number(value)),
            },
            Some("AdamW") => build! { AdamW, adam, value:
                "betas" => adam.betas(number(&value[0]), number(&value[1])),
                "eps" => adam.eps(number(value)),
                "weight_decay" => adam.weight_decay(number(value)),
            },
            other => Err(Stop::unknown(format!("no optimizer {}", other.unwrap_or("without a name")))),
        }
    }

    pub(super) fn step(&mut self, model: &mut impl Module<T>, gradients: &Gradients<T>) -> Result<()> {
        match self {
            Self::Sgd(sgd) => sgd.step(model, gradients),
            Self::Adam(adam) => adam.step(model, gradients),
            Self::AdamW(adam) => adam.step(model, gradients),
        }
    }
}
