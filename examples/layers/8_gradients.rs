//! 8. How gradients vanish, explode and die, and what to do about it.
//!
//! ```text
//! cargo run --release --example layers_gradients
//! ```

mod picture;

use picture::{BLUE, Colour, Curve, Figure, GREEN, ORANGE, PURPLE, Panel, Plot, RED};
use retrograd::nn::init::{Init, Uniform};
use retrograd::prelude::*;

fn main() -> Result<()> {
    let folder = picture::folder()?;
    depth(&folder)?;
    dead_units(&folder)
}

const DEPTH: usize = 20;
const WIDTH: usize = 64;

/// A network of 20 layers. A gradient goes through them from the last to the first, and each multiplies it: by the
/// slope of its activation and by its weights. If that is below 1 on the whole it vanishes, if above 1 it explodes.
fn depth(folder: &std::path::Path) -> Result<()> {
    let xavier = || Box::new(XavierNormal::default()) as Box<dyn Init<f32>>;
    let small = Uniform { bound: 1.0 / (WIDTH as f64).sqrt() };
    let kaiming = KaimingNormal::default();
    let networks: [(&str, Colour, Box<dyn Layer>, Box<dyn Init<f32>>); 5] = [
        ("sigmoid, Xavier", RED, Box::new(Sigmoid), xavier()),
        ("tanh, Xavier", GREEN, Box::new(Tanh), xavier()),
        ("ReLU, uniform in ±1/√inputs", ORANGE, Box::new(ReLU), Box::new(small)),
        ("ReLU, Kaiming", BLUE, Box::new(ReLU), Box::new(kaiming)),
        ("ReLU, Kaiming times 1.5", PURPLE, Box::new(ReLU), Box::new(XavierNormal::gain(1.5 * 2f64.sqrt()))),
    ];
    println!("the gradient's size at layers 1, 10 and 20, relative to the last");
    let (mut curves, mut legend) = (Vec::new(), Vec::new());
    for (name, colour, activation, init) in &networks {
        let norms = norms(activation, init.as_ref())?;
        println!("{name:28} {:9.1e} {:9.1e} {:9.1e}", norms[0], norms[9], norms[19]);
        curves
            .push(Curve::new(*colour, (1..).map(|layer| layer as f32).zip(norms.iter().map(|n| n.log10()))));
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
    Figure::new().row([Panel::legend(&legend)]).row([plot.panel()]).save(folder, "gradients_by_depth")
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

const STEPS: usize = 800;
const LARGE_STEP: usize = 10;

/// A ReLU that is below zero for every input passes no gradient, so nothing moves its weights any more: it is dead.
/// One step that is far too large is enough. Rectifiers with a slope on the left come back.
fn dead_units(folder: &std::path::Path) -> Result<()> {
    let layers: [(&str, Colour, fn() -> Result<Box<dyn Layer>>); 4] = [
        ("ReLU", RED, || Ok(Box::new(ReLU))),
        ("LeakyReLU, slope 0.01", ORANGE, || Ok(Box::new(LeakyReLU::default()))),
        ("PReLU", GREEN, || Ok(Box::new(PReLU::new(1, 0.25)?))),
        ("RReLU", BLUE, || Ok(Box::new(RReLU::default()))),
    ];
    let (mut silent, mut losses, mut legend) = (Vec::new(), Vec::new(), Vec::new());
    println!(
        "\nunits that no input wakes, before a step that is too large, after it, and at the end; the error"
    );
    for (name, colour, activation) in layers {
        let (shares, errors) = train(activation()?)?;
        println!(
            "{name:22} {:4.0} % {:4.0} % {:4.0} %  {:.4}",
            100.0 * shares[LARGE_STEP],
            100.0 * shares[LARGE_STEP + 1],
            100.0 * shares[STEPS],
            errors[STEPS]
        );
        let points = |y: Vec<f32>| (0..).map(|step| step as f32).zip(y).collect::<Vec<_>>();
        silent.push(Curve::new(colour, points(shares.iter().map(|share| 100.0 * share).collect())));
        losses.push(Curve::new(colour, points(errors.iter().map(|error| error.log10()).collect())));
        legend.push((name, colour));
    }
    let plot = |names, y, ticks, curves| Plot {
        size: (520, 320),
        x: (0.0, STEPS as f32),
        y,
        names,
        ticks: (vec![0.0, 200.0, 400.0, 600.0, 800.0], ticks),
        text: |tick| format!("{tick}").replace('-', "−"),
        shaded: vec![],
        curves,
    };
    let left = plot(("step", "silent units, %"), (0.0, 105.0), vec![0.0, 25.0, 50.0, 75.0, 100.0], silent);
    let right = plot(
        ("step", "mean squared error, as a power of ten"),
        (-4.0, 3.0),
        vec![-3.0, -2.0, -1.0, 0.0, 1.0, 2.0],
        losses,
    );
    Figure::new()
        .row([Panel::legend(&legend)])
        .row([left.panel(), right.panel()])
        .save(folder, "gradients_dead_units")
}

/// One hidden layer.
struct Net {
    first: Linear,
    activation: Box<dyn Layer>,
    last: Linear,
}

module!(Net { first, activation, last });

/// Fits a wave with 64 units; one early step is much too large. The share of silent units and the error at each.
fn train(activation: Box<dyn Layer>) -> Result<(Vec<f32>, Vec<f32>)> {
    let rng = &mut StdRng::seed_from_u64(2);
    let mut net =
        Net { first: Linear::new(1, 64).build(rng)?, activation, last: Linear::new(64, 1).build(rng)? };
    let x: Tensor = Tensor::from_vec((0..128).map(|i| i as f32 / 128.0).collect(), [128, 1])?;
    let target = Var::from(x.map(|x| (6.0 * x).sin() + 1.0));
    let (tape, mut small, mut large) = (Tape::new(), Adam::new(0.01), Adam::new(1.0));
    let (mut shares, mut errors) = (Vec::new(), Vec::new());
    for step in 0..=STEPS {
        tape.clear();
        let hidden = net.first.forward(&tape.constant(x.clone()))?;
        let y = net.last.forward(&net.activation.forward(&hidden)?)?;
        let silent = hidden.value().amax(0)?.to_vec().iter().filter(|&&largest| largest <= 0.0).count();
        let loss = y.mse_loss(&target)?;
        shares.push(silent as f32 / 64.0);
        errors.push(loss.item()?);
        let optimizer = if step == LARGE_STEP { &mut large } else { &mut small };
        optimizer.step(&mut net, &loss.backward()?)?;
    }
    Ok((shares, errors))
}
