//! Convolution and its transpose.

use retrograd::autograd::Var;
use retrograd::nn::{Conv, ConvTranspose, Layer, Padding};
use retrograd::prelude::{SeedableRng, StdRng};
use retrograd::tensor::Float;
use serde_json::Value;

use super::padding::mode;
use super::{Call, Outcome, Output, Stop};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    let y = match call.op() {
        "conv1d" => convolve::<1, T>(call)?,
        "conv2d" => convolve::<2, T>(call)?,
        "conv3d" => convolve::<3, T>(call)?,
        "conv_transpose1d" => convolve_transposed::<1, T>(call)?,
        "conv_transpose2d" => convolve_transposed::<2, T>(call)?,
        "conv_transpose3d" => convolve_transposed::<3, T>(call)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![Output::Var(y)]))
}

fn convolve<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    let padding = match call.argument("padding").as_str() {
        Some("same") => Padding::Same,
        Some("valid") => Padding::Valid,
        _ => Padding::Each(call.extents("padding")?),
    };
    let kernel = call.extents::<D>("kernel_size")?;
    let mut layer = Conv::new(call.extent("in_channels")?, call.extent("out_channels")?, kernel)
        .stride(call.extents("stride")?)
        .padding(padding)
        .padding_mode(mode(call, "padding_mode")?)
        .dilation(call.extents("dilation")?)
        .groups(call.extent("groups")?)
        .bias(call.flag("bias")?)
        .build(&mut StdRng::seed_from_u64(0))?;
    call.put("weight", &mut layer.weight);
    call.put_optional("bias", &mut layer.bias);
    Ok(layer.forward(call.x()?)?)
}

fn convolve_transposed<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    if ![&Value::Null, &"zeros".into()].contains(&call.argument("padding_mode")) {
        return Err(Stop::inexpressible("a transposed convolution with a border of anything but zeros"));
    }
    let kernel = call.extents::<D>("kernel_size")?;
    let mut layer = ConvTranspose::new(call.extent("in_channels")?, call.extent("out_channels")?, kernel)
        .stride(call.extents("stride")?)
        .padding(call.extents("padding")?)
        .output_padding(call.extents("output_padding")?)
        .dilation(call.extents("dilation")?)
        .groups(call.extent("groups")?)
        .bias(call.flag("bias")?)
        .build(&mut StdRng::seed_from_u64(0))?;
    call.put("weight", &mut layer.weight);
    call.put_optional("bias", &mut layer.bias);
    let x = call.x()?;
    Ok(match call.argument("output_size") {
        Value::Null => layer.forward(x)?,
        _ => layer.forward_with_output_size(x, call.extents("output_size")?)?,
    })
}
