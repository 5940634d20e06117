//! The tape: what was computed, in order.
//!
//! The nodes lie in the order they were recorded. A handle is a key into a slotmap of their positions, which is
//! never iterated (a slotmap keeps no order) and whose generations tell a handle from before a clear. A tape
//! never owns a [`Var`] (which owns its tape, so that neither would ever be freed): nodes hold [`Saved`] values,
//! and replay re-attaches them. All of it is memory that a clear keeps, so that the next pass asks for none.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::HashMap;
use std::ops::Range;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::SeedableRng;
use rand::rngs::StdRng;
use retrograd_tensor::{Float, Tensor};
use slotmap::SlotMap;
use smallvec::SmallVec;

use crate::anomaly::Anomalies;
use crate::checkpoint::Segments;
use crate::op::AnyOp;
use crate::profile::Profile;
use crate::replay::Bench;
use crate::{Buffer, Change, ParamId, Parameter, Update, Var};

slotmap::new_key_type! {
    /// The place of a variable on its tape.
    pub(crate) struct Key;
}

/// The identity of a tape, unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TapeId(u64);

/// One forward pass: its operations in order, its leaves, its mode, its random numbers, and the updates it
/// reports.
///
/// A tape grows until it is [cleared](Self::clear): a training loop clears it before every step. Cloning gives
/// another handle of the same tape.
///
/// ```
/// # use retrograd_autograd::Tape;
/// # use retrograd_tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.leaf(Tensor::from([1.0f32, 2.0, 3.0]));
/// let y = x.square().sum(..)?;
/// let gradients = y.backward()?;
/// assert_eq!(gradients.wrt(&x).unwrap(), &Tensor::from([2.0, 4.0, 6.0]));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
pub struct Tape<T: Float = f32>(Rc<RefCell<Nodes<T>>>);

pub(crate) struct Nodes<T: Float> {
    id: TapeId,
    /// The variables, in the order they were recorded.
    all: Vec<Node<T>>,
    /// What they were computed from, in the same order.
    inputs: Vec<Saved<T>>,
    /// The position of each variable.
    positions: SlotMap<Key, usize>,
    leaves: HashMap<ParamId, Key>,
    training: bool,
    rng: StdRng,
    updates: Vec<Update<T>>,
    /// Bytes that the nodes hold.
    saved: usize,
    /// The most that they held since the last clear.
    peak: usize,
    /// Blocks whose values are computed again by the replay that needs them.
    pub(crate) segments: Segments,
    /// Results of operations whose gradients are to be kept.
    pub(crate) retained: Vec<Key>,
    /// The variables that were detached, and where.
    pub(crate) cuts: Vec<(Key, &'static Location<'static>)>,
    pub(crate) anomalies: Option<Box<Anomalies>>,
    pub(crate) profile: Option<Box<Profile>>,
    /// Whether frozen parameters are recorded like the others.
    thawed: bool,
    /// The operations of the pass before the last clear, at their positions: one that is recorded again at the
    /// same position moves into the old one's memory.
    retired: Vec<Option<Rc<dyn AnyOp<T>>>>,
    /// The memory of replays, empty between them.
    pub(crate) bench: Bench<T>,
}

/// A variable's place on the tape: a leaf, or an operation with what its pullback reads.
pub(crate) struct Node<T: Float> {
    pub(crate) key: Key,
    pub(crate) kind: Kind<T>,
    /// Where its inputs are among those of all.
    inputs: Range<usize>,
    pub(crate) output: Tensor<T>,
    /// The line of the program that computed it.
    pub(crate) at: &'static Location<'static>,
    /// Whether a replay has passed and let go of the values.
    pub(crate) spent: bool,
}

pub(crate) enum Kind<T: Float> {
    Leaf(Option<ParamId>),
    Op(Rc<dyn AnyOp<T>>),
    /// An operation that held tensors, after a replay has passed: its name alone.
    Gone(&'static str),
}

impl<T: Float> Kind<T> {
    /// The operation's name; a leaf has none.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Kind::Leaf(_) => None,
            Kind::Op(op) => Some(op.name()),
            Kind::Gone(name) => Some(name),
        }
    }
}

impl<T: Float> Node<T> {
    /// The parameter that is this leaf, if one is.
    pub(crate) fn parameter(&self) -> Option<ParamId> {
        match self.kind {
            Kind::Leaf(parameter) => parameter,
            Kind::Op(_) | Kind::Gone(_) => None,
        }
    }
}

/// A variable without its tape; a value that no pullback reads is kept as its shape only.
#[derive(Clone)]
pub(crate) struct Saved<T: Float> {
    pub(crate) value: Tensor<T>,
    /// Its position, if it is recorded.
    pub(crate) source: Option<usize>,
}

/// What stands where no value is kept.
#[inline]
pub(crate) fn nothing<T: Float>() -> Tensor<T> {
    Tensor::shape_only([0].into())
}

impl<T: Float> Tape<T> {
    /// An empty tape, in training mode, whose random numbers begin at seed 0.
    #[expect(clippy::new_without_default, reason = "`Tape::default()` would hide that it trains")]
    pub fn new() -> Self {
        Self::seeded(0)
    }

    /// An empty tape, in training mode; the same seed gives the same random numbers.
    pub fn seeded(seed: u64) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(Rc::new(RefCell::new(Nodes {
            id: TapeId(NEXT.fetch_add(1, Ordering::Relaxed)),
            all: Vec::new(),
            inputs: Vec::new(),
            positions: SlotMap::with_key(),
            leaves: HashMap::new(),
            training: true,
            rng: StdRng::seed_from_u64(seed),
            updates: Vec::new(),
            saved: 0,
            peak: 0,
            segments: Segments::default(),
            retained: Vec::new(),
            cuts: Vec::new(),
            anomalies: None,
            profile: None,
            thawed: false,
            retired: Vec::new(),
            bench: Bench::default(),
        })))
    }

    /// Begins the random numbers anew, with those of a tape [`seeded`](Self::seeded) with `seed`; what is recorded
    /// stays.
    ///
    /// The random numbers go on from pass to pass and are in no file. A training that is to have the same bits
    /// when it is resumed gives each epoch a seed of its own:
    ///
    /// ```
    /// # use retrograd_autograd::Tape;
    /// # let (seed, resumed_at, epochs) = (42, 1, 3);
    /// let tape: Tape = Tape::new();
    /// for epoch in resumed_at..epochs {
    ///     tape.reseed(seed + epoch);
    ///     // the steps of the epoch, as in a run that began with epoch 0
    /// }
    /// ```
    pub fn reseed(&self, seed: u64) {
        self.nodes_mut().rng = StdRng::seed_from_u64(seed);
    }

    /// The tape in evaluation mode: it records, but dropout and its like act as in evaluation.
    pub fn eval(self) -> Self {
        self.nodes_mut().training = false;
        self
    }

    /// Whether layers act as in training.
    pub fn is_training(&self) -> bool {
        self.nodes().training
    }

    /// A variable of this tape to which no gradient flows: what a model is fed with.
    pub fn constant(&self, value: impl Into<Tensor<T>>) -> Var<T> {
        Var::attached(value.into(), self.clone(), None)
    }

    /// A variable of this tape to which gradients flow.
    #[track_caller]
    pub fn leaf(&self, value: impl Into<Tensor<T>>) -> Var<T> {
        let key = self.nodes_mut().insert_leaf(None);
        Var::attached(value.into(), self.clone(), Some(key))
    }

    /// A parameter as a leaf of this tape, the same one however often it is asked for; a constant if it is
    /// frozen.
    #[track_caller]
    pub fn parameter(&self, parameter: &Parameter<T>) -> Var<T> {
        let mut nodes = self.nodes_mut();
        let key = match nodes.leaves.get(&parameter.id()) {
            _ if parameter.is_frozen() && !nodes.thawed => None,
            Some(&key) => Some(key),
            None => {
                let key = nodes.insert_leaf(Some(parameter.id()));
                nodes.leaves.insert(parameter.id(), key);
                Some(key)
            }
        };
        Var::attached(parameter.value().clone(), self.clone(), key)
    }

    /// Forgets everything recorded, keeping the memory for the next pass; the random numbers go on, unless they
    /// are [seeded anew](Self::reseed). Variables from before are refused from now on.
    pub fn clear(&self) {
        // An operation may use the tape as it is dropped, so none is dropped while the nodes are borrowed.
        let mut retired = std::mem::take(&mut self.nodes_mut().retired);
        retired.clear();
        let mut holding: SmallVec<[Rc<dyn AnyOp<T>>; 8]> = SmallVec::new();
        let nodes = &mut *self.nodes_mut();
        for node in nodes.all.drain(..) {
            retired.push(match node.kind {
                Kind::Op(op) if op.held_bytes() == 0 => Some(op),
                Kind::Op(op) => {
                    holding.push(op);
                    None
                }
                Kind::Leaf(_) | Kind::Gone(_) => None,
            });
        }
        nodes.retired = retired;
        nodes.inputs.clear();
        nodes.positions.clear();
        nodes.leaves.clear();
        nodes.updates.clear();
        nodes.segments.clear();
        nodes.retained.clear();
        nodes.cuts.clear();
        (nodes.saved, nodes.peak) = (0, 0);
        if let Some(anomalies) = &mut nodes.anomalies {
            anomalies.clear();
        }
    }

    /// The number of leaves and operations recorded since the last [`clear`](Self::clear).
    pub fn len(&self) -> usize {
        self.nodes().all.len()
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of what the tape keeps for the pullbacks: values of variables, and what operations hold themselves
    /// (the positions of maxima, say).
    pub fn saved_bytes(&self) -> usize {
        self.nodes().saved
    }

    /// The most that [`saved_bytes`](Self::saved_bytes) was since the last [`clear`](Self::clear).
    pub fn peak_saved_bytes(&self) -> usize {
        self.nodes().peak
    }

    /// Records frozen parameters like the others: for looking at a model, not for training it.
    #[doc(hidden)]
    pub fn thawed(self) -> Self {
        self.nodes_mut().thawed = true;
        self
    }

    /// Runs `draw` with a random number generator of its own, seeded by the tape's: what is drawn depends on
    /// the tape's seed and on how many calls came before, and `draw` may use the tape.
    pub fn random<R>(&self, draw: impl FnOnce(&mut StdRng) -> R) -> R {
        let mut rng = StdRng::from_rng(&mut self.nodes_mut().rng);
        draw(&mut rng)
    }

    /// Reports a change that `buffer` should undergo. A forward pass changes no model; the change travels
    /// with the [`Gradients`](crate::Gradients) and is made by the optimizer.
    pub fn report(&self, buffer: &Buffer<T>, change: Change<T>) {
        self.nodes_mut().updates.push(Update { buffer: buffer.id(), change });
    }

    /// The updates reported so far, which are then no longer the tape's.
    pub fn take_updates(&self) -> Vec<Update<T>> {
        std::mem::take(&mut self.nodes_mut().updates)
    }

    /// Records an operation on variables, at least one of which is on this tape, whose value is `y`. `wants` says
    /// which of them are recorded; if none is, there is nothing to be recorded.
    #[inline]
    #[track_caller]
    pub(crate) fn record<O: AnyOp<T>>(
        &self,
        op: O,
        x: &[&Var<T>],
        wants: &mut [bool],
        y: &Tensor<T>,
    ) -> Option<Key> {
        if self.nodes().is_observed() {
            self.observe(op.name(), x, y);
        }
        if !wants.contains(&true) {
            return None;
        }
        let reads_output = op.reads(wants);
        let retired = self.nodes_mut().retired();
        Some(self.insert(shelter(op, retired), x, wants, y, reads_output))
    }

    /// Apart from [`record`](Self::record) because it need not be compiled for every operation.
    #[track_caller]
    fn insert(
        &self,
        op: Rc<dyn AnyOp<T>>,
        x: &[&Var<T>],
        reads: &mut [bool],
        y: &Tensor<T>,
        mut reads_output: bool,
    ) -> Key {
        let mut nodes = self.nodes_mut();
        let nodes = &mut *nodes;
        if nodes.segments.open_from().is_some() {
            for (x, read) in x.iter().zip(&mut *reads) {
                *read = nodes.keeps_in_block(x.key());
            }
            reads_output = false;
        }
        let keep = |value: &Tensor<T>, read: bool| match read {
            true => value.clone(),
            false => Tensor::shape_only(value.shape().clone()),
        };
        let Nodes { inputs, positions, .. } = nodes;
        let first = inputs.len();
        inputs.extend(x.iter().zip(&*reads).map(|(x, &read)| Saved {
            value: keep(x.value(), read),
            source: x.key().and_then(|key| positions.get(key).copied()),
        }));
        let output = keep(y, reads_output);
        let bytes = op.held_bytes() + output.held_bytes() + held_bytes(&inputs[first..]);
        let inputs = first..inputs.len();
        if let Some(profile) = &mut nodes.profile {
            profile.saved(op.name(), Location::caller(), bytes);
        }
        nodes.hold(bytes);
        nodes.append(Kind::Op(op), inputs, output, Location::caller())
    }

    /// Whether the tape may keep, or look at, inputs that no pullback reads.
    pub(crate) fn keeps_inputs(&self) -> bool {
        let nodes = self.nodes();
        nodes.is_observed() || nodes.segments.open_from().is_some()
    }

    /// Shows an operation to whoever looks at all of them.
    #[cold]
    #[track_caller]
    fn observe(&self, op: &'static str, x: &[&Var<T>], y: &Tensor<T>) {
        let (at, mut nodes) = (Location::caller(), self.nodes_mut());
        if let Some(profile) = &mut nodes.profile {
            profile.recorded(op, at, y);
        }
        nodes.inspect_forward(op, at, x, y);
    }

    pub(crate) fn try_nodes_mut(&self) -> Option<RefMut<'_, Nodes<T>>> {
        self.0.try_borrow_mut().ok()
    }

    #[inline]
    pub(crate) fn nodes(&self) -> Ref<'_, Nodes<T>> {
        self.0.borrow()
    }

    #[inline]
    pub(crate) fn nodes_mut(&self) -> RefMut<'_, Nodes<T>> {
        self.0.borrow_mut()
    }

    pub(crate) fn id(&self) -> TapeId {
        self.nodes().id
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// The parameter that is the leaf at `key`, if one is.
    pub(crate) fn parameter_at(&self, key: Key) -> Option<ParamId> {
        self.nodes().get(key)?.parameter()
    }

    pub(crate) fn contains(&self, key: Key) -> bool {
        self.nodes().positions.contains_key(key)
    }
}

impl<T: Float> Clone for Tape<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: Float> std::fmt::Debug for Tape<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nodes = self.nodes();
        f.debug_struct("Tape").field("recorded", &nodes.all.len()).field("training", &nodes.training).finish()
    }
}

impl<T: Float> Nodes<T> {
    #[track_caller]
    fn insert_leaf(&mut self, parameter: Option<ParamId>) -> Key {
        self.append(Kind::Leaf(parameter), 0..0, nothing(), Location::caller())
    }

    #[inline(always)]
    fn append(
        &mut self,
        kind: Kind<T>,
        inputs: Range<usize>,
        output: Tensor<T>,
        at: &'static Location<'static>,
    ) -> Key {
        let key = self.positions.insert(self.all.len());
        self.all.push(Node { key, kind, inputs, output, at, spent: false });
        key
    }

    /// Bytes that a node holds.
    pub(crate) fn held_bytes(&self, node: &Node<T>) -> usize {
        let own = match &node.kind {
            Kind::Op(op) => op.held_bytes(),
            Kind::Leaf(_) | Kind::Gone(_) => 0,
        };
        own + node.output.held_bytes() + held_bytes(self.inputs(node))
    }

    /// Accounts for `bytes` that a node holds from now on.
    pub(crate) fn hold(&mut self, bytes: usize) {
        self.saved += bytes;
        self.peak = self.peak.max(self.saved);
    }

    /// Accounts for `bytes` that a node holds no more.
    pub(crate) fn let_go(&mut self, bytes: usize) {
        self.saved -= bytes;
    }

    /// Whether somebody looks at every operation.
    fn is_observed(&self) -> bool {
        self.anomalies.is_some() || self.profile.is_some()
    }

    /// The operation that stood at the next position before the last clear.
    fn retired(&mut self) -> Option<Rc<dyn AnyOp<T>>> {
        self.retired.get_mut(self.all.len()).and_then(Option::take)
    }

    pub(crate) fn position(&self, key: Key) -> Option<usize> {
        self.positions.get(key).copied()
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Node<T>> {
        self.all.get(self.position(key)?)
    }

    /// The nodes in the order they were recorded.
    pub(crate) fn in_order(&self) -> &[Node<T>] {
        &self.all
    }

    /// What a node was computed from.
    pub(crate) fn inputs(&self, node: &Node<T>) -> &[Saved<T>] {
        &self.inputs[node.inputs.clone()]
    }

    /// The node at a position, and what it was computed from.
    pub(crate) fn at_mut(&mut self, position: usize) -> Option<(&mut Node<T>, &mut [Saved<T>])> {
        let node = self.all.get_mut(position)?;
        let inputs = &mut self.inputs[node.inputs.clone()];
        Some((node, inputs))
    }

    /// Lets go of what the node at a position holds, which a replay has passed. Its sources stay, so that a later
    /// replay finds its way there and is refused. Whoever calls holds the operation, which must not be dropped here.
    pub(crate) fn spend(&mut self, position: usize) {
        let Some((node, inputs)) = self.at_mut(position) else { return };
        node.spent = true;
        let mut bytes = node.output.held_bytes() + held_bytes(inputs);
        node.output.drop_elements();
        inputs.iter_mut().for_each(|input| input.value.drop_elements());
        if let Kind::Op(op) = &node.kind
            && op.held_bytes() > 0
        {
            bytes += op.held_bytes();
            node.kind = Kind::Gone(op.name());
        }
        self.let_go(bytes);
    }

    /// The parameters that are leaves of this tape.
    pub(crate) fn parameters(&self) -> &HashMap<ParamId, Key> {
        &self.leaves
    }
}

fn held_bytes<T: Float>(inputs: &[Saved<T>]) -> usize {
    inputs.iter().map(|input| input.value.held_bytes()).sum()
}

/// The operation in memory of its own: that of a retired one, if it was of the same type and nobody else
/// holds it.
fn shelter<T: Float, O: AnyOp<T>>(op: O, retired: Option<Rc<dyn AnyOp<T>>>) -> Rc<dyn AnyOp<T>> {
    if let Some(mut old) = retired
        && let Some(any) = Rc::get_mut(&mut old)
        && let Some(place) = (any as &mut dyn std::any::Any).downcast_mut::<O>()
    {
        *place = op;
        return old;
    }
    Rc::new(op)
}

#[cfg(test)]
mod tests {
    use std::rc::Weak;

    use super::*;
    use crate::grad;

    /// What the tape holds of its nodes once the tape and every variable of `pass` are dropped.
    fn left_behind(pass: impl FnOnce(&Tape<f64>)) -> Weak<RefCell<Nodes<f64>>> {
        let tape = Tape::new();
        pass(&tape);
        Rc::downgrade(&tape.0)
    }

    fn loss(x: &Var<f64>) -> Var<f64> {
        (x.exp() * x).tanh().sum(..).unwrap()
    }

    #[test]
    fn nothing_of_a_pass_outlives_its_tape_and_variables() {
        type Pass = (&'static str, fn(&Tape<f64>));
        let passes: [Pass; 4] = [
            ("forward alone", |tape| drop(loss(&tape.leaf(Tensor::from([1.0, 2.0]))))),
            ("a gradient", |tape| drop(loss(&tape.leaf(Tensor::from([1.0, 2.0]))).backward().unwrap())),
            ("gradients of gradients", |tape| {
                let x = tape.leaf(Tensor::from([1.0, 2.0]));
                let [g] = grad(&loss(&x), [&x]).unwrap();
                let [gg] = grad(&g.square().sum(..).unwrap(), [&x]).unwrap();
                drop(gg.sum(..).unwrap().backward().unwrap());
            }),
            ("a pass that was cleared", |tape| {
                loss(&tape.leaf(Tensor::from([1.0, 2.0])));
                tape.clear();
            }),
        ];
        for (what, pass) in passes {
            assert_eq!(left_behind(pass).strong_count(), 0, "{what}");
        }
    }

    #[test]
    fn one_variable_keeps_its_tape() {
        let tape = Tape::new();
        let (nodes, x) = (Rc::downgrade(&tape.0), tape.leaf(Tensor::from([1.0, 2.0])));
        drop(tape);
        assert!(loss(&x).backward().unwrap().wrt(&x).is_some());
        drop(x);
        assert_eq!(nodes.strong_count(), 0);
    }

    #[test]
    fn a_cleared_tape_records_the_next_pass_in_the_memory_of_the_last() {
        let tape = Tape::new();
        let memory = || {
            tape.clear();
            loss(&tape.leaf(Tensor::from([1.0, 2.0])));
            let nodes = tape.nodes();
            let operations: Vec<_> = nodes
                .in_order()
                .iter()
                .filter_map(|node| match &node.kind {
                    Kind::Op(op) => Some(Rc::as_ptr(op).cast::<()>()),
                    Kind::Leaf(_) | Kind::Gone(_) => None,
                })
                .collect();
            (nodes.all.as_ptr(), nodes.inputs.as_ptr(), nodes.positions.capacity(), operations)
        };
        let first = memory();
        assert_eq!(first, memory());
        assert_eq!(first, memory());
    }
}
