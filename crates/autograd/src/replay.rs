//! Replaying a tape backwards: gradients, and gradients of gradients.
//!
//! The cotangent of every recorded variable is collected at its position on the tape; walking the positions
//! backwards meets each after everything that used it. What a pullback reads is re-attached *with* its keys
//! where the gradients are to be differentiated, so that the pullback itself is recorded, and *without* where
//! they are not, so that the same code records nothing and the values can be let go of as soon as they are
//! passed.

use std::panic::Location;
use std::rc::Rc;

use retrograd_tensor::{Error, Float, Result, Tensor};
use smallvec::SmallVec;

use crate::op::{AnyOp, Cotangents, stale};
use crate::tape::{Key, Kind, Saved};
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
        let mut gradients = Gradients::new(tape.id());
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
    let mut keys: SmallVec<[Key; 4]> = SmallVec::new();
    for x in x {
        keys.push(on_the_same(tape, x)?);
    }
    let cotangent = on_tape("grad", tape, same_shape("grad", y, cotangent.clone())?)?;
    let mut replay = Replay::new("grad", tape, key, cotangent)?;
    let influenced = replay.influenced_by(&keys);
    replay.run(Keep::Everything, |position| influenced[position], |_, _, _| {})?;
    Ok(keys.into_iter().map(|key| replay.at(key)).collect())
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
    let x = on_the_same(tape, x)?;
    let mut replay = Replay::new("grad", tape, key, same_shape("grad", y, Var::from(cotangent))?)?;
    let (influenced, mut found) = (replay.influenced_by(&[x]), None);
    let leaf = |key, _, g: Var<T>| {
        if key == x {
            found = Some(g.into_value());
        }
    };
    replay.run(Keep::Values, |position| influenced[position], leaf)?;
    Ok(found)
}

/// The place of a variable on `tape`, where it has to be.
#[track_caller]
fn on_the_same<T: Float>(tape: &Tape<T>, x: &Var<T>) -> Result<Key> {
    match recorded("grad", x)? {
        (other, key) if other.is(tape) => Ok(key),
        _ => Err(Error::new("grad", "a variable is on another tape than the scalar")),
    }
}

#[track_caller]
fn recorded<'a, T: Float>(op: &'static str, var: &'a Var<T>) -> Result<(&'a Tape<T>, Key)> {
    let (Some(tape), Some(key)) = (var.tape(), var.key()) else {
        let fact =
            "the variable is not recorded: feed the model with `tape.constant(x)`, or make `x` a `tape.leaf`";
        return Err(Error::new(op, fact));
    };
    if var.is_stale() {
        return Err(stale(op));
    }
    Ok((tape, key))
}

/// What a replay from a scalar begins with: 1.
#[track_caller]
fn scalar_cotangent<T: Float>(op: &'static str, y: &Var<T>) -> Result<Tensor<T>> {
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
    /// The cotangent of the variable at each position, as far as it is known.
    cotangents: Vec<Option<Var<T>>>,
}

/// An operation taken from the tape to be pulled back.
struct Step<T: Float> {
    op: Rc<dyn AnyOp<T>>,
    at: &'static Location<'static>,
    inputs: SmallVec<[Var<T>; 3]>,
    output: Var<T>,
    /// The position of each input that is recorded.
    positions: SmallVec<[Option<usize>; 3]>,
}

impl<'a, T: Float> Replay<'a, T> {
    #[track_caller]
    fn new(op: &'static str, tape: &'a Tape<T>, y: Key, cotangent: Var<T>) -> Result<Self> {
        tape.check()?;
        let position = tape.nodes().get(y).map(|node| node.position).ok_or_else(|| stale(op))?;
        let mut cotangents = vec![None; position + 1];
        cotangents[position] = Some(cotangent);
        let suspicious = tape.nodes().anomalies.is_some();
        Ok(Self { op, tape, suspicious, cotangents })
    }

    /// Which positions depend on the variables `x`.
    fn influenced_by(&self, x: &[Key]) -> Vec<bool> {
        let nodes = self.tape.nodes();
        let mut influenced = vec![false; self.cotangents.len()];
        for position in 0..influenced.len() {
            let key = nodes.order()[position];
            influenced[position] = x.contains(&key)
                || nodes.get(key).is_some_and(|node| {
                    let mut sources = node.inputs.iter().filter_map(|input| nodes.get(input.key?));
                    sources.any(|source| influenced[source.position])
                });
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
        for position in (0..self.cotangents.len()).rev().filter(|&position| wanted(position)) {
            // A variable that `grad` was asked for keeps its cotangent.
            let g = match keep {
                Keep::Nothing | Keep::Values => self.cotangents[position].take(),
                Keep::Everything => self.cotangents[position].clone(),
            };
            let Some(g) = g else { continue };
            let key = self.tape.nodes().order().get(position).copied().ok_or_else(|| stale(self.op))?;
            self.tape.restore(self.op, position)?;
            if self.suspicious {
                self.tape.inspect_cotangent(position, g.value())?;
            }
            let Some(step) = self.step(key, keep)? else {
                leaf(key, self.tape.parameter_at(key), g);
                continue;
            };
            if retained.contains(&key) {
                leaf(key, None, g.clone());
            }
            let wants: SmallVec<[bool; 3]> = step.positions.iter().map(|p| p.is_some_and(&wanted)).collect();
            if wants.contains(&true) {
                let pulled = self.pull_back(position, &step, g, &wants)?;
                self.hand_on(&step, pulled, &wants)?;
            }
        }
        Ok(())
    }

    /// What the operation's pullback gives, looked at and timed where the tape is to.
    #[track_caller]
    fn pull_back(&self, position: usize, step: &Step<T>, g: Var<T>, wants: &[bool]) -> Result<Cotangents<T>> {
        let pull = || step.op.vjp(&step.inputs, &step.output, &g, wants);
        let pull = || if self.suspicious { self.tape.unsuspected(pull) } else { pull() };
        let pulled = match self.tape.is_profiled() {
            true => self.tape.time_backward(step.op.name(), step.at, pull),
            false => pull(),
        }?;
        if self.suspicious {
            self.tape.inspect_backward(position, &step.inputs, &step.output, &pulled)?;
        }
        Ok(pulled)
    }

    /// Hands what a pullback gave to the inputs that wanted it.
    #[track_caller]
    fn hand_on(&mut self, step: &Step<T>, pulled: Cotangents<T>, wants: &[bool]) -> Result<()> {
        for (i, g) in pulled.into_iter().enumerate().filter(|&(i, _)| wants[i]) {
            let (Some(source), shape) = (step.positions[i], step.inputs[i].shape()) else { continue };
            let fail = |found: String| {
                let (name, at) = (step.op.name(), step.at);
                Err(Error::new(self.op, format!("`{name}` (at {at}): the cotangent of input {i} {found}")))
            };
            match g {
                None => return fail("is missing".into()),
                Some(g) if g.shape() != shape => {
                    return fail(format!("has shape {}, not {shape}", g.shape()));
                }
                Some(g) => self.collect(source, g)?,
            }
        }
        Ok(())
    }

    /// The operation at `key`, ready to be pulled back; nothing if a leaf is there.
    #[track_caller]
    fn step(&self, key: Key, keep: Keep) -> Result<Option<Step<T>>> {
        let mut nodes = self.tape.nodes_mut();
        let Some(node) = nodes.get_mut(key) else { return Err(stale(self.op)) };
        let at = node.at;
        let op = match &node.kind {
            Kind::Leaf(_) => return Ok(None),
            Kind::Op(op) if !node.spent => op.clone(),
            kind => {
                let name = kind.name().unwrap_or_default();
                let fact = format!(
                    "`{name}` (at {at}) was replayed before, and its values are gone; compute it again"
                );
                return Err(Error::new(self.op, fact));
            }
        };
        let (inputs, output): (SmallVec<[Saved<T>; 3]>, _) = match keep {
            Keep::Nothing => {
                node.spent = true;
                let bytes = node.held_bytes();
                if op.held_bytes() > 0 {
                    node.kind = Kind::Gone(op.name());
                }
                // The keys stay, so that a later replay finds its way here and is refused.
                let take = |value: &mut Tensor<T>| std::mem::replace(value, Tensor::shape_only([0].into()));
                let inputs = node.inputs.iter_mut();
                let inputs = inputs.map(|input| Saved { value: take(&mut input.value), key: input.key });
                let taken = (inputs.collect(), take(&mut node.output));
                nodes.let_go(bytes);
                taken
            }
            Keep::Values | Keep::Everything => (node.inputs.clone(), node.output.clone()),
        };
        let positions = inputs.iter().map(|input| Some(nodes.get(input.key?)?.position)).collect();
        drop(nodes);
        let attach = |Saved { value, key }: Saved<T>| match keep {
            Keep::Nothing | Keep::Values => Var::from(value),
            Keep::Everything => Var::attached(value, self.tape.clone(), key),
        };
        let inputs = inputs.into_iter().map(attach).collect();
        let output = attach(Saved { value: output, key: Some(key) });
        Ok(Some(Step { op, at, inputs, output, positions }))
    }

    /// Adds to the cotangent at a position.
    #[track_caller]
    fn collect(&mut self, position: usize, g: Var<T>) -> Result<()> {
        let sum = match self.cotangents[position].take() {
            None => g,
            Some(sum) if sum.is_recorded() || g.is_recorded() => sum.add(&g)?,
            Some(sum) => {
                let tape = sum.tape().cloned();
                let mut value = sum.into_value();
                value.accumulate(g.value())?;
                match tape {
                    Some(tape) => Var::attached(value, tape, None),
                    None => Var::from(value),
                }
            }
        };
        self.cotangents[position] = Some(sum);
        Ok(())
    }

    /// The cotangent of the variable at `key`, if it is known.
    fn at(&self, key: Key) -> Option<Var<T>> {
        let position = self.tape.nodes().get(key)?.position;
        self.cotangents.get(position)?.clone()
    }
}
