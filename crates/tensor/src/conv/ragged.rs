//! Convolution of a batch whose last images do not fill a vector: the whole vectors, and the rest on their own.
//!
//! Images do not know of each other, so that outputs and inputs are those of the two parts, and the weight's gradient is
//! their sum.

use super::{Finish, Geometry, Slot, partial, solve};
use crate::storage::Storage;

/// A convolution in two parts.
pub(super) struct Ragged {
    slot: Slot,
    whole: Geometry,
    rest: Geometry,
}

impl Ragged {
    pub(super) fn new(geo: &Geometry, slot: Slot, rest: usize) -> Self {
        let of = |batch| Geometry { batch, ..*geo };
        Self { slot, whole: of(geo.batch - rest), rest: of(rest) }
    }

    /// What the operands determine of the slot; there is nothing to finish of a weight.
    pub(super) fn solve(&self, [a, b]: [&[f32]; 2], finish: &Finish<f32>, result: &mut [f32]) {
        let [slot_a, slot_b] = self.slot.operands();
        let ([a, a_rest], [b, b_rest]) = (self.divide(slot_a, a), self.divide(slot_b, b));
        let solve = |(whole, rest): (&mut [f32], &mut [f32])| {
            solve(&self.whole, self.slot, [a, b], finish, whole);
            solve(&self.rest, self.slot, [a_rest, b_rest], finish, rest);
        };
        match self.slot {
            Slot::Weight => {
                let mut sums = Storage::unspecified(2 * result.len());
                solve(sums.make_mut().split_at_mut(result.len()));
                partial::add_parts(&sums, result);
            }
            Slot::Input | Slot::Output => solve(result.split_at_mut(self.len(self.slot))),
        }
    }

    /// What the two parts have of an operand: its images, or all of the weight.
    fn divide<'a>(&self, slot: Slot, operand: &'a [f32]) -> [&'a [f32]; 2] {
        match slot {
            Slot::Weight => [operand; 2],
            Slot::Input | Slot::Output => operand.split_at(self.len(slot)).into(),
        }
    }

    /// Elements of the whole vectors.
    fn len(&self, slot: Slot) -> usize {
        self.whole.shape(slot).numel()
    }
}
