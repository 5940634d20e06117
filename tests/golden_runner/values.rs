//! Operations on tensors: values, gradients, and gradients of gradients.

use retrograd::autograd::{Gradients, Var, grad};
use retrograd::data::AnyTensor;
use retrograd::tensor::{Float, Tensor};

use super::call::Call;
use super::case::{Case, strings};
use super::compare::{Tolerance, compare_indices};
use super::operations::compute;
use super::{Outcome, Stop};

/// A result: numbers, which can be differentiated, or positions, which cannot.
pub(super) enum Output<T: Float> {
    Var(Var<T>),
    Index(Tensor<i64>),
}

pub(super) fn check<T: Float>(case: &Case) -> Outcome {
    let tolerance = Tolerance::of::<T>(case);
    let pass = Pass::<T>::run(case)?;
    pass.compare_outputs(tolerance)?;
    let gradients = pass.scalar.as_ref().map(Var::backward).transpose()?;
    for name in case.names("grads") {
        let found = pass.gradient(gradients.as_ref(), name.trim_start_matches("grad."));
        tolerance.compare(name, &found, case.numbers(name)?)?;
    }
    check_second_order::<T>(case, gradients.is_some(), tolerance)
}

/// Checks the gradients of s = Σ gradient·v, v being given, where the case has them.
fn check_second_order<T: Float>(case: &Case, differentiable: bool, tolerance: Tolerance) -> Outcome {
    let second = case.field("grad2");
    if !second.is_object() || !differentiable {
        return Ok(());
    }
    // A derivative more, and rounding has grown once more.
    let tolerance = tolerance.relaxed::<T>();
    let pass = Pass::<T>::run(case)?;
    let scalar = pass.scalar.as_ref().expect("recorded the first time");
    let mut sum: Option<Var<T>> = None;
    for (name, v) in std::iter::zip(strings(&second["of"]), strings(&second["v"])) {
        let [gradient] = grad(scalar, [pass.call.leaf(name)])?;
        tolerance.compare(
            &format!("grad.{name}, recorded"),
            gradient.value(),
            case.numbers(&format!("grad.{name}"))?,
        )?;
        let term = gradient.mul(&Var::from(case.numbers(v)?.cast::<T>()))?.sum(..)?;
        sum = Some(match sum {
            Some(sum) => sum.add(&term)?,
            None => term,
        });
    }
    let gradients = sum.filter(Var::is_recorded).map(|sum| sum.backward()).transpose()?;
    for name in strings(&second["grads"]) {
        let found = pass.gradient(gradients.as_ref(), name.trim_start_matches("grad2."));
        tolerance.compare(name, &found, case.numbers(name)?)?;
    }
    Ok(())
}

/// A case computed.
struct Pass<'a, T: Float> {
    case: &'a Case,
    call: Call<'a, T>,
    outputs: Vec<Output<T>>,
    /// The upstream gradients, named as in the case.
    upstream: Vec<(&'a str, Var<T>)>,
    /// What is differentiated, Σ output·upstream; nothing if it depends on no input.
    scalar: Option<Var<T>>,
}

impl<'a, T: Float> Pass<'a, T> {
    fn run(case: &'a Case) -> Outcome<Self> {
        let call = Call::new(case);
        let outputs = compute(&call)?;
        call.all_taken()?;
        let mut upstream = Vec::new();
        let mut scalar = Var::from(Tensor::scalar(T::ZERO));
        let given = case.names("grad_outputs");
        // Outputs that nothing is asked of, such as running statistics, have no upstream gradient.
        let upstream_of =
            |output: &str| given.iter().find(|name| name.strip_prefix("grad_out.") == Some(output));
        for (output, name) in std::iter::zip(&outputs, case.names("outputs")) {
            let (Output::Var(y), Some(&name)) = (output, upstream_of(name)) else { continue };
            let g = call.tape().leaf(case.numbers(name)?.cast::<T>());
            scalar = scalar.add(&y.mul(&g)?.sum(..)?)?;
            upstream.push((name, g));
        }
        let scalar = Some(scalar).filter(Var::is_recorded);
        Ok(Self { case, call, outputs, upstream, scalar })
    }

    fn compare_outputs(&self, tolerance: Tolerance) -> Outcome {
        let names = self.case.names("outputs");
        if names.len() != self.outputs.len() {
            return Err(Stop::Failed(format!("{} results, not {}", self.outputs.len(), names.len())));
        }
        for (name, output) in names.into_iter().zip(&self.outputs) {
            match (output, self.case.tensor(name)) {
                (Output::Var(found), AnyTensor::F64(expected)) => {
                    tolerance.compare(name, found.value(), expected)?
                }
                (Output::Index(found), AnyTensor::I64(expected)) => compare_indices(name, found, expected)?,
                (_, other) => return Err(Stop::Failed(format!("{name} should be of {}", other.element()))),
            }
        }
        Ok(())
    }

    /// The gradient with respect to an input or an upstream gradient; zero where nothing depends on it.
    fn gradient(&self, gradients: Option<&Gradients<T>>, name: &str) -> Tensor<T> {
        let Some((_, leaf)) = self.upstream.iter().find(|(other, _)| *other == name) else {
            return self.call.gradient(gradients, name);
        };
        let found = gradients.and_then(|gradients| gradients.wrt(leaf));
        found.cloned().unwrap_or_else(|| leaf.value().zeros_like())
    }
}
