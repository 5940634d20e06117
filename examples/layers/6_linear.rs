//! 6. The linear layer y = x·Wᵀ + b: every output is joined to every input.
//!
//! ```text
//! cargo run --release --example layers_linear
//! ```

mod picture;

use picture::{BLUE, Figure, GREEN, GREY, INK, LIGHT, ORANGE, Panel, WHITE, mix};
use retrograd::prelude::*;

fn main() -> Result<()> {
    let folder = picture::folder()?;
    let x: Tensor = Tensor::from([[1.0, 2.0, 3.0]]);
    // Three inputs and four outputs: a row of W for each output, a column for each input.
    let layer = Linear {
        weight: Parameter::new(Tensor::from([[1.0; 3], [2.0; 3], [3.0; 3], [4.0; 3]])),
        bias: Some(Parameter::new(Tensor::from([0.5; 4]))),
    };
    let y = layer.predict(&x)?;
    println!("x = {x}\nW =\n{}\nb = [0.5, 0.5, 0.5, 0.5]\ny = x·Wᵀ + b = {y}\n", layer.weight.value());

    // By hand: an output is the sum of the inputs, each times its weight, plus the bias.
    for (row, y) in layer.weight.value().as_slice().chunks(3).zip(y.as_slice()) {
        let terms: Vec<_> = x.as_slice().iter().zip(row).map(|(x, w)| format!("{x}·{w}")).collect();
        println!("{} + 0.5 = {y}", terms.join(" + "));
    }

    // How the sum of the outputs changes with a weight: by the input that it multiplies.
    let tape = Tape::new();
    let gradients = layer.forward(&tape.constant(x.clone()))?.sum(..)?.backward()?;
    if let Some(gradient) = gradients.get(&layer.weight) {
        println!("\nthe gradient of the sum with respect to W:\n{gradient}");
    }

    let weights = layer.weight.value();
    let pale = |colour, share| move |_: usize, _: usize| mix(WHITE, colour, share);
    let strength = |i: usize, _: usize| mix(WHITE, BLUE, 0.15 * (i + 1) as f32);
    Figure::new()
        .row([neurons(&x, weights, &y)])
        .row([
            Panel::table(&x, 44, pale(GREEN, 0.3))?.titled("x"),
            Panel::sign("·"),
            Panel::table(&weights.transpose(0, 1)?, 44, move |i, j| strength(j, i))?.titled("Wᵀ"),
            Panel::sign("+"),
            Panel::table(&Tensor::from([[0.5f32; 4]]), 44, |_, _| LIGHT)?.titled("b"),
            Panel::sign("="),
            Panel::table(&y, 44, pale(ORANGE, 0.35))?.titled("y"),
        ])
        .save(&folder, "linear")
}

/// The inputs on the left, the outputs on the right, and between them a line for each weight, the thicker the larger.
fn neurons(x: &Tensor, weights: &Tensor, y: &Tensor) -> Panel {
    let (x, weights, y) = (x.to_vec(), weights.to_vec(), y.to_vec());
    Panel::drawing(460, 300, move |canvas, left, top| {
        let place =
            |i: usize, count: usize, x: i32| (left + x, top + 150 + (2 * i as i32 - count as i32 + 1) * 38);
        for (i, j) in (0..y.len()).flat_map(|i| (0..x.len()).map(move |j| (i, j))) {
            let weight = weights[i * x.len() + j];
            let ends = [place(j, x.len(), 40), place(i, y.len(), 400)];
            canvas.line(&ends, weight as i32, mix(WHITE, BLUE, 0.2 + 0.15 * weight))?;
        }
        for (values, at, colour) in [(&x, 40, GREEN), (&y, 400, ORANGE)] {
            for (i, value) in values.iter().enumerate() {
                let (x, y) = place(i, values.len(), at);
                canvas.circle(x, y, 28, colour)?;
                canvas.text(x, y, 18, &value.to_string(), WHITE)?;
            }
        }
        for (i, bias) in ["+ 0.5"; 4].iter().enumerate() {
            let (x, y) = place(i, 4, 432);
            canvas.text_after(x, y, 14, bias, GREY)?;
        }
        canvas.text(left + 220, top + 8, 15, "a line for each weight", INK)
    })
}
