//! Layers, initialisers, losses and optimizers of Retrograd, with PyTorch's names and semantics.
#![forbid(unsafe_code)]

mod clip;
mod ema;
pub mod init;
mod interleaving;
mod layer;
mod layers;
mod losses;
mod missing;
mod module;
pub mod optim;
mod pattern;
mod schedulers;
mod summary;

pub use clip::{clip_finite_grad_norm, clip_grad_norm, clip_grad_value};
pub use ema::Ema;
pub use interleaving::{InterleavedLayer, Interleaving};
pub use layer::{AnyLayer, Layer, Sequential};
pub use layers::*;
pub use losses::*;
pub use missing::{Missing, MissingGradients};
pub use module::{Item, ItemMut, Module, Path};
pub use optim::{Adadelta, Adagrad, Adam, AdamW, Lion, NAdam, Optimizer, RAdam, RMSprop, Sgd};
pub use retrograd_autograd::loss::Reduction;
pub use retrograd_autograd::{Buffer, Gradients, Interleaved, Parameter, Tape, Var};
pub use retrograd_tensor::{Error, Finish, Float, PaddingMode, Result, Shape, Tensor};
pub use schedulers::{
    Anneal, ChainedScheduler, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, ExponentialLR,
    LambdaLR, LinearLR, MultiStepLR, OneCycleLR, PlateauState, PolynomialLR, ReduceLROnPlateau, Schedule,
    Scheduler, SequentialLR, StepLR,
};
pub use summary::{Summary, SummaryRow, summary};
