//! Losses.

use retrograd::nn::{
    BCELoss, BCEWithLogitsLoss, CosineEmbeddingLoss, CrossEntropyLoss, HingeEmbeddingLoss, HuberLoss,
    KLDivLoss, KLDivReduction, L1Loss, MSELoss, MarginRankingLoss, NLLLoss, Reduction, SmoothL1Loss,
    TripletMarginLoss,
};
use retrograd::tensor::{Float, Tensor};

use super::{Call, Outcome, Output, Stop};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    let target = || call.var("target");
    let y = match call.op() {
        "cross_entropy" => {
            let loss = CrossEntropyLoss {
                weight: weight(call, "weight"),
                ignore_index: call.integer("ignore_index")? as i64,
                label_smoothing: call.float("label_smoothing")?,
                reduction: reduction(call)?,
            };
            match call.optional("target") {
                Some(probabilities) => loss.forward(call.x()?, probabilities)?,
                None => loss.forward(call.x()?, call.index("target")?)?,
            }
        }
        "nll_loss" => {
            let ignore_index = call.integer("ignore_index")? as i64;
            let loss = NLLLoss { weight: weight(call, "weight"), ignore_index, reduction: reduction(call)? };
            loss.forward(call.x()?, call.index("target")?)?
        }
        "mse_loss" => MSELoss { reduction: reduction(call)? }.forward(call.x()?, target()?)?,
        "l1_loss" => L1Loss { reduction: reduction(call)? }.forward(call.x()?, target()?)?,
        "smooth_l1_loss" => SmoothL1Loss { beta: call.float_or("beta", 1.0)?, reduction: reduction(call)? }
            .forward(call.x()?, target()?)?,
        "huber_loss" => HuberLoss { delta: call.float_or("delta", 1.0)?, reduction: reduction(call)? }
            .forward(call.x()?, target()?)?,
        "bce_loss" => BCELoss { weight: weight(call, "weight"), reduction: reduction(call)? }
            .forward(call.x()?, target()?)?,
        "bce_with_logits_loss" => {
            let (weight, pos_weight) = (weight(call, "weight"), weight(call, "pos_weight"));
            BCEWithLogitsLoss { weight, pos_weight, reduction: reduction(call)? }
                .forward(call.x()?, target()?)?
        }
        "kl_div" => {
            let reduction = match call.argument("reduction").as_str() {
                Some("batchmean") => KLDivReduction::BatchMean,
                _ => match reduction(call)? {
                    Reduction::None => KLDivReduction::None,
                    Reduction::Mean => KLDivReduction::Mean,
                    Reduction::Sum => KLDivReduction::Sum,
                },
            };
            KLDivLoss { log_target: call.flag_or("log_target", false)?, reduction }
                .forward(call.x()?, target()?)?
        }
        "hinge_embedding_loss" => {
            HingeEmbeddingLoss { margin: call.float("margin")?, reduction: reduction(call)? }
                .forward(call.x()?, target()?)?
        }
        "margin_ranking_loss" => {
            MarginRankingLoss { margin: call.float("margin")?, reduction: reduction(call)? }.forward(
                call.var("x1")?,
                call.var("x2")?,
                target()?,
            )?
        }
        "cosine_embedding_loss" => {
            CosineEmbeddingLoss { margin: call.float("margin")?, reduction: reduction(call)? }.forward(
                call.var("x1")?,
                call.var("x2")?,
                target()?,
            )?
        }
        "triplet_margin_loss" => {
            let loss = TripletMarginLoss {
                margin: call.float("margin")?,
                p: call.float("p")?,
                eps: call.float("eps")?,
                swap: call.flag("swap")?,
                reduction: reduction(call)?,
            };
            loss.forward(call.var("anchor")?, call.var("positive")?, call.var("negative")?)?
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![Output::Var(y)]))
}

fn reduction<T: Float>(call: &Call<'_, T>) -> Outcome<Reduction> {
    match call.argument("reduction").as_str() {
        Some("none") => Ok(Reduction::None),
        Some("mean") => Ok(Reduction::Mean),
        Some("sum") => Ok(Reduction::Sum),
        other => Err(Stop::inexpressible(format!("reduction {other:?}"))),
    }
}

fn weight<T: Float>(call: &Call<'_, T>, name: &str) -> Option<Tensor<T>> {
    call.optional(name).map(|weight| weight.value().clone())
}
