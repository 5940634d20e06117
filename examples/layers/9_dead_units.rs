//! 9. How a ReLU dies, and what LeakyReLU, PReLU and RReLU do about it.
//!
//! ```text
//! cargo run --release --example layers_dead_units
//! ```

mod picture;

use picture::{BLUE, Colour, Curve, Figure, GREEN, ORANGE, Panel, Plot, RED};
use retrograd::prelude::*;

const UNITS: usize = 64;
const STEPS: usize = 800;
/// The step that is a hundred times as large as the others.
const LARGE_STEP: usize = 10;

/// A name, a colour, and how the layer is made.
type Rectifier = (&'static str, Colour, fn() -> Result<Box<dyn Layer>>);

/// A ReLU that is below zero for every input, silent, passes no gradient, so nothing moves its weights any more: it
/// is dead. With a slope on the left a silent unit goes on learning.
fn main() -> Result<()> {
    let folder = picture::folder()?;
    let rectifiers: [Rectifier; 4] = [
        ("ReLU", RED, || Ok(Box::new(ReLU))),
        ("LeakyReLU, slope 0.01", ORANGE, || Ok(Box::new(LeakyReLU::default()))),
        ("PReLU", GREEN, || Ok(Box::new(PReLU::new(1, 0.25)?))),
        ("RReLU", BLUE, || Ok(Box::new(RReLU::default()))),
    ];
    println!(
        "of {UNITS} units     silent before the large step, after it, at the end; without a gradient; error"
    );
    let (mut silent, mut errors, mut legend) = (Vec::new(), Vec::new(), Vec::new());
    for (name, colour, make) in rectifiers {
        let course = train(make()?)?;
        let [before, after, end] = [LARGE_STEP, LARGE_STEP + 1, STEPS].map(|step| course.silent[step]);
        println!("{name:22} {before:7} {after:22} {end:10} {:19} {:8.3}", course.dead, course.errors[STEPS]);
        let curve = |values: Vec<f32>| Curve::new(colour, (0..).map(|step| step as f32).zip(values));
        silent.push(curve(course.silent.iter().map(|&count| count as f32).collect()));
        errors.push(curve(course.errors.iter().map(|error| error.log10()).collect()));
        legend.push((name, colour));
    }
    let plot = |name, y, ticks, curves| Plot {
        size: (520, 320),
        x: (0.0, STEPS as f32),
        y,
        names: ("step", name),
        ticks: (vec![0.0, 200.0, 400.0, 600.0, 800.0], ticks),
        text: |tick| format!("{tick}").replace('-', "−"),
        shaded: vec![],
        curves,
    };
    let left = plot("silent units, of 64", (0.0, 64.0), vec![0.0, 16.0, 32.0, 48.0, 64.0], silent);
    let powers = vec![-2.0, -1.0, 0.0, 1.0, 2.0, 3.0];
    let right = plot("mean squared error, as a power of ten", (-2.0, 4.0), powers, errors);
    Figure::new().row([Panel::legend(&legend)]).row([left.panel(), right.panel()]).save(&folder, "dead_units")
}

/// One hidden layer.
struct Net {
    first: Linear,
    activation: Box<dyn Layer>,
    last: Linear,
}

module!(Net { first, activation, last });

/// What happened in a training: silent units and error at each step, and the units that no gradient reaches at last.
#[derive(Default)]
struct Course {
    silent: Vec<usize>,
    errors: Vec<f32>,
    dead: usize,
}

/// Fits a wave.
fn train(activation: Box<dyn Layer>) -> Result<Course> {
    let rng = &mut StdRng::seed_from_u64(2);
    let (first, last) = (Linear::new(1, UNITS).build(rng)?, Linear::new(UNITS, 1).build(rng)?);
    let mut net = Net { first, activation, last };
    let x: Tensor = Tensor::arange(128)?.map(|x: f32| x / 128.0).reshape(&[128, 1])?;
    let target = Var::from(x.map(|x| (6.0 * x).sin() + 1.0));
    let (tape, mut small, mut large) = (Tape::new(), Adam::new(0.01), Adam::new(1.0));
    let mut course = Course::default();
    for step in 0..=STEPS {
        tape.clear();
        let hidden = net.first.forward(&tape.constant(x.clone()))?;
        let y = net.last.forward(&net.activation.forward(&hidden)?)?;
        let loss = y.mse_loss(&target)?;
        let gradients = loss.backward()?;

        // A unit is a column of `hidden`, an input a row.
        let count = |values: &[f32], is: fn(f32) -> bool| values.iter().filter(|&&value| is(value)).count();
        course.silent.push(count(hidden.value().amax(0)?.as_slice(), |largest| largest <= 0.0));
        course.errors.push(loss.item()?);
        course.dead = gradients.get(&net.first.weight).map_or(UNITS, |g| count(g.as_slice(), |g| g == 0.0));
        let optimizer = if step == LARGE_STEP { &mut large } else { &mut small };
        optimizer.step(&mut net, &gradients)?;
    }
    Ok(course)
}
