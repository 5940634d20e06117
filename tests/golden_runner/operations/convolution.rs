//! Convolution and its transpose.

use retrograd::autograd::Var;
use retrograd::nn::{Conv, Layer, Padding};
use retrograd::prelude::{SeedableRng, StdRng};
use retrograd::tensor::{Float, Sliding};

use super::{Call, Outcome, Output};

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
    call.only("padding_mode", "zeros")?;
    let padding = match call.argument("padding").as_str() {
        Some("same") => Padding::Same,
        Some("valid") => Padding::Valid,
        _ => Padding::Each(call.extents("padding")?),
    };
    let kernel = call.extents::<D>("kernel_size")?;
    let mut layer = Conv::new(call.extent("in_channels")?, call.extent("out_channels")?, kernel)
        .stride(call.extents("stride")?)
        .padding(padding)
        .dilation(call.extents("dilation")?)
        .groups(call.extent("groups")?)
        .bias(call.flag("bias")?)
        .build(&mut StdRng::seed_from_u64(0))?;
    (layer.weight, layer.bias) = (call.parameter("weight")?, call.optional_parameter("bias"));
    Ok(layer.forward(call.x()?)?)
}

fn convolve_transposed<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    // What the shapes of the weight and the bias say as well.
    for name in ["in_channels", "out_channels", "kernel_size", "bias"] {
        call.argument(name);
    }
    let (stride, dilation) = (call.extents("stride")?, call.extents("dilation")?);
    let padding = call.extents("padding")?.map(|padding| [padding; 2]);
    let (weight, bias, groups) = (call.var("weight")?, call.optional("bias"), call.extent("groups")?);
    let sliding = Sliding { stride, dilation, padding };
    Ok(call.x()?.conv_transpose::<D>(weight, bias, groups, sliding, call.extents("output_padding")?)?)
}
