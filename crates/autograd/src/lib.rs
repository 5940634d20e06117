//! Tape, variables, differentiable operations and gradient checks of Retrograd.
#![forbid(unsafe_code)]

mod check;
mod dot;
mod gradients;
mod number;
mod op;
mod ops;
mod parameter;
mod replay;
mod tape;
mod var;

pub use check::{GradCheck, gradcheck, gradgradcheck};
pub use gradients::{Change, Gradients, Update};
pub use number::{Number, Scalar};
pub use op::{Op, Reads};
pub use ops::loss;
pub use ops::{Elementwise, Needs, Unary};
pub use parameter::{Buffer, ParamId, Parameter};
pub use replay::{grad, grad_with};
pub use tape::Tape;
pub use var::Var;
