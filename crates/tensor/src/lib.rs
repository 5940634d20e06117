//! N-dimensional arrays and their kernels: the numeric foundation of Retrograd. Knows nothing of gradients.

mod arrange;
mod conv;
mod cross_entropy;
mod display;
mod element;
mod elementwise;
mod error;
mod gemm;
mod index;
mod interleave;
mod layout;
mod math;
mod matmul;
mod norm;
mod operators;
mod order;
mod pad;
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

pub use conv::{Finish, Geometry, Patches, Sliding, Slot};
pub use cross_entropy::ClassTargets;
#[doc(hidden)]
pub use cross_entropy::{check_smoothing, class_axis, class_count, class_weights};
pub use element::{Element, Float};
pub use error::{Error, Result};
pub use layout::Slice;
pub use matmul::Transposed;
pub use norm::{Groups, Moments, Source};
pub use pad::PaddingMode;
pub use par::{set_num_threads, share_out, with_threads};
pub use pool::{Divisor, OutputSize, Pooling, Unpooling, Window};
pub use reduce::{Axes, Reduced, keepdim};
pub use resample::{Interpolation, Resampling, Resize};
pub use shape::Shape;
pub use storage::{MemoryUse, memory_use, reset_peak, set_cache_limit};
pub use tensor::Tensor;
