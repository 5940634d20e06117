//! Patches and pixels: what moves elements about.

use retrograd::nn::{Fold, Layer, PixelShuffle, PixelUnshuffle, Unfold};
use retrograd::tensor::Float;

use super::{Call, Outcome, Output};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    let y = match call.op() {
        "unfold" => Unfold::new(call.extents("kernel_size")?)
            .dilation(call.extents("dilation")?)
            .padding(call.extents("padding")?)
            .stride(call.extents("stride")?)
            .forward(call.x()?)?,
        "fold" => Fold::new(call.extents("output_size")?, call.extents("kernel_size")?)
            .dilation(call.extents("dilation")?)
            .padding(call.extents("padding")?)
            .stride(call.extents("stride")?)
            .forward(call.x()?)?,
        "pixel_shuffle" => PixelShuffle(call.extent("upscale_factor")?).forward(call.x()?)?,
        "pixel_unshuffle" => PixelUnshuffle(call.extent("downscale_factor")?).forward(call.x()?)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![Output::Var(y)]))
}
