//! The layers.

mod activation;
mod adaptive;
mod conv;
mod dropout;
mod flatten;
mod linear;
mod pool;
mod size;
mod unpool;
mod upsample;

pub use activation::{LeakyReLU, PReLU, RReLU, ReLU, Sigmoid, Tanh};
pub use adaptive::{
    AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool,
    AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d, GlobalAvgPool, GlobalMaxPool,
};
pub use conv::{Conv, Conv1d, Conv2d, Conv3d, ConvBuilder, Padding};
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use linear::{Linear, LinearBuilder};
pub use pool::{
    AvgPool, AvgPool1d, AvgPool2d, AvgPool3d, LPPool, LPPool1d, LPPool2d, LPPool3d, MaxPool, MaxPool1d,
    MaxPool2d, MaxPool3d,
};
pub use size::Size;
pub use unpool::{MaxUnpool, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d};
pub use upsample::{Interpolation, ScaleFactor, Upsample, Upsample1d, Upsample2d, Upsample3d};
