//! Linear layers, tables and dropouts.

use retrograd::nn::ChannelDropout;
use retrograd::prelude::*;

use crate::draw::{Draw, Family, Outcome, one, room, wide};

pub(crate) const FAMILIES: &[Family] = &[
    ("linear", linear),
    ("bilinear", bilinear),
    ("embedding", embedding),
    ("dropout", dropout),
    ("dropout1d", channel_dropout::<1>),
    ("dropout2d", channel_dropout::<2>),
    ("dropout3d", channel_dropout::<3>),
];

/// The shape of what has `inputs` elements along its last axis, with `outputs` of them.
fn with_last(x: &[usize], inputs: usize, outputs: usize) -> Option<Vec<usize>> {
    let (&last, leading) = x.split_last()?;
    (last == inputs).then(|| room(leading.iter().copied().chain([outputs]).map(wide)))?
}

/// `shape` with this extent at the last axis, seldom not.
fn ending(draw: &mut Draw, name: &str, mut shape: Vec<usize>, last: usize) -> Vec<usize> {
    if let Some(extent) = shape.last_mut().filter(|_| last < 100) {
        *extent = last;
    }
    draw.nearly(name, &shape)
}

fn linear(draw: &mut Draw) -> Outcome {
    let (inputs, outputs, bias) = (draw.size("in", 1..=9), draw.size("out", 1..=9), draw.flag("bias"));
    let shape = draw.shape("x", 1..=4);
    let shape = ending(draw, "x", shape, inputs);
    let x = draw.leaf(&shape);
    let valid = room([outputs, inputs].map(wide)).is_some() && (!bias || room([wide(outputs)]).is_some());
    let expected = with_last(&shape, inputs, outputs).filter(|_| valid);
    one(
        expected,
        match Linear::new(inputs, outputs).bias(bias).build(&mut draw.rng) {
            Ok(layer) => {
                draw.watch(&layer);
                layer.forward(&x)
            }
            Err(error) => Err(error),
        },
    )
}

fn bilinear(draw: &mut Draw) -> Outcome {
    let [first, second, outputs] = draw.sizes("features", 1..=5);
    let bias = draw.flag("bias");
    let shape = draw.shape("x", 1..=3);
    let shapes = [first, second].map(|last| ending(draw, "x", shape.clone(), last));
    let [x1, x2] = shapes.clone().map(|shape| draw.leaf(&shape));
    let valid = first > 0
        && room([outputs, first, second].map(wide)).is_some()
        && (!bias || room([wide(outputs)]).is_some());
    let alike = match &shapes {
        [a, b] => a.len() == b.len() && a.split_last().map(|(_, a)| a) == b.split_last().map(|(_, b)| b),
    };
    let expected = with_last(&shapes[0], first, outputs).zip(with_last(&shapes[1], second, outputs));
    one(
        expected.map(|(y, _)| y).filter(|_| valid && alike),
        match Bilinear::new(first, second, outputs, bias, &mut draw.rng) {
            Ok(layer) => {
                draw.watch(&layer);
                layer.forward(&x1, &x2)
            }
            Err(error) => Err(error),
        },
    )
}

fn embedding(draw: &mut Draw) -> Outcome {
    let [rows, length] = draw.sizes("table", 1..=9);
    let padding_idx = draw.flag("padded").then(|| draw.size("padding_idx", 0..=0));
    let shape = draw.shape("index of", 0..=3);
    let index = draw.indices("index", &shape, rows.min(1 << 20));
    let inside = index.as_slice().iter().all(|&i| (0..rows as i128).contains(&i.into()));
    let valid = room([rows, length].map(wide)).is_some() && padding_idx.is_none_or(|padding| padding < rows);
    let expected = room(shape.into_iter().chain([length]).map(wide)).filter(|_| inside && valid);
    let builder = Embedding::new(rows, length);
    let builder = match padding_idx {
        Some(padding) => builder.padding_idx(padding),
        None => builder,
    };
    one(
        expected,
        match builder.build(&mut draw.rng) {
            Ok(layer) => {
                draw.watch(&layer);
                layer.forward(&index, &draw.tape)
            }
            Err(error) => Err(error),
        },
    )
}

fn dropout(draw: &mut Draw) -> Outcome {
    let p = draw.float("p", &[0.0, 0.3, 1.0]);
    let shape = draw.shape("x", 0..=4);
    let x = draw.leaf(&shape);
    let expected = (0.0..=1.0).contains(&p).then_some(shape);
    one(
        expected,
        match draw.flag("alpha") {
            true => AlphaDropout::new(p).map_or_else(Err, |layer| layer.forward(&x)),
            false => Dropout::new(p).map_or_else(Err, |layer| layer.forward(&x)),
        },
    )
}

fn channel_dropout<const D: usize>(draw: &mut Draw) -> Outcome {
    let p = draw.float("p", &[0.0, 0.3, 1.0]);
    let shape = draw.image::<D>(2);
    let x = draw.leaf(&shape);
    let valid = (0.0..=1.0).contains(&p) && [D + 1, D + 2].contains(&shape.len());
    let expected = valid.then_some(shape);
    one(expected, ChannelDropout::<D>::new(p).map_or_else(Err, |layer| layer.forward(&x)))
}
