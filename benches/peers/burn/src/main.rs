//! The workloads on [burn](https://github.com/tracel-ai/burn), backend flex, by the names of
//! `cargo bench --bench workloads`.

#[path = "../../../products/mod.rs"]
mod products;
#[path = "../../../timing/mod.rs"]
mod timing;

use std::convert::Infallible;
use std::hint::black_box;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d, Relu, Tanh};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Distribution, Int, Tensor, activation, module};

type Step = Box<dyn FnMut()>;

fn main() {
    println!("{}", timing::COLUMNS);
    for name in std::env::args().skip(1) {
        let Some(mut step) = workload(&name) else {
            eprintln!("{name} is not supported");
            continue;
        };
        let row = timing::Row::measure(&name, || Ok::<(), Infallible>(step()));
        println!("{}", row.unwrap_or_else(|never| match never {}).csv());
    }
}

fn workload(name: &str) -> Option<Step> {
    match name.split('.').collect::<Vec<_>>()[..] {
        ["train", network, batch] => training(network, batch[1..].parse().ok()?),
        ["infer", network, batch] => inference(network, batch[1..].parse().ok()?),
        ["op", operation, pass] => self::operation(operation, pass == "fwdbwd"),
        ["tape", "chain1000", pass] => Some(chain(pass == "fwdbwd")),
        _ => None,
    }
}

/// A layer on images.
#[derive(Module, Debug)]
enum Spatial {
    Conv(Conv2d),
    Norm(BatchNorm),
    Tanh(Tanh),
    Relu(Relu),
    Avg(AvgPool2d),
    Max(MaxPool2d),
}

/// A layer on vectors.
#[derive(Module, Debug)]
enum Dense {
    Linear(Linear),
    Tanh(Tanh),
    Relu(Relu),
}

#[derive(Module, Debug)]
struct Network {
    spatial: Vec<Spatial>,
    dense: Vec<Dense>,
}

impl Network {
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.spatial.iter().fold(x, |x, layer| match layer {
            Spatial::Conv(layer) => layer.forward(x),
            Spatial::Norm(layer) => layer.forward(x),
            Spatial::Tanh(layer) => layer.forward(x),
            Spatial::Relu(layer) => layer.forward(x),
            Spatial::Avg(layer) => layer.forward(x),
            Spatial::Max(layer) => layer.forward(x),
        });
        self.dense.iter().fold(x.flatten(1, 3), |x, layer| match layer {
            Dense::Linear(layer) => layer.forward(x),
            Dense::Tanh(layer) => layer.forward(x),
            Dense::Relu(layer) => layer.forward(x),
        })
    }
}

/// A network, and the shape of an input.
fn network(name: &str, device: &Device) -> Option<(Network, [usize; 3])> {
    let conv = |from, to, size, padding| {
        let padding = PaddingConfig2d::Explicit(padding, padding, padding, padding);
        Spatial::Conv(Conv2dConfig::new([from, to], [size; 2]).with_padding(padding).init(device))
    };
    let avg_pool = || Spatial::Avg(AvgPool2dConfig::new([2; 2]).with_strides([2; 2]).init());
    let max_pool = || Spatial::Max(MaxPool2dConfig::new([2; 2]).with_strides([2; 2]).init());
    let linear = |from, to| Dense::Linear(LinearConfig::new(from, to).init(device));
    let relu = || Spatial::Relu(Relu::new());
    let (spatial, dense, input) = match name {
        "lenet" => (
            vec![
                conv(1, 6, 5, 2),
                Spatial::Tanh(Tanh::new()),
                avg_pool(),
                conv(6, 16, 5, 0),
                Spatial::Tanh(Tanh::new()),
                avg_pool(),
            ],
            vec![
                linear(400, 120),
                Dense::Tanh(Tanh::new()),
                linear(120, 84),
                Dense::Tanh(Tanh::new()),
                linear(84, 10),
            ],
            [1, 28, 28],
        ),
        "smallcnn" => (
            vec![conv(1, 32, 3, 1), relu(), conv(32, 64, 3, 1), relu(), max_pool()],
            vec![linear(64 * 14 * 14, 128), Dense::Relu(Relu::new()), linear(128, 10)],
            [1, 28, 28],
        ),
        "vggish" => {
            let mut layers = Vec::new();
            for (from, to) in [(3, 32), (32, 64), (64, 128)] {
                for channels in [from, to] {
                    let norm = BatchNormConfig::new(to).init(device);
                    layers.extend([conv(channels, to, 3, 1), Spatial::Norm(norm), relu()]);
                }
                layers.push(max_pool());
            }
            (layers, vec![linear(2048, 10)], [3, 32, 32])
        }
        "mlp" => {
            let relu = || Dense::Relu(Relu::new());
            (vec![], vec![linear(784, 512), relu(), linear(512, 256), relu(), linear(256, 10)], [784, 1, 1])
        }
        _ => return None,
    };
    Some((Network { spatial, dense }, input))
}

fn training(name: &str, batch: usize) -> Option<Step> {
    let device = Device::flex().autodiff();
    let (network, [channels, height, width]) = network(name, &device)?;
    let x = Tensor::<4>::random([batch, channels, height, width], Distribution::Normal(0.0, 1.0), &device);
    let labels = labels(batch, 10, &device);
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let mut optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
    let criterion = CrossEntropyLossConfig::new().init(&device);
    let mut network = Some(network);
    Some(Box::new(move || {
        let model = network.take().expect("put back at the end of each step");
        let loss = criterion.forward(model.forward(x.clone()), labels.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        network = Some(optimizer.step(0.01, model, gradients));
        black_box(loss.into_scalar::<f32>());
    }))
}

fn inference(name: &str, batch: usize) -> Option<Step> {
    let device = Device::flex();
    let (network, [channels, height, width]) = network(name, &device)?;
    let x = Tensor::<4>::random([batch, channels, height, width], Distribution::Normal(0.0, 1.0), &device);
    Some(Box::new(move || drop(black_box(network.forward(x.clone())))))
}

fn device(backward: bool) -> Device {
    if backward { Device::flex().autodiff() } else { Device::flex() }
}

fn leaf<const D: usize>(shape: [usize; D], backward: bool) -> Tensor<D> {
    let leaf = Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device(backward));
    if backward { leaf.require_grad() } else { leaf }
}

/// A function, going back from ones if wanted.
fn single<const D: usize>(backward: bool, function: impl Fn() -> Tensor<D> + 'static) -> Option<Step> {
    Some(Box::new(move || {
        let y = function();
        if backward {
            black_box(y.backward());
        }
        black_box(y);
    }))
}

fn operation(name: &str, backward: bool) -> Option<Step> {
    let conv = |x: [usize; 4], w: [usize; 4]| {
        let (x, w, b) = (leaf(x, backward), leaf(w, backward), leaf([w[0]], backward));
        let options = || ConvOptions::new([1; 2], [1; 2], [1; 2], 1);
        single(backward, move || module::conv2d(x.clone(), w.clone(), Some(b.clone()), options()))
    };
    let map = |function: fn(Tensor<1>) -> Tensor<1>| {
        let x = leaf([4 << 20], backward);
        single(backward, move || function(x.clone()))
    };
    match name {
        "conv64" => conv([32, 64, 16, 16], [64, 64, 3, 3]),
        "conv16_32" => conv([64, 16, 28, 28], [32, 16, 3, 3]),
        "convt32_16" => {
            let (x, w) = (leaf([32, 32, 14, 14], backward), leaf([32, 16, 3, 3], backward));
            let b = leaf([16], backward);
            let options = || ConvTransposeOptions::new([2; 2], [0; 2], [0; 2], [1; 2], 1);
            single(backward, move || {
                module::conv_transpose2d(x.clone(), w.clone(), Some(b.clone()), options())
            })
        }
        "maxpool" => {
            let x = leaf([64, 32, 28, 28], backward);
            let pool = MaxPool2dConfig::new([2; 2]).with_strides([2; 2]).init();
            single(backward, move || pool.forward(x.clone()))
        }
        "relu" => map(activation::relu),
        "tanh" => map(activation::tanh),
        "sigmoid" => map(activation::sigmoid),
        "xent" => {
            let (x, labels) = (leaf([4096, 1000], backward), labels(4096, 1000, &device(backward)));
            let criterion = CrossEntropyLossConfig::new().init(&device(backward));
            single(backward, move || criterion.forward(x.clone(), labels.clone()))
        }
        _ => {
            let (shapes, [ta, tb]) = products::named(name)?;
            let [a, b] = shapes.map(|shape| leaf(shape, backward));
            let seen = |x: &Tensor<2>, transposed| if transposed { x.clone().transpose() } else { x.clone() };
            single(backward, move || seen(&a, ta).matmul(seen(&b, tb)))
        }
    }
}

/// y ← y·a + b on scalars, a thousand times.
fn chain(backward: bool) -> Step {
    let scalar = |value: f32| {
        let scalar = Tensor::<1>::from_floats([value], &device(backward));
        if backward { scalar.require_grad() } else { scalar }
    };
    let (y, a, b) = (scalar(1.0), scalar(0.999), scalar(0.001));
    single(backward, move || (0..1000).fold(y.clone(), |y, _| y * a.clone() + b.clone())).expect("made")
}

fn labels(count: usize, classes: u32, device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i32> =
        (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) % classes) as i32).collect();
    Tensor::from_ints(&labels[..], device)
}
