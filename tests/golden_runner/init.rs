//! Initialisers: gains, and whether many draws have the bounds, the mean and the deviation that they should.

use std::panic::Location;

use retrograd::nn::init::{
    Fan, Init, KaimingNormal, KaimingUniform, Nonlinearity, Normal, Uniform, XavierNormal, XavierUniform,
};
use retrograd::nn::{Conv, ConvTranspose, Linear, Parameter};
use retrograd::prelude::{SeedableRng, StdRng};
use retrograd::tensor::{Float, Result, Shape};
use serde_json::Value;

use super::call::Call;
use super::case::Case;
use super::{Outcome, Stop};

/// How many numbers are drawn, at least.
const DRAWS: usize = 20_000;

pub(super) fn check<T: Float>(case: &Case) -> Outcome {
    let call = Call::<T>::new(case);
    let rng = &mut StdRng::seed_from_u64(20_261_122);
    match call.op() {
        "calculate_gain" => check_gain(&call, case),
        "layer_default" => check_default(&call, case, rng),
        _ => {
            let (init, shape) = (initialiser(&call)?, call.shape("shape")?);
            call.argument("layer");
            call.all_taken()?;
            let values = draw(shape.numel(), || Ok(init.sample(&shape, rng)?.to_vec()))?;
            check_distribution("weight", &values, case.field("expect"))
        }
    }
}

/// Draws once as a doubtful configuration says, in which what is not said is PyTorch's default: the shapes
/// of the results.
pub(super) fn attempt<T: Float>(call: &Call<'_, T>) -> Outcome<Vec<Shape>> {
    if call.op() == "calculate_gain" {
        nonlinearity(call.argument("nonlinearity"), call.argument("param"))?.gain();
        return Ok(Vec::new());
    }
    let options = call.argument("options");
    let option = |name: &str, default: f64| options[name].as_f64().unwrap_or(default);
    let fan = || fan(options.get("mode").unwrap_or(&Value::from("fan_in")));
    let nonlinearity =
        || nonlinearity(options.get("nonlinearity").unwrap_or(&Value::from("leaky_relu")), &options["a"]);
    let gain = option("gain", 1.0);
    let init: Box<dyn Init<T>> = match call.argument("initializer").as_str() {
        Some("xavier_normal") => Box::new(XavierNormal::gain(gain)),
        Some("xavier_uniform") => Box::new(XavierUniform::gain(gain)),
        Some("kaiming_normal") => Box::new(KaimingNormal { fan: fan()?, nonlinearity: nonlinearity()? }),
        Some("kaiming_uniform") => Box::new(KaimingUniform { fan: fan()?, nonlinearity: nonlinearity()? }),
        Some("normal") => Box::new(Normal { mean: option("mean", 0.0), std: option("std", 1.0) }),
        Some("uniform") => Box::new(Uniform { low: option("a", 0.0), high: option("b", 1.0) }),
        _ => return Err(Stop::unknown("no such initialiser")),
    };
    let drawn = init.sample(&call.shape("shape")?, &mut StdRng::seed_from_u64(1));
    // A call of a trait object does not hand on its line.
    let drawn = drawn.map_err(|error| error.called_from(Location::caller()))?;
    Ok(vec![drawn.shape().clone()])
}

fn initialiser<T: Float>(call: &Call<'_, T>) -> Outcome<Box<dyn Init<T>>> {
    Ok(match call.op() {
        "xavier_normal" => Box::new(XavierNormal::gain(call.float("gain")?)),
        "xavier_uniform" => Box::new(XavierUniform::gain(call.float("gain")?)),
        "kaiming_normal" => Box::new(KaimingNormal {
            fan: fan(call.argument("mode"))?,
            nonlinearity: followed_by(call, "a")?,
        }),
        "kaiming_uniform" => Box::new(KaimingUniform {
            fan: fan(call.argument("mode"))?,
            nonlinearity: followed_by(call, "a")?,
        }),
        _ => return Err(Stop::unknown("no such initialiser")),
    })
}

fn fan(mode: &Value) -> Outcome<Fan> {
    match mode.as_str() {
        Some("fan_in") => Ok(Fan::In),
        Some("fan_out") => Ok(Fan::Out),
        _ => Err(Stop::Inexpressible(format!("mode {mode}"))),
    }
}

/// The nonlinearity; `slope` names the argument that only the leaky rectifier looks at.
fn followed_by<T: Float>(call: &Call<'_, T>, slope: &str) -> Outcome<Nonlinearity> {
    nonlinearity(call.argument("nonlinearity"), call.argument(slope))
}

fn nonlinearity(name: &Value, slope: &Value) -> Outcome<Nonlinearity> {
    let slope = match slope {
        Value::Null => 0.01,
        slope => slope.as_f64().ok_or_else(|| Stop::Inexpressible(format!("a slope of {slope}")))?,
    };
    Ok(match name.as_str() {
        Some("linear" | "conv1d" | "conv2d" | "conv3d") => Nonlinearity::Linear,
        Some("sigmoid") => Nonlinearity::Sigmoid,
        Some("tanh") => Nonlinearity::Tanh,
        Some("relu") => Nonlinearity::Relu,
        Some("leaky_relu") => Nonlinearity::LeakyRelu(slope),
        Some("selu") => Nonlinearity::Selu,
        _ => return Err(Stop::Inexpressible(format!("nonlinearity {name}"))),
    })
}

fn check_gain<T: Float>(call: &Call<'_, T>, case: &Case) -> Outcome {
    let (found, expected) = (followed_by(call, "param")?.gain(), number(case.field("expect"), "gain"));
    call.all_taken()?;
    near("gain", found, expected, 1e-12)
}

/// What layers begin as when nothing is said.
fn check_default<T: Float>(call: &Call<'_, T>, case: &Case, rng: &mut StdRng) -> Outcome {
    let expect = case.field("expect");
    let layer = call.argument("layer").as_str();
    let mut build = || {
        let (weight, bias) = match layer {
            Some("linear") => {
                let layer =
                    Linear::new(call.extent("in_features")?, call.extent("out_features")?).build(rng)?;
                (layer.weight, layer.bias)
            }
            Some("conv1d") => convolution::<1, T>(call, rng)?,
            Some("conv2d") => convolution::<2, T>(call, rng)?,
            Some("conv3d") => convolution::<3, T>(call, rng)?,
            Some("conv_transpose1d") => transposed::<1, T>(call, rng)?,
            Some("conv_transpose2d") => transposed::<2, T>(call, rng)?,
            Some("conv_transpose3d") => transposed::<3, T>(call, rng)?,
            _ => return Err(Stop::unknown(format!("no layer {}", layer.unwrap_or("without a name")))),
        };
        let bias = bias.ok_or_else(|| Stop::Failed("the layer has no bias".into()))?;
        for (name, parameter) in [("weight_shape", &weight), ("bias_shape", &bias)] {
            if expect[name] != Value::from(parameter.value().shape().to_vec()) {
                return Err(Stop::Failed(format!("{name} is {}", parameter.value().shape())));
            }
        }
        Ok((weight, bias))
    };
    let (mut weights, mut biases) = (Vec::new(), Vec::new());
    while biases.len() < DRAWS {
        let (weight, bias) = build()?;
        weights.extend(weight.value().as_slice().iter().map(|x| x.to_f64()));
        biases.extend(bias.value().as_slice().iter().map(|x| x.to_f64()));
    }
    call.all_taken()?;
    check_distribution("weight", &weights, &expect["weight"])?;
    check_distribution("bias", &biases, &expect["bias"])
}

type WeightAndBias<T> = (Parameter<T>, Option<Parameter<T>>);

fn convolution<const D: usize, T: Float>(call: &Call<'_, T>, rng: &mut StdRng) -> Outcome<WeightAndBias<T>> {
    let kernel = call.extents::<D>("kernel_size")?;
    let layer = Conv::new(call.extent("in_channels")?, call.extent("out_channels")?, kernel);
    let layer = layer.groups(call.extent("groups")?).build(rng)?;
    Ok((layer.weight, layer.bias))
}

fn transposed<const D: usize, T: Float>(call: &Call<'_, T>, rng: &mut StdRng) -> Outcome<WeightAndBias<T>> {
    let kernel = call.extents::<D>("kernel_size")?;
    let layer = ConvTranspose::new(call.extent("in_channels")?, call.extent("out_channels")?, kernel);
    let layer = layer.groups(call.extent("groups")?).build(rng)?;
    Ok((layer.weight, layer.bias))
}

/// Enough numbers, so many at a time.
fn draw<T: Float>(at_a_time: usize, mut sample: impl FnMut() -> Result<Vec<T>>) -> Outcome<Vec<f64>> {
    let mut values = Vec::new();
    for _ in 0..DRAWS.div_ceil(at_a_time) {
        values.extend(sample()?.into_iter().map(T::to_f64));
    }
    Ok(values)
}

/// Checks the mean and the deviation to five of their own deviations, which right numbers exceed once in a
/// million.
fn check_distribution(name: &str, values: &[f64], expect: &Value) -> Outcome {
    let (n, std) = (values.len() as f64, number(expect, "std"));
    let mean = values.iter().sum::<f64>() / n;
    let found = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    let share = |low: f64, high: f64| values.iter().filter(|x| (low..=high).contains(*x)).count() as f64 / n;
    let uniform = expect["distribution"] == "uniform";
    let kurtosis: f64 = if uniform { 1.8 } else { 3.0 };
    near(&format!("{name}: mean"), mean, 0.0, 5.0 * std / n.sqrt())?;
    near(&format!("{name}: deviation"), found, std, 5.0 * std * ((kurtosis - 1.0) / (4.0 * n)).sqrt())?;
    // Uniform numbers keep their bounds, half on either side; of normal ones 68 % lie within a deviation.
    if uniform {
        let (low, high) = (number(expect, "low"), number(expect, "high"));
        let rounding = 1e-7 * high;
        near(&format!("{name}: share within bounds"), share(low - rounding, high + rounding), 1.0, 0.0)?;
        let half = (low + high) / 2.0;
        near(&format!("{name}: share of the lower half"), share(low - rounding, half), 0.5, 2.5 / n.sqrt())
    } else {
        let expected = 0.682_689_492;
        let deviation = (expected * (1.0 - expected) / n).sqrt();
        near(&format!("{name}: share within a deviation"), share(-std, std), expected, 5.0 * deviation)
    }
}

fn near(what: &str, found: f64, expected: f64, bound: f64) -> Outcome {
    match (found - expected).abs() <= bound {
        true => Ok(()),
        false => Err(Stop::Failed(format!("{what} is {found}, not {expected} ± {bound:.1e}"))),
    }
}

fn number(expect: &Value, name: &str) -> f64 {
    expect[name].as_f64().unwrap_or_else(|| panic!("the expectation has no {name}"))
}
