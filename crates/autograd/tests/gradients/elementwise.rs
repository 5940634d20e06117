use super::*;

/// Element-wise functions, each on an awkward shape and on a scalar.
pub(crate) fn cases() -> Vec<Case> {
    let anywhere: Vec<Unary> = vec![
        ("scale", |x| x.scale(-1.7)),
        ("shift", |x| x.shift(0.3)),
        ("exp", Var::exp),
        ("exp_m1", Var::exp_m1),
        ("square", Var::square),
        ("abs", Var::abs),
        ("sin", Var::sin),
        ("cos", Var::cos),
        ("sigmoid", Var::sigmoid),
        ("tanh", Var::tanh),
        ("softsign", Var::softsign),
        ("relu", Var::relu),
        ("leaky_relu", |x| x.leaky_relu(0.2)),
        ("clamp", |x| x.clamp(-0.5, 0.7)),
        ("relu6", |x| (x + 1.0).relu6()),
        ("hardtanh", |x| x.hardtanh(-0.5, 0.7)),
        ("elu", |x| x.elu(1.5)),
        ("selu", Var::selu),
        ("celu", |x| x.celu(0.7)),
        ("gelu", Var::gelu),
        ("gelu_tanh", Var::gelu_tanh),
        ("silu", Var::silu),
        ("mish", Var::mish),
        ("softplus", |x| x.softplus(2.5, 1.0)),
        ("logsigmoid", Var::logsigmoid),
        ("hardsigmoid", Var::hardsigmoid),
        ("hardswish", Var::hardswish),
        ("threshold", |x| x.threshold(0.2, 3.0)),
        ("tanhshrink", Var::tanhshrink),
        ("softshrink", |x| x.softshrink(0.3)),
        ("hardshrink", |x| x.hardshrink(0.3)),
        ("sign", Var::sign),
        ("floor", Var::floor),
        ("ceil", Var::ceil),
        ("round", Var::round),
        ("tan", |x| (x * 0.3).tan()),
        ("atan", Var::atan),
        ("sinh", Var::sinh),
        ("cosh", Var::cosh),
        ("erf", Var::erf),
        ("neg", |x| -x),
        ("operators with a number", |x| (2.0 - x * 3.0 + 1.0) / 4.0 + (1.0 + x * x)),
    ];
    let above_zero: Vec<Unary> = vec![
        ("ln", Var::ln),
        ("ln_1p", Var::ln_1p),
        ("log2", Var::log2),
        ("log10", Var::log10),
        ("sqrt", Var::sqrt),
        ("rsqrt", Var::rsqrt),
        ("reciprocal", Var::reciprocal),
        ("powf", |x| x.powf(2.5)),
        ("powf with a negative exponent", |x| x.powf(-1.5)),
        ("powf with exponent 1", |x| x.powf(1.0)),
        ("powf with exponent 0", |x| x.powf(0.0)),
        ("a number divided", |x| 3.0 / x - 1.0),
    ];
    let rows = |(name, f): Unary, draw: fn([usize; 3], u64) -> Tensor<f64>, scalar: f64| {
        [
            case(name, [draw([1, 3, 5], 1)], move |[x]| Ok(f(x))),
            case(name, [Tensor::scalar(scalar)], move |[x]| Ok(f(x))),
        ]
    };
    let anywhere = anywhere.into_iter().flat_map(|row| rows(row, normal, -0.4));
    anywhere.chain(above_zero.into_iter().flat_map(|row| rows(row, positive, 1.3))).collect()
}
