//! The layers.

mod activation;
mod adaptive;
mod bilinear;
mod conv;
mod conv_transpose;
mod dropout;
mod embedding;
mod flatten;
mod fold;
mod identity;
mod linear;
mod norm;
mod pad;
mod pixel_shuffle;
mod pool;
mod size;
mod unpool;
mod upsample;

pub use activation::*;
pub use adaptive::*;
pub use bilinear::*;
pub use conv::*;
pub use conv_transpose::*;
pub use dropout::*;
pub use embedding::*;
pub use flatten::*;
pub use fold::*;
pub use identity::*;
pub use linear::*;
pub use norm::*;
pub use pad::*;
pub use pixel_shuffle::*;
pub use pool::*;
pub use size::*;
pub use unpool::*;
pub use upsample::*;
