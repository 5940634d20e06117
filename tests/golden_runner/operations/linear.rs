//! Layers with a weight for every pair, and the embedding.

use retrograd::nn::{Bilinear, Embedding, Layer, Linear};
use retrograd::prelude::{SeedableRng, StdRng};
use retrograd::tensor::Float;
use serde_json::Value;

use super::{Call, Outcome, Output};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    let y = match call.op() {
        "linear" => {
            let layer = Linear::new(call.extent("in_features")?, call.extent("out_features")?);
            let mut layer = layer.bias(call.flag("bias")?).build(&mut StdRng::seed_from_u64(0))?;
            call.put("weight", &mut layer.weight);
            call.put_optional("bias", &mut layer.bias);
            layer.forward(call.x()?)?
        }
        "bilinear" => {
            let (x1, x2) = (call.var("x1")?, call.var("x2")?);
            let weight = call.parameter("weight")?;
            Bilinear { weight, bias: call.optional_parameter("bias") }.forward(x1, x2)?
        }
        "embedding" => {
            let weight = call.parameter("weight")?;
            let (rows, columns) = (weight.value().shape()[0], weight.value().shape()[1]);
            let layer = Embedding::new(rows, columns);
            let layer = match call.argument("padding_idx") {
                Value::Null => layer,
                _ => layer.padding_idx(call.extent("padding_idx")?),
            };
            let mut layer = layer.build(&mut StdRng::seed_from_u64(0))?;
            layer.weight = weight;
            layer.forward(call.index("index")?, call.tape())?
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![Output::Var(y)]))
}
