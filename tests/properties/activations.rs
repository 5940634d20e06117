//! Activations keep the shape, but for gated ones, which halve an axis.

use retrograd::prelude::*;

use crate::draw::{Draw, Family, Outcome, axis_of, one};

pub(crate) const FAMILIES: &[Family] =
    &[("adjustable activation", adjustable), ("prelu", prelu), ("along an axis", along_an_axis)];

/// Activations without settings, which refuse nothing.
const PLAIN: [fn(&Var) -> Result<Var>; 13] = [
    |x| Sigmoid.forward(x),
    |x| Tanh.forward(x),
    |x| ReLU.forward(x),
    |x| ReLU6.forward(x),
    |x| SELU.forward(x),
    |x| SiLU.forward(x),
    |x| Mish.forward(x),
    |x| Softsign.forward(x),
    |x| Hardsigmoid.forward(x),
    |x| Hardswish.forward(x),
    |x| LogSigmoid.forward(x),
    |x| Tanhshrink.forward(x),
    |x| GELU::default().forward(x),
];

fn adjustable(draw: &mut Draw) -> Outcome {
    let which = draw.size("which", 0..=9);
    let [a, b] = ["a", "b"].map(|name| draw.float(name, &[0.1, 0.5, 1.0]));
    let shape = draw.shape("x", 0..=4);
    let x = draw.leaf(&shape);
    let (found, sound) = match which {
        0 => (LeakyReLU { negative_slope: a }.forward(&x), true),
        1 => (ELU { alpha: a }.forward(&x), true),
        2 => (Softplus { beta: a, threshold: b }.forward(&x), true),
        3 => (Hardshrink { lambda: a }.forward(&x), true),
        4 => (Threshold { threshold: a, value: b }.forward(&x), true),
        5 => (CELU::new(a).map_or_else(Err, |layer| layer.forward(&x)), a != 0.0),
        6 => (Softshrink::new(a).map_or_else(Err, |layer| layer.forward(&x)), a >= 0.0),
        7 => (Hardtanh::new(a, b).map_or_else(Err, |layer| layer.forward(&x)), a < b),
        8 => (RReLU::new(a, b).map_or_else(Err, |layer| layer.forward(&x)), a <= b && (b - a).is_finite()),
        _ => (PLAIN[which % PLAIN.len()](&x), true),
    };
    one(sound.then_some(shape), found)
}

fn prelu(draw: &mut Draw) -> Outcome {
    let (slopes, init) = (draw.choice("slopes", &[0, 1, 1, 2, 3]), draw.float("init", &[0.25]));
    let mut shape = draw.shape("x", 0..=4);
    if shape.len() > 1 && slopes > 0 {
        shape[1] = slopes;
        shape = draw.nearly("x", &shape);
    }
    let x = draw.leaf(&shape);
    let fits = slopes == 1 || slopes > 0 && shape.get(1) == Some(&slopes);
    one(
        fits.then_some(shape),
        match PReLU::new(slopes, init) {
            Ok(layer) => {
                draw.watch(&layer);
                layer.forward(&x)
            }
            Err(error) => Err(error),
        },
    )
}

fn along_an_axis(draw: &mut Draw) -> Outcome {
    let shape = draw.shape("x", 1..=4);
    let dim = draw.axis(shape.len());
    let x = draw.leaf(&shape);
    // A scalar is taken for a vector of one, but there are no halves of it.
    let axis = axis_of(shape.len().max(1), dim);
    let halved = axis.filter(|&axis| shape.get(axis).is_some_and(|extent| extent % 2 == 0)).map(|axis| {
        let mut halved = shape.clone();
        halved[axis] /= 2;
        halved
    });
    match draw.choice("which", &["softmax", "log_softmax", "softmin", "glu"]) {
        "softmax" => one(axis.map(|_| shape), Softmax { dim }.forward(&x)),
        "log_softmax" => one(axis.map(|_| shape), LogSoftmax { dim }.forward(&x)),
        "softmin" => one(axis.map(|_| shape), Softmin { dim }.forward(&x)),
        _ => one(halved, GLU { dim }.forward(&x)),
    }
}
