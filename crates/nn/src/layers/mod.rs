//! The layers.

mod activation;
mod conv;
mod dropout;
mod flatten;
mod linear;
mod pool;
mod size;

pub use activation::{LeakyReLU, PReLU, RReLU, ReLU, Sigmoid, Tanh};
pub use conv::{Conv, Conv1d, Conv2d, Conv3d, ConvBuilder, Padding};
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use linear::{Linear, LinearBuilder};
pub use pool::{AvgPool, AvgPool1d, AvgPool2d, AvgPool3d, MaxPool, MaxPool1d, MaxPool2d, MaxPool3d};
pub use size::Size;
