//! Activation functions.

use retrograd::nn::{
    CELU, ELU, GELU, GLU, Hardshrink, Hardtanh, Layer, PReLU, RReLU, Softmin, Softplus, Softshrink, Threshold,
};
use retrograd::tensor::Float;

use super::{Call, Outcome, Output, Stop};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    let y = match call.op() {
        "sigmoid" => call.x()?.sigmoid(),
        "tanh" => call.x()?.tanh(),
        "relu" => call.x()?.relu(),
        "relu6" => call.x()?.relu6(),
        "elu" => ELU { alpha: call.float("alpha")? }.forward(call.x()?)?,
        "celu" => CELU::new(call.float("alpha")?)?.forward(call.x()?)?,
        "selu" => call.x()?.selu(),
        "gelu" => {
            let layer = match call.argument("approximate").as_str() {
                Some("none") => GELU::Exact,
                Some("tanh") => GELU::Tanh,
                _ => return Err(Stop::inexpressible("approximate")),
            };
            layer.forward(call.x()?)?
        }
        "silu" => call.x()?.silu(),
        "mish" => call.x()?.mish(),
        "softplus" => {
            let layer = Softplus { beta: call.float("beta")?, threshold: call.float("threshold")? };
            layer.forward(call.x()?)?
        }
        "logsigmoid" => call.x()?.logsigmoid(),
        "softsign" => call.x()?.softsign(),
        "tanhshrink" => call.x()?.tanhshrink(),
        "softshrink" => Softshrink::new(call.float("lambd")?)?.forward(call.x()?)?,
        "hardshrink" => Hardshrink { lambda: call.float("lambd")? }.forward(call.x()?)?,
        "threshold" => Threshold { threshold: call.float("threshold")?, value: call.float("value")? }
            .forward(call.x()?)?,
        "hardtanh" => Hardtanh::new(call.float("min_val")?, call.float("max_val")?)?.forward(call.x()?)?,
        "hardsigmoid" => call.x()?.hardsigmoid(),
        "hardswish" => call.x()?.hardswish(),
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
        "rrelu_train" => {
            call.only("training", true)?;
            // The bounds are those that the noise was drawn between.
            RReLU::new(call.float("lower")?, call.float("upper")?)?;
            call.x()?.rrelu_with_noise(call.var("noise")?.value())?
        }
        "softmax" => call.x()?.softmax(call.integer("dim")?)?,
        "softmin" => Softmin { dim: call.integer("dim")? }.forward(call.x()?)?,
        "glu" => GLU { dim: call.integer("dim")? }.forward(call.x()?)?,
        "log_softmax" => call.x()?.log_softmax(call.integer("dim")?)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![Output::Var(y)]))
}
