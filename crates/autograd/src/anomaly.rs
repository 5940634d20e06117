//! Anomaly detection: the first operation, forward or backward, that gives NaN or infinity.
//!
//! Element-wise operations cannot fail, so the tape remembers what it found; the next operation that can fail,
//! the next layer of a chain, or the replay returns it. A pullback is looked at as a whole, under the name and
//! the line of the operation that it belongs to, even where it is itself recorded.

use std::fmt;
use std::panic::Location;

use retrograd_tensor::{Error, Float, Result, Tensor};

use crate::op::Operand;
use crate::tape::Nodes;
use crate::{ParamId, Tape, Var};

/// The first NaN or infinity of a pass: which operation gave it, and where.
#[derive(Clone, Debug)]
pub struct Anomaly {
    /// The operation.
    pub op: &'static str,
    /// The line of the program that called the operation, or the chain of layers that did; also where it
    /// happened as the operation was pulled back.
    pub at: &'static Location<'static>,
    /// What was found in which shapes, and which input held NaN or infinity already.
    pub fact: String,
    /// The parameter that the operation uses, or else the one used last before it: it tells the layer.
    pub parameter: Option<ParamId>,
    /// The parts of the model that [`Tape::within`] named.
    path: Vec<String>,
}

impl Anomaly {
    /// As the error that operations return on the tape, `outer` of its path being known to whoever gets it.
    fn error(&self, outer: usize) -> Error {
        let error = Error::new(self.op, self.fact.clone()).called_from(self.at);
        self.path.iter().skip(outer).rev().fold(error, Error::within)
    }
}

/// As the error that operations return on the tape.
impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error(0), f)
    }
}

/// What a tape that detects anomalies knows.
#[derive(Default)]
pub(crate) struct Anomalies {
    first: Option<Anomaly>,
    /// Whether a pullback runs, whose operations are not looked at one by one.
    pulling: bool,
    /// The parts of the model that the computation is in.
    scope: Vec<Part>,
    /// The scope from each position of the tape on, where it changed.
    scopes: Vec<(usize, Vec<Part>)>,
}

#[derive(Clone)]
struct Part {
    name: String,
    at: &'static Location<'static>,
}

impl Anomalies {
    /// Forgets a pass; the parts of the model that are being computed stay.
    pub(crate) fn clear(&mut self) {
        self.first = None;
        self.scopes.clear();
    }

    fn scope_at(&self, position: usize) -> &[Part] {
        let entered = self.scopes.partition_point(|(from, _)| *from <= position);
        entered.checked_sub(1).map_or(&[], |last| &self.scopes[last].1)
    }
}

impl<T: Float> Tape<T> {
    /// The tape in anomaly mode: every operation, and every pullback, is searched for NaN and infinity. The
    /// first one found is the error of the next operation that can fail, of the next layer of a chain, or of
    /// the replay, until the tape is cleared. It costs a pass over every result; without it, nothing.
    ///
    /// ```
    /// # use retrograd_autograd::Tape;
    /// # use retrograd_tensor::Tensor;
    /// let tape = Tape::new().detect_anomaly();
    /// let x = tape.leaf(Tensor::from([1.0f32, 0.0]));
    /// let error = x.ln().sum(..).unwrap_err();
    /// assert_eq!(error.op(), "ln");
    /// assert_eq!(error.fact(), "the result [2] has 1 infinity; the input [2] is finite, so it begins here");
    /// ```
    pub fn detect_anomaly(self) -> Self {
        self.nodes_mut().anomalies.get_or_insert_default();
        self
    }

    /// Whether the tape is in [anomaly mode](Self::detect_anomaly).
    pub fn detects_anomaly(&self) -> bool {
        self.nodes().anomalies.is_some()
    }

    /// The first NaN or infinity that was found since the tape was cleared.
    pub fn anomaly(&self) -> Option<Anomaly> {
        self.nodes().anomalies.as_ref()?.first.clone()
    }

    /// Fails if the tape has found an anomaly; every operation that can fail asks this.
    ///
    /// # Errors
    /// The anomaly.
    #[inline]
    pub fn check(&self) -> Result<()> {
        match &self.nodes().anomalies {
            Some(anomalies) => anomalies.check(),
            None => Ok(()),
        }
    }

    /// Computes a part of a model under its name, so that messages about anomalies say `features.3`. Chains of
    /// layers do this for theirs.
    #[track_caller]
    pub fn within<R>(&self, name: impl fmt::Display, part: impl FnOnce() -> R) -> R {
        if self.nodes().anomalies.is_none() {
            return part();
        }
        let _leave = Leave(self);
        self.nodes_mut().enter(Part { name: name.to_string(), at: Location::caller() });
        part()
    }

    /// Says whether a pullback is running, whose own operations and sums are not looked at; returns what was said
    /// before.
    pub(crate) fn set_pulling(&self, pulling: bool) -> bool {
        let mut nodes = self.nodes_mut();
        nodes.anomalies.as_mut().is_some_and(|anomalies| std::mem::replace(&mut anomalies.pulling, pulling))
    }

    /// Looks at the cotangent that arrived at a position: each that was added up in it was finite.
    pub(crate) fn inspect_cotangent(&self, position: usize, g: &Tensor<T>) -> Result<()> {
        let Some(found) = not_finite(g) else { return Ok(()) };
        let fact = format!(
            "backward: the cotangent of the result {} has {found}; it was given, or is the sum of finite ones",
            g.shape()
        );
        self.found_backward(position, fact)
    }

    /// Looks at what the pullback of the operation at a position gave.
    pub(crate) fn inspect_backward(
        &self,
        position: usize,
        x: &[Operand<T>],
        y: &Var<T>,
        cotangents: &[Option<Var<T>>],
    ) -> Result<()> {
        let wrong = cotangents.iter().enumerate().find_map(|(i, g)| {
            let g = g.as_ref()?.value();
            Some((i, g.shape(), not_finite(g)?))
        });
        let Some((i, shape, found)) = wrong else { return Ok(()) };
        let inputs: Vec<&Tensor<T>> = x.iter().map(|x| &x.x).chain([y]).map(Var::value).collect();
        let already = inputs.iter().position(|x| not_finite(x).is_some());
        let blame = match already {
            Some(i) if i == x.len() => "its result held some already".into(),
            Some(i) => format!("input {i} {} held some already", inputs[i].shape()),
            None => format!("the cotangent of the result {} is finite, so it begins here", y.shape()),
        };
        let fact = format!("backward: the cotangent of input {i} {shape} has {found}; {blame}");
        self.found_backward(position, fact)
    }

    fn found_backward(&self, position: usize, fact: String) -> Result<()> {
        self.nodes_mut().found_backward(position, fact);
        self.check()
    }
}

/// Leaves the part of the model, also where it panics.
struct Leave<'a, T: Float>(&'a Tape<T>);

impl<T: Float> Drop for Leave<'_, T> {
    fn drop(&mut self) {
        if let Some(mut nodes) = self.0.try_nodes_mut() {
            nodes.leave();
        }
    }
}

impl Anomalies {
    fn check(&self) -> Result<()> {
        let Some(first) = &self.first else { return Ok(()) };
        // Whoever called the parts that are being computed puts their names before the error.
        let known = std::iter::zip(&first.path, &self.scope).take_while(|(path, part)| **path == part.name);
        Err(first.error(known.count()))
    }
}

impl<T: Float> Nodes<T> {
    /// Looks at an operation as it is recorded.
    pub(crate) fn inspect_forward(
        &mut self,
        op: &'static str,
        at: &'static Location<'static>,
        x: &[&Var<T>],
        y: &Tensor<T>,
    ) {
        if !self.anomalies.as_ref().is_some_and(|anomalies| anomalies.first.is_none() && !anomalies.pulling) {
            return;
        }
        let Some(found) = not_finite(y) else { return };
        let already = x.iter().position(|x| not_finite(x.value()).is_some());
        let blame = match (already, x) {
            (Some(i), _) => format!("input {i} {} held some already", x[i].shape()),
            (None, [x]) => format!("the input {} is finite, so it begins here", x.shape()),
            (None, _) => {
                let shapes: Vec<String> = x.iter().map(|x| x.shape().to_string()).collect();
                format!("the inputs {} are finite, so it begins here", shapes.join(" and "))
            }
        };
        let fact = format!("the result {} has {found}; {blame}", y.shape());
        let parameter = x.iter().find_map(|x| self.get(x.key()?)?.parameter());
        let parameter = parameter.or_else(|| self.parameter_before(self.in_order().len()));
        let scope = self.anomalies.as_ref().map_or(Vec::new(), |anomalies| anomalies.scope.clone());
        self.found(op, at, fact, parameter, &scope);
    }

    fn found_backward(&mut self, position: usize, fact: String) {
        let Some(node) = self.in_order().get(position) else { return };
        let (op, at) = (node.kind.name().unwrap_or("leaf"), node.at);
        let parameter = self.parameter_before(position + 1);
        let scope = self.anomalies.as_ref().map_or(Vec::new(), |known| known.scope_at(position).to_vec());
        self.found(op, at, fact, parameter, &scope);
    }

    fn found(
        &mut self,
        op: &'static str,
        at: &'static Location<'static>,
        fact: String,
        parameter: Option<ParamId>,
        scope: &[Part],
    ) {
        let path = scope.iter().map(|part| part.name.clone()).collect();
        // A chain calls its layers through `dyn`, where the user's line is lost; the chain knows it.
        let at = scope.first().map_or(at, |part| part.at);
        if let Some(anomalies) = &mut self.anomalies {
            anomalies.first.get_or_insert(Anomaly { op, at, fact, parameter, path });
        }
    }

    /// The parameter used last before a position.
    fn parameter_before(&self, position: usize) -> Option<ParamId> {
        let all = self.in_order();
        all[..position].iter().rev().find_map(|node| {
            let mut sources = self.inputs(node).iter().filter_map(|input| input.source);
            sources.find_map(|source| all[source].parameter()).or_else(|| node.parameter())
        })
    }

    fn enter(&mut self, part: Part) {
        let position = self.in_order().len();
        if let Some(anomalies) = &mut self.anomalies {
            anomalies.scope.push(part);
            anomalies.scopes.push((position, anomalies.scope.clone()));
        }
    }

    fn leave(&mut self) {
        let position = self.in_order().len();
        if let Some(anomalies) = &mut self.anomalies {
            anomalies.scope.pop();
            anomalies.scopes.push((position, anomalies.scope.clone()));
        }
    }
}

/// How many elements are NaN and how many infinite, in words; nothing if all are finite, or none are held.
fn not_finite<T: Float>(x: &Tensor<T>) -> Option<String> {
    if x.held_bytes() == 0 || x.as_slice().iter().all(|x| x.is_finite()) {
        return None;
    }
    let nan = x.as_slice().iter().filter(|x| x.is_nan()).count();
    let infinite = x.as_slice().iter().filter(|x| !x.is_finite()).count() - nan;
    let infinities = if infinite == 1 { "infinity" } else { "infinities" };
    Some(match (nan, infinite) {
        (_, 0) => format!("{nan} NaN"),
        (0, _) => format!("{infinite} {infinities}"),
        _ => format!("{nan} NaN and {infinite} {infinities}"),
    })
}
