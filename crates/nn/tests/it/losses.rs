//! Losses with a margin: values against their formulas, gradients against central differences.

use retrograd_autograd::{gradcheck, gradgradcheck};
use retrograd_nn::{
    CosineEmbeddingLoss, HingeEmbeddingLoss, MarginRankingLoss, Reduction, Result, Tape, Tensor,
    TripletMarginLoss, Var,
};

use crate::{assert_close, random, refuses};

const NONE: Reduction = Reduction::None;

/// 1 or −1.
fn signs<const N: usize>(shape: [usize; N], seed: u64) -> Tensor<f64> {
    random(shape, seed).map(|x| if x < 0.0 { -1.0 } else { 1.0 })
}

/// Numbers that have a value for each row `i` of `n`.
fn rows(n: usize, f: impl FnMut(usize) -> f64) -> Tensor<f64> {
    Tensor::from_vec((0..n).map(f).collect(), [n]).unwrap()
}

/// Both orders of gradients.
#[track_caller]
fn check<const N: usize>(f: impl Fn([&Var<f64>; N]) -> Result<Var<f64>>, inputs: [Tensor<f64>; N]) {
    gradcheck(&f, inputs.clone()).unwrap();
    gradgradcheck(f, inputs).unwrap();
}

#[test]
fn hinge_embedding_is_the_distance_of_what_is_alike_and_what_the_margin_lacks_of_what_is_not() {
    let (x, y) = (random([20], 1).abs(), signs([20], 2));
    let loss = HingeEmbeddingLoss { margin: 0.7, reduction: NONE };
    let expected = x.zip(&y, |x, y| if y == 1.0 { x } else { (0.7 - x).max(0.0) }).unwrap();
    let target = Var::from(y.clone());
    assert_close(loss.forward(&Var::from(x.clone()), &target).unwrap().value(), &expected, "values");
    check(|[x]| loss.forward(x, &target), [x]);
}

#[test]
fn margin_ranking_is_what_the_difference_of_the_scores_lacks_of_the_margin() {
    let (a, b, y) = (random([20], 1), random([20], 2), signs([20], 3));
    let loss = MarginRankingLoss { margin: 0.3, reduction: NONE };
    let expected = a.sub(&b).unwrap().zip(&y, |d, y| (0.3 - y * d).max(0.0)).unwrap();
    let operands = [&a, &b, &y].map(|x| Var::from(x.clone()));
    let found = loss.forward(&operands[0], &operands[1], &operands[2]).unwrap();
    assert_close(found.value(), &expected, "values");
    check(|[a, b]| loss.forward(a, b, &operands[2]), [a, b]);
}

#[test]
fn cosine_embedding_is_what_the_cosine_lacks_of_1_or_exceeds_the_margin_by() {
    let (a, b, y) = (random([9, 3], 1), random([9, 3], 2), signs([9], 3));
    let loss = CosineEmbeddingLoss { margin: 0.1, reduction: NONE };
    let expected = rows(9, |i| {
        let [a, b] = [&a, &b].map(|x| &x.as_slice()[3 * i..][..3]);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = dot(a, b) / ((dot(a, a) + 1e-12) * (dot(b, b) + 1e-12)).sqrt();
        if y.as_slice()[i] == 1.0 { 1.0 - cosine } else { (cosine - 0.1).max(0.0) }
    });
    let operands = [&a, &b, &y].map(|x| Var::from(x.clone()));
    let found = loss.forward(&operands[0], &operands[1], &operands[2]).unwrap();
    assert_close(found.value(), &expected, "values");
    check(|[a, b]| loss.forward(a, b, &operands[2]), [a, b]);
}

#[test]
fn triplet_margin_is_by_how_much_the_positive_is_too_far_at_every_norm() {
    let operands = [random([6, 3], 1), random([6, 3], 2), random([6, 3], 3)];
    for p in [1.0, 2.0, 3.0, f64::INFINITY] {
        for swap in [false, true] {
            let loss = TripletMarginLoss { p, swap, eps: 1e-3, reduction: NONE, ..Default::default() };
            let expected = rows(6, |i| {
                let [a, b, c] = [0, 1, 2].map(|x: usize| &operands[x].as_slice()[3 * i..][..3]);
                let distance = |a: &[f64], b: &[f64]| {
                    let differences = a.iter().zip(b).map(|(a, b)| (a - b + 1e-3).abs());
                    match p {
                        f64::INFINITY => differences.fold(0.0, f64::max),
                        _ => differences.map(|d| d.powf(p)).sum::<f64>().powf(1.0 / p),
                    }
                };
                let far = if swap { distance(a, c).min(distance(b, c)) } else { distance(a, c) };
                (distance(a, b) - far + 1.0).max(0.0)
            });
            let [a, b, c] = operands.each_ref().map(|x| Var::from(x.clone()));
            assert_close(loss.forward(&a, &b, &c).unwrap().value(), &expected, &format!("p = {p}, {swap}"));
            check(|[a, b, c]| loss.forward(a, b, c), operands.clone());
        }
    }
}

#[test]
fn operands_of_losses_with_a_margin_broadcast_where_they_have_as_many_axes() {
    let [matrix, row, column] = [random([4, 3], 1), random([1, 3], 2), random([4, 1], 3)].map(Var::from);
    let target = Var::from(Tensor::from([1.0]));
    let ranking = MarginRankingLoss { margin: 0.0, reduction: NONE }.forward(&row, &column, &matrix).unwrap();
    assert_eq!(*ranking.shape(), [4, 3]);
    let cosine =
        CosineEmbeddingLoss { margin: 0.0, reduction: NONE }.forward(&matrix, &row, &target).unwrap();
    assert_eq!(*cosine.shape(), [4]);
    let triplet = TripletMarginLoss { reduction: NONE, ..Default::default() };
    assert_eq!(*triplet.forward(&row, &matrix, &column).unwrap().shape(), [4]);
    let hinge = HingeEmbeddingLoss { margin: 1.0, reduction: NONE }.forward(&matrix, &target).unwrap();
    assert_eq!(*hinge.shape(), [4, 3]);
}

#[test]
fn scores_that_tie_are_pulled_apart() {
    let tape = Tape::new();
    let [a, b] = [(); 2].map(|()| tape.leaf(Tensor::scalar(2.0)));
    let loss = MarginRankingLoss::default().forward(&a, &b, &Var::from(Tensor::scalar(1.0))).unwrap();
    let gradients = loss.backward().unwrap();
    assert_eq!([&a, &b].map(|x| gradients.wrt(x).unwrap().as_slice()[0]), [-1.0, 1.0]);
}

#[test]
fn a_vector_of_zeros_has_a_cosine_of_0_and_equals_have_a_distance_with_a_gradient() {
    let tape = Tape::new();
    let zeros = tape.leaf(Tensor::<f64>::zeros([1, 2]).unwrap());
    let cosine = CosineEmbeddingLoss::default();
    let loss = cosine.forward(&zeros, &zeros, &Var::from(Tensor::from([1.0]))).unwrap();
    assert_eq!(loss.item().unwrap(), 1.0);
    assert!(loss.backward().unwrap().wrt(&zeros).unwrap().as_slice().iter().all(|g| g.is_finite()));
    let exact = TripletMarginLoss { eps: 0.0, ..Default::default() }.forward(&zeros, &zeros, &zeros).unwrap();
    assert_eq!(exact.item().unwrap(), 1.0);
    assert_eq!(exact.backward().unwrap().wrt(&zeros).unwrap().as_slice(), [0.0, 0.0]);
}

#[test]
fn operands_that_do_not_fit_are_refused() {
    let [scalar, vector, matrix] = [random([], 1), random([2], 1), random([4, 3], 1)].map(Var::from);
    let text = "hinge_embedding_loss: shapes do not broadcast: [4, 3] and [2] (3 ≠ 2 at axis 1 of 2)";
    refuses(HingeEmbeddingLoss::default().forward(&matrix, &vector), text);
    let text = "margin_ranking_loss: expected operands of as many axes as each other, found [2], [2], []";
    refuses(MarginRankingLoss::default().forward(&vector, &vector, &scalar), text);
    let text = "cosine_embedding_loss: expected vectors [n, d] and a target [n], or [d] and a scalar, \
                found [4, 3] and []";
    refuses(CosineEmbeddingLoss::default().forward(&matrix, &matrix, &scalar), text);
    let text = "cosine_embedding_loss: shapes do not broadcast: [4, 3] and [2, 1] (4 ≠ 2 at axis 0 of 2)";
    refuses(CosineEmbeddingLoss::default().forward(&matrix, &matrix, &vector), text);
    let text = "triplet_margin_loss: expected vectors [n, d] or [d], found scalars";
    refuses(TripletMarginLoss::default().forward(&scalar, &scalar, &scalar), text);
    let none = TripletMarginLoss { margin: 0.0, ..Default::default() };
    let text = "triplet_margin_loss: expected a margin above 0, found 0";
    refuses(none.forward(&vector, &vector, &vector), text);
}
