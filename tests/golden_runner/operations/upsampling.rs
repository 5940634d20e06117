//! Resampling.

use retrograd::autograd::Var;
use retrograd::nn::{Interpolation, Layer, Upsample};
use retrograd::tensor::Float;
use serde_json::Value;

use super::{Call, Outcome, Output, Stop};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    if call.op() != "interpolate" {
        return Ok(None);
    }
    let y = match call.x()?.rank() {
        3 => resized::<1, T>(call)?,
        4 => resized::<2, T>(call)?,
        5 => resized::<3, T>(call)?,
        rank => return Err(Stop::inexpressible(format!("x of {rank} axes"))),
    };
    Ok(Some(vec![Output::Var(y)]))
}

fn resized<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    let recompute = call.argument("recompute_scale_factor").as_bool().unwrap_or(false);
    let layer = match (call.argument("size"), call.argument("scale_factor")) {
        (Value::Null, _) => Upsample::<D>::scale_factor(factors(call)?).recompute_scale_factor(recompute),
        (_, Value::Null) if !recompute => Upsample::size(call.extents("size")?),
        (size, factor) => return Err(Stop::inexpressible(format!("size = {size}, scale_factor = {factor}"))),
    };
    Ok(layer.mode(interpolation(call, D)?).forward(call.x()?)?)
}

/// One factor for each axis, of a list or one number.
fn factors<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<[f64; D]> {
    let value = call.argument("scale_factor");
    let factors = match value {
        Value::Array(list) => list.iter().map(Value::as_f64).collect(),
        value => Some(vec![value.as_f64(); D]).and_then(|all| all.into_iter().collect()),
    };
    let factors: Option<[f64; D]> = factors.and_then(|factors: Vec<f64>| factors.try_into().ok());
    factors.ok_or_else(|| Stop::inexpressible(format!("scale_factor = {value}")))
}

fn interpolation<T: Float>(call: &Call<'_, T>, axes: usize) -> Outcome<Interpolation> {
    let (mode, align_corners) = (call.argument("mode"), call.argument("align_corners"));
    let linear = ["linear", "bilinear", "trilinear"][axes - 1];
    match (mode.as_str(), align_corners) {
        (Some("nearest"), Value::Null) => Ok(Interpolation::Nearest),
        (Some(mode), _) if mode == linear => {
            Ok(Interpolation::Linear { align_corners: align_corners.as_bool().unwrap_or(false) })
        }
        _ => Err(Stop::inexpressible(format!("mode = {mode}, align_corners = {align_corners}"))),
    }
}
