//! 1. Convolution: a kernel slides over a picture, multiplying and adding. It is a pattern that is looked for.
//!
//! ```text
//! cargo run --release --example layers_convolution              # pictures go to target/layers
//! ```

mod picture;

use picture::{Figure, Panel, scene};
use retrograd::nn::Size;
use retrograd::prelude::*;

fn main() -> Result<()> {
    let folder = picture::folder()?;
    by_hand()?;
    sizes()?;
    on_a_picture(&folder)
}

/// A picture of 4×4 numbers and a kernel of 3×3. The kernel fits in four places, so the output is 2×2.
fn by_hand() -> Result<()> {
    // 1 on the left, 0 on the right: an upright edge between the second column and the third.
    let x: Tensor = Tensor::from([[[1.0, 1.0, 0.0, 0.0]; 4]]);
    // The pattern: bright left, dark right. The axes of a weight: [out, in, height, width].
    let edge: Tensor = Tensor::from([[[[1.0, 0.0, -1.0]; 3]]]);
    // Beside such a kernel a convolution has a bias, which is added to every output; here there is none.
    let mut conv: Conv2d = Conv2d::new(1, 1, 3).bias(false).build(&mut StdRng::seed_from_u64(0))?;
    *conv.weight.value_mut() = edge;

    println!("a picture:\n{x}\na kernel that looks for upright edges:\n{}", conv.weight.value());
    println!("the kernel over the picture:\n{}", conv.predict(&x)?);
    println!("upper left: 3 · (1·1 + 1·0 + 0·(−1)) = 3\n");
    Ok(())
}

/// Each extent of the output is ⌊(extent + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1. The number of
/// axes along which a kernel slides names the convolution.
fn sizes() -> Result<()> {
    let rng = &mut StdRng::seed_from_u64(0);
    println!("extent kernel padding stride dilation: formula, layer");
    for (extent, kernel, padding, stride, dilation) in
        [(28, 3, 0, 1, 1), (28, 3, 1, 1, 1), (28, 5, 2, 2, 1), (28, 3, 0, 1, 2), (7, 2, 0, 2, 1)]
    {
        let formula = (extent + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
        let conv = Conv1d::new(1, 1, kernel).padding(padding).stride(stride).dilation(dilation);
        let conv: Conv1d = conv.build(rng)?;
        let layer = conv.predict(&Tensor::zeros([1, extent])?)?.shape()[1];
        println!("{extent:6} {kernel:6} {padding:7} {stride:6} {dilation:8}: {formula:7}, {layer:5}");
    }
    fn slides<const D: usize>(input: &Tensor, rng: &mut StdRng) -> Result<()> {
        let conv: retrograd::nn::Conv<D> = retrograd::nn::Conv::new(3, 8, Size([3; D])).build(rng)?;
        let (weight, y) = (conv.weight.value().shape(), conv.predict(input)?);
        println!("{D} axes: {} with 8 kernels {weight} gives {}", input.shape(), y.shape());
        Ok(())
    }
    slides::<1>(&Tensor::zeros([3, 100])?, rng)?;
    slides::<2>(&Tensor::zeros([3, 32, 32])?, rng)?;
    slides::<3>(&Tensor::zeros([3, 8, 32, 32])?, rng)?;
    println!();
    Ok(())
}

/// A picture of three channels. A kernel has a plane for each of them; what the planes give is added up, so one
/// kernel gives one channel, the feature map.
fn on_a_picture(folder: &std::path::Path) -> Result<()> {
    let rng = &mut StdRng::seed_from_u64(3);
    let image = scene(64)?;
    // Xavier's initialisation draws weights that keep the size of the signal: deviation √(2/(fan_in + fan_out)).
    let mut conv: Conv2d = Conv2d::new(3, 1, 3).bias(false).init(XavierNormal::default()).build(rng)?;
    let random = conv.weight.value().clone();
    let edges: Tensor = Tensor::from([[[[-1.0, -1.0, -1.0], [0.0; 3], [1.0, 1.0, 1.0]]; 3]]);

    let mut figure = Figure::new();
    for (name, weight) in [("Xavier, at random", random), ("looks for level edges", edges)] {
        *conv.weight.value_mut() = weight;
        let features = conv.predict(&image)?;
        let (w, y) = (conv.weight.value(), &features);
        println!("{name}: {} · {} gives {}", image.shape(), w.shape(), y.shape());
        let plane = |c: isize| Panel::weights(&w.slice(&[(..).into(), (c..c + 1).into()])?, 44);
        figure = figure.row([
            Panel::image(&image, 4)?.titled("a picture").noted("3 channels of 64×64"),
            Panel::sign("*"),
            plane(0)?.titled("red"),
            plane(1)?.titled("green").noted(name),
            plane(2)?.titled("blue"),
            Panel::sign("="),
            Panel::signed(y, 4)?.titled("its feature map").noted("1 channel of 62×62"),
        ]);
    }
    figure.save(folder, "convolution")
}
