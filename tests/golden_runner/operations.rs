//! The table: how each of PyTorch's operations is written in Retrograd. An operation is added by one row.

use retrograd::nn::{AvgPool, Conv, Layer, Linear, MaxPool, PReLU, Padding, RReLU};
use retrograd::prelude::{SeedableRng, StdRng, Var};
use retrograd::tensor::{Float, Slice, Sliding};
use serde_json::Value;

use super::call::Call;
use super::values::Output;
use super::{Outcome, Stop};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Vec<Output<T>>> {
    let y = match call.op() {
        // Activations.
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

        // Layers.
        "linear" => {
            let layer = Linear::new(call.extent("in_features")?, call.extent("out_features")?);
            let mut layer = layer.bias(call.flag("bias")?).build(&mut StdRng::seed_from_u64(0))?;
            (layer.weight, layer.bias) = (call.parameter("weight")?, call.optional_parameter("bias"));
            layer.forward(call.x()?)?
        }
        "conv1d" => convolve::<1, T>(call)?,
        "conv2d" => convolve::<2, T>(call)?,
        "conv3d" => convolve::<3, T>(call)?,
        "conv_transpose1d" => convolve_transposed::<1, T>(call)?,
        "conv_transpose2d" => convolve_transposed::<2, T>(call)?,
        "conv_transpose3d" => convolve_transposed::<3, T>(call)?,
        "avg_pool1d" => average::<1, T>(call)?,
        "avg_pool2d" => average::<2, T>(call)?,
        "avg_pool3d" => average::<3, T>(call)?,
        "max_pool1d" => return maximum::<1, T>(call),
        "max_pool2d" => return maximum::<2, T>(call),
        "max_pool3d" => return maximum::<3, T>(call),

        // Losses.
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

        // Element by element.
        "add" => call.pair().and_then(|[a, b]| Ok(a.add(b)?))?,
        "sub" => call.pair().and_then(|[a, b]| Ok(a.sub(b)?))?,
        "mul" => call.pair().and_then(|[a, b]| Ok(a.mul(b)?))?,
        "div" => call.pair().and_then(|[a, b]| Ok(a.div(b)?))?,
        "pow" => call.pair().and_then(|[a, b]| Ok(a.pow(b)?))?,
        "maximum" => call.pair().and_then(|[a, b]| Ok(a.maximum(b)?))?,
        "minimum" => call.pair().and_then(|[a, b]| Ok(a.minimum(b)?))?,
        "pow_scalar" => call.x()?.powf(call.float("exponent")?),
        "neg" => call.x()?.neg(),
        "abs" => call.x()?.abs(),
        "exp" => call.x()?.exp(),
        "log" => call.x()?.ln(),
        "log1p" => call.x()?.ln_1p(),
        "expm1" => call.x()?.exp_m1(),
        "sqrt" => call.x()?.sqrt(),
        "square" => call.x()?.square(),
        "reciprocal" => call.x()?.reciprocal(),
        "sin" => call.x()?.sin(),
        "cos" => call.x()?.cos(),
        "clamp" => {
            let bound = |name| match call.argument(name) {
                Value::Null => Ok(None),
                _ => call.float(name).map(Some),
            };
            let low = bound("min")?.unwrap_or(f64::NEG_INFINITY);
            call.x()?.clamp(low, bound("max")?.unwrap_or(f64::INFINITY))
        }
        "where" => Var::where_(&call.mask("cond")?, call.var("x0")?, call.var("x1")?)?,

        // Products and reductions.
        "matmul" => call.pair().and_then(|[a, b]| Ok(a.matmul(b)?))?,
        "sum" => call.x()?.sum(call.axes()?)?,
        "mean" => call.x()?.mean(call.axes()?)?,
        "amax" => call.x()?.amax(call.axes()?)?,
        "amin" => call.x()?.amin(call.axes()?)?,
        "var" => call.x()?.var(call.axes()?, call.float("correction")?)?,
        "argmax" | "argmin" => {
            call.only("keepdim", false)?;
            let (x, axis) = (call.x()?.value(), call.integer("dim")?);
            return Ok(vec![Output::Index(if call.op() == "argmax" {
                x.argmax(axis)?
            } else {
                x.argmin(axis)?
            })]);
        }

        // Shapes and positions.
        "transpose" => call.x()?.transpose(call.integer("dim0")?, call.integer("dim1")?)?,
        "permute" => call.x()?.permute(&call.integers("dims")?)?,
        "reshape" => call.x()?.reshape(&call.integers("shape")?)?,
        "flatten" => call.x()?.flatten_range(call.integer("start_dim")?, call.integer("end_dim")?)?,
        "squeeze" => call.x()?.squeeze(call.integer("dim")?)?,
        "unsqueeze" => call.x()?.unsqueeze(call.integer("dim")?)?,
        "expand" => call.x()?.broadcast_to(call.shape("shape")?)?,
        "slice" => call.x()?.slice(&ranges(call)?)?,
        "pad" => pad(call)?,
        "concat" => Var::concat(&call.series(), call.integer("dim")?)?,
        "stack" => Var::stack(&call.series(), call.integer("dim")?)?,
        "index_select" => call.x()?.index_select(call.integer("dim")?, call.index("index")?)?,
        "gather" => call.x()?.gather(call.integer("dim")?, call.index("index")?)?,
        "scatter_add" => {
            call.x()?.scatter_add(call.integer("dim")?, call.index("index")?, call.var("src")?)?
        }

        _ => return Err(Stop::unknown("no such operation")),
    };
    Ok(vec![Output::Var(y)])
}

fn convolve<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    call.only("padding_mode", "zeros")?;
    let padding = match call.argument("padding").as_str() {
        Some("same") => Padding::Same,
        Some("valid") => Padding::Valid,
        _ => Padding::Each(call.extents("padding")?),
    };
    let kernel = call.extents::<D>("kernel_size")?;
    let mut layer = Conv::new(call.extent("in_channels")?, call.extent("out_channels")?, kernel)
        .stride(call.extents("stride")?)
        .padding(padding)
        .dilation(call.extents("dilation")?)
        .groups(call.extent("groups")?)
        .bias(call.flag("bias")?)
        .build(&mut StdRng::seed_from_u64(0))?;
    (layer.weight, layer.bias) = (call.parameter("weight")?, call.optional_parameter("bias"));
    Ok(layer.forward(call.x()?)?)
}

fn convolve_transposed<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    // What the shapes of the weight and the bias say as well.
    for name in ["in_channels", "out_channels", "kernel_size", "bias"] {
        call.argument(name);
    }
    let (stride, dilation) = (call.extents("stride")?, call.extents("dilation")?);
    let padding = call.extents("padding")?.map(|padding| [padding; 2]);
    let (weight, bias, groups) = (call.var("weight")?, call.optional("bias"), call.extent("groups")?);
    let sliding = Sliding { stride, dilation, padding };
    Ok(call.x()?.conv_transpose::<D>(weight, bias, groups, sliding, call.extents("output_padding")?)?)
}

fn maximum<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Vec<Output<T>>> {
    let layer = MaxPool::<D>::new(call.extents("kernel_size")?)
        .stride(call.extents("stride")?)
        .padding(call.extents("padding")?)
        .dilation(call.extents("dilation")?)
        .ceil_mode(call.flag("ceil_mode")?);
    let (y, index) = layer.forward_with_indices(call.x()?)?;
    Ok(vec![Output::Var(y), Output::Index(index)])
}

fn average<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    let layer = AvgPool::<D>::new(call.extents("kernel_size")?)
        .stride(call.extents("stride")?)
        .padding(call.extents("padding")?)
        .ceil_mode(call.flag("ceil_mode")?)
        .count_include_pad(call.flag("count_include_pad")?);
    let layer = match call.argument("divisor_override").as_i64().and_then(|divisor| divisor.try_into().ok()) {
        Some(divisor) => layer.divisor_override(divisor),
        None => layer,
    };
    Ok(layer.forward(call.x()?)?)
}

/// One `[start, stop, step]` an axis, as in Python.
fn ranges<T: Float>(call: &Call<'_, T>) -> Outcome<Vec<Slice>> {
    let range = |range: &Value| {
        let step = range[2].as_u64()?;
        let (start, stop) = (range[0].as_i64(), range[1].as_i64());
        Some(Slice {
            start: start.unwrap_or(0) as isize,
            stop: stop.map(|stop| stop as isize),
            step: step as usize,
        })
    };
    let ranges: Option<_> = call.argument("ranges").as_array().into_iter().flatten().map(range).collect();
    ranges.ok_or_else(|| Stop::unknown("ranges"))
}

/// The padding lists (before, after) from the last axis backwards.
fn pad<T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    call.only("mode", "constant")?;
    let (x, listed) = (call.x()?, call.integers("pad")?);
    let mut padding = vec![(0, 0); x.rank()];
    for (axis, pair) in padding.iter_mut().rev().zip(listed.chunks_exact(2)) {
        *axis = (pair[0], pair[1]);
    }
    Ok(x.pad(&padding, call.float("value")?)?)
}
