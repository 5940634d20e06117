//! Tape-based automatic differentiation for training small CNNs on a CPU, in pure Rust.
//!
//! ```
//! use retrograd::prelude::*;
//!
//! struct Net {
//!     conv: Conv2d,
//!     fc: Linear,
//! }
//! module!(Net { conv, fc });
//!
//! impl Layer for Net {
//!     fn forward(&self, x: &Var) -> Result<Var> {
//!         let x = self.conv.forward(x)?.relu().max_pool2d(2)?;
//!         self.fc.forward(&x.flatten(1)?)
//!     }
//! }
//!
//! let rng = &mut StdRng::seed_from_u64(42);
//! let mut model = Net {
//!     conv: Conv2d::new(1, 8, 3).padding(1).build(rng)?,
//!     fc: Linear::new(8 * 4 * 4, 10).build(rng)?,
//! };
//!
//! let (train, test) = digits();
//! let statistics = train.statistics();
//! let loader = DataLoader::new(train.normalize(&statistics)?, 64)?.shuffle(42);
//! let tape = Tape::seeded(42);
//! let mut optimizer = Adam::new(1e-2);
//! for epoch in 0..2 {
//!     for (images, labels) in loader.epoch(epoch) {
//!         tape.clear();
//!         let logits = model.forward(&tape.constant(images))?;
//!         let gradients = logits.cross_entropy(&labels)?.backward()?;
//!         optimizer.step(&mut model, &gradients)?;
//!     }
//! }
//!
//! let (images, labels) = DataLoader::new(test.normalize(&statistics)?, 360)?.epoch(0).next().unwrap();
//! let right = model.predict(&images)?.argmax(1)?.eq(&labels)?.as_slice().iter().filter(|&&right| right).count();
//! assert!(right > 324, "{right} of 360");
//! # Ok::<(), Error>(())
//! ```
//!
//! The parts: [`tensor`] (arrays and kernels), [`autograd`] (the tape, the operations, gradient checks), [`nn`]
//! (layers, initialisers, losses, optimizers), [`data`] (data sets, loaders, files). The [`prelude`] has what a
//! training program needs.
#![forbid(unsafe_code)]

mod files;
#[cfg(feature = "progress")]
mod progress;

pub use files::{load, load_state, save, save_state, save_with};
#[cfg(feature = "progress")]
pub use progress::Progress;
pub use retrograd_autograd as autograd;
pub use retrograd_data as data;
pub use retrograd_nn as nn;
pub use retrograd_tensor as tensor;

/// What a training program needs: `use retrograd::prelude::*;`.
pub mod prelude {
    pub use crate::autograd::{
        Buffer, Gradients, Op, Parameter, Reads, Shards, Tape, Var, grad, gradcheck, gradgradcheck, hessian,
        hvp, jacobian, jvp, per_sample_gradients, vjp,
    };
    pub use crate::data::{DataLoader, Dataset, Images, digits};
    pub use crate::nn::init::{
        Constant, Dirac, Eye, Fan, Init, KaimingNormal, KaimingUniform, Nonlinearity, Normal, Ones,
        Orthogonal, TruncatedNormal, Uniform, XavierNormal, XavierUniform, Zeros,
    };
    pub use crate::nn::*;
    pub use crate::tensor::{Error, Float, Result, Shape, Tensor, keepdim};
    pub use crate::{load, load_state, save, save_state};
    pub use rand::rngs::StdRng;
    pub use rand::{Rng, SeedableRng};
    pub use retrograd_nn::{module, sequential};
}

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
