//! What the crate promises of tensors, one module for each kind of operation, against oracles that compute
//! one element at a time from its index.

mod adjoint;
mod arrange;
mod cross_entropy;
mod elementwise;
mod errors;
mod index;
mod layout;
mod norm;
mod oracle;
mod pad;
mod product;
mod random;
mod reduce;
mod resampling;
mod softmax;
mod tensor;
mod threads;
mod unpooling;
