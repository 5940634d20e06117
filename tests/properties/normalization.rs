//! Normalisations keep the shape.

use retrograd::nn::{BatchNorm, InstanceNorm};
use retrograd::prelude::*;

use crate::draw::{Draw, Family, Outcome, one, room, wide};

pub(crate) const FAMILIES: &[Family] = &[
    ("batch_norm1d", batch_norm::<1>),
    ("batch_norm2d", batch_norm::<2>),
    ("batch_norm3d", batch_norm::<3>),
    ("instance_norm1d", instance_norm::<1>),
    ("instance_norm2d", instance_norm::<2>),
    ("instance_norm3d", instance_norm::<3>),
    ("group_norm", group_norm),
    ("layer_norm", layer_norm),
    ("rms_norm", rms_norm),
    ("local_response_norm", local_response_norm),
];

fn eps(draw: &mut Draw) -> f64 {
    draw.float("eps", &[1e-5, 1e-3])
}

fn at_least_0(eps: f64) -> bool {
    eps >= 0.0 && eps.is_finite()
}

/// Settings of a layer with running statistics: features, eps, momentum, affine, tracked.
fn running(draw: &mut Draw) -> (usize, f64, Option<f64>, bool, bool) {
    let momentum = draw.flag("momentum").then(|| draw.float("momentum", &[0.0, 0.1, 1.0]));
    (draw.size("features", 1..=4), eps(draw), momentum, draw.flag("affine"), draw.flag("tracked"))
}

/// Whether such a layer can be built, and changes its statistics, where it does, by a momentum that is a number.
fn usable(features: usize, momentum: Option<f64>, changes: bool) -> bool {
    room([wide(features)]).is_some() && (!changes || momentum.is_none_or(f64::is_finite))
}

fn batch_norm<const D: usize>(draw: &mut Draw) -> Outcome {
    let (features, eps, momentum, affine, tracked) = running(draw);
    let mut shape = draw.image::<D>(features);
    if shape.len() == D + 1 && D > 1 {
        shape.insert(0, 2);
    }
    let x = draw.leaf(&shape);
    let known = shape.get(1).is_some_and(|&c| c == features || !(affine || tracked));
    let ranked = shape.len() == D + 2 || D == 1 && shape.len() == 2;
    let given = tracked && !draw.tape.is_training();
    let sound = match given {
        true => at_least_0(eps),
        // Of no element the moments are NaN; of one there is no variance.
        false => eps > 0.0 && eps.is_finite() && x.numel() != *shape.get(1).unwrap_or(&0),
    };
    let expected =
        (usable(features, momentum, tracked && draw.tape.is_training()) && ranked && known && sound)
            .then_some(shape);
    one(
        expected,
        match BatchNorm::<D>::new(features) {
            Ok(layer) => {
                let layer = layer.eps(eps).momentum(momentum).affine(affine).track_running_stats(tracked);
                draw.watch(&layer);
                layer.forward(&x)
            }
            Err(error) => Err(error),
        },
    )
}

fn instance_norm<const D: usize>(draw: &mut Draw) -> Outcome {
    let (features, eps, momentum, affine, tracked) = running(draw);
    let shape = draw.image::<D>(features);
    let x = draw.leaf(&shape);
    let axis = shape.len().saturating_sub(D + 1);
    let known = shape.get(axis).is_some_and(|&c| c == features || !(affine || tracked));
    let ranked = [D + 1, D + 2].contains(&shape.len());
    let given = tracked && !draw.tape.is_training();
    let several = given || x.numel() > shape.iter().take(axis + 1).product();
    let sound = at_least_0(eps) && several;
    let expected =
        (usable(features, momentum, tracked && draw.tape.is_training()) && ranked && known && sound)
            .then_some(shape);
    one(
        expected,
        match InstanceNorm::<D>::new(features) {
            Ok(layer) => {
                let layer = layer.eps(eps).momentum(momentum).affine(affine).track_running_stats(tracked);
                draw.watch(&layer);
                layer.forward(&x)
            }
            Err(error) => Err(error),
        },
    )
}

fn group_norm(draw: &mut Draw) -> Outcome {
    let (groups, per_group, eps) =
        (draw.size("groups", 1..=3), draw.size("channels of a group", 1..=2), eps(draw));
    let channels = groups.wrapping_mul(per_group).wrapping_add(draw.size("more", 0..=0));
    let affine = draw.flag("affine");
    let mut shape = draw.shape("x", 2..=5);
    if shape.len() > 1 && channels < 100 {
        shape[1] = channels;
        shape = draw.nearly("x", &shape);
    }
    let x = draw.leaf(&shape);
    let built = groups > 0 && channels % groups == 0 && room([wide(channels)]).is_some();
    let fits =
        shape.get(1).is_some_and(|&c| if affine { c == channels } else { groups > 0 && c % groups == 0 });
    let expected = (built && fits && at_least_0(eps) && x.numel() != groups).then_some(shape);
    one(
        expected,
        match GroupNorm::new(groups, channels) {
            Ok(layer) => {
                let layer = layer.affine(affine).eps(eps);
                draw.watch(&layer);
                layer.forward(&x)
            }
            Err(error) => Err(error),
        },
    )
}

/// A shape and one that it ends in, seldom not.
fn ending(draw: &mut Draw) -> (Vec<usize>, Vec<usize>, bool) {
    let shape = draw.shape("x", 1..=4);
    let axes = draw.size("axes", 1..=2).min(shape.len());
    let ending = shape[shape.len() - axes..].to_vec();
    let mut normalized = draw.nearly("normalized_shape", &ending);
    if draw.size("absurd", 1..=1) == usize::MAX {
        normalized.push(usize::MAX);
    }
    let fits = !normalized.is_empty() && shape.ends_with(&normalized);
    (shape, normalized, fits)
}

fn layer_norm(draw: &mut Draw) -> Outcome {
    let ((shape, normalized, fits), eps) = (ending(draw), eps(draw));
    let kind = draw.choice("affine", &["whole", "without bias", "without"]);
    let x = draw.leaf(&shape);
    one(
        (fits && at_least_0(eps)).then_some(shape),
        match LayerNorm::new(normalized) {
            Ok(layer) => {
                let layer = layer.elementwise_affine(kind != "without").bias(kind == "whole");
                draw.watch(&layer);
                layer.eps(eps).forward(&x)
            }
            Err(error) => Err(error),
        },
    )
}

fn rms_norm(draw: &mut Draw) -> Outcome {
    let ((shape, normalized, fits), eps, affine) = (ending(draw), eps(draw), draw.flag("affine"));
    let x = draw.leaf(&shape);
    one(
        (fits && at_least_0(eps)).then_some(shape),
        match RMSNorm::new(normalized) {
            Ok(layer) => {
                let layer = layer.elementwise_affine(affine);
                draw.watch(&layer);
                layer.eps(eps).forward(&x)
            }
            Err(error) => Err(error),
        },
    )
}

fn local_response_norm(draw: &mut Draw) -> Outcome {
    let size = draw.size("size", 1..=7);
    let [alpha, beta, k] = ["alpha", "beta", "k"].map(|name| draw.float(name, &[1e-4, 0.75, 1.0]));
    let shape = draw.shape("x", 3..=5);
    let x = draw.leaf(&shape);
    let sound =
        (1..=i64::MAX as usize).contains(&size) && [alpha, beta, k].iter().all(|each| each.is_finite());
    let expected = (sound && shape.len() >= 3).then_some(shape);
    one(expected, LocalResponseNorm { size, alpha, beta, k }.forward(&x))
}
