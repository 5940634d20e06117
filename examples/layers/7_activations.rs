//! 7. Activation functions, and their derivatives as the tape finds them.
//!
//! ```text
//! cargo run --release --example layers_activations
//! ```

mod picture;

use picture::{BLUE, Curve, Figure, GREY, LIGHT, ORANGE, Panel, Plot, mix};
use retrograd::prelude::*;

/// Below this slope hardly any gradient gets through.
const FLAT: f32 = 0.05;

/// Where values are printed.
const FEW: [f32; 5] = [-6.0, -2.0, 0.0, 2.0, 6.0];

type Function<'a> = &'a dyn Fn(&Var) -> Result<Var>;

fn main() -> Result<()> {
    let folder = picture::folder()?;
    let leaky = LeakyReLU { negative_slope: 0.1 };
    let (prelu, rrelu) = (PReLU::new(1, 0.25)?, RReLU::default());
    // RReLU draws its slopes at random while it trains, and takes their mean when it is evaluated.
    let functions: [(&str, bool, Function<'_>); 12] = [
        ("Sigmoid", true, &|x| Sigmoid.forward(x)),
        ("Tanh", true, &|x| Tanh.forward(x)),
        ("Softsign", true, &|x| Softsign.forward(x)),
        ("ReLU", true, &|x| ReLU.forward(x)),
        ("LeakyReLU, slope 0.1", true, &|x| leaky.forward(x)),
        ("PReLU, a slope to be learnt", true, &|x| prelu.forward(x)),
        ("RReLU while training", true, &|x| rrelu.forward(x)),
        ("RReLU evaluated", false, &|x| rrelu.forward(x)),
        ("ELU", true, &|x| ELU::default().forward(x)),
        ("Softplus", true, &|x| Softplus::default().forward(x)),
        ("GELU", true, &|x| GELU::Exact.forward(x)),
        ("SiLU", true, &|x| SiLU.forward(x)),
    ];

    println!("{:30}{}", "x", FEW.map(|x| format!("{x:8}")).concat());
    let mut panels = Vec::new();
    for (name, training, function) in functions {
        let (values, slopes) = values_and_slopes(function, training, &FEW)?;
        let row = |numbers: Vec<f32>| numbers.iter().map(|y| format!("{y:8.4}")).collect::<String>();
        println!("{name:28} y  {}\n{:28} y' {}", row(values), "", row(slopes));
        // A random slope for each point cannot be joined to a line; fewer points, of their own, say it better.
        let random = name.ends_with("training");
        let step = if random { 0.1 } else { 0.02 };
        let x: Vec<f32> = (0..=(12.0 / step) as usize).map(|i| i as f32 * step - 6.0).collect();
        panels.push(plot(&x, values_and_slopes(function, training, &x)?, random).titled(name));
    }
    let third = panels.split_off(8);
    let second = panels.split_off(4);
    let legend = [
        ("the function", BLUE),
        ("its derivative", ORANGE),
        ("derivative below 0.05", mix(LIGHT, GREY, 0.3)),
    ];
    Figure::new()
        .row([Panel::legend(&legend)])
        .row(panels)
        .row(second)
        .row(third)
        .save(&folder, "activations")
}

/// The function at some places, and its derivative there: each element of y depends on its own x only, so the
/// gradient of their sum has the derivative at every x.
fn values_and_slopes(function: Function<'_>, training: bool, x: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
    let tape = if training { Tape::new() } else { Tape::new().eval() };
    let x = tape.leaf(Tensor::from_slice(x, [x.len()])?);
    let y = function(&x)?;
    let [slope] = grad(&y.sum(..)?, [&x])?;
    Ok((y.value().to_vec(), slope.value().to_vec()))
}

fn plot(x: &[f32], (values, slopes): (Vec<f32>, Vec<f32>), random: bool) -> Panel {
    let flat = x.windows(2).zip(&slopes).filter(|(_, slope)| slope.abs() < FLAT);
    let shaded = flat.map(|(ends, _)| (ends[0], ends[1])).collect();
    let curve = if random { Curve::dots } else { Curve::new };
    let along = |y: Vec<f32>| x.iter().copied().zip(y).filter(|(_, y)| *y <= 2.2).collect::<Vec<_>>();
    Plot {
        size: (270, 210),
        x: (-6.0, 6.0),
        y: (-2.2, 2.2),
        names: ("", ""),
        ticks: (vec![-5.0, 0.0, 5.0], vec![-2.0, -1.0, 0.0, 1.0, 2.0]),
        text: |tick| format!("{tick}").replace('-', "−"),
        shaded,
        curves: vec![curve(ORANGE, along(slopes)), curve(BLUE, along(values))],
    }
    .panel()
}
