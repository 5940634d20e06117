//! Activation functions.

use retrograd::nn::{Layer, PReLU, RReLU};
use retrograd::tensor::Float;

use super::{Call, Outcome, Output};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    let y = match call.op() {
        "sigmoid" => call.x()?.sigmoid(),
        "tanh" => call.x()?.tanh(),
        "relu" => call.x()?.relu(),
        "leaky_relu" => call.x()?.leaky_relu(call.float("negative_slope")?),
        "prelu" => {
            let mut layer = PReLU::new(call.extent("num_parameters")?, 0.25)?;
            layer.weight = call.parameter("weight")?;
            layer.forward(call.x()?)?
        }
        "rrelu_eval" => {
            call.evaluate();
            RReLU::new(call.float("lower")?, call.float("upper")?)?.forward(call.x()?)?
        }
        "softmax" => call.x()?.softmax(call.integer("dim")?)?,
        "log_softmax" => call.x()?.log_softmax(call.integer("dim")?)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![Output::Var(y)]))
}
