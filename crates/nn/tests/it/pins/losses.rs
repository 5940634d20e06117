use retrograd_nn::{BCELoss, CrossEntropyLoss, HuberLoss, KLDivLoss, KLDivReduction, Reduction, Result};

use super::*;

#[test]
fn cross_entropy_is_the_mean_over_the_batch_and_nan_of_none() {
    let logits = Var::from(Tensor::from([[0.0, 0.0], [3f64.ln(), 0.0]]));
    let loss = logits.cross_entropy(&Tensor::from([0, 1])).unwrap().item().unwrap();
    assert!((loss - (2f64.ln() + 4f64.ln()) / 2.0).abs() < 1e-15);
    let none = Var::from(Tensor::<f64>::zeros([0, 2]).unwrap());
    let empty = Tensor::<i64>::from_slice(&[], [0]).unwrap();
    assert!(none.cross_entropy(&empty).unwrap().item().unwrap().is_nan());
}

#[test]
fn a_target_that_is_no_class_is_refused_unless_it_is_the_ignored_one() {
    let logits = Var::from(Tensor::<f64>::zeros([1, 2]).unwrap());
    for class in [2, -1] {
        let text = format!("cross_entropy: target {class} is no class of the 2 (0 to 1)");
        refuses(logits.cross_entropy(&Tensor::from([class])), &text);
    }
    let loss = CrossEntropyLoss { ignore_index: 7, reduction: Reduction::Sum, ..Default::default() };
    assert_eq!(loss.forward(&logits, &Tensor::from([7i64])).unwrap().item().unwrap(), 0.0);
    let text = "cross_entropy: target -100 is no class of the 2 (0 to 1)";
    refuses(loss.forward(&logits, &Tensor::from([-100i64])), text);
}

/// Logits whose −ln softmax is ln 2, ln 4 in the rows.
fn two_rows() -> Var<f64> {
    Var::from(Tensor::from([[0.0, 0.0], [3f64.ln(), 0.0]]))
}

fn item(loss: Result<Var<f64>>) -> f64 {
    loss.unwrap().item().unwrap()
}

#[test]
fn the_weighted_mean_of_cross_entropy_divides_by_the_weights_of_the_targets() {
    let loss = CrossEntropyLoss { weight: Some(Tensor::from([1.0, 3.0])), ..Default::default() };
    let found = item(loss.forward(&two_rows(), &Tensor::from([0i64, 1])));
    assert!((found - (2f64.ln() + 3.0 * 4f64.ln()) / 4.0).abs() < 1e-15, "{found}");
}

#[test]
fn the_mean_where_all_is_ignored_is_nan_but_its_gradient_is_zero() {
    let logits = Tape::new().leaf(Tensor::<f64>::zeros([1, 2]).unwrap());
    let loss = logits.cross_entropy(&Tensor::from([-100i64])).unwrap();
    assert!(loss.item().unwrap().is_nan());
    let gradients = loss.backward().unwrap();
    assert_eq!(gradients.wrt(&logits).unwrap().as_slice(), [0.0, 0.0]);
}

#[test]
fn the_mean_with_probabilities_divides_by_the_examples_whatever_the_weights() {
    let loss = CrossEntropyLoss { weight: Some(Tensor::from([1.0, 3.0])), ..Default::default() };
    let target = Var::from(Tensor::from([[1.0, 0.0], [0.0, 1.0]]));
    let found = item(loss.forward(&two_rows(), &target));
    assert!((found - (2f64.ln() + 3.0 * 4f64.ln()) / 2.0).abs() < 1e-15, "{found}");
}

#[test]
fn the_smoothed_part_of_a_weighted_mean_is_divided_by_the_weights_of_the_targets_too() {
    let weight = Some(Tensor::from([1.0, 3.0]));
    let loss = CrossEntropyLoss { weight, label_smoothing: 1.0, ..Default::default() };
    let logits = Var::from(Tensor::from([[0.0, 0.0]]));
    // ½·(1 + 3)·ln 2, over the weight 3 of the target.
    let found = item(loss.forward(&logits, &Tensor::from([1i64])));
    assert!((found - 2.0 * 2f64.ln() / 3.0).abs() < 1e-15, "{found}");
}

#[test]
fn binary_cross_entropy_clamps_its_logarithms_at_minus_100() {
    let x = Tape::new().leaf(Tensor::from([0.0, 1.0]));
    let loss = BCELoss { reduction: Reduction::None, ..Default::default() };
    let losses = loss.forward(&x, &Var::from(Tensor::from([1.0, 0.0]))).unwrap();
    assert_eq!(losses.value().as_slice(), [100.0, 100.0]);
    let text = "binary_cross_entropy: expected x within [0, 1], found 1.5";
    let one = Var::from(Tensor::from([1.0]));
    refuses(Var::from(Tensor::from([1.5])).binary_cross_entropy(&one), text);
}

#[test]
fn an_empty_batch_has_a_mean_of_nan_and_a_sum_of_zero() {
    let none = Var::from(Tensor::<f64>::zeros([0, 2]).unwrap());
    let labels = Tensor::<i64>::from_slice(&[], [0]).unwrap();
    let sum = CrossEntropyLoss { reduction: Reduction::Sum, ..Default::default() };
    assert_eq!(item(sum.forward(&none, &labels)), 0.0);
    assert!(item(none.nll_loss(&labels)).is_nan());
    assert!(item(none.mse_loss(&none)).is_nan());
}

#[test]
fn the_batch_mean_of_divergences_divides_by_the_examples_not_the_elements() {
    let (x, target) = (two_rows(), Var::from(Tensor::from([[1.0, 0.0], [0.0, 1.0]])));
    let loss = |reduction| item(KLDivLoss { log_target: false, reduction }.forward(&x, &target));
    assert_eq!(loss(KLDivReduction::BatchMean), 2.0 * loss(KLDivReduction::Mean));
}

#[test]
fn the_huber_loss_with_an_infinite_delta_is_half_the_square() {
    let x = Tape::new().leaf(Tensor::from([0.5, -3.0]));
    let zeros = Var::from(Tensor::from([0.0, 0.0]));
    let loss = HuberLoss { delta: f64::INFINITY, reduction: Reduction::Sum };
    let gradients = loss.forward(&x, &zeros).unwrap().backward().unwrap();
    assert_eq!(gradients.wrt(&x), Some(x.value()));
}

#[test]
fn ignored_logits_have_a_gradient_of_zero_also_where_it_is_differentiable() {
    let x = Tape::new().leaf(Tensor::from([[0.5, -3.0]]));
    let loss = x.cross_entropy(&Tensor::from([-100i64])).unwrap();
    let [recorded] = retrograd_autograd::grad(&loss, [&x]).unwrap();
    assert_eq!(recorded.value(), &Tensor::from([[0.0, 0.0]]));
    assert_eq!(loss.backward().unwrap().wrt(&x), Some(recorded.value()));
}
