//! Concatenation, the one operation of any number of operands. Linear: its adjoint cuts the cotangent up.

use retrograd_tensor::{Error, Float, Result, Slice, Tensor};
use smallvec::SmallVec;

use crate::Var;
use crate::op::{AnyOp, Operand, Receiver, common_tape, record, sound};
use crate::profile::Clock;

/// Concatenation, of any number of operands.
struct Concat {
    axis: usize,
}

impl<T: Float> AnyOp<T> for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn forward(&self, x: &[&Tensor<T>]) -> Result<Tensor<T>> {
        Tensor::concat(x, self.axis as isize)
    }

    fn vjp(&self, x: &[Operand<T>], _: &Var<T>, g: Var<T>, receiver: Receiver<'_, T>) -> Result<()> {
        let (mut begin, mut cotangents) = (0, SmallVec::<[_; 4]>::new());
        for Operand { x, wanted } in x {
            let end = begin + x.shape()[self.axis] as isize;
            let cut = || {
                let mut ranges: SmallVec<[Slice; 5]> = SmallVec::from_elem((..).into(), self.axis);
                ranges.push((begin..end).into());
                g.slice(&ranges)
            };
            cotangents.push(wanted.map(|_| cut()).transpose()?);
            begin = end;
        }
        receiver(&mut cotangents)
    }

    fn reads(&self, inputs: &mut [bool]) -> bool {
        inputs.fill(false);
        false
    }
}

impl<T: Float> Var<T> {
    /// The variables one after the other along `axis`. As in PyTorch, an empty vector fits among all of them.
    ///
    /// # Errors
    /// If there are none, their shapes differ elsewhere than along `axis`, or they are on different tapes.
    #[track_caller]
    pub fn concat(vars: &[&Var<T>], axis: isize) -> Result<Var<T>> {
        let full: SmallVec<[&Var<T>; 8]> = vars.iter().copied().filter(|var| *var.shape() != [0]).collect();
        let vars = if full.is_empty() { vars } else { &full };
        let values: SmallVec<[&Tensor<T>; 8]> = vars.iter().map(|var| var.value()).collect();
        let tape = common_tape("concat", vars)?;
        let clock = Clock::start(tape);
        let y = Tensor::concat(&values, axis)?;
        clock.stop();
        let axis = y.shape().axis("concat", axis)?;
        let mut wants: SmallVec<[bool; 8]> = vars.iter().map(|var| var.is_recorded()).collect();
        sound(record(tape, Concat { axis }, vars, &mut wants, y))
    }

    /// The variables along a new axis before `axis` (counted in the result).
    ///
    /// # Errors
    /// If there are none, their shapes differ, or they are on different tapes.
    #[track_caller]
    pub fn stack(vars: &[&Var<T>], axis: isize) -> Result<Var<T>> {
        if let [first, rest @ ..] = vars
            && let Some(other) = rest.iter().find(|other| other.shape() != first.shape())
        {
            return Err(Error::new(
                "stack",
                format!("shapes differ: {} and {}", first.shape(), other.shape()),
            ));
        }
        let mut parts: SmallVec<[Var<T>; 8]> = SmallVec::new();
        for var in vars {
            parts.push(var.unsqueeze(axis)?);
        }
        Var::concat(&parts.iter().collect::<SmallVec<[&Var<T>; 8]>>(), axis)
    }
}
