//! The operations, by kind: element-wise ones are rows in a table, linear ones owe their adjoint, bilinear ones
//! a rotation of slots, and the rest is made of these.

mod activation;
mod arrange;
mod biased;
mod bilinear;
mod binary;
mod concat;
mod conv;
mod cross_entropy;
mod fold;
mod interleave;
mod linear;
pub mod loss;
mod matmul;
mod norm;
mod order;
mod pad;
mod pool;
mod prelu;
mod rearrange;
mod reduce;
pub(crate) mod unary;
mod unpool;
mod upsample;

pub use interleave::Interleaved;
pub use unary::{Elementwise, Needs, Unary};
