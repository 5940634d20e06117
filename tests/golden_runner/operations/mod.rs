//! The table: how each of PyTorch's operations is written in Retrograd. An operation is added by one arm in one
//! of the rooms.

mod activations;
mod convolution;
mod linear;
mod losses;
mod normalization;
mod padding;
mod pooling;
mod rearrangement;
mod tensor_ops;
mod upsampling;

use retrograd::tensor::Float;

use super::call::Call;
use super::values::Output;
use super::{Outcome, Stop};

/// What the operation gives.
pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Vec<Output<T>>> {
    let rooms = [
        activations::compute,
        convolution::compute,
        linear::compute,
        losses::compute,
        padding::compute,
        normalization::compute,
        pooling::compute,
        rearrangement::compute,
        tensor_ops::compute,
        upsampling::compute,
    ];
    for compute in rooms {
        if let Some(outputs) = compute(call)? {
            return Ok(outputs);
        }
    }
    Err(Stop::unknown("no such operation"))
}
