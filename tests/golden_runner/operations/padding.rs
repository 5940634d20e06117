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
    if !listed.len().is_multiple_of(2) {
        return Err(Stop::inexpressible("half a pair of paddings"));
    }
    let pairs: Vec<(isize, isize)> = listed.chunks_exact(2).rev().map(|pair| (pair[0], pair[1])).collect();
    if call.argument("mode") != "constant" {
        // PyTorch's signature has a value for every mode, and looks at it for the constant one only.
        call.argument("value");
        return Ok(x.pad_with(&pairs, mode(call, "mode")?)?);
    }
    let others = std::iter::repeat_n((0, 0), x.rank().saturating_sub(pairs.len()));
    let padding: Vec<_> = others.chain(pairs).collect();
    Ok(x.pad(&padding, call.float("value")?)?)
}

/// The argument that names a mode.
pub(super) fn mode<T: Float>(call: &Call<'_, T>, argument: &str) -> Outcome<PaddingMode> {
    match call.argument(argument).as_str() {
        Some("zeros") => Ok(PaddingMode::Zeros),
        Some("reflect") => Ok(PaddingMode::Reflect),
        Some("replicate") => Ok(PaddingMode::Replicate),
        Some("circular") => Ok(PaddingMode::Circular),
        _ => Err(Stop::inexpressible("padding mode")),
    }
}
