//! Checkpoints: blocks whose values are computed again by the replay that needs them.
//!
//! While a block is computed, its operations are recorded as always, but of the values computed inside only the
//! shapes are kept; those from outside are kept whole. A replay that reaches the block runs the recorded
//! operations once more. They hold their masks and indices, so that nothing is drawn twice and nothing reported
//! twice, and every bit is the same. Blocks inside a block stay folded until the replay reaches them in turn.

use std::ops::Range;

use retrograd_tensor::{Error, Float, Result, Tensor};
use smallvec::SmallVec;

use crate::tape::{Key, Kind, Nodes, Saved};
use crate::{Tape, Var};

impl<T: Float> Var<T> {
    /// Computes `block` of this variable without keeping the values in between for the gradients: the replay
    /// computes them again. Memory is traded for time, about a third more for a block with parameters.
    /// Gradients are the same to the last bit, at every order. Blocks may contain blocks, and return whatever
    /// they like.
    ///
    /// After [`backward_retain`](Self::backward_retain) and [`grad`](crate::grad), the values are kept.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/checkpoint.html)
    ///
    /// ```
    /// # use retrograd_autograd::Tape;
    /// # use retrograd_tensor::Tensor;
    /// let (tape, checkpointed) = (Tape::new(), Tape::new());
    /// let x = Tensor::from([1.0f32, 2.0, 3.0]);
    /// let (a, b) = (tape.leaf(x.clone()), checkpointed.leaf(x));
    /// let y = a.exp().sin().exp().sum(..)?;
    /// let z = b.checkpoint(|b| b.exp().sin().exp().sum(..))?;
    /// assert!(checkpointed.saved_bytes() < tape.saved_bytes());
    /// assert_eq!(y.backward()?.wrt(&a), z.backward()?.wrt(&b));
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// What `block` returns.
    #[track_caller]
    pub fn checkpoint<R>(&self, block: impl FnOnce(&Var<T>) -> Result<R>) -> Result<R> {
        let Some(tape) = self.tape() else { return block(self) };
        let _close = Close(tape);
        tape.nodes_mut().open();
        block(self)
    }
}

/// Ends the block, also where it panics.
struct Close<'a, T: Float>(&'a Tape<T>);

impl<T: Float> Drop for Close<'_, T> {
    fn drop(&mut self) {
        if let Some(mut nodes) = self.0.try_nodes_mut() {
            nodes.close();
        }
    }
}

/// The checkpointed blocks of a tape, in the order they were begun, so that a block comes before those inside
/// it.
#[derive(Default)]
pub(crate) struct Segments {
    all: Vec<Segment>,
    /// Those that are being computed, the outermost first.
    open: SmallVec<[usize; 4]>,
}

/// The positions of a block.
struct Segment {
    start: usize,
    end: usize,
    /// The position before which its values are there again.
    restored: usize,
}

impl Segments {
    pub(crate) fn clear(&mut self) {
        self.all.clear();
        self.open.clear();
    }

    /// Where the outermost block that is being computed begins.
    #[inline]
    pub(crate) fn open_from(&self) -> Option<usize> {
        self.open.first().map(|&i| self.all[i].start)
    }

    /// The outermost block around `position`, among those from number `first` on.
    fn around(&self, position: usize, first: usize) -> Option<usize> {
        (first..self.all.len()).find(|&i| (self.all[i].start..self.all[i].end).contains(&position))
    }

    /// The outermost block around `position` whose values are not there.
    fn folded(&self, position: usize) -> Option<usize> {
        let mut next = 0;
        while let Some(i) = self.around(position, next) {
            if position >= self.all[i].restored {
                return Some(i);
            }
            next = i + 1;
        }
        None
    }
}

impl<T: Float> Nodes<T> {
    fn open(&mut self) {
        let start = self.in_order().len();
        self.segments.open.push(self.segments.all.len());
        self.segments.all.push(Segment { start, end: usize::MAX, restored: start });
    }

    fn close(&mut self) {
        // A clear inside the block has forgotten it.
        if let Some(i) = self.segments.open.pop() {
            self.segments.all[i].end = self.in_order().len();
        }
    }

    /// Whether an input is kept of an operation inside a block: all that comes from outside is, and nothing else.
    pub(crate) fn keeps_in_block(&self, key: Option<Key>) -> bool {
        let source = key.and_then(|key| self.position(key));
        self.segments.open_from().is_none_or(|start| self.computed_since(start, source).is_none())
    }

    /// The position of a value, if it was computed at `start` or after it.
    fn computed_since(&self, start: usize, source: Option<usize>) -> Option<usize> {
        source.filter(|&source| source >= start && !matches!(self.in_order()[source].kind, Kind::Leaf(_)))
    }

    /// The inputs of the operation at `position`.
    fn inputs_at(&self, position: usize) -> &[Saved<T>] {
        self.in_order().get(position).map_or(&[], |node| self.inputs(node))
    }
}

/// The values of a block while it is computed again, each as long as an operation to come needs it.
struct Recomputed<T: Float> {
    positions: Range<usize>,
    values: Vec<Option<Tensor<T>>>,
    last_use: Vec<usize>,
}

impl<T: Float> Tape<T> {
    /// Sees to it that what the pullback at `position` reads is there.
    #[inline]
    #[track_caller]
    pub(crate) fn restore(&self, op: &'static str, position: usize) -> Result<()> {
        let folded = !self.nodes().segments.all.is_empty();
        if folded { self.unfold(op, position) } else { Ok(()) }
    }

    #[track_caller]
    fn unfold(&self, op: &'static str, position: usize) -> Result<()> {
        loop {
            let nodes = self.nodes();
            let Some(i) = nodes.segments.folded(position) else { return Ok(()) };
            let segment = &nodes.segments.all[i];
            let positions = segment.start..segment.end.min(nodes.in_order().len());
            drop(nodes);
            self.recompute(op, i, positions.clone())?;
            self.nodes_mut().segments.all[i].restored = positions.end;
        }
    }

    /// Runs the operations of block number `segment` once more, giving each node what it reads.
    #[track_caller]
    fn recompute(&self, op: &'static str, segment: usize, positions: Range<usize>) -> Result<()> {
        let mut again = Recomputed::new(&self.nodes(), positions.clone());
        for position in positions {
            // No operation runs while the nodes are borrowed: a user's might look at the tape.
            let recalled = again.recall(&self.nodes(), op, position)?;
            let Some((run, inputs)) = recalled else { continue };
            let y = run.forward(&inputs.iter().collect::<SmallVec<[&Tensor<T>; 3]>>())?;
            self.nodes_mut().fill(segment, again.positions.start, position, inputs, &y);
            again.computed(&self.nodes(), position, y);
        }
        Ok(())
    }
}

/// An operation with its inputs.
type Recalled<T> = (std::rc::Rc<dyn crate::op::AnyOp<T>>, SmallVec<[Tensor<T>; 3]>);

impl<T: Float> Recomputed<T> {
    fn new(nodes: &Nodes<T>, positions: Range<usize>) -> Self {
        let mut last_use = vec![0; positions.len()];
        for position in positions.clone() {
            for input in nodes.inputs_at(position) {
                if let Some(source) = nodes.computed_since(positions.start, input.source) {
                    last_use[source - positions.start] = position;
                }
            }
        }
        Self { values: vec![None; positions.len()], positions, last_use }
    }

    /// The operation at `position` and its inputs; nothing if it is a leaf, or a replay has passed it.
    #[track_caller]
    fn recall(&self, nodes: &Nodes<T>, op: &'static str, position: usize) -> Result<Option<Recalled<T>>> {
        let node = nodes.in_order().get(position);
        let Some(node) = node.filter(|node| !node.spent) else { return Ok(None) };
        let Kind::Op(run) = &node.kind else { return Ok(None) };
        let mut inputs = SmallVec::new();
        for input in nodes.inputs(node) {
            let value = match nodes.computed_since(self.positions.start, input.source) {
                Some(source) => self.values[source - self.positions.start].as_ref(),
                None => Some(&input.value),
            };
            let Some(value) = value else {
                let (name, at) = (run.name(), node.at);
                let fact = format!(
                    "`{name}` (at {at}) is to be computed again, but a part of its block was replayed before, \
                     and the values are gone"
                );
                return Err(Error::new(op, fact));
            };
            inputs.push(value.clone());
        }
        Ok(Some((run.clone(), inputs)))
    }

    /// Notes a value, and lets go of those that were needed for it for the last time.
    fn computed(&mut self, nodes: &Nodes<T>, position: usize, y: Tensor<T>) {
        let start = self.positions.start;
        if self.last_use[position - start] > position {
            self.values[position - start] = Some(y);
        }
        for input in nodes.inputs_at(position) {
            if let Some(source) = nodes.computed_since(start, input.source)
                && self.last_use[source - start] == position
            {
                self.values[source - start] = None;
            }
        }
    }
}

impl<T: Float> Nodes<T> {
    /// Gives the node at `position` back what it reads of values computed since `start`; where it lies in a
    /// block inside the one that is computed again, only what comes from outside that one.
    fn fill(
        &mut self,
        segment: usize,
        start: usize,
        position: usize,
        inputs: SmallVec<[Tensor<T>; 3]>,
        y: &Tensor<T>,
    ) {
        let inner = self.segments.around(position, segment + 1).map(|i| self.segments.all[i].start);
        let node = &self.in_order()[position];
        let Kind::Op(op) = &node.kind else { return };
        let before = self.held_bytes(node);
        let mut reads: SmallVec<[bool; 8]> =
            self.inputs(node).iter().map(|input| input.source.is_some()).collect();
        let reads_output = op.reads(&mut reads);
        for (read, input) in reads.iter_mut().zip(self.inputs(node)) {
            *read = match self.computed_since(start, input.source) {
                None => false,
                Some(source) => inner.map_or(*read, |inner| source < inner),
            };
        }
        let Some((node, saved)) = self.at_mut(position) else { return };
        for ((saved, value), _) in saved.iter_mut().zip(inputs).zip(reads).filter(|&(_, read)| read) {
            saved.value = value;
        }
        if reads_output && inner.is_none() {
            node.output = y.clone();
        }
        let after = self.held_bytes(&self.in_order()[position]);
        self.let_go(before);
        self.hold(after);
    }
}
