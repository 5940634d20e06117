//! The workloads on [candle](https://github.com/huggingface/candle), by the names of `cargo bench --bench workloads`.
//!
//! candle's SGD has no momentum: it is written here with tensor operations.

#[path = "../../../products/mod.rs"]
mod products;
#[path = "../../../timing/mod.rs"]
mod timing;

use std::hint::black_box;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{
    BatchNormConfig, Conv2dConfig, Module, ModuleT, VarBuilder, VarMap, batch_norm, conv2d, linear, loss, ops,
};

const CPU: Device = Device::Cpu;

type Step = Box<dyn FnMut() -> Result<()>>;

fn main() -> Result<()> {
    println!("{}", timing::COLUMNS);
    for name in std::env::args().skip(1) {
        match workload(&name)? {
            Some(step) => println!("{}", timing::Row::measure(&name, step)?.csv()),
            None => eprintln!("{name} is not supported"),
        }
    }
    Ok(())
}

fn workload(name: &str) -> Result<Option<Step>> {
    match name.split('.').collect::<Vec<_>>()[..] {
        ["train", network, batch] => training(network, batch[1..].parse().unwrap()).map(Some),
        ["infer", network, batch] => inference(network, batch[1..].parse().unwrap()).map(Some),
        ["op", operation, pass] => self::operation(operation, pass == "fwdbwd").map(Some),
        ["tape", "chain1000", pass] => chain(pass == "fwdbwd").map(Some),
        _ => Ok(None),
    }
}

/// Layers one after the other; batch norm needs to know whether it trains.
struct Network(Vec<Box<dyn ModuleT>>);

impl Network {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.0.iter().try_fold(x.clone(), |x, layer| layer.forward_t(&x, train))
    }
}

/// A layer without parameters.
struct Function(fn(&Tensor) -> Result<Tensor>);

impl Module for Function {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0(x)
    }
}

/// Its layers, and the shape of an input.
fn network(name: &str, variables: &VarBuilder<'_>) -> Result<(Network, &'static [usize])> {
    let mut layers: Vec<Box<dyn ModuleT>> = Vec::new();
    let mut number = 0;
    let mut next = || {
        number += 1;
        variables.pp(number)
    };
    let padded = |padding| Conv2dConfig { padding, ..Conv2dConfig::default() };
    let function = |f| Box::new(Function(f));
    let input: &[usize] = match name {
        "lenet" => {
            layers.push(Box::new(conv2d(1, 6, 5, padded(2), next())?));
            layers.push(function(|x| x.tanh()?.avg_pool2d(2)));
            layers.push(Box::new(conv2d(6, 16, 5, padded(0), next())?));
            layers.push(function(|x| x.tanh()?.avg_pool2d(2)?.flatten_from(1)));
            layers.push(Box::new(linear(400, 120, next())?));
            layers.push(function(Tensor::tanh));
            layers.push(Box::new(linear(120, 84, next())?));
            layers.push(function(Tensor::tanh));
            layers.push(Box::new(linear(84, 10, next())?));
            &[1, 28, 28]
        }
        "smallcnn" => {
            layers.push(Box::new(conv2d(1, 32, 3, padded(1), next())?));
            layers.push(function(Tensor::relu));
            layers.push(Box::new(conv2d(32, 64, 3, padded(1), next())?));
            layers.push(function(|x| x.relu()?.max_pool2d(2)?.flatten_from(1)));
            layers.push(Box::new(linear(64 * 14 * 14, 128, next())?));
            layers.push(function(Tensor::relu));
            layers.push(Box::new(linear(128, 10, next())?));
            &[1, 28, 28]
        }
        "vggish" => {
            for (from, to) in [(3, 32), (32, 64), (64, 128)] {
                for channels in [from, to] {
                    layers.push(Box::new(conv2d(channels, to, 3, padded(1), next())?));
                    layers.push(Box::new(batch_norm(to, BatchNormConfig::default(), next())?));
                    layers.push(function(Tensor::relu));
                }
                layers.push(function(|x| x.max_pool2d(2)));
            }
            layers.push(function(|x| x.flatten_from(1)));
            layers.push(Box::new(linear(2048, 10, next())?));
            &[3, 32, 32]
        }
        "mlp" => {
            layers.push(Box::new(linear(784, 512, next())?));
            layers.push(function(Tensor::relu));
            layers.push(Box::new(linear(512, 256, next())?));
            layers.push(function(Tensor::relu));
            layers.push(Box::new(linear(256, 10, next())?));
            &[784]
        }
        _ => candle_core::bail!("no network {name}"),
    };
    Ok((Network(layers), input))
}

fn training(name: &str, batch: usize) -> Result<Step> {
    let variables = VarMap::new();
    let (network, input) = network(name, &VarBuilder::from_varmap(&variables, DType::F32, &CPU))?;
    let x = Tensor::randn(0f32, 1.0, [&[batch], input].concat(), &CPU)?;
    let labels = labels(batch, 10)?;
    let parameters = variables.all_vars();
    let mut velocities: Vec<Option<Tensor>> = vec![None; parameters.len()];
    Ok(Box::new(move || {
        let loss = loss::cross_entropy(&network.forward(&x, true)?, &labels)?;
        let gradients = loss.backward()?;
        for (parameter, velocity) in parameters.iter().zip(&mut velocities) {
            let Some(gradient) = gradients.get(parameter) else { continue };
            let new = match velocity {
                Some(velocity) => ((&*velocity * 0.9)? + gradient)?,
                None => gradient.clone(),
            };
            parameter.set(&(parameter.as_tensor() - (&new * 0.01)?)?)?;
            *velocity = Some(new);
        }
        black_box(loss.to_scalar::<f32>()?);
        Ok(())
    }))
}

fn inference(name: &str, batch: usize) -> Result<Step> {
    let variables = VarMap::new();
    // Detached from their variables, the parameters make no graph.
    let (_, input) = network(name, &VarBuilder::from_varmap(&variables, DType::F32, &CPU))?;
    let fixed =
        variables.data().lock().unwrap().iter().map(|(k, v)| (k.clone(), v.as_detached_tensor())).collect();
    let (network, _) = network(name, &VarBuilder::from_tensors(fixed, DType::F32, &CPU))?;
    let x = Tensor::randn(0f32, 1.0, [&[batch], input].concat(), &CPU)?;
    Ok(Box::new(move || {
        black_box(network.forward(&x, false)?);
        Ok(())
    }))
}

/// The function of random inputs of these shapes, going back from ones if wanted.
fn single<const N: usize>(
    shapes: [&[usize]; N],
    backward: bool,
    function: impl Fn(&[Tensor; N]) -> Result<Tensor> + 'static,
) -> Result<Step> {
    let variables = shapes.map(|shape| Var::randn(0f32, 1.0, shape, &CPU).unwrap());
    let inputs = variables.map(|v| if backward { v.as_tensor().clone() } else { v.as_detached_tensor() });
    Ok(Box::new(move || {
        let y = function(&inputs)?;
        if backward {
            black_box(y.backward()?);
        }
        black_box(y);
        Ok(())
    }))
}

fn operation(name: &str, backward: bool) -> Result<Step> {
    // The bias of a convolution is added by broadcasting, as candle's layers do.
    let biased = |y: Tensor, bias: &Tensor| y.broadcast_add(&bias.reshape((1, (), 1, 1))?);
    let conv = move |[x, w, b]: &[Tensor; 3]| biased(x.conv2d(w, 1, 1, 1, 1)?, b);
    match name {
        "conv64" => single([&[32, 64, 16, 16], &[64, 64, 3, 3], &[64]], backward, conv),
        "conv16_32" => single([&[64, 16, 28, 28], &[32, 16, 3, 3], &[32]], backward, conv),
        "convt32_16" => single([&[32, 32, 14, 14], &[32, 16, 3, 3], &[16]], backward, move |[x, w, b]| {
            biased(x.conv_transpose2d(w, 0, 0, 2, 1)?, b)
        }),
        "maxpool" => single([&[64, 32, 28, 28]], backward, |[x]| x.max_pool2d(2)),
        "relu" => single([&[4 << 20]], backward, |[x]| x.relu()),
        "tanh" => single([&[4 << 20]], backward, |[x]| x.tanh()),
        "sigmoid" => single([&[4 << 20]], backward, |[x]| ops::sigmoid(x)),
        "xent" => {
            let labels = labels(4096, 1000)?;
            single([&[4096, 1000]], backward, move |[x]| loss::cross_entropy(x, &labels))
        }
        _ => {
            let Some(([a, b], [ta, tb])) = products::named(name) else { candle_core::bail!("no {name}") };
            let seen = |x: &Tensor, transposed| if transposed { x.t() } else { Ok(x.clone()) };
            single([&a, &b], backward, move |[a, b]| seen(a, ta)?.matmul(&seen(b, tb)?))
        }
    }
}

/// y ← y·a + b on scalars, a thousand times.
fn chain(backward: bool) -> Result<Step> {
    let variables = [1f32, 0.999, 0.001].map(|value| Var::new(value, &CPU).unwrap());
    let [y0, a, b] = variables.map(|v| if backward { v.as_tensor().clone() } else { v.as_detached_tensor() });
    Ok(Box::new(move || {
        let y = (0..1000).try_fold(y0.clone(), |y, _| (y * &a)? + &b)?;
        if backward {
            black_box(y.backward()?);
        }
        black_box(y);
        Ok(())
    }))
}

fn labels(count: usize, classes: u32) -> Result<Tensor> {
    Tensor::from_iter((0..count as u32).map(|i| i.wrapping_mul(2_654_435_761) % classes), &CPU)
}
