//! Arithmetic, products, reductions, shapes and positions.

use retrograd::autograd::Var;
use retrograd::tensor::{Float, Slice, Tensor};
use serde_json::Value;

use super::{Call, Outcome, Output, Stop};

pub(super) fn compute<T: Float>(call: &Call<'_, T>) -> Outcome<Option<Vec<Output<T>>>> {
    let y = match call.op() {
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
        "rsqrt" => call.x()?.rsqrt(),
        "log2" => call.x()?.log2(),
        "log10" => call.x()?.log10(),
        "sign" => call.x()?.sign(),
        "floor" => call.x()?.floor(),
        "ceil" => call.x()?.ceil(),
        "round" => call.x()?.round(),
        "erf" => call.x()?.erf(),
        "sin" => call.x()?.sin(),
        "cos" => call.x()?.cos(),
        "tan" => call.x()?.tan(),
        "atan" => call.x()?.atan(),
        "sinh" => call.x()?.sinh(),
        "cosh" => call.x()?.cosh(),
        "clamp" => {
            let bound = |name| match call.argument(name) {
                Value::Null => Ok(None),
                _ => call.float(name).map(Some),
            };
            let (low, high) = match [bound("min")?, bound("max")?] {
                [None, None] => return Err(Stop::inexpressible("no bound")),
                [low, high] => (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY)),
            };
            call.x()?.clamp(low, high)
        }
        "where" => Var::where_(&call.mask("cond")?, call.var("x0")?, call.var("x1")?)?,

        // Products and reductions.
        "matmul" => call.pair().and_then(|[a, b]| Ok(a.matmul(b)?))?,
        "sum" => call.x()?.sum(call.axes()?)?,
        "mean" => call.x()?.mean(call.axes()?)?,
        "amax" => call.x()?.amax(call.axes()?)?,
        "amin" => call.x()?.amin(call.axes()?)?,
        "var" => call.x()?.var(call.axes()?, call.float("correction")?)?,
        "std" => call.x()?.std(call.axes()?, call.float("correction")?)?,
        "prod" => call.x()?.prod(call.axes()?)?,
        "logsumexp" => call.x()?.logsumexp(call.axes()?)?,
        "norm" => call.x()?.norm(call.axes()?, call.float("p")?)?,
        "argmax" => return Ok(Some(vec![Output::Index(call.x()?.argmax(call.axes()?)?)])),
        "argmin" => return Ok(Some(vec![Output::Index(call.x()?.value().argmin(call.axes()?)?)])),
        "max_dim" => return chosen(call.x()?.max_dim(call.axes()?)?),
        "min_dim" => return chosen(call.x()?.min_dim(call.axes()?)?),
        "sort" => return chosen(call.x()?.sort(call.integer("dim")?, call.flag("descending")?)?),
        "topk" => {
            let (k, largest) = (call.extent("k")?, call.flag("largest")?);
            return chosen(call.x()?.topk(k, call.integer("dim")?, largest)?);
        }

        // Shapes and positions.
        "transpose" => call.x()?.transpose(call.integer("dim0")?, call.integer("dim1")?)?,
        "permute" => call.x()?.permute(&call.integers("dims")?)?,
        "reshape" => call.x()?.reshape(&call.integers("shape")?)?,
        "flatten" => call.x()?.flatten_range(call.integer("start_dim")?, call.integer("end_dim")?)?,
        "squeeze" => match call.argument("dim") {
            Value::Null => call.x()?.squeeze(..)?,
            _ => call.x()?.squeeze(call.integer("dim")?)?,
        },
        "unsqueeze" => call.x()?.unsqueeze(call.integer("dim")?)?,
        "expand" => call.x()?.expand(&call.integers("shape")?)?,
        "repeat" => call.x()?.repeat(&call.shape("repeats")?)?,
        "flip" => call.x()?.flip(&call.integers("dims")?[..])?,
        "roll" => {
            let shifts = std::iter::zip(call.integers("shifts")?, call.integers("dims")?);
            call.x()?.roll(&shifts.collect::<Vec<_>>())?
        }
        "tril" => call.x()?.tril(call.integer("diagonal")?)?,
        "triu" => call.x()?.triu(call.integer("diagonal")?)?,
        "cumsum" => call.x()?.cumsum(call.integer("dim")?)?,
        "split" => {
            let (x, axis) = (call.x()?, call.integer("dim")?);
            return pieces(match call.argument("sizes") {
                Value::Array(_) => x.split_with_sizes(&call.shape("sizes")?, axis)?,
                _ => x.split(call.extent("sizes")?, axis)?,
            });
        }
        "chunk" => return pieces(call.x()?.chunk(call.extent("chunks")?, call.integer("dim")?)?),
        "slice" => call.x()?.slice(&ranges(call)?)?,
        "concat" => Var::concat(&call.series()?, call.integer("dim")?)?,
        "stack" => Var::stack(&call.series()?, call.integer("dim")?)?,
        "index_select" => call.x()?.index_select(call.integer("dim")?, call.index("index")?)?,
        "gather" => call.x()?.gather(call.integer("dim")?, call.index("index")?)?,
        "masked_fill" => call.x()?.masked_fill(&call.mask("mask")?, call.float("value")?)?,
        "scatter" => call.x()?.scatter(call.integer("dim")?, call.index("index")?, call.var("src")?)?,
        "index_add" => {
            let source = call.var("src")?.scale(call.float("alpha")?);
            call.x()?.index_add(call.integer("dim")?, call.index("index")?, &source)?
        }
        "scatter_add" => {
            call.x()?.scatter_add(call.integer("dim")?, call.index("index")?, call.var("src")?)?
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![Output::Var(y)]))
}

/// Elements, and the positions where they stood.
fn chosen<T: Float>((y, index): (Var<T>, Tensor<i64>)) -> Outcome<Option<Vec<Output<T>>>> {
    Ok(Some(vec![Output::Var(y), Output::Index(index)]))
}

fn pieces<T: Float>(pieces: Vec<Var<T>>) -> Outcome<Option<Vec<Output<T>>>> {
    Ok(Some(pieces.into_iter().map(Output::Var).collect()))
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
    ranges.ok_or_else(|| Stop::inexpressible("ranges"))
}
