//! A case about to be computed: its inputs on a tape, and its arguments.
//!
//! Whatever the table does not take, it does not understand, and the case counts as unknown: no argument is ever
//! passed over.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use retrograd_autograd::{Tape, Var};
use retrograd_data::AnyTensor;
use retrograd_tensor::{Axes, Float, Shape, Tensor, keepdim};
use serde_json::Value;

use super::case::Case;
use super::{Outcome, Stop};

pub(super) struct Call<'a, T: Float> {
    case: &'a Case,
    tape: Tape<T>,
    inputs: BTreeMap<&'a str, Var<T>>,
    taken: RefCell<BTreeSet<String>>,
}

impl<'a, T: Float> Call<'a, T> {
    /// The inputs as leaves of a new tape, those that the case declares constant as constants.
    pub(super) fn new(case: &'a Case) -> Self {
        let tape = Tape::new();
        let constants = case.names("const");
        let input = |name| match case.tensor(name) {
            AnyTensor::F64(value) if constants.contains(&name) => Some((name, tape.constant(value.cast()))),
            AnyTensor::F64(value) => Some((name, tape.leaf(value.cast()))),
            _ => None,
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

    /// An input that holds numbers, for gradients to be asked for.
    pub(super) fn input(&self, name: &str) -> &Var<T> {
        &self.inputs[name]
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
    pub(super) fn series(&self) -> Vec<&Var<T>> {
        (0..).map_while(|i| self.optional(&format!("x{i}"))).collect()
    }

    pub(super) fn var(&self, name: &str) -> Outcome<&Var<T>> {
        self.optional(name).ok_or_else(|| Stop::unknown(format!("{name} is not of numbers")))
    }

    pub(super) fn optional(&self, name: &str) -> Option<&Var<T>> {
        self.take(name);
        self.inputs.get(name)
    }

    pub(super) fn index(&self, name: &str) -> Outcome<&'a Tensor<i64>> {
        self.take(name);
        match self.case.tensor(name) {
            AnyTensor::I64(index) => Ok(index),
            _ => Err(Stop::unknown(format!("{name} is not of integers"))),
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
        value.as_f64().ok_or_else(|| not_understood(name, value))
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

    /// Takes arguments that only repeat what the shapes of the inputs say.
    pub(super) fn described(&self, names: &[&str]) {
        names.iter().for_each(|name| self.take(name));
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
    Stop::unknown(format!("{name} = {value}"))
}
