//! Normalisation. What keeps running statistics takes several batches in turn, each ended by the change of them.

use retrograd::autograd::{Buffer, Parameter, Var};
use retrograd::nn::{
    BatchNorm, GroupNorm, InstanceNorm, Layer, LayerNorm, LocalResponseNorm, Module, RMSNorm,
};
use retrograd::tensor::Float;

use super::{Call, Outcome, Output};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    let y = match call.op() {
        "batch_norm" | "instance_norm" => {
            return match call.extent("dims")? {
                1 => tracked::<1, T>(call),
                2 => tracked::<2, T>(call),
                _ => tracked::<3, T>(call),
            }
            .map(Some);
        }
        "group_norm" => {
            let layer = GroupNorm::new(call.extent("num_groups")?, call.extent("num_channels")?)?;
            let mut layer = layer.affine(call.flag("affine")?);
            replace(&mut layer.weight, &mut layer.bias, call);
            layer.eps(call.float("eps")?).forward(call.x()?)?
        }
        "layer_norm" => {
            let layer = LayerNorm::new(call.shape("normalized_shape")?)?;
            let mut layer =
                layer.elementwise_affine(call.flag("elementwise_affine")?).bias(call.flag("bias")?);
            replace(&mut layer.weight, &mut layer.bias, call);
            layer.eps(call.float("eps")?).forward(call.x()?)?
        }
        "rms_norm" => {
            let mut layer = RMSNorm::new(call.shape("normalized_shape")?)?;
            layer.weight = call.optional_parameter("weight");
            let layer = match call.argument("eps") {
                eps if eps.is_null() => layer,
                _ => layer.eps(call.float("eps")?),
            };
            layer.forward(call.x()?)?
        }
        "local_response_norm" => LocalResponseNorm {
            size: call.extent("size")?,
            alpha: call.float("alpha")?,
            beta: call.float("beta")?,
            k: call.float("k")?,
        }
        .forward(call.x()?)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![Output::Var(y)]))
}

/// The weight and the bias of the case, where it gives them.
fn replace<T: Float>(weight: &mut Option<Parameter<T>>, bias: &mut Option<Parameter<T>>, call: &Call<'_, T>) {
    call.put_optional("weight", weight);
    call.put_optional("bias", bias);
}

/// A layer that may track running statistics, through all its batches.
fn tracked<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Vec<Output<T>>> {
    if !call.flag("training")? {
        call.evaluate();
    }
    macro_rules! through_batches {
        ($Norm:ident) => {{
            let layer = $Norm::<D, T>::new(call.extent("num_features")?)?
                .eps(call.float("eps")?)
                .affine(call.flag("affine")?)
                .track_running_stats(call.flag("track_running_stats")?);
            let mut layer = layer.momentum(call.argument("momentum").as_f64());
            replace(&mut layer.weight, &mut layer.bias, call);
            let buffers =
                [("running_mean", &mut layer.running_mean), ("running_var", &mut layer.running_var)];
            for (name, buffer) in buffers {
                if let Some(value) = call.optional(name) {
                    *buffer = Some(Buffer::new(value.value().clone()));
                }
            }
            let mut outputs = Vec::new();
            let batches = call.series()?;
            for i in 0..call.extent("steps")? {
                outputs.push(Output::Var(layer.forward(batches[i])?));
                layer.update_buffers(&call.tape().take_updates())?;
                let running = [&layer.running_mean, &layer.running_var].into_iter().flatten();
                outputs.extend(running.map(|buffer| constant(buffer)));
            }
            if let Some(count) = &layer.num_batches_tracked {
                outputs.push(Output::Index(count.value().map(|count| count.to_f64() as i64)));
            }
            Ok(outputs)
        }};
    }
    match call.op() {
        "batch_norm" => through_batches!(BatchNorm),
        _ => through_batches!(InstanceNorm),
    }
}

fn constant<T: Float>(buffer: &Buffer<T>) -> Output<T> {
    Output::Var(Var::from(buffer.value()))
}
