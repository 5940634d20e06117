//! N-dimensional arrays and their kernels: the numeric foundation of Retrograd. Knows nothing of gradients.

mod element;
mod error;
mod gemm;
mod math;
mod par;
mod shape;
pub mod simd;
mod storage;

pub use element::{Element, Float};
pub use error::{Error, Result};
pub use shape::Shape;
pub use storage::{MemoryUse, memory_use, reset_peak, set_cache_limit};
