//! The table: how each of PyTorch's operations is written in Retrograd. An operation is added by one row.

use retrograd_autograd::Var;
use retrograd_tensor::{Divisor, Float, Slice, Sliding, Window};
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
        "rrelu_eval" => call.x()?.leaky_relu((call.float("lower")? + call.float("upper")?) / 2.0),
        "softmax" => call.x()?.softmax(call.integer("dim")?)?,
        "log_softmax" => call.x()?.log_softmax(call.integer("dim")?)?,

        // Layers.
        "linear" => {
            call.described(&["in_features", "out_features", "bias"]);
            call.x()?.linear(call.var("weight")?, call.optional("bias"))?
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
    call.described(&["in_channels", "out_channels", "kernel_size", "bias"]);
    call.only("padding_mode", "zeros")?;
    let (stride, dilation) = (call.extents("stride")?, call.extents("dilation")?);
    let weight = call.var("weight")?;
    let padding = match call.argument("padding").as_str() {
        // As much as keeps the extents, an odd element at the end.
        Some("same") => std::array::from_fn(|axis| {
            let whole = dilation[axis] * (weight.shape()[axis + 2] - 1);
            [whole / 2, whole - whole / 2]
        }),
        Some("valid") => [[0; 2]; D],
        _ => call.extents("padding")?.map(|padding| [padding; 2]),
    };
    let (bias, groups) = (call.optional("bias"), call.extent("groups")?);
    Ok(call.x()?.conv::<D>(weight, bias, groups, Sliding { stride, dilation, padding })?)
}

fn convolve_transposed<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    call.described(&["in_channels", "out_channels", "kernel_size", "bias"]);
    let (stride, dilation) = (call.extents("stride")?, call.extents("dilation")?);
    let padding = call.extents("padding")?.map(|padding| [padding; 2]);
    let (weight, bias, groups) = (call.var("weight")?, call.optional("bias"), call.extent("groups")?);
    let sliding = Sliding { stride, dilation, padding };
    Ok(call.x()?.conv_transpose::<D>(weight, bias, groups, sliding, call.extents("output_padding")?)?)
}

fn window<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Window<D>> {
    Ok(Window {
        kernel: call.extents("kernel_size")?,
        stride: call.extents("stride")?,
        padding: call.extents("padding")?,
        ceil_mode: call.flag("ceil_mode")?,
    })
}

fn maximum<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Vec<Output<T>>> {
    let (y, index) = call.x()?.max_pool::<D>(window(call)?, call.extents("dilation")?)?;
    Ok(vec![Output::Var(y), Output::Index(index)])
}

fn average<const D: usize, T: Float>(call: &Call<'_, T>) -> Outcome<Var<T>> {
    let padding_counts = call.flag("count_include_pad")?;
    let divisor = match call.argument("divisor_override").as_i64().and_then(|number| number.try_into().ok()) {
        Some(number) => Divisor::Fixed(number),
        None if padding_counts => Divisor::IncludePadding,
        None => Divisor::ExcludePadding,
    };
    Ok(call.x()?.avg_pool::<D>(window(call)?, divisor)?)
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
