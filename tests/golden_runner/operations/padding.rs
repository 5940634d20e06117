//! Padding.

use retrograd::autograd::Var;
use retrograd::tensor::{Float, PaddingMode};

use super::{Call, Outcome, Output, Stop};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    Ok(match call.op() {
        "pad" => Some(vec![Output::Var(pad(call)?)]),
        _ => None,
    })
}

/// The padding lists (before, after) from the last axis backwards.
fn pad<T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    let (x, listed) = (call.x()?, call.integers("pad")?);
    let pairs: Vec<(isize, isize)> = listed.chunks_exact(2).rev().map(|pair| (pair[0], pair[1])).collect();
    if call.argument("mode") != "constant" {
        return Ok(x.pad_with(&pairs, mode(call, "mode")?)?);
    }
    let mut padding = vec![(0, 0); x.rank()];
    padding[x.rank() - pairs.len()..].copy_from_slice(&pairs);
    Ok(x.pad(&padding, call.float("value")?)?)
}

/// The argument that names a mode.
pub(super) fn mode<T: Float>(call: &Call<'_, T>, argument: &str) -> Outcome<PaddingMode> {
    match call.argument(argument).as_str() {
        Some("zeros") => Ok(PaddingMode::Zeros),
        Some("reflect") => Ok(PaddingMode::Reflect),
        Some("replicate") => Ok(PaddingMode::Replicate),
        Some("circular") => Ok(PaddingMode::Circular),
        _ => Err(Stop::unknown("padding mode")),
    }
}
