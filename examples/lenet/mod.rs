//! The network that `train` trains and `predict` loads: LeNet's plan, with rectifiers and maximum pooling.

use retrograd::prelude::*;

/// Two convolutions, each halved by pooling, then three linear layers, the first of which sees a part of its
/// inputs only while it learns.
pub(crate) struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    dropout: Dropout,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

module!(LeNet { conv1, conv2, dropout, fc1, fc2, fc3 });

impl LeNet {
    /// For images of this shape, [channels, height, width]; small ones get small kernels, and more of them.
    pub(crate) fn new(
        [channels, height, width]: [usize; 3],
        classes: usize,
        rng: &mut impl Rng,
    ) -> Result<Self> {
        let (kernel, kernels) = if height.min(width) < 16 { (3, 32) } else { (5, 16) };
        let features = 2 * kernels * (height / 4) * (width / 4);
        Ok(Self {
            conv1: Conv2d::new(channels, kernels, kernel).padding(kernel / 2).build(rng)?,
            conv2: Conv2d::new(kernels, 2 * kernels, kernel).padding(kernel / 2).build(rng)?,
            dropout: Dropout::new(0.3)?,
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
        let x = self.dropout.forward(&x.flatten(1)?)?;
        let x = self.fc1.forward(&x)?.relu();
        let x = self.fc2.forward(&x)?.relu();
        self.fc3.forward(&x)
    }
}
