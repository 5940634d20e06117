//! The networks that are trained and evaluated.

use retrograd::prelude::*;

/// A classifier of ten classes, by name.
#[derive(Clone, Copy)]
pub(crate) struct Network {
    pub(crate) name: &'static str,
    /// The shape of one input, without the batch.
    pub(crate) input: &'static [usize],
    pub(crate) build: fn(&mut StdRng) -> Result<Sequential>,
}

pub(crate) const LENET: Network = Network { name: "lenet", input: &[1, 28, 28], build: lenet };
pub(crate) const SMALLCNN: Network = Network { name: "smallcnn", input: &[1, 28, 28], build: smallcnn };
pub(crate) const VGGISH: Network = Network { name: "vggish", input: &[3, 32, 32], build: vggish };
pub(crate) const MLP: Network = Network { name: "mlp", input: &[784], build: mlp };

impl Network {
    pub(crate) fn named(name: &str) -> Option<Network> {
        [LENET, SMALLCNN, VGGISH, MLP].into_iter().find(|network| network.name == name)
    }
}

/// LeNet-5 for images of 28×28.
fn lenet(rng: &mut StdRng) -> Result<Sequential> {
    Ok(sequential![
        Conv2d::new(1, 6, 5).padding(2).build(rng)?,
        Tanh,
        AvgPool2d::new(2),
        Conv2d::new(6, 16, 5).build(rng)?,
        Tanh,
        AvgPool2d::new(2),
        Flatten::default(),
        Linear::new(400, 120).build(rng)?,
        Tanh,
        Linear::new(120, 84).build(rng)?,
        Tanh,
        Linear::new(84, 10).build(rng)?,
    ])
}

/// Two convolutions, a pooling and a wide layer.
fn smallcnn(rng: &mut StdRng) -> Result<Sequential> {
    Ok(sequential![
        Conv2d::new(1, 32, 3).padding(1).build(rng)?,
        ReLU,
        Conv2d::new(32, 64, 3).padding(1).build(rng)?,
        ReLU,
        MaxPool2d::new(2),
        Flatten::default(),
        Linear::new(64 * 14 * 14, 128).build(rng)?,
        ReLU,
        Linear::new(128, 10).build(rng)?,
    ])
}

/// Three pairs of 3×3 convolutions with batch norm, each pair pooled.
fn vggish(rng: &mut StdRng) -> Result<Sequential> {
    let mut layers = Sequential::new();
    for (from, to) in [(3, 32), (32, 64), (64, 128)] {
        for channels in [from, to] {
            layers = layers
                .then(Conv2d::new(channels, to, 3).padding(1).build(rng)?)
                .then(BatchNorm2d::new(to)?)
                .then(ReLU);
        }
        layers = layers.then(MaxPool2d::new(2));
    }
    Ok(layers.then(Flatten::default()).then(Linear::new(2048, 10).build(rng)?))
}

fn mlp(rng: &mut StdRng) -> Result<Sequential> {
    Ok(sequential![
        Linear::new(784, 512).build(rng)?,
        ReLU,
        Linear::new(512, 256).build(rng)?,
        ReLU,
        Linear::new(256, 10).build(rng)?,
    ])
}
