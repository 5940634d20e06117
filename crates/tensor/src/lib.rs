//! N-dimensional arrays and their kernels: the numeric foundation of Retrograd. Knows nothing of gradients.

mod conv;
mod display;
mod element;
mod elementwise;
mod error;
mod gemm;
mod index;
mod layout;
mod math;
mod matmul;
mod operators;
mod par;
mod pool;
mod random;
mod reduce;
mod resample;
mod shape;
pub mod simd;
mod sliding;
mod softmax;
mod storage;
mod tensor;
mod window;

pub use conv::{Geometry, Sliding, Slot};
pub use element::{Element, Float};
pub use error::{Error, Result};
pub use layout::Slice;
pub use matmul::Transposed;
pub use par::set_num_threads;
pub use pool::{Divisor, OutputSize, Pooling, Unpooling, Window};
pub use reduce::{Axes, Reduced, keepdim};
pub use resample::{Interpolation, Resampling, Resize};
pub use shape::Shape;
pub use storage::{MemoryUse, memory_use, reset_peak, set_cache_limit};
pub use tensor::Tensor;
