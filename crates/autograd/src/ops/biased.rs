//! A bilinear operation plus a bias, in one operation: y = a∘b + c, c repeated along the axes that it lacks.
//!
//! Adding the bias where the value is computed costs next to nothing, where an operation of its own is a pass over
//! the memory and a place on the tape. The pullback is the bilinear operation's, and a sum for the bias, found with it
//! where a kernel finds both.

use retrograd_tensor::{Float, Result, Shape, Tensor};

use crate::Var;
use crate::op::{Op, Reads, nothing_recorded};

/// A bilinear operation that can add a bias to its value.
pub(super) trait Plus<T: Float>: Op<T, 2> {
    /// a∘b + c.
    #[track_caller]
    fn forward_plus(&self, operands: [&Tensor<T>; 2], bias: &Tensor<T>) -> Result<Tensor<T>>;

    /// The shape with which the bias broadcasts to the value.
    fn bias_among(&self, bias: &Shape, y: &Shape) -> Shape;

    /// The gradients of b and c, if there is a kernel that finds both at once.
    #[track_caller]
    fn pull_both(&self, a: &Tensor<T>, g: &Tensor<T>) -> Result<Option<[Tensor<T>; 2]>> {
        let _ = (a, g);
        Ok(None)
    }
}

/// y = a∘b + c for the operation a∘b.
#[derive(Clone, Copy, Debug)]
pub(super) struct Biased<O>(pub(super) O);

impl<T: Float, O: Plus<T>> Op<T, 3> for Biased<O> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn forward(&self, [a, b, bias]: [&Tensor<T>; 3]) -> Result<Tensor<T>> {
        self.0.forward_plus([a, b], bias)
    }

    fn vjp(
        &self,
        [a, b, bias]: [&Var<T>; 3],
        y: &Var<T>,
        g: &Var<T>,
        [wants_a, wants_b, wants_bias]: [bool; 3],
    ) -> Result<[Option<Var<T>>; 3]> {
        let both = if wants_b && wants_bias && nothing_recorded([a, g]) {
            self.0.pull_both(a.value(), g.value())?
        } else {
            None
        };
        let [to_a, to_b] = self.0.vjp([a, b], y, g, [wants_a, wants_b && both.is_none()])?;
        if let Some([to_b, to_bias]) = both {
            return Ok([to_a, Some(to_b.into()), Some(to_bias.into())]);
        }
        let to_bias = || g.sum_to(self.0.bias_among(bias.shape(), g.shape()))?.reshaped(bias.shape().clone());
        Ok([to_a, to_b, wants_bias.then(to_bias).transpose()?])
    }

    fn reads(&self, [wants_a, wants_b, _]: [bool; 3]) -> Reads<3> {
        let Reads { inputs: [a, b], output } = self.0.reads([wants_a, wants_b]);
        Reads { inputs: [a, b, false], output }
    }

    fn multiply_adds(&self, [a, b, _]: [&Shape; 3], y: &Shape) -> u64 {
        self.0.multiply_adds([a, b], y)
    }
}
