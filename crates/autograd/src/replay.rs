//! Replaying a tape backwards: gradients, and gradients of gradients.
//!
//! The cotangent of every recorded variable is collected at its position on the tape; walking the positions
//! backwards meets each after everything that used it. What a pullback reads is re-attached *with* its keys
//! where the gradients are to be differentiated, so that the pullback itself is recorded, and *without* where
//! they are not, so that the same code records nothing and the values can be let go of as soon as they are
//! passed.

use std::panic::Location;
use std::rc::Rc;
use std::time::Instant;

use retrograd_tensor::{Error, Float, Result, Tensor};
use smallvec::SmallVec;

use crate::op::{AnyOp, Operand, stale};
use crate::tape::{Key, Kind};
use crate::{Gradients, ParamId, Tape, Var};

impl<T: Float> Var<T> {
    /// The gradients of this scalar with respect to every parameter and leaf that it depends on.
    ///
    /// The tape lets go of the values that it kept; a second `backward` over the same operations is an error
    /// (use [`grad`], which keeps them).
    ///
    /// # Errors
    /// If this is no scalar, is not recorded, was recorded before its tape was cleared, or depends on
    /// operations that were replayed before.
    #[track_caller]
    pub fn backward(&self) -> Result<Gradients<T>> {
        self.replayed(scalar_cotangent("backward", self)?, Keep::Nothing)
    }

    /// As [`backward`](Self::backward), but the tape keeps its values, so that the same operations can be
    /// replayed again: for several losses that share a trunk, all but the last one's replay.
    ///
    /// ```
    /// # use retrograd_autograd::Tape;
    /// # use retrograd_tensor::Tensor;
    /// let x = Tape::new().leaf(Tensor::scalar(3.0f32));
    /// let trunk = x.square();
    /// let mut gradients = trunk.exp_m1().backward_retain()?;
    /// gradients += trunk.sin().backward()?;
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`backward`](Self::backward).
    #[track_caller]
    pub fn backward_retain(&self) -> Result<Gradients<T>> {
        self.replayed(scalar_cotangent("backward", self)?, Keep::Values)
    }

    /// As [`backward`](Self::backward) for a variable of any shape: the gradients of Σ `cotangent`·self.
    ///
    /// # Errors
    /// As [`backward`](Self::backward), and if `cotangent` has another shape.
    #[track_caller]
    pub fn backward_with(&self, cotangent: Tensor<T>) -> Result<Gradients<T>> {
        self.replayed(cotangent, Keep::Nothing)
    }

    #[track_caller]
    fn replayed(&self, cotangent: Tensor<T>, keep: Keep) -> Result<Gradients<T>> {
        let (tape, key) = recorded("backward", self)?;
        let mut gradients = Gradients::new(tape.id(), tape.nodes().parameters().len());
        let mut replay =
            Replay::new("backward", tape, key, same_shape("backward", self, Var::from(cotangent))?)?;
        replay.run(keep, |_| true, |leaf, parameter, g| gradients.insert(leaf, parameter, g.into_value()))?;
        gradients.explain(tape);
        // Each update travels once, also where several losses of one pass are replayed one after the other.
        gradients.carry(tape.take_updates());
        Ok(gradients)
    }
}

/// The gradients of the scalar `y` with respect to the variables `x`, as variables of the same tape: they can
/// be computed with and differentiated again, to any order.
///
/// ```
/// # use retrograd_autograd::{Tape, grad};
/// # use retrograd_tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.leaf(Tensor::scalar(2.0f64));
/// let y = &x * &x * &x;
/// let [dy] = grad(&y, [&x])?;      // 3x²
/// let [ddy] = grad(&dy, [&x])?;    // 6x
/// assert_eq!((dy.item()?, ddy.item()?), (12.0, 12.0));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// If `y` is no scalar, a variable is not recorded or is from before a clear, they are on different tapes, `y`
/// does not depend on one of `x`, or [`backward`](Var::backward) has passed over the operations between them.
#[track_caller]
pub fn grad<T: Float, const N: usize>(y: &Var<T>, x: [&Var<T>; N]) -> Result<[Var<T>; N]> {
    grad_with(y, x, &Var::from(scalar_cotangent("grad", y)?))
}

/// As [`grad`] for a variable of any shape: the gradients of Σ `cotangent`·`y`, which are differentiable with
/// respect to `cotangent` as well.
///
/// # Errors
/// As [`grad`], and if `cotangent` has another shape than `y`.
#[track_caller]
pub fn grad_with<T: Float, const N: usize>(
    y: &Var<T>,
    x: [&Var<T>; N],
    cotangent: &Var<T>,
) -> Result<[Var<T>; N]> {
    let found = grad_where_any(y, &x, cotangent)?;
    if let Some(i) = found.iter().position(Option::is_none) {
        let why = x[i].tape().zip(x[i].key()).and_then(|(tape, key)| tape.nodes().absence(key));
        let why = why.map(|why| format!(": it is {why}")).unwrap_or_default();
        return Err(Error::new("grad", format!("the scalar does not depend on variable {i}{why}")));
    }
    let mut found = found.into_iter().flatten();
    Ok(x.map(|_| found.next().expect("there is one for each variable")))
}

/// As [`grad_with`], but nothing for a variable that `y` does not depend on.
#[track_caller]
pub(crate) fn grad_where_any<T: Float>(
    y: &Var<T>,
    x: &[&Var<T>],
    cotangent: &Var<T>,
) -> Result<SmallVec<[Option<Var<T>>; 4]>> {
    let (tape, key) = recorded("grad", y)?;
    let mut positions: SmallVec<[usize; 4]> = SmallVec::new();
    for x in x {
        positions.push(on_the_same(tape, x)?.1);
    }
    let cotangent = on_tape("grad", tape, same_shape("grad", y, cotangent.clone())?)?;
    let mut replay = Replay::new("grad", tape, key, cotangent)?;
    let influenced = replay.influenced_by(&positions);
    replay.run(Keep::Everything, |position| influenced[position], |_, _, _| {})?;
    let known = &replay.bench.cotangents;
    Ok(positions.into_iter().map(|position| known.get(position)?.clone()).collect())
}

/// The cotangent of the leaf `x` as a value, pulled back from that of `y`; nothing where `y` does not depend
/// on it. Values stay on the tape, so that many cotangents can be pulled back one after the other.
#[track_caller]
pub(crate) fn pulled_back<T: Float>(
    y: &Var<T>,
    x: &Var<T>,
    cotangent: Tensor<T>,
) -> Result<Option<Tensor<T>>> {
    let (tape, key) = recorded("grad", y)?;
    let (x, position) = on_the_same(tape, x)?;
    let mut replay = Replay::new("grad", tape, key, same_shape("grad", y, Var::from(cotangent))?)?;
    let (influenced, mut found) = (replay.influenced_by(&[position]), None);
    let leaf = |key, _, g: Var<T>| {
        if key == x {
            found = Some(g.into_value());
        }
    };
    replay.run(Keep::Values, |position| influenced[position], leaf)?;
    Ok(found)
}

/// The key and the position of a variable on `tape`, where it has to be.
#[track_caller]
fn on_the_same<T: Float>(tape: &Tape<T>, x: &Var<T>) -> Result<(Key, usize)> {
    match recorded("grad", x)? {
        (other, key) if other.is(tape) => {
            let position = tape.nodes().position(key).ok_or_else(|| stale("grad"))?;
            Ok((key, position))
        }
        _ => Err(Error::new("grad", "a variable is on another tape than the scalar")),
    }
}

#[track_caller]
fn recorded<'a, T: Float>(op: &'static str, var: &'a Var<T>) -> Result<(&'a Tape<T>, Key)> {
    let (Some(tape), Some(key)) = (var.tape(), var.key()) else {
        let fact = match var.tape() {
            None => {
                "the variable is not recorded: feed the model with `tape.constant(x)`, or make `x` a `tape.leaf`"
            }
            Some(_) => {
                "neither the variable nor anything that it was computed from is recorded: are all parameters \
                 frozen, or was it detached? Unfreeze a parameter, or make `x` a `tape.leaf`"
            }
        };
        return Err(Error::new(op, fact));
    };
    if var.is_stale() {
        return Err(stale(op));
    }
    Ok((tape, key))
}

/// What a replay from a scalar begins with: 1.
#[track_caller]
pub(crate) fn scalar_cotangent<T: Float>(op: &'static str, y: &Var<T>) -> Result<Tensor<T>> {
    match y.numel() {
        1 => Ok(y.value().ones_like()),
        _ => Err(Error::new(op, format!("expected a scalar, found shape {}", y.shape()))),
    }
}

#[track_caller]
fn same_shape<T: Float>(op: &'static str, y: &Var<T>, cotangent: Var<T>) -> Result<Var<T>> {
    if cotangent.shape() != y.shape() {
        return Err(Error::new(
            op,
            format!("the cotangent has shape {}, not {}", cotangent.shape(), y.shape()),
        ));
    }
    Ok(cotangent)
}

/// The cotangent as a variable of the tape, so that all that is computed from it is as well.
#[track_caller]
fn on_tape<T: Float>(op: &'static str, tape: &Tape<T>, cotangent: Var<T>) -> Result<Var<T>> {
    match cotangent.tape() {
        None => Ok(tape.constant(cotangent.into_value())),
        Some(other) if !other.is(tape) => {
            Err(Error::new(op, "the cotangent is on another tape than the scalar"))
        }
        Some(_) if cotangent.is_stale() => Err(stale(op)),
        Some(_) => Ok(cotangent),
    }
}

/// The most operands of an element-wise operation that is pulled back in numbers alone.
const MOST_ELEMENTS: usize = 3;

/// What a replay leaves on the tape.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Values are let go of as they are passed, and the pullbacks record nothing.
    Nothing,
    /// Values stay, and the pullbacks record nothing.
    Values,
    /// Everything stays, and the pullbacks are recorded.
    Everything,
}

struct Replay<'a, T: Float> {
    op: &'static str,
    tape: &'a Tape<T>,
    /// Whether the tape detects anomalies.
    suspicious: bool,
    /// Whether it takes times.
    profiled: bool,
    bench: Bench<T>,
}

/// What a replay works with. Its memory lies on the tape between two replays, without a value in it.
pub(crate) struct Bench<T: Float> {
    /// The cotangent of the variable at each position, as far as it is known.
    cotangents: Vec<Option<Var<T>>>,
    /// The inputs of the operation that is being pulled back, and after them its output.
    operands: Vec<Operand<T>>,
}

impl<T: Float> Default for Bench<T> {
    fn default() -> Self {
        Self { cotangents: Vec::new(), operands: Vec::new() }
    }
}

/// An operation to be pulled back, whose inputs and output are on the bench.
struct Step<T: Float> {
    op: Rc<dyn AnyOp<T>>,
    at: &'static Location<'static>,
}

/// What stands at a position.
enum Place<T: Float> {
    Leaf(Option<ParamId>),
    Op(Step<T>),
}

impl<'a, T: Float> Replay<'a, T> {
    #[track_caller]
    fn new(op: &'static str, tape: &'a Tape<T>, y: Key, cotangent: Var<T>) -> Result<Self> {
        tape.check()?;
        let mut nodes = tape.nodes_mut();
        let position = nodes.position(y).ok_or_else(|| stale(op))?;
        let mut bench = std::mem::take(&mut nodes.bench);
        bench.cotangents.resize_with(position, || None);
        bench.cotangents.push(Some(cotangent));
        let (suspicious, profiled) = (nodes.anomalies.is_some(), nodes.profile.is_some());
        Ok(Self { op, tape, suspicious, profiled, bench })
    }

    /// Which positions depend on the variables at the positions `x`.
    fn influenced_by(&self, x: &[usize]) -> Vec<bool> {
        let nodes = self.tape.nodes();
        let mut influenced = vec![false; self.bench.cotangents.len()];
        for (position, node) in nodes.in_order()[..influenced.len()].iter().enumerate() {
            let mut sources = nodes.inputs(node).iter().filter_map(|input| input.source);
            influenced[position] = x.contains(&position) || sources.any(|source| influenced[source]);
        }
        influenced
    }

    /// Walks the positions backwards, pulling each cotangent back to those inputs whose position is `wanted`,
    /// and hands the cotangents of leaves to `leaf`.
    #[track_caller]
    fn run(
        &mut self,
        keep: Keep,
        wanted: impl Fn(usize) -> bool,
        mut leaf: impl FnMut(Key, Option<ParamId>, Var<T>),
    ) -> Result<()> {
        let retained: SmallVec<[Key; 4]> = self.tape.nodes().retained.iter().copied().collect();
        let watched = self.suspicious || self.profiled || !retained.is_empty();
        for position in (0..self.bench.cotangents.len()).rev().filter(|&position| wanted(position)) {
            if self.bench.cotangents[position].is_none() {
                continue;
            }
            self.tape.restore(self.op, position)?;
            if !watched && keep != Keep::Everything && self.pull_back_element(position, keep, &wanted)? {
                continue;
            }
            // A variable that `grad` was asked for keeps its cotangent.
            let g = match keep {
                Keep::Nothing | Keep::Values => self.bench.cotangents[position].take(),
                Keep::Everything => self.bench.cotangents[position].clone(),
            };
            let Some(g) = g else { continue };
            if self.suspicious {
                self.tape.inspect_cotangent(position, g.value())?;
            }
            let (key, place) = self.take(position, keep, &wanted)?;
            let step = match place {
                Place::Op(step) => step,
                Place::Leaf(parameter) => {
                    leaf(key, parameter, g);
                    continue;
                }
            };
            if retained.contains(&key) {
                leaf(key, None, g.clone());
            }
            if self.bench.operands.iter().any(|x| x.wanted.is_some()) {
                self.pull_back(position, &step, g)?;
            }
            self.bench.operands.clear();
        }
        Ok(())
    }

    /// Pulls a cotangent back through an element-wise operation on single elements of one shape, scalars most
    /// often, in numbers alone; whether it was one, and nothing around it is recorded.
    #[track_caller]
    fn pull_back_element(
        &mut self,
        position: usize,
        keep: Keep,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<bool> {
        let (before, rest) = self.bench.cotangents.split_at_mut(position);
        let Some(cotangent) = &rest[0] else { return Ok(false) };
        let Some(g) = cotangent.value().single_element().filter(|_| !cotangent.is_recorded()) else {
            return Ok(false);
        };
        let nodes = self.tape.nodes();
        let Some(node) = nodes.in_order().get(position).filter(|node| !node.spent) else { return Ok(false) };
        let (Kind::Op(op), inputs) = (&node.kind, nodes.inputs(node)) else { return Ok(false) };
        let mut elements = [T::NAN; MOST_ELEMENTS];
        let Some(elements) = elements.get_mut(..inputs.len()) else { return Ok(false) };
        for (element, input) in elements.iter_mut().zip(inputs) {
            let sum = input.source.and_then(|source| before[source].as_ref());
            if input.value.shape() != cotangent.shape() || sum.is_some_and(Var::is_recorded) {
                return Ok(false);
            }
            *element = input.value.single_element().unwrap_or(T::NAN);
        }
        let (op, y) = (op.clone(), node.output.single_element().unwrap_or(T::NAN));
        // A user's operation may look at the tape.
        drop(nodes);
        if !op.vjp_element(elements, y, g) {
            return Ok(false);
        }
        let mut nodes = self.tape.nodes_mut();
        let Some((_, inputs)) = nodes.at_mut(position) else { return Err(stale(self.op)) };
        for (input, &mut g) in inputs.iter().zip(elements) {
            let Some(source) = input.source.filter(|&source| wanted(source)) else { continue };
            match &mut before[source] {
                Some(sum) => sum.accumulate_element(g),
                sum => *sum = Some(Var::from(Tensor::single(cotangent.shape().clone(), g))),
            }
        }
        rest[0] = None;
        if keep == Keep::Nothing {
            nodes.spend(position);
        }
        Ok(true)
    }

    /// Pulls a cotangent back, looking at it and taking times where the tape is to, and hands what comes out to
    /// the inputs that want it.
    #[track_caller]
    fn pull_back(&mut self, position: usize, step: &Step<T>, g: Var<T>) -> Result<()> {
        let (tape, suspicious) = (self.tape, self.suspicious);
        let Bench { cotangents, operands } = &mut self.bench;
        let Some((Operand { x: output, .. }, operands)) = operands.split_last() else { return Ok(()) };
        let line = Location::caller();
        let mut receiver = |given: &mut [Option<Var<T>>]| {
            if suspicious {
                tape.inspect_backward(position, operands, output, given)?;
            }
            for (i, (x, g)) in operands.iter().zip(given).enumerate() {
                let Some(source) = x.wanted else { continue };
                let collected = match g {
                    Some(given) if given.shape() == x.x.shape() => collect(&mut cotangents[source], g),
                    _ => Err(unfit(self.op, step, i, &x.x, g.as_ref())),
                };
                collected.map_err(|error| error.called_from(line))?;
            }
            Ok(())
        };
        let start = self.profiled.then(Instant::now);
        let pulling = suspicious && tape.set_pulling(true);
        let pulled = step.op.vjp(operands, output, g, &mut receiver);
        if suspicious {
            tape.set_pulling(pulling);
        }
        if let Some(start) = start {
            tape.note_backward(step.op.name(), step.at, start);
        }
        pulled
    }

    /// What stands at a position, with its key. The inputs and the output of an operation are put on the bench,
    /// ready for its pullback.
    #[track_caller]
    fn take(
        &mut self,
        position: usize,
        keep: Keep,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<(Key, Place<T>)> {
        let mut nodes = self.tape.nodes_mut();
        let Some((node, inputs)) = nodes.at_mut(position) else { return Err(stale(self.op)) };
        let (key, at) = (node.key, node.at);
        let op = match &node.kind {
            Kind::Leaf(parameter) => return Ok((key, Place::Leaf(*parameter))),
            Kind::Op(op) if !node.spent => op.clone(),
            kind => {
                let name = kind.name().unwrap_or_default();
                let fact = format!(
                    "`{name}` (at {at}) was replayed before, and its values are gone; compute it again"
                );
                return Err(Error::new(self.op, fact));
            }
        };
        let operand = |x, source: Option<usize>| {
            let wanted = source.filter(|&source| wanted(source));
            Operand { x, wanted }
        };
        let operands = &mut self.bench.operands;
        match keep {
            Keep::Nothing => {
                node.spent = true;
                // The sources stay, so that a later replay finds its way here and is refused.
                let mut bytes = op.held_bytes();
                if bytes > 0 {
                    node.kind = Kind::Gone(op.name());
                }
                let mut take = |value: &mut Tensor<T>| {
                    bytes += value.held_bytes();
                    Var::from(value.take())
                };
                operands.extend(inputs.iter_mut().map(|input| operand(take(&mut input.value), input.source)));
                operands.push(operand(take(&mut node.output), None));
                nodes.let_go(bytes);
            }
            Keep::Values => {
                operands.extend(inputs.iter().map(|input| operand(Var::from(&input.value), input.source)));
                operands.push(operand(Var::from(&node.output), None));
            }
            Keep::Everything => {
                let nodes = &*nodes;
                let node = &nodes.in_order()[position];
                let attach = |value: &Tensor<T>, position: Option<usize>| {
                    let key = position.map(|position| nodes.in_order()[position].key);
                    Var::attached(value.clone(), self.tape.clone(), key)
                };
                let inputs = nodes.inputs(node).iter();
                operands
                    .extend(inputs.map(|input| operand(attach(&input.value, input.source), input.source)));
                operands.push(operand(attach(&node.output, Some(position)), None));
            }
        }
        Ok((key, Place::Op(Step { op, at })))
    }
}

/// The bench goes back to the tape, also after an error.
impl<T: Float> Drop for Replay<'_, T> {
    fn drop(&mut self) {
        // What a user's pullback left in a variable may use the tape as it is dropped.
        self.bench.cotangents.clear();
        self.bench.operands.clear();
        if let Some(mut nodes) = self.tape.try_nodes_mut() {
            nodes.bench = std::mem::take(&mut self.bench);
        }
    }
}

/// What is wrong with the cotangent that a pullback gave for its input `i`.
#[cold]
fn unfit<T: Float>(op: &'static str, step: &Step<T>, i: usize, x: &Var<T>, g: Option<&Var<T>>) -> Error {
    let (name, at) = (step.op.name(), step.at);
    let found = match g {
        None => "is missing".into(),
        Some(g) => format!("has shape {}, not {}", g.shape(), x.shape()),
    };
    Error::new(op, format!("`{name}` (at {at}): the cotangent of input {i} {found}"))
}

/// Adds a cotangent to those that arrived before; the first is moved.
#[track_caller]
fn collect<T: Float>(sum: &mut Option<Var<T>>, g: &mut Option<Var<T>>) -> Result<()> {
    match (&mut *sum, &*g) {
        (Some(sum), Some(g)) if sum.is_recorded() || g.is_recorded() => *sum = sum.add(g)?,
        (Some(sum), Some(g)) => sum.accumulate(g.value())?,
        _ => *sum = g.take(),
    }
    Ok(())
}
