//! A case about to be computed: its inputs on a tape, and its arguments.
//!
//! Whatever the table does not take, it does not understand, and the case counts as unknown: no argument is
//! ever passed over.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use retrograd::autograd::{Gradients, ParamId, Parameter, Tape, Var};
use retrograd::data::AnyTensor;
use retrograd::tensor::{Axes, Float, Shape, Tensor, keepdim};
use serde_json::Value;

use super::case::{Case, number};
use super::{Outcome, Stop};

pub(super) struct Call<'a, T: Float> {
    case: &'a Case,
    tape: Tape<T>,
    inputs: BTreeMap<&'a str, Input<T>>,
    taken: RefCell<BTreeSet<String>>,
}

/// An input that holds numbers: a parameter, because a layer may want to own it, and the leaf that it is on
/// the tape.
struct Input<T: Float> {
    id: ParamId,
    leaf: Var<T>,
    parameter: RefCell<Option<Parameter<T>>>,
}

impl<'a, T: Float> Call<'a, T> {
    /// The inputs on a new tape; those that the case declares constant are frozen.
    pub(super) fn new(case: &'a Case) -> Self {
        let tape = Tape::new();
        let constants = case.names("const");
        let input = |name| {
            let AnyTensor::F64(value) = case.tensor(name) else { return None };
            let mut parameter = Parameter::new(value.cast());
            if constants.contains(&name) {
                parameter.freeze();
            }
            let (id, leaf) = (parameter.id(), tape.parameter(&parameter));
            Some((name, Input { id, leaf, parameter: RefCell::new(Some(parameter)) }))
        };
        let inputs = case.names("inputs").into_iter().filter_map(input).collect();
        Self { case, tape, inputs, taken: RefCell::default() }
    }

    pub(super) fn op(&self) -> &'a str {
        self.case.op()
    }

    pub(super) fn tape(&self) -> &Tape<T> {
        &self.tape
    }

    /// Makes layers act as in evaluation.
    pub(super) fn evaluate(&self) {
        let _ = self.tape.clone().eval();
    }

    /// The leaf that an input is, to ask for gradients with respect to it.
    pub(super) fn leaf(&self, name: &str) -> &Var<T> {
        &self.inputs[name].leaf
    }

    /// The gradient with respect to an input; zero where nothing depends on it.
    pub(super) fn gradient(&self, gradients: Option<&Gradients<T>>, name: &str) -> Tensor<T> {
        let Input { id, leaf, .. } = &self.inputs[name];
        let found = gradients.and_then(|gradients| gradients.by_id(*id));
        found.cloned().unwrap_or_else(|| leaf.value().zeros_like())
    }

    /// The input `x`.
    pub(super) fn x(&self) -> Outcome<&Var<T>> {
        self.var("x")
    }

    /// The inputs `x0` and `x1`.
    pub(super) fn pair(&self) -> Outcome<[&Var<T>; 2]> {
        Ok([self.var("x0")?, self.var("x1")?])
    }

    /// All the inputs `x0`, `x1`, ….
    pub(super) fn series(&self) -> Outcome<Vec<&Var<T>>> {
        let names =
            (0..).map(|i| format!("x{i}")).take_while(|name| self.case.names("inputs").contains(&&**name));
        names.map(|name| self.var(&name)).collect()
    }

    pub(super) fn var(&self, name: &str) -> Outcome<&Var<T>> {
        self.optional(name).ok_or_else(|| Stop::inexpressible(format!("{name} is not of numbers")))
    }

    pub(super) fn optional(&self, name: &str) -> Option<&Var<T>> {
        self.take(name);
        self.inputs.get(name).map(|input| &input.leaf)
    }

    /// An input for a layer to own.
    pub(super) fn parameter(&self, name: &str) -> Outcome<Parameter<T>> {
        self.optional_parameter(name).ok_or_else(|| Stop::inexpressible(format!("{name} is not of numbers")))
    }

    pub(super) fn optional_parameter(&self, name: &str) -> Option<Parameter<T>> {
        self.take(name);
        self.inputs.get(name)?.parameter.take()
    }

    /// Gives a layer an input of the case for its own; where the case has none, the layer keeps what it was built
    /// with.
    pub(super) fn put(&self, name: &str, own: &mut Parameter<T>) {
        if let Some(given) = self.optional_parameter(name) {
            *own = given;
        }
    }

    /// As [`put`](Self::put), where the layer may have none.
    pub(super) fn put_optional(&self, name: &str, own: &mut Option<Parameter<T>>) {
        if let Some(given) = self.optional_parameter(name) {
            *own = Some(given);
        }
    }

    pub(super) fn index(&self, name: &str) -> Outcome<&'a Tensor<i64>> {
        self.take(name);
        match self.case.tensor(name) {
            AnyTensor::I64(index) => Ok(index),
            _ => Err(Stop::inexpressible(format!("{name} is not of integers"))),
        }
    }

    pub(super) fn mask(&self, name: &str) -> Outcome<Tensor<bool>> {
        Ok(self.index(name)?.map(|bit| bit != 0))
    }

    pub(super) fn argument(&self, name: &str) -> &'a Value {
        self.take(name);
        &self.case.field("args")[name]
    }

    pub(super) fn float(&self, name: &str) -> Outcome<f64> {
        let value = self.argument(name);
        number(value).ok_or_else(|| not_understood(name, value))
    }

    /// A number, or PyTorch's default where the case does not give it.
    pub(super) fn float_or(&self, name: &str, default: f64) -> Outcome<f64> {
        if self.argument(name).is_null() { Ok(default) } else { self.float(name) }
    }

    pub(super) fn integer(&self, name: &str) -> Outcome<isize> {
        let value = self.argument(name);
        integer(value).ok_or_else(|| not_understood(name, value))
    }

    pub(super) fn integers(&self, name: &str) -> Outcome<Vec<isize>> {
        let value = self.argument(name);
        integers(value).ok_or_else(|| not_understood(name, value))
    }

    pub(super) fn extent(&self, name: &str) -> Outcome<usize> {
        let value = self.argument(name);
        value.as_u64().map(|value| value as usize).ok_or_else(|| not_understood(name, value))
    }

    /// A shape of any number of axes.
    pub(super) fn shape(&self, name: &str) -> Outcome<Shape> {
        let value = self.argument(name);
        let extents: Option<Shape> =
            integers(value).and_then(|list| list.into_iter().map(|x| x.try_into().ok()).collect());
        extents.ok_or_else(|| not_understood(name, value))
    }

    /// One extent for each of `D` axes.
    pub(super) fn extents<const D: usize>(&self, name: &str) -> Outcome<[usize; D]> {
        let value = self.argument(name);
        extents(value).ok_or_else(|| not_understood(name, value))
    }

    pub(super) fn flag(&self, name: &str) -> Outcome<bool> {
        let value = self.argument(name);
        value.as_bool().ok_or_else(|| not_understood(name, value))
    }

    /// As [`flag`](Self::flag), or PyTorch's default where the case does not give it.
    pub(super) fn flag_or(&self, name: &str, default: bool) -> Outcome<bool> {
        if self.argument(name).is_null() { Ok(default) } else { self.flag(name) }
    }

    /// The axes that `dim` and `keepdim` name.
    pub(super) fn axes(&self) -> Outcome<Axes> {
        let axes: Axes = match self.argument("dim") {
            Value::Null => (..).into(),
            Value::Number(_) => self.integer("dim")?.into(),
            _ => self.integers("dim")?[..].into(),
        };
        Ok(if self.flag("keepdim")? { keepdim(axes) } else { axes })
    }

    /// Understands an argument that has this value only.
    pub(super) fn only(&self, name: &str, value: impl Into<Value>) -> Outcome {
        match self.argument(name) {
            found if *found == value.into() => Ok(()),
            other => Err(not_understood(name, other)),
        }
    }

    /// # Errors
    /// If an input or an argument (other than None) has not been taken.
    pub(super) fn all_taken(&self) -> Outcome {
        let arguments = self.case.field("args").as_object().into_iter().flatten();
        let asked = arguments.filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str());
        let taken = self.taken.borrow();
        match asked.chain(self.case.names("inputs")).find(|name| !taken.contains(*name)) {
            Some(name) => Err(Stop::unknown(format!("no {name}"))),
            None => Ok(()),
        }
    }

    fn take(&self, name: &str) {
        self.taken.borrow_mut().insert(name.to_owned());
    }
}

fn integer(value: &Value) -> Option<isize> {
    value.as_i64().map(|value| value as isize)
}

fn integers(value: &Value) -> Option<Vec<isize>> {
    value.as_array()?.iter().map(integer).collect()
}

fn extents<const D: usize>(value: &Value) -> Option<[usize; D]> {
    let extents: Option<Vec<usize>> = integers(value)?.into_iter().map(|x| x.try_into().ok()).collect();
    extents?.try_into().ok()
}

fn not_understood(name: &str, value: &Value) -> Stop {
    Stop::inexpressible(format!("{name} = {value}"))
}
