//! Pooling.

use retrograd::autograd::Var;
use retrograd::nn::{AvgPool, Layer, MaxPool};
use retrograd::tensor::Float;

use super::{Call, Outcome, Output};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    let y = match call.op() {
        "avg_pool1d" => average::<1, T>(call)?,
        "avg_pool2d" => average::<2, T>(call)?,
        "avg_pool3d" => average::<3, T>(call)?,
        "max_pool1d" => return maximum::<1, T>(call).map(Some),
        "max_pool2d" => return maximum::<2, T>(call).map(Some),
        "max_pool3d" => return maximum::<3, T>(call).map(Some),
        _ => return Ok(None),
    };
    Ok(Some(vec![Output::Var(y)]))
}

fn maximum<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Vec<Output<T>>> {
    let layer = MaxPool::<D>::new(call.extents("kernel_size")?)
        .stride(call.extents("stride")?)
        .padding(call.extents("padding")?)
        .dilation(call.extents("dilation")?)
        .ceil_mode(call.flag("ceil_mode")?);
    let (y, index) = layer.forward_with_indices(call.x()?)?;
    Ok(vec![Output::Var(y), Output::Index(index)])
}

fn average<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    let layer = AvgPool::<D>::new(call.extents("kernel_size")?)
        .stride(call.extents("stride")?)
        .padding(call.extents("padding")?)
        .ceil_mode(call.flag("ceil_mode")?)
        .count_include_pad(call.flag("count_include_pad")?);
    let layer = match call.argument("divisor_override").as_i64().and_then(|divisor| divisor.try_into().ok()) {
        Some(divisor) => layer.divisor_override(divisor),
        None => layer,
    };
    Ok(layer.forward(call.x()?)?)
}
