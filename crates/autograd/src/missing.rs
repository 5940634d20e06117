//! Why a parameter has no gradient: what became of it on the tape.

use std::fmt;
use std::panic::Location;

use retrograd_tensor::Float;

use crate::tape::{Key, Nodes};
use crate::{Gradients, ParamId, Tape};

/// Why no gradient reached a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The pass did not use it, or used its value off the tape.
    Unused,
    /// It was put on the tape at a line, but no operation used it.
    Idle(&'static Location<'static>),
    /// What was computed from it was detached.
    Detached {
        /// The operation whose result was detached; nothing if it was the parameter itself.
        op: Option<&'static str>,
        /// The line of the `detach`.
        at: &'static Location<'static>,
    },
    /// An operation used it, or what was computed from it, and what was differentiated does not depend on the
    /// result: it was dropped, or went on as a tensor, through a function without derivative such as `argmax`.
    Lost {
        /// The last operation on the way from it.
        op: &'static str,
        /// Its line.
        at: &'static Location<'static>,
    },
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Absence::Unused => f.write_str("not used in this pass, or off the tape"),
            Absence::Idle(at) => write!(f, "put on the tape at {at}, but used by no operation"),
            Absence::Detached { op: None, at } => write!(f, "cut off by `detach` at {at}"),
            Absence::Detached { op: Some(op), at } => {
                write!(f, "cut off by `detach` of the result of `{op}` at {at}")
            }
            Absence::Lost { op, at } => {
                write!(
                    f,
                    "last used by `{op}` at {at}, on whose result nothing that was differentiated depends"
                )
            }
        }
    }
}

impl<T: Float> Gradients<T> {
    /// Why there is no gradient for a parameter; nothing if there is one.
    pub fn absence(&self, parameter: ParamId) -> Option<Absence> {
        match self.by_id(parameter) {
            Some(_) => None,
            None => Some(self.known_absence(parameter).unwrap_or(Absence::Unused)),
        }
    }

    /// Notes why parameters of the tape that was replayed have no gradient.
    pub(crate) fn explain(&mut self, tape: &Tape<T>) {
        let nodes = tape.nodes();
        // The usual case: every parameter of the pass has one.
        if self.iter().len() == nodes.parameters().len() {
            return;
        }
        let fates = nodes.fates();
        for (&id, &key) in nodes.parameters() {
            if self.by_id(id).is_none()
                && let Some(position) = nodes.position(key)
            {
                let idle = Absence::Idle(nodes.in_order()[position].at);
                let why = nodes.why(&fates[position]).unwrap_or(idle);
                self.note_absence(id, why);
            }
        }
    }
}

impl<T: Float> Tape<T> {
    /// Notes that a variable was detached.
    pub(crate) fn note_cut(&self, key: Key, at: &'static Location<'static>) {
        let cuts = &mut self.nodes_mut().cuts;
        if cuts.last() != Some(&(key, at)) {
            cuts.push((key, at));
        }
    }
}

/// What became of a value: the last position computed from it, and the last detached one among these.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fate {
    last: Option<usize>,
    cut: Option<usize>,
}

impl<T: Float> Nodes<T> {
    /// Why nothing that was differentiated depends on the variable at `key`; nothing if no operation used it.
    pub(crate) fn absence(&self, key: Key) -> Option<Absence> {
        self.why(self.fates().get(self.position(key)?)?)
    }

    /// The fate of the value at each position.
    fn fates(&self) -> Vec<Fate> {
        let mut fates = vec![Fate::default(); self.in_order().len()];
        for (i, (key, _)) in self.cuts.iter().enumerate() {
            if let Some(position) = self.position(*key) {
                fates[position].cut = Some(i);
            }
        }
        for (position, node) in self.in_order().iter().enumerate().rev() {
            let Fate { last, cut } = fates[position];
            for source in self.inputs(node).iter().filter_map(|input| input.source) {
                let fate = &mut fates[source];
                fate.last = fate.last.max(last).max(Some(position));
                fate.cut = fate.cut.max(cut);
            }
        }
        fates
    }

    fn why(&self, fate: &Fate) -> Option<Absence> {
        if let Some(cut) = fate.cut {
            let (key, at) = self.cuts[cut];
            return Some(Absence::Detached { op: self.get(key)?.kind.name(), at });
        }
        let node = self.in_order().get(fate.last?)?;
        Some(Absence::Lost { op: node.kind.name()?, at: node.at })
    }
}
