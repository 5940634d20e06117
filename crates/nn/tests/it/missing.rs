//! Parameters without a gradient: named, with the reason.

use retrograd_autograd::Absence;
use retrograd_nn::{
    Gradients, Layer, Linear, Missing, MissingGradients, Sequential, Tape, Tensor, Var, sequential,
};

use crate::rng;

fn two() -> [Linear; 2] {
    let rng = &mut rng(0);
    [Linear::new(2, 3).build(rng).unwrap(), Linear::new(3, 1).build(rng).unwrap()]
}

fn input() -> Var {
    Tape::new().constant(Tensor::from([[1.0, 2.0]]))
}

fn backward(y: &Var) -> Gradients {
    y.sum(..).unwrap().backward().unwrap()
}

#[track_caller]
fn paths(missing: &[Missing]) -> Vec<&str> {
    missing.iter().map(|missing| missing.path.as_str()).collect()
}

#[test]
fn nothing_is_missing_where_the_loss_depends_on_all_parameters() {
    let [first, second] = two();
    let model: Sequential = sequential![first, second];
    assert!(backward(&model.forward(&input()).unwrap()).missing(&model).is_empty());
}

#[test]
fn parameters_that_the_pass_did_not_use_are_listed_by_path() {
    let [first, second] = two();
    let model: Sequential = sequential![first, second];
    let other: Linear = Linear::new(2, 1).build(&mut rng(1)).unwrap();
    let missing = backward(&other.forward(&input()).unwrap()).missing(&model);
    assert_eq!(paths(&missing), ["0.weight", "0.bias", "1.weight", "1.bias"]);
    assert!(missing.iter().all(|missing| missing.why == Absence::Unused));
    assert_eq!(missing[0].to_string(), "`0.weight` has no gradient: not used in this pass, or off the tape");
}

#[test]
fn a_detach_is_named_with_its_line_and_the_operation_whose_result_it_cut_off() {
    let model = two().to_vec();
    let hidden = model[0].forward(&input()).unwrap().relu();
    let (hidden, line) = (hidden.detach(), line!());
    let missing = backward(&model[1].forward(&hidden).unwrap()).missing(&model);
    assert_eq!(paths(&missing), ["0.weight", "0.bias"]);
    for missing in missing {
        let Absence::Detached { op: Some("relu"), at } = missing.why else { panic!("{missing}") };
        assert_eq!((at.file(), at.line()), (file!(), line));
    }
}

#[test]
fn a_function_without_derivative_is_after_the_operation_that_is_named() {
    let model = two().to_vec();
    let x = input();
    let chosen = model[0].forward(&x).unwrap().sigmoid().argmax(1).unwrap();
    let chosen = Var::from(Tensor::from([[chosen.as_slice()[0] as f32, 0.0, 0.0]]));
    let y = model[1].forward(&x.tape().unwrap().constant(chosen.into_value())).unwrap();
    let missing = backward(&y).missing(&model);
    assert_eq!(paths(&missing), ["0.weight", "0.bias"]);
    assert!(missing.iter().all(|missing| matches!(missing.why, Absence::Lost { op: "sigmoid", .. })));
}

#[test]
fn a_parameter_that_no_operation_used_is_told_from_one_that_was_never_put_on_the_tape() {
    let model = two().to_vec();
    let x = input();
    model[0].bias.as_ref().unwrap().on(&x);
    let missing = backward(&x.tape().unwrap().leaf(Tensor::scalar(1.0))).missing(&model[0]);
    assert_eq!(paths(&missing), ["weight", "bias"]);
    assert_eq!(missing[0].why, Absence::Unused);
    assert!(matches!(missing[1].why, Absence::Idle(at) if at.file() == file!()), "{}", missing[1]);
}

#[test]
fn a_frozen_parameter_is_not_missed() {
    let mut model = two().to_vec();
    model[0].weight.freeze();
    let missing = backward(&input().tape().unwrap().leaf(Tensor::scalar(1.0))).missing(&model);
    assert_eq!(paths(&missing), ["0.bias", "1.weight", "1.bias"]);
}

#[test]
fn what_another_loss_reaches_is_missing_no_more_and_reasons_travel_to_other_threads() {
    let model = two().to_vec();
    let x = input();
    let hidden = model[0].forward(&x).unwrap();
    let mut gradients = backward(&model[1].forward(&hidden.detach()).unwrap());
    assert_eq!(gradients.missing(&model).len(), 2);
    gradients += backward(&hidden);
    assert!(gradients.missing(&model).is_empty());
    std::thread::spawn(move || gradients).join().unwrap();
}
