//! Losses.

use retrograd::tensor::Float;

use super::{Call, Outcome, Output};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    let y = match call.op() {
        "cross_entropy" => {
            call.only("reduction", "mean")?;
            call.only("ignore_index", -100)?;
            call.only("label_smoothing", 0.0)?;
            call.x()?.cross_entropy(call.index("target")?)?
        }
        "mse_loss" => {
            call.only("reduction", "mean")?;
            call.x()?.mse_loss(call.var("target")?)?
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![Output::Var(y)]))
}
