//! Convolution, in one operation: the trilinear form F(x, w, y), solved for one of its three slots.
//!
//! F is linear in each slot, so the pullback is a rotation: the cotangent goes into the slot that was solved
//! for, and the wanted input's slot is solved for instead. That covers 1-d, 2-d and 3-d, stride, padding,
//! dilation, groups, transposed convolution, and every order of derivative.

use retrograd_tensor::{Error, Finish, Float, Geometry, Result, Shape, Sliding, Slot, Tensor};

use super::biased::{Biased, Plus};
use crate::Var;
use crate::op::{Op, Reads};

/// The solution of a convolution's trilinear form for a slot, given the next two in cyclic order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Solve {
    pub(super) geometry: Geometry,
    pub(super) slot: Slot,
}

impl<T: Float> Op<T, 2> for Solve {
    fn name(&self) -> &'static str {
        match self.slot {
            Slot::Output => "conv",
            Slot::Input => "conv_transpose",
            Slot::Weight => "conv_weight",
        }
    }

    fn forward(&self, operands: [&Tensor<T>; 2]) -> Result<Tensor<T>> {
        self.geometry.solve(self.slot, operands)
    }

    fn vjp(
        &self,
        [a, b]: [&Var<T>; 2],
        _: &Var<T>,
        g: &Var<T>,
        [wants_a, wants_b]: [bool; 2],
    ) -> Result<[Option<Var<T>>; 2]> {
        let [slot_a, slot_b] = self.slot.operands();
        let solve = |slot, operands| Solve { slot, ..*self }.apply(operands);
        Ok([
            if wants_a { Some(solve(slot_a, [b, g])?) } else { None },
            if wants_b { Some(solve(slot_b, [g, a])?) } else { None },
        ])
    }

    fn reads(&self, [wants_a, wants_b]: [bool; 2]) -> Reads<2> {
        Reads::inputs([wants_b, wants_a])
    }

    /// Every element of the output slot meets the kernel of its channel once, whichever slot is solved for.
    fn multiply_adds(&self, [a, b]: [&Shape; 2], y: &Shape) -> u64 {
        let (output, weight) = match self.slot {
            Slot::Output => (y, b),
            Slot::Input => (b, a),
            Slot::Weight => (a, y),
        };
        let kernel: usize = weight.iter().skip(1).product();
        (output.numel() as u64).saturating_mul(kernel as u64)
    }
}

impl<T: Float> Plus<T> for Solve {
    fn forward_plus(&self, operands: [&Tensor<T>; 2], bias: &Tensor<T>) -> Result<Tensor<T>> {
        self.geometry.solve_finished(self.slot, operands, &Finish::plus(Some(bias)))
    }

    /// A channel's number stands at every position.
    fn bias_among(&self, bias: &Shape, y: &Shape) -> Shape {
        let mut column = bias.clone();
        (2..y.len()).for_each(|_| column.push(1));
        column
    }

    /// Of a transposed convolution the bias is added to the input, whose channels the weight's kernel does not add up.
    fn pull_both(&self, a: &Tensor<T>, g: &Tensor<T>) -> Result<Option<[Tensor<T>; 2]>> {
        match self.slot {
            Slot::Output => self.geometry.solve_weight_and_bias([g, a]),
            Slot::Input | Slot::Weight => Ok(None),
        }
    }
}

impl<T: Float> Var<T> {
    /// The cross-correlation of `self` `[n, c, …]` with `weight` `[k, c/groups, …]` along the last `D` axes,
    /// plus `bias` `[k]`: each extent H becomes ⌊(H + before + after − dilation·(kernel − 1) − 1)/stride⌋ + 1.
    /// An input without the batch axis gives a result without it.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html)
    ///
    /// # Errors
    /// If the shapes do not fit each other or `groups`, a stride or dilation is 0, or the kernel exceeds the
    /// padded input.
    #[track_caller]
    pub fn conv<const D: usize>(
        &self,
        weight: &Var<T>,
        bias: Option<&Var<T>>,
        groups: usize,
        sliding: Sliding<D>,
    ) -> Result<Var<T>> {
        let op = const { ["conv1d", "conv2d", "conv3d"][D - 1] };
        let (x, batched) = self.batched::<D>(op)?;
        let geometry = Geometry::convolution(op, x.shape(), weight.shape(), groups, sliding)?;
        solved(op, Solve { geometry, slot: Slot::Output }, [&x, weight], bias)?.unbatched(batched)
    }

    /// The transposed convolution of `self` `[n, c, …]` with `weight` `[c, k/groups, …]` along the last `D`
    /// axes, plus `bias` `[k]`: each extent H becomes (H − 1)·stride − before − after + dilation·(kernel − 1) +
    /// output_padding + 1. It is the adjoint of [`conv`](Self::conv) with the same weight.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html)
    ///
    /// # Errors
    /// As [`conv`](Self::conv), and if an output padding is smaller neither than the stride nor than the
    /// dilation.
    #[track_caller]
    pub fn conv_transpose<const D: usize>(
        &self,
        weight: &Var<T>,
        bias: Option<&Var<T>>,
        groups: usize,
        sliding: Sliding<D>,
        output_padding: [usize; D],
    ) -> Result<Var<T>> {
        let op = const { ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"][D - 1] };
        let (x, batched) = self.batched::<D>(op)?;
        let geometry = Geometry::transposed(op, x.shape(), weight.shape(), groups, sliding, output_padding)?;
        solved(op, Solve { geometry, slot: Slot::Input }, [weight, &x], bias)?.unbatched(batched)
    }

    /// The variable with a batch axis before its channels and `D` spatial axes, and whether it had one.
    #[track_caller]
    pub(super) fn batched<const D: usize>(&self, op: &'static str) -> Result<(Var<T>, bool)> {
        match self.rank() {
            rank if rank == D + 2 => Ok((self.clone(), true)),
            rank if rank == D + 1 => Ok((self.unsqueeze(0)?, false)),
            rank => {
                let fact = format!("expected {} or {} axes, found {rank}: {}", D + 1, D + 2, self.shape());
                Err(Error::new(op, fact))
            }
        }
    }

    /// Undoes [`batched`](Self::batched).
    #[track_caller]
    pub(super) fn unbatched(self, batched: bool) -> Result<Var<T>> {
        if batched { Ok(self) } else { self.squeeze(0) }
    }
}

/// The solution, plus a number for each channel.
#[track_caller]
pub(super) fn solved<T: Float>(
    op: &'static str,
    solve: Solve,
    operands: [&Var<T>; 2],
    bias: Option<&Var<T>>,
) -> Result<Var<T>> {
    let Some(bias) = bias else { return solve.apply(operands) };
    let channels = solve.geometry.shape(solve.slot)[1];
    if bias.shape()[..] != [channels] {
        return Err(Error::new(op, format!("expected a bias of shape [{channels}], found {}", bias.shape())));
    }
    Biased(solve).apply([operands[0], operands[1], bias])
}
