//! Pooling.

use std::num::NonZeroI64;

use retrograd::autograd::Var;
use retrograd::nn::{AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, LPPool, Layer, MaxPool, MaxUnpool};
use retrograd::tensor::Float;
use serde_json::Value;

use super::{Call, Outcome, Output, Stop};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    let y = match call.op() {
        "adaptive_avg_pool1d" => AdaptiveAvgPool::<1>::new(output_size(call)?).forward(call.x()?)?,
        "adaptive_avg_pool2d" => AdaptiveAvgPool::<2>::new(output_size(call)?).forward(call.x()?)?,
        "adaptive_avg_pool3d" => AdaptiveAvgPool::<3>::new(output_size(call)?).forward(call.x()?)?,
        "adaptive_max_pool1d" => return adaptive_maximum::<1, T>(call).map(Some),
        "adaptive_max_pool2d" => return adaptive_maximum::<2, T>(call).map(Some),
        "adaptive_max_pool3d" => return adaptive_maximum::<3, T>(call).map(Some),
        "avg_pool1d" => average::<1, T>(call)?,
        "avg_pool2d" => average::<2, T>(call)?,
        "avg_pool3d" => average::<3, T>(call)?,
        "lp_pool1d" => by_norm::<1, T>(call)?,
        "lp_pool2d" => by_norm::<2, T>(call)?,
        "lp_pool3d" => by_norm::<3, T>(call)?,
        "max_pool1d" => return maximum::<1, T>(call).map(Some),
        "max_pool2d" => return maximum::<2, T>(call).map(Some),
        "max_pool3d" => return maximum::<3, T>(call).map(Some),
        "max_unpool1d" => unpooled::<1, T>(call)?,
        "max_unpool2d" => unpooled::<2, T>(call)?,
        "max_unpool3d" => unpooled::<3, T>(call)?,
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
    let layer = match call.argument("divisor_override") {
        Value::Null => layer,
        divisor => match divisor.as_i64().and_then(NonZeroI64::new) {
            Some(divisor) => layer.divisor_override(divisor),
            None => return Err(Stop::inexpressible(format!("divisor_override = {divisor}"))),
        },
    };
    Ok(layer.forward(call.x()?)?)
}

fn by_norm<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    let layer = LPPool::<D>::new(call.float("norm_type")?, call.extents("kernel_size")?);
    let layer = match call.argument("stride") {
        Value::Null => layer,
        _ => layer.stride(call.extents("stride")?),
    };
    Ok(layer.ceil_mode(call.flag("ceil_mode")?).forward(call.x()?)?)
}

/// One extent for each axis; null keeps the input's.
fn output_size<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<[Option<usize>; D]> {
    let value = call.argument("output_size");
    let extent = |value: &Value| match value {
        Value::Null => Some(None),
        value => value.as_u64().map(|extent| Some(extent as usize)),
    };
    let extents: Option<Vec<Option<usize>>> =
        value.as_array().and_then(|list| list.iter().map(extent).collect());
    let extents = extents.and_then(|extents| extents.try_into().ok());
    extents.ok_or_else(|| Stop::inexpressible(format!("output_size = {value}")))
}

fn adaptive_maximum<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Vec<Output<T>>> {
    let (y, index) = AdaptiveMaxPool::<D>::new(output_size(call)?).forward_with_indices(call.x()?)?;
    Ok(vec![Output::Var(y), Output::Index(index)])
}

fn unpooled<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    let layer = MaxUnpool::<D>::new(call.extents("kernel_size")?)
        .stride(call.extents("stride")?)
        .padding(call.extents("padding")?);
    let (x, index) = (call.x()?, call.index("indices")?);
    Ok(match call.argument("output_size") {
        Value::Null => layer.forward(x, index)?,
        _ => layer.forward_to(x, index, &call.shape("output_size")?)?,
    })
}
