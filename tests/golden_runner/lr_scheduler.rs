//! Schedulers: the learning rates at the start and after each step, and the momenta where they change.

use retrograd::nn::{
    Anneal, ConstantLR, CosineAnnealingLR, ExponentialLR, LinearLR, MultiStepLR, OneCycleLR, Optimizer,
    PolynomialLR, ReduceLROnPlateau, Schedule, StepLR,
};
use retrograd::tensor::{Float, Shape, Tensor};
use serde_json::{Value, json};

use super::call::Call;
use super::case::Case;
use super::compare::Tolerance;
use super::optim::{AnyOptimizer, compare_rates, number, row};
use super::{Outcome, Stop};

pub(super) fn check<T: Float>(case: &Case) -> Outcome {
    follow(&Call::<T>::new(case), |optimizer, step| compare(case, optimizer, step))
}

/// The shapes of what a doubtful configuration goes through: the rates, and the momenta where they change.
pub(super) fn attempt<T: Float>(call: &Call<'_, T>) -> Outcome<Vec<Shape>> {
    let mut rows = 0;
    follow(call, |_, _| {
        rows += 1;
        Ok(())
    })?;
    let changes_momentum = call.argument("scheduler") == "OneCycleLR";
    Ok(vec![[rows, 1].into(); if changes_momentum { 2 } else { 1 }])
}

/// Takes every step of a case, calling `visit` at the start and after each.
fn follow<T: Float>(
    call: &Call<'_, T>,
    mut visit: impl FnMut(&AnyOptimizer<T>, usize) -> Outcome,
) -> Outcome {
    let (name, options) = (call.argument("scheduler"), call.argument("options"));
    let [base, others @ ..] = &call.argument("base_lr").as_array().map_or(&[][..], Vec::as_slice) else {
        return Err(Stop::unknown("no groups"));
    };
    // Which parameters a group has does not matter here.
    let others: Vec<_> = others.iter().map(|rate| json!({"lr": rate})).collect();
    let groups: Vec<_> = others.iter().map(|options| ("*", options)).collect();
    let mut optimizer = AnyOptimizer::<T>::new(call.argument("optimizer"), &json!({"lr": base}), &groups)?;
    if optimizer.momentum() == Some(0.0) {
        optimizer.set_momentum(0.9);
    }
    let steps = call.extent("steps")?;
    if name == "ReduceLROnPlateau" {
        let metrics = call.var("metric")?.value();
        call.all_taken()?;
        let mut scheduler = plateau(options)?;
        visit(&optimizer, 0)?;
        return metrics.as_slice().iter().take(steps).enumerate().try_for_each(|(step, metric)| {
            scheduler.step(&mut optimizer, metric.to_f64())?;
            visit(&optimizer, step + 1)
        });
    }
    call.all_taken()?;
    let mut scheduler = schedule(name, options)?.on(&mut optimizer)?;
    for step in 0..steps {
        visit(&optimizer, step)?;
        scheduler.step(&mut optimizer)?;
    }
    visit(&optimizer, steps)
}

fn compare<T: Float>(case: &Case, optimizer: &AnyOptimizer<T>, step: usize) -> Outcome {
    compare_rates(case, optimizer, step)?;
    if !case.names("outputs").contains(&"momentum") {
        return Ok(());
    }
    let expected = row(case.numbers("momentum")?, step)?;
    let found = Tensor::full(expected.shape().clone(), optimizer.momentum().unwrap_or(f64::NAN))?;
    Tolerance::of::<f64>(case).compare(&format!("momentum {step}"), &found, &expected)
}

/// Builds on a start by options: PyTorch's name of each, and what it sets.
macro_rules! build {
    ($options:expr, $start:expr, |$built:ident, $value:ident| { $($option:literal => $set:expr,)* }) => {
        $options.as_object().into_iter().flatten().try_fold($start, |$built, (option, $value)| match option.as_str() {
            $($option => Ok($set),)*
            other => Err(Stop::unknown(format!("no option {other}"))),
        })
    };
}

/// The schedule with PyTorch's name and options.
pub(super) fn schedule(name: &Value, options: &Value) -> Outcome<Box<dyn Schedule>> {
    let name = name.as_str().unwrap_or("a schedule without a name");
    let at = |option: &str| options.get(option).unwrap_or(&Value::Null);
    Ok(match name {
        "StepLR" => Box::new(build!(options, StepLR::new(count(at("step_size"))?), |built, value| {
            "step_size" => built,
            "gamma" => built.gamma(number(value)?),
        })?),
        "MultiStepLR" => {
            Box::new(build!(options, MultiStepLR::new(counts(at("milestones"))?), |built, value| {
                "milestones" => built,
                "gamma" => built.gamma(number(value)?),
            })?)
        }
        "ExponentialLR" => {
            Box::new(build!(options, ExponentialLR::new(number(at("gamma"))?), |built, _value| {
                "gamma" => built,
            })?)
        }
        "CosineAnnealingLR" => {
            Box::new(build!(options, CosineAnnealingLR::new(count(at("T_max"))?), |built, value| {
                "T_max" => built,
                "eta_min" => built.eta_min(number(value)?),
            })?)
        }
        "LinearLR" => {
            Box::new(build!(options, LinearLR::new(count_or(at("total_iters"), 5)?), |built, value| {
                "total_iters" => built,
                "start_factor" => built.start_factor(number(value)?),
                "end_factor" => built.end_factor(number(value)?),
            })?)
        }
        "ConstantLR" => {
            Box::new(build!(options, ConstantLR::new(count_or(at("total_iters"), 5)?), |built, value| {
                "total_iters" => built,
                "factor" => built.factor(number(value)?),
            })?)
        }
        "PolynomialLR" => {
            Box::new(build!(options, PolynomialLR::new(count_or(at("total_iters"), 5)?), |built, value| {
                "total_iters" => built,
                "power" => built.power(number(value)?),
            })?)
        }
        "OneCycleLR" => {
            let start = OneCycleLR::new(number(at("max_lr"))?, count(at("total_steps"))?);
            Box::new(build!(options, start, |built, value| {
                "max_lr" => built,
                "total_steps" => built,
                "pct_start" => built.pct_start(number(value)?),
                "anneal_strategy" => built.anneal_strategy(match value.as_str() {
                    Some("linear") => Anneal::Linear,
                    Some("cos") => Anneal::Cos,
                    _ => return Err(Stop::inexpressible(format!("a way {value}"))),
                }),
                "cycle_momentum" => built.cycle_momentum(*value == json!(true)),
                "base_momentum" => built.base_momentum(number(value)?),
                "max_momentum" => built.max_momentum(number(value)?),
                "div_factor" => built.div_factor(number(value)?),
                "final_div_factor" => built.final_div_factor(number(value)?),
                "three_phase" => built.three_phase(*value == json!(true)),
            })?)
        }
        "SequentialLR" => {
            let milestones = counts(at("milestones"))?;
            let [first, others @ ..] = &at("schedulers").as_array().map_or(&[][..], Vec::as_slice) else {
                return Err(Stop::unknown("a sequence of none"));
            };
            let first = schedule(&first["scheduler"], &first["options"])?;
            if milestones.len() != others.len() {
                return Err(Stop::inexpressible("a milestone without a schedule"));
            }
            std::iter::zip(milestones, others).try_fold(first, |first, (milestone, next)| {
                let next = schedule(&next["scheduler"], &next["options"])?;
                Ok::<Box<dyn Schedule>, Stop>(Box::new(first.then(milestone, next)))
            })?
        }
        other => return Err(Stop::unknown(format!("no {other}"))),
    })
}

fn plateau(options: &Value) -> Outcome<ReduceLROnPlateau> {
    build!(options, ReduceLROnPlateau::new(), |built, value| {
        "mode" => built.maximum(one_of(value, "min", "max")?),
        "factor" => built.factor(number(value)?),
        "patience" => built.patience(count(value)?),
        "threshold" => built.threshold(number(value)?),
        "threshold_mode" => built.absolute(one_of(value, "rel", "abs")?),
        "cooldown" => built.cooldown(count(value)?),
        "min_lr" => built.min_lr(number(value)?),
        "eps" => built.eps(number(value)?),
    })
}

fn count(value: &Value) -> Outcome<usize> {
    value.as_u64().map(|count| count as usize).ok_or_else(|| Stop::inexpressible(format!("a count {value}")))
}

/// A count, or PyTorch's default where there is none.
fn count_or(value: &Value, default: usize) -> Outcome<usize> {
    if value.is_null() { Ok(default) } else { count(value) }
}

/// Whether the value is the second of two words.
fn one_of(value: &Value, first: &str, second: &str) -> Outcome<bool> {
    match value.as_str() {
        Some(word) if word == first || word == second => Ok(word == second),
        _ => Err(Stop::inexpressible(format!("neither {first} nor {second}: {value}"))),
    }
}

fn counts(value: &Value) -> Outcome<Vec<usize>> {
    value.as_array().into_iter().flatten().map(count).collect()
}
