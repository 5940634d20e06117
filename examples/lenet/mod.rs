//! The network that `train` trains and `predict` loads: LeNet's plan, with rectifiers and maximum pooling.

use retrograd::prelude::*;

/// Two convolutions, each halved by pooling, then three linear layers.
pub struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

module!(LeNet { conv1, conv2, fc1, fc2, fc3 });

impl LeNet {
    /// For images of this shape, [channels, height, width]; small ones get small kernels.
    pub fn new([channels, height, width]: [usize; 3], classes: usize, rng: &mut impl Rng) -> Result<Self> {
        let kernel = if height.min(width) < 16 { 3 } else { 5 };
        let features = 32 * (height / 4) * (width / 4);
        Ok(Self {
            conv1: Conv2d::new(channels, 16, kernel).padding(kernel / 2).build(rng)?,
            conv2: Conv2d::new(16, 32, kernel).padding(kernel / 2).build(rng)?,
            fc1: Linear::new(features, 120).build(rng)?,
            fc2: Linear::new(120, 84).build(rng)?,
            fc3: Linear::new(84, classes).build(rng)?,
        })
    }
}

impl Layer for LeNet {
    fn forward(&self, x: &Var) -> Result<Var> {
        let x = self.conv1.forward(x)?.relu().max_pool2d(2)?;
        let x = self.conv2.forward(&x)?.relu().max_pool2d(2)?;
        let x = self.fc1.forward(&x.flatten(1)?)?.relu();
        let x = self.fc2.forward(&x)?.relu();
        self.fc3.forward(&x)
    }
}
