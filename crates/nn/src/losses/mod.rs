//! Losses with all their settings, under PyTorch's names: `MSELoss::default().forward(&y, &target)?`.
//!
//! With the default settings the methods of [`Var`](crate::Var) say the same: `y.mse_loss(&target)?`.

mod classes;
mod elements;
mod margins;

pub use classes::{CrossEntropyLoss, NLLLoss};
pub use elements::{
    BCELoss, BCEWithLogitsLoss, HuberLoss, KLDivLoss, KLDivReduction, L1Loss, MSELoss, SmoothL1Loss,
};
pub use margins::{CosineEmbeddingLoss, HingeEmbeddingLoss, MarginRankingLoss, TripletMarginLoss};
