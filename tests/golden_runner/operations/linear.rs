//! The linear layer.

use retrograd::nn::{Layer, Linear};
use retrograd::prelude::{SeedableRng, StdRng};
use retrograd::tensor::Float;

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
        _ => return Ok(None),
    };
    Ok(Some(vec![Output::Var(y)]))
}
