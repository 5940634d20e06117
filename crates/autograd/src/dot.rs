//! Drawing a tape.

use std::fmt::Write;

use retrograd_tensor::Float;

use crate::Tape;
use crate::tape::Kind;

impl<T: Float> Tape<T> {
    /// What is recorded, as a graph in the DOT language of Graphviz: leaves as boxes, operations as ellipses
    /// with their name and position, an arrow from each operand.
    pub fn to_dot(&self) -> String {
        let nodes = self.nodes();
        let mut dot = String::from("digraph tape {\n  rankdir = LR;\n");
        for (_, node) in nodes.in_order() {
            let position = node.position;
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
            for source in node.inputs.iter().filter_map(|input| nodes.get(input.key?)) {
                let _ = writeln!(dot, "  n{} -> n{position};", source.position);
            }
        }
        dot.push_str("}\n");
        dot
    }

    /// The names of the operations recorded, in order; leaves are left out.
    pub fn operations(&self) -> Vec<&'static str> {
        self.nodes().in_order().filter_map(|(_, node)| node.kind.name()).collect()
    }
}
