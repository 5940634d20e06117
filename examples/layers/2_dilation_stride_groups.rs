//! 2. What a convolution's settings do: which inputs an output sees, and how many outputs there are.
//!
//! ```text
//! cargo run --release --example layers_dilation_stride_groups
//! ```

mod picture;

use picture::{BLUE, Colour, Figure, LIGHT, ORANGE, PURPLE, Panel, WHITE, scene};
use retrograd::nn::ConvBuilder;
use retrograd::prelude::*;

fn main() -> Result<()> {
    let folder = picture::folder()?;
    let conv = || Conv2d::new(1, 1, 3);
    windows(
        &folder,
        [
            ("plain", conv()),
            ("stride 2", conv().stride(2)),
            ("dilation 2", conv().dilation(2)),
            ("padding 1", conv().padding(1)),
        ],
    )?;
    channels(&folder)?;
    depthwise(&folder)
}

/// What does the output at an index see, of an input of a shape? We ask the tape: its gradient is nonzero at those
/// inputs, and at no others.
fn seen(conv: &impl Layer, input: &[usize], output: &[isize]) -> Result<Tensor> {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::ones(input)?);
    let one: Vec<_> = output.iter().map(|&i| (i..i + 1).into()).collect();
    let gradients = conv.forward(&x)?.slice(&one)?.sum(..)?.backward()?;
    Ok(gradients.wrt(&x).map_or_else(|| x.value().zeros_like(), Tensor::clone))
}

/// 7×7 inputs, and the windows of the first output and of its neighbour on the right.
fn windows<const N: usize>(folder: &std::path::Path, settings: [(&str, ConvBuilder<2>); N]) -> Result<()> {
    println!("input 7×7, kernel 3×3");
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for (name, builder) in settings {
        let mut conv = builder.bias(false).build(&mut StdRng::seed_from_u64(0))?;
        *conv.weight.value_mut() = Tensor::ones([1, 1, 3, 3])?;
        let y = conv.predict(&Tensor::ones([1, 7, 7])?)?;
        let (first, second) = (seen(&conv, &[1, 7, 7], &[0, 0, 0])?, seen(&conv, &[1, 7, 7], &[0, 0, 1])?);
        let (rows, sees) = (y.shape()[1], format!("the first sees {} inputs", first.sum(..)?));
        println!("{name}: output {rows}×{rows}; {sees}");
        let colours = move |i: usize, j: usize| {
            let of = |seen: &Tensor| seen.as_slice()[7 * i + j] != 0.0;
            overlay(of(&first), of(&second))
        };
        inputs.push(Panel::grid([7, 7], 28, colours).titled(name).noted(sees));
        let colours = move |i, j| overlay((i, j) == (0, 0), (i, j) == (0, 1));
        let cells = Panel::grid([rows, rows], 28, colours);
        outputs.push(cells.titled(format!("output {rows}×{rows}")).within(7 * 28));
    }
    let legend =
        [("an output and what it sees", BLUE), ("its neighbour on the right", ORANGE), ("both", PURPLE)];
    Figure::new().row([Panel::legend(&legend)]).row(inputs).row(outputs).save(folder, "windows")
}

fn overlay(first: bool, second: bool) -> Colour {
    match (first, second) {
        (true, true) => PURPLE,
        (true, false) => BLUE,
        (false, true) => ORANGE,
        (false, false) => LIGHT,
    }
}

/// Groups divide the channels: an output channel sees only the inputs of its group. Fewer weights, fewer products.
fn channels(folder: &std::path::Path) -> Result<()> {
    let mut panels = Vec::new();
    for groups in [1, 2, 4] {
        let conv: Conv2d = Conv2d::new(4, 4, 3).groups(groups).build(&mut StdRng::seed_from_u64(1))?;
        let weight = conv.weight.value();
        println!("groups {groups}: weight {}, {} numbers", weight.shape(), weight.numel());
        let mut joined = Vec::new();
        for channel in 0..4 {
            let seen = seen(&conv, &[4, 3, 3], &[channel, 0, 0])?.abs().sum(2)?.sum(1)?;
            joined.extend(seen.to_vec().into_iter().map(|x| x > 0.0));
        }
        let colours = move |i: usize, j: usize| if joined[4 * i + j] { BLUE } else { WHITE };
        let cells = Panel::grid([4, 4], 32, colours);
        panels.push(cells.titled(format!("groups = {groups}")).noted(format!("{} weights", weight.numel())));
    }
    let note = Panel::legend(&[("output channel (row) sees input channel (column)", BLUE)]);
    Figure::new().row([note]).row(panels).save(folder, "groups")
}

/// As many groups as channels: a kernel for each channel by itself, called depthwise. Here all three are means over
/// 3×3 pixels, strided or dilated, so the colours stay. The zeros of the padding darken the border.
fn depthwise(folder: &std::path::Path) -> Result<()> {
    let image = scene(64)?;
    let mut row = vec![Panel::image(&image, 3)?.titled("a picture").noted("64×64"), Panel::arrow("")];
    for (name, stride, dilation) in [("stride 1", 1, 1), ("stride 2", 2, 1), ("dilation 3", 1, 3)] {
        let conv = Conv2d::new(3, 3, 3).groups(3).bias(false).stride(stride).dilation(dilation);
        let mut conv = conv.padding(dilation).build(&mut StdRng::seed_from_u64(0))?;
        *conv.weight.value_mut() = Tensor::full([3, 1, 3, 3], 1.0 / 9.0)?;
        let y = conv.predict(&image)?;
        println!("depthwise mean, {name}: {} gives {}", image.shape(), y.shape());
        let size = y.shape()[1];
        let panel = Panel::image(&y, 3 * 64 / size as i32)?;
        row.push(panel.titled(format!("depthwise mean, {name}")).noted(format!("{size}×{size}")));
    }
    Figure::new().row(row).save(folder, "depthwise")
}
