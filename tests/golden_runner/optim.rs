//! Optimizers: the steps of a descent, first along the gradients that PyTorch recorded, then along our own.
//! What an optimizer keeps has PyTorch's names.

use retrograd::autograd::{Gradients, Parameter, Tape, Var};
use retrograd::nn::{
    Adadelta, Adagrad, Adam, AdamW, Module, NAdam, Optimizer, RAdam, RMSprop, Schedule, Sgd, module,
};
use retrograd::tensor::{Float, Result, Tensor};
use serde_json::{Value, json};

use super::call::Call;
use super::case::{self, Case, strings};
use super::compare::Tolerance;
use super::lr_scheduler::schedule;
use super::{Outcome, Stop};

/// The variables of the problem.
struct Variables<T: Float> {
    w: Parameter<T>,
    b: Parameter<T>,
}

module!(Variables<T> { w, b });

pub(super) fn check<T: Float>(case: &Case) -> Outcome {
    let call = Call::<T>::new(case);
    let (groups, scheduler) = (groups(call.argument("groups")), call.argument("scheduler"));
    let optimizer = || AnyOptimizer::new(call.argument("optimizer"), call.argument("options"), &groups);
    optimizer()?;
    let (steps, [w, b, a, target]) = (call.extent("steps")?, ["w", "b", "A", "T"].map(|name| call.var(name)));
    let (w, b, a, target) = (w?.value(), b?.value(), Var::from(a?.value()), Var::from(target?.value()));
    call.all_taken()?;
    let start = || Variables { w: Parameter::new(w.clone()), b: Parameter::new(b.clone()) };

    descend(case, steps, optimizer()?, scheduler, start(), |step, model| {
        let tape = Tape::new();
        let part = |parameter, name| -> Outcome<Var<T>> {
            let gradient = Var::from(row(case.numbers(name)?, step)?.cast::<T>());
            Ok(tape.parameter(parameter).mul(&gradient)?.sum(..)?)
        };
        Ok(part(&model.w, "grad.w")?.add(&part(&model.b, "grad.b")?)?.backward()?)
    })?;
    descend(case, steps, optimizer()?, scheduler, start(), |step, model| {
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
    scheduler: &Value,
    mut model: Variables<T>,
    gradients: impl Fn(usize, &Variables<T>) -> Outcome<Gradients<T>>,
) -> Outcome {
    let tolerance = Tolerance::of::<T>(case);
    let mut scheduler = match scheduler {
        Value::Null => None,
        of => Some(schedule(&of["scheduler"], &of["options"])?.on(&mut optimizer)?),
    };
    for step in 0..steps {
        compare_rates(case, &optimizer, step)?;
        let gradients = gradients(step, &model)?;
        optimizer.step(&mut model, &gradients)?;
        for (name, parameter) in model.parameters() {
            let expected = row(case.numbers(&format!("param.{name}"))?, step + 1)?;
            tolerance.compare(&format!("{name} after step {step}"), parameter.value(), &expected)?;
        }
        if let Some(scheduler) = &mut scheduler {
            scheduler.step(&mut optimizer)?;
        }
    }
    let state = optimizer.state_dict(&model);
    for name in case.names("outputs").into_iter().filter_map(|name| name.strip_prefix("state.")) {
        let found = state.iter().find(|(own, _)| own == name);
        let (_, found) = found.ok_or_else(|| Stop::Failed(format!("no state {name}")))?;
        tolerance.compare(name, found, case.numbers(&format!("state.{name}"))?)?;
    }
    Ok(())
}

/// Compares the learning rates of the case's groups, which come after that of no group.
pub(super) fn compare_rates<T: Float>(case: &Case, optimizer: &AnyOptimizer<T>, step: usize) -> Outcome {
    let (rates, expected) = (optimizer.learning_rates(), row(case.numbers("lr")?, step)?);
    let first = rates.len().saturating_sub(expected.numel());
    let found = Tensor::from_slice(&rates[first..], expected.shape().clone())?;
    Tolerance::of::<f64>(case).compare(&format!("lr {step}"), &found, &expected)
}

/// A step of `parameters` tensors of two elements, by the optimizer that a doubtful configuration asks for.
pub(super) fn attempt<T: Float>(call: &Call<'_, T>) -> Outcome<Vec<Tensor<T>>> {
    let mut optimizer = AnyOptimizer::new(call.argument("optimizer"), call.argument("options"), &[])?;
    if call.flag("duplicate")? {
        return Err(Stop::inexpressible("a parameter that a model owns twice"));
    }
    let mut model: Vec<Parameter<T>> = Vec::new();
    for _ in 0..call.extent("parameters")? {
        model.push(Parameter::new(Tensor::ones([2])?));
    }
    let mut loss = Tape::new().leaf(Tensor::scalar(T::ONE));
    for parameter in &model {
        loss = loss.add(&parameter.on(&loss).square().sum(..)?)?;
    }
    optimizer.step(&mut model, &loss.backward()?)?;
    Ok(model.into_iter().map(|parameter| parameter.value().clone()).collect())
}

/// The parameters that have options of their own, with these; where all are of one group, none has.
fn groups(groups: &Value) -> Vec<(&str, &Value)> {
    let groups = groups.as_array().map_or(&[][..], Vec::as_slice);
    if let [only] = groups
        && only["options"] == json!({})
    {
        return Vec::new();
    }
    groups
        .iter()
        .flat_map(|group| strings(&group["params"]).into_iter().map(|name| (name, &group["options"])))
        .collect()
}

/// ½·mean (tanh(A·w + b) − T)² + 0.05·Σ w² + 0.1·Σ ln(1 + b²).
fn problem<T: Float>(model: &Variables<T>, a: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
    let tape = Tape::new();
    let (w, b) = (tape.parameter(&model.w), tape.parameter(&model.b));
    let misfit = a.matmul(&w)?.add(&b)?.tanh().mse_loss(target)?;
    Ok(misfit * 0.5 + w.square().sum(..)? * 0.05 + b.square().ln_1p().sum(..)? * 0.1)
}

pub(super) fn row(rows: &Tensor<f64>, i: usize) -> Result<Tensor<f64>> {
    let i = i as isize;
    rows.slice(&[(i..i + 1).into()])?.squeeze(0)
}

/// Optimizers and their options: PyTorch's name of the optimizer, the option and what it takes.
macro_rules! optimizers {
    ($($Type:ident $name:literal { $($option:ident: $kind:ident),* $(,)? })*) => {
        /// An optimizer that a case names.
        pub(super) enum AnyOptimizer<T: Float> {
            $($Type($Type<T>),)*
        }

        impl<T: Float> AnyOptimizer<T> {
            /// The optimizer with PyTorch's name and options, and groups of the parameters of these names, with
            /// options of their own.
            pub(super) fn new(name: &Value, options: &Value, groups: &[(&str, &Value)]) -> Outcome<Self> {
                let options = options.as_object().cloned().unwrap_or_default();
                let rate = number(&options["lr"])?;
                match name.as_str() {
                    $(Some($name) => {
                        let mut optimizer = $Type::new(rate);
                        for (option, value) in options.iter().filter(|(option, _)| *option != "lr") {
                            optimizer = match option.as_str() {
                                $(stringify!($option) => set!(optimizer.$option($kind value)),)*
                                other => return Err(Stop::unknown(format!("{} without {other}", $name))),
                            };
                        }
                        for &(path, options) in groups {
                            let mut outcome = Ok(());
                            optimizer = optimizer.group(path, |mut group| {
                                outcome = options.as_object().into_iter().flatten().try_for_each(|(option, value)| {
                                    let given = group.clone();
                                    group = match option.as_str() {
                                        "lr" => given.learning_rate(number(value)?),
                                        $(stringify!($option) => set!(given.$option($kind value)),)*
                                        other => {
                                            return Err(Stop::unknown(format!("a group without {other}")));
                                        }
                                    };
                                    Ok(())
                                });
                                group
                            });
                            outcome?;
                        }
                        Ok(Self::$Type(optimizer))
                    })*
                    other => Err(Stop::unknown(format!("no optimizer {}", other.unwrap_or("without a name")))),
                }
            }

            fn state_dict(&self, model: &impl Module<T>) -> Vec<(String, Tensor<T>)> {
                match self {
                    $(Self::$Type(optimizer) => optimizer.state_dict(model),)*
                }
            }
        }

        impl<T: Float> Optimizer<T> for AnyOptimizer<T> {
            fn step(&mut self, model: &mut impl Module<T>, gradients: &Gradients<T>) -> Result<()> {
                match self {
                    $(Self::$Type(optimizer) => optimizer.step(model, gradients),)*
                }
            }

            fn learning_rate(&self) -> f64 {
                match self {
                    $(Self::$Type(optimizer) => optimizer.learning_rate(),)*
                }
            }

            fn set_learning_rate(&mut self, rate: f64) {
                match self {
                    $(Self::$Type(optimizer) => optimizer.set_learning_rate(rate),)*
                }
            }

            fn learning_rates(&self) -> Vec<f64> {
                match self {
                    $(Self::$Type(optimizer) => optimizer.learning_rates(),)*
                }
            }

            fn set_learning_rates(&mut self, rates: &[f64]) -> Result<()> {
                match self {
                    $(Self::$Type(optimizer) => optimizer.set_learning_rates(rates),)*
                }
            }

            fn momentum(&self) -> Option<f64> {
                match self {
                    $(Self::$Type(optimizer) => optimizer.momentum(),)*
                }
            }

            fn set_momentum(&mut self, momentum: f64) {
                match self {
                    $(Self::$Type(optimizer) => optimizer.set_momentum(momentum),)*
                }
            }
        }
    };
}

macro_rules! set {
    ($target:ident.$option:ident(number $value:ident)) => {
        $target.$option(number($value)?)
    };
    ($target:ident.$option:ident(flag $value:ident)) => {
        $target.$option($value.as_bool().ok_or_else(|| Stop::inexpressible(format!("a flag {}", $value)))?)
    };
    ($target:ident.$option:ident(pair $value:ident)) => {
        $target.$option(number(&$value[0])?, number(&$value[1])?)
    };
}

optimizers! {
    Adadelta "Adadelta" { rho: number, eps: number, weight_decay: number, maximize: flag }
    NAdam "NAdam" { betas: pair, eps: number, weight_decay: number, momentum_decay: number, maximize: flag }
    RAdam "RAdam" { betas: pair, eps: number, weight_decay: number, maximize: flag }
    Sgd "SGD" {
        momentum: number,
        dampening: number,
        weight_decay: number,
        nesterov: flag,
        maximize: flag,
    }
    Adam "Adam" { betas: pair, eps: number, weight_decay: number, amsgrad: flag, maximize: flag }
    AdamW "AdamW" { betas: pair, eps: number, weight_decay: number, amsgrad: flag, maximize: flag }
    RMSprop "RMSprop" {
        alpha: number,
        eps: number,
        weight_decay: number,
        momentum: number,
        centered: flag,
        maximize: flag,
    }
    Adagrad "Adagrad" {
        lr_decay: number,
        weight_decay: number,
        initial_accumulator_value: number,
        eps: number,
        maximize: flag,
    }
}

pub(super) fn number(value: &Value) -> Outcome<f64> {
    case::number(value).ok_or_else(|| Stop::inexpressible(format!("a number {value}")))
}
