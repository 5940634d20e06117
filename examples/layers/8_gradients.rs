//! 8. How gradients vanish and explode in a deep network, and which weights to begin with.
//!
//! ```text
//! cargo run --release --example layers_gradients
//! ```

mod picture;

use picture::{BLUE, Colour, Curve, Figure, GREEN, ORANGE, PURPLE, Panel, Plot, RED};
use retrograd::nn::init::{Init, Uniform};
use retrograd::prelude::*;

/// A name, a colour, what follows each layer, and what its weights begin as.
type Network = (&'static str, Colour, Box<dyn Layer>, Box<dyn Init<f32>>);

const DEPTH: usize = 20;
const WIDTH: usize = 64;

/// A network of 20 layers. A gradient goes through them from the last to the first, and each multiplies it: by the
/// slope of its activation and by its weights. If that is below 1 on the whole it vanishes, if above 1 it explodes.
fn main() -> Result<()> {
    let folder = picture::folder()?;
    let xavier = || Box::new(XavierNormal::default()) as Box<dyn Init<f32>>;
    // What a linear layer begins as: uniform in ±1/√inputs, which is small for a ReLU. Kaiming's weights have the
    // deviation √(2/inputs), because a ReLU lets half of the signal through; the last ones are larger by half.
    let default = Uniform::by_fan_in(&[WIDTH, WIDTH].into())?;
    let kaiming = KaimingNormal::default();
    let large = XavierNormal::gain(1.5 * 2f64.sqrt());
    let networks: [Network; 5] = [
        ("sigmoid, Xavier", RED, Box::new(Sigmoid), xavier()),
        ("tanh, Xavier", GREEN, Box::new(Tanh), xavier()),
        ("ReLU, default weights", ORANGE, Box::new(ReLU), Box::new(default)),
        ("ReLU, Kaiming", BLUE, Box::new(ReLU), Box::new(kaiming)),
        ("ReLU, Kaiming times 1.5", PURPLE, Box::new(ReLU), Box::new(large)),
    ];
    println!("the gradient's size at layers 1, 10 and 20, relative to the last");
    let (mut curves, mut legend) = (Vec::new(), Vec::new());
    for (name, colour, activation, init) in &networks {
        let norms = norms(activation, init.as_ref())?;
        println!("{name:28} {:9.1e} {:9.1e} {:9.1e}", norms[0], norms[9], norms[19]);
        let powers = norms.iter().map(|norm| norm.log10());
        curves.push(Curve::new(*colour, (1..).map(|layer| layer as f32).zip(powers)));
        legend.push((*name, *colour));
    }
    let plot = Plot {
        size: (900, 380),
        x: (1.0, DEPTH as f32),
        y: (-14.0, 6.0),
        names: ("layer, from the input to the output", "size of the gradient, as a power of ten"),
        ticks: (vec![1.0, 5.0, 10.0, 15.0, 20.0], vec![-12.0, -9.0, -6.0, -3.0, 0.0, 3.0]),
        text: |tick| format!("{tick}").replace('-', "−"),
        shaded: vec![],
        curves,
    };
    Figure::new().row([Panel::legend(&legend)]).row([plot.panel()]).save(&folder, "gradients_by_depth")
}

/// The size of the gradient with respect to the output of each layer.
fn norms(activation: &impl Layer, init: &dyn Init<f32>) -> Result<Vec<f32>> {
    let mut rng = StdRng::seed_from_u64(1);
    let tape = Tape::new();
    let mut x = tape.constant(Tensor::randn([32, WIDTH], &mut rng)?);
    let mut outputs = Vec::new();
    for _ in 0..DEPTH {
        let weight = tape.leaf(init.sample(&[WIDTH, WIDTH].into(), &mut rng)?);
        x = activation.forward(&x.linear(&weight, None)?)?;
        outputs.push(x.clone());
    }
    let outputs: [&Var; DEPTH] = std::array::from_fn(|layer| &outputs[layer]);
    let gradients = grad(&x.sum(..)?, outputs)?;
    let norm = |g: &Var| Ok(g.value().square().sum(..)?.item()?.sqrt());
    let last = norm(&gradients[DEPTH - 1])?;
    gradients.iter().map(|g| Ok(norm(g)? / last)).collect()
}
