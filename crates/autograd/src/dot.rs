//! Looking at a tape: what it recorded, as a list and as a drawing.

use std::fmt::Write;
use std::panic::Location;

use retrograd_tensor::{Float, Shape};
use smallvec::SmallVec;

use crate::tape::{Kind, Node, Nodes};
use crate::{ParamId, Tape};

/// An operation on a tape.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The name.
    pub op: &'static str,
    /// The line of the program that computed it.
    pub at: &'static Location<'static>,
    /// The shape of the result.
    pub shape: Shape,
    /// The parameters that it uses, itself or through operations on parameters alone (a bias that is reshaped).
    pub parameters: Vec<ParamId>,
    /// Whether it computes with parameters alone.
    pub prepares: bool,
    /// Multiplications with an addition, where the operation counts them.
    pub multiply_adds: u64,
    /// Bytes that are kept for its pullback.
    pub saved_bytes: usize,
}

impl<T: Float> Tape<T> {
    /// The operations recorded, in order, with what they cost. Of one that [`backward`](crate::Var::backward)
    /// has passed, the cost is not known any more.
    pub fn recorded(&self) -> Vec<Recorded> {
        let nodes = self.nodes();
        let mut used: Vec<Uses> = Vec::new();
        for node in nodes.in_order() {
            used.push(Uses::of(&nodes, node, &used));
        }
        let listed = nodes.in_order().iter().zip(used).filter_map(|(node, uses)| {
            Some(Recorded {
                op: node.kind.name()?,
                at: node.at,
                shape: node.output.shape().clone(),
                parameters: uses.parameters,
                prepares: uses.nothing_else,
                multiply_adds: match &node.kind {
                    Kind::Op(op) if !node.spent => {
                        op.multiply_adds(&shapes(&nodes, node), node.output.shape())
                    }
                    _ => 0,
                },
                saved_bytes: nodes.held_bytes(node),
            })
        });
        listed.collect()
    }

    /// What is recorded, as a graph in the DOT language of Graphviz: leaves as boxes, operations as ellipses
    /// with their name and position, an arrow from each operand.
    pub fn to_dot(&self) -> String {
        let nodes = self.nodes();
        let mut dot = String::from("digraph tape {\n  rankdir = LR;\n");
        for (position, node) in nodes.in_order().iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = match &node.kind {
                Kind::Leaf(parameter) => {
                    let kind = if parameter.is_some() { "parameter" } else { "leaf" };
                    writeln!(dot, "  n{position} [shape = box, label = \"{position}: {kind}\"];")
                }
                kind => {
                    let name = kind.name().unwrap_or_default();
                    writeln!(dot, "  n{position} [label = \"{position}: {name}\"];")
                }
            };
            for (source, shape) in operands(&nodes, node) {
                let _ = writeln!(dot, "  n{source} -> n{position} [label = \"{shape}\"];");
            }
        }
        dot.push_str("}\n");
        dot
    }

    /// The names of the operations recorded, in order; leaves are left out.
    pub fn operations(&self) -> Vec<&'static str> {
        self.nodes().in_order().iter().filter_map(|node| node.kind.name()).collect()
    }
}

/// The parameters that stand behind a value.
struct Uses {
    parameters: Vec<ParamId>,
    nothing_else: bool,
}

impl Uses {
    /// Those of a node, given those of the nodes before.
    fn of<T: Float>(nodes: &Nodes<T>, node: &Node<T>, before: &[Uses]) -> Self {
        if let Kind::Leaf(parameter) = node.kind {
            return Self { parameters: parameter.into_iter().collect(), nothing_else: parameter.is_some() };
        }
        let sources: Vec<&Uses> = operands(nodes, node).map(|(source, _)| &before[source]).collect();
        let only = |uses: &&Uses| uses.nothing_else;
        Self {
            parameters: sources
                .iter()
                .copied()
                .filter(only)
                .flat_map(|uses| uses.parameters.clone())
                .collect(),
            nothing_else: sources.len() == nodes.inputs(node).len() && sources.iter().all(only),
        }
    }
}

/// The positions of the recorded operands of a node, and their shapes.
fn operands<'a, T: Float>(
    nodes: &'a Nodes<T>,
    node: &'a Node<T>,
) -> impl Iterator<Item = (usize, &'a Shape)> {
    nodes.inputs(node).iter().filter_map(|input| Some((input.source?, input.value.shape())))
}

fn shapes<'a, T: Float>(nodes: &'a Nodes<T>, node: &Node<T>) -> SmallVec<[&'a Shape; 3]> {
    nodes.inputs(node).iter().map(|input| input.value.shape()).collect()
}
