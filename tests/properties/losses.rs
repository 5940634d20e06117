//! Losses: a number, or with no reduction one for each element, example or position.

use retrograd::nn::KLDivReduction;
use retrograd::prelude::*;

use crate::draw::{Draw, Family, Outcome, broadcast, one};

pub(crate) const FAMILIES: &[Family] = &[
    ("loss of elements", elements),
    ("binary_cross_entropy", binary),
    ("kl_div", kl_div),
    ("margin loss", margins),
    ("cosine_embedding_loss", cosine),
    ("triplet_margin_loss", triplet),
    ("cross_entropy", cross_entropy),
    ("cross_entropy of probabilities", cross_entropy_of_probabilities),
];

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

fn reduced(losses: Option<Vec<usize>>, reduction: Reduction) -> Option<Vec<usize>> {
    losses.map(|shape| if reduction == Reduction::None { shape } else { vec![] })
}

/// An input and its target, and their shape unless they differ.
fn pair(draw: &mut Draw) -> ([Var; 2], Option<Vec<usize>>) {
    let shape = draw.shape("x", 0..=4);
    let target = draw.nearly("target", &shape);
    let fits = shape == target;
    ([draw.leaf(&shape), draw.leaf(&target)], fits.then_some(shape))
}

fn elements(draw: &mut Draw) -> Outcome {
    let (reduction, setting) = (draw.choice("reduction", &REDUCTIONS), draw.float("setting", &[0.5, 1.0]));
    let ([x, target], shape) = pair(draw);
    let expected = reduced(shape, reduction);
    match draw.choice("which", &["mse", "l1", "smooth_l1", "huber"]) {
        "mse" => one(expected, MSELoss { reduction }.forward(&x, &target)),
        "l1" => one(expected, L1Loss { reduction }.forward(&x, &target)),
        "smooth_l1" => one(
            expected.filter(|_| setting >= 0.0),
            SmoothL1Loss { beta: setting, reduction }.forward(&x, &target),
        ),
        _ => one(
            expected.filter(|_| setting > 0.0),
            HuberLoss { delta: setting, reduction }.forward(&x, &target),
        ),
    }
}

/// A weight, or none, and whether it broadcasts to the shape.
fn weight(draw: &mut Draw, shape: &[usize]) -> (Option<Tensor>, bool) {
    if !draw.flag("weighted") {
        return (None, true);
    }
    let last = &shape[shape.len().saturating_sub(1)..];
    let of = draw.nearly("weight", last);
    let fits = broadcast(&of, shape).is_some_and(|joint| joint == shape);
    (Some(draw.leaf(&of).value().clone()), fits)
}

fn binary(draw: &mut Draw) -> Outcome {
    let reduction = draw.choice("reduction", &REDUCTIONS);
    let ([x, target], shape) = pair(draw);
    let (weight, fits) = weight(draw, x.shape());
    let (pos_weight, pos_fits) = self::weight(draw, x.shape());
    let expected = reduced(shape.filter(|_| fits), reduction);
    match draw.flag("logits") {
        true => {
            let loss = BCEWithLogitsLoss { weight, pos_weight, reduction };
            one(expected.filter(|_| pos_fits), loss.forward(&x, &target))
        }
        false => one(expected, BCELoss { weight, reduction }.forward(&x.sigmoid(), &target.sigmoid())),
    }
}

fn kl_div(draw: &mut Draw) -> Outcome {
    let kinds = [KLDivReduction::None, KLDivReduction::Mean, KLDivReduction::Sum, KLDivReduction::BatchMean];
    let (reduction, log_target) = (draw.choice("reduction", &kinds), draw.flag("log_target"));
    let ([x, target], shape) = pair(draw);
    let expected = shape.map(|shape| if reduction == KLDivReduction::None { shape } else { vec![] });
    one(expected, KLDivLoss { log_target, reduction }.forward(&x, &target))
}

/// Three operands alike, seldom not, and what they broadcast to if they have as many axes as each other.
fn three(draw: &mut Draw, first: &[usize]) -> ([Var; 3], Option<Vec<usize>>) {
    let shapes = [first.to_vec(), draw.nearly("second", first), draw.nearly("third", first)];
    let alike = shapes.iter().all(|shape| shape.len() == first.len());
    let joint = broadcast(&shapes[0], &shapes[1]).and_then(|joint| broadcast(&joint, &shapes[2]));
    (shapes.map(|shape| draw.leaf(&shape)), joint.filter(|_| alike))
}

fn margins(draw: &mut Draw) -> Outcome {
    let (reduction, margin) = (draw.choice("reduction", &REDUCTIONS), draw.float("margin", &[0.5, 1.0]));
    let first = draw.shape("first", 0..=3);
    let ([x1, x2, target], joint) = three(draw, &first);
    match draw.flag("ranking") {
        true => {
            one(reduced(joint, reduction), MarginRankingLoss { margin, reduction }.forward(&x1, &x2, &target))
        }
        false => one(
            reduced(broadcast(x1.shape(), target.shape()), reduction),
            HingeEmbeddingLoss { margin, reduction }.forward(&x1, &target),
        ),
    }
}

fn cosine(draw: &mut Draw) -> Outcome {
    let (reduction, margin) = (draw.choice("reduction", &REDUCTIONS), draw.float("margin", &[0.0, 0.5]));
    let first = draw.shape("vectors", 1..=2);
    let second = draw.nearly("second", &first);
    let target = draw.nearly("target", &first[..first.len().saturating_sub(1)]);
    let ranked =
        [1, 2].contains(&first.len()) && second.len() == first.len() && target.len() + 1 == first.len();
    let column = [&target[..], &[1]].concat();
    let joint = broadcast(&first, &second).and_then(|joint| broadcast(&joint, &column)).filter(|_| ranked);
    let losses = joint.map(|joint| joint[..joint.len() - 1].to_vec());
    let [x1, x2, target] = [first, second, target].map(|shape| draw.leaf(&shape));
    one(
        reduced(losses, reduction),
        CosineEmbeddingLoss { margin, reduction }.forward(&x1, &x2, &target.sign()),
    )
}

fn triplet(draw: &mut Draw) -> Outcome {
    let (reduction, swap) = (draw.choice("reduction", &REDUCTIONS), draw.flag("swap"));
    let (margin, p) = (draw.float("margin", &[0.5, 1.0]), draw.float("p", &[1.0, 2.0, f64::INFINITY]));
    let eps = draw.float("eps", &[1e-6]);
    let first = draw.shape("anchor", 1..=3);
    let ([anchor, positive, negative], joint) = three(draw, &first);
    let losses = joint.filter(|_| margin > 0.0).and_then(|joint| {
        let (&last, leading) = joint.split_last()?;
        // Of no differences there is no largest one.
        (last > 0 || !p.is_infinite()).then(|| leading.to_vec())
    });
    let loss = TripletMarginLoss { margin, p, eps, swap, reduction };
    one(reduced(losses, reduction), loss.forward(&anchor, &positive, &negative))
}

/// Logits, the axis of their classes if there are some and the weight fits them, and the weight.
fn logits(draw: &mut Draw) -> (Vec<usize>, Option<usize>, Option<Tensor>) {
    let shape = draw.shape("logits", 1..=4);
    let axis = shape.len().min(2).checked_sub(1).filter(|&axis| shape[axis] > 0);
    let classes = axis.map_or(1, |axis| shape[axis]);
    let weight = draw.flag("weighted").then(|| draw.nearly("weight", &[classes]));
    let fits = weight.as_ref().is_none_or(|weight| weight[..] == [classes]);
    let weight = weight.map(|weight| draw.leaf(&weight).value().clone());
    (shape, axis.filter(|_| fits), weight)
}

fn without(shape: &[usize], axis: usize) -> Vec<usize> {
    [&shape[..axis], &shape[axis + 1..]].concat()
}

fn cross_entropy(draw: &mut Draw) -> Outcome {
    let (reduction, smoothing) =
        (draw.choice("reduction", &REDUCTIONS), draw.float("smoothing", &[0.0, 0.1, 1.0]));
    let ignore_index = draw.signed("ignore_index", -100..=-100) as i64;
    let (shape, axis, weight) = logits(draw);
    let (classes, positions) = axis.map_or((1, vec![]), |axis| (shape[axis], without(&shape, axis)));
    let of_target = draw.nearly("target of", &positions);
    let target = draw.indices("target", &of_target, classes);
    let known = |&class: &i64| (0..classes as i64).contains(&class) || class == ignore_index;
    let sound = axis.is_some() && of_target == positions && target.as_slice().iter().all(known);
    let losses = sound.then_some(positions);
    let x = draw.leaf(&shape);
    match draw.flag("logarithms") {
        true => {
            one(reduced(losses, reduction), NLLLoss { weight, ignore_index, reduction }.forward(&x, &target))
        }
        false => {
            let loss = CrossEntropyLoss { weight, ignore_index, label_smoothing: smoothing, reduction };
            let losses = losses.filter(|_| (0.0..=1.0).contains(&smoothing));
            one(reduced(losses, reduction), loss.forward(&x, &target))
        }
    }
}

fn cross_entropy_of_probabilities(draw: &mut Draw) -> Outcome {
    let (reduction, smoothing) =
        (draw.choice("reduction", &REDUCTIONS), draw.float("smoothing", &[0.0, 0.1, 1.0]));
    let ignore_index = draw.signed("ignore_index", -100..=-100) as i64;
    let (shape, axis, weight) = logits(draw);
    let of_target = draw.nearly("target", &shape);
    let sound = of_target == shape && ignore_index < 0 && (0.0..=1.0).contains(&smoothing);
    let losses = axis.filter(|_| sound).map(|axis| without(&shape, axis));
    let (x, target) = (draw.leaf(&shape), draw.leaf(&of_target));
    let loss = CrossEntropyLoss { weight, ignore_index, label_smoothing: smoothing, reduction };
    one(reduced(losses, reduction), loss.forward(&x, &target))
}
