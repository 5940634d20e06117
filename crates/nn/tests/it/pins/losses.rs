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
fn a_target_that_is_no_class_is_refused_the_ignored_one_of_pytorch_too() {
    let logits = Var::from(Tensor::<f64>::zeros([1, 2]).unwrap());
    for class in [2, -1, -100] {
        let text = format!("cross_entropy: target {class} is no class of the 2 (0 to 1)");
        refuses(logits.cross_entropy(&Tensor::from([class])), &text);
    }
}
