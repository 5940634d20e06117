//! Tape, variables, differentiable operations and gradient checks of Retrograd.
#![forbid(unsafe_code)]

mod anomaly;
mod check;
mod checkpoint;
mod derivatives;
mod dot;
mod gradients;
mod hook;
mod missing;
mod number;
mod op;
mod ops;
mod parameter;
mod profile;
mod replay;
mod shards;
mod tape;
mod var;

pub use anomaly::Anomaly;
pub use check::{GradCheck, gradcheck, gradgradcheck};
pub use derivatives::{hessian, hvp, jacobian, jvp, per_sample_gradients, vjp};
pub use dot::Recorded;
pub use gradients::{Change, Gradients, Update};
pub use missing::Absence;
pub use number::{Number, Scalar};
pub use op::{Op, Reads};
pub use ops::loss;
pub use ops::{Elementwise, Interleaved, Needs, Unary};
pub use parameter::{Buffer, ParamId, Parameter};
pub use profile::{Profile, ProfileRow};
pub use replay::{grad, grad_with};
pub use shards::{Batch, Shards};
pub use tape::Tape;
pub use var::Var;
