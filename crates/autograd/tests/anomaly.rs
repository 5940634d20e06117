//! Anomaly mode: the first NaN or infinity is an error that names the operation, its line and the culprit.

use retrograd_autograd::{Parameter, Tape, Var, grad, grad_with};
use retrograd_tensor::{Error, Tensor};

fn watching(values: &[f32]) -> Var {
    Tape::new().detect_anomaly().leaf(Tensor::from_slice(values, [values.len()]).unwrap())
}

#[track_caller]
fn says(error: &Error, op: &str, fact: &str, line: u32) {
    assert_eq!((error.op(), error.fact()), (op, fact));
    let at = error.location().unwrap();
    assert_eq!((at.file(), at.line()), (file!(), line));
}

#[test]
fn an_operation_that_can_fail_does_so_at_once() {
    let x = watching(&[1e30, 2.0]);
    let (result, line) = (x.matmul(&x), line!());
    let fact = "the result [1, 1] has 1 infinity; the inputs [1, 2] and [2, 1] are finite, so it begins here";
    says(&result.unwrap_err(), "matmul", fact, line);
}

#[test]
fn what_cannot_fail_is_reported_by_the_next_that_can_with_its_own_line() {
    let x = watching(&[0.0, -1.0, 1.0]);
    let (y, line) = (x.ln(), line!());
    let z = y.exp() * &y + 1.0;
    let fact = "the result [3] has 1 NaN and 1 infinity; the input [3] is finite, so it begins here";
    says(&z.sum(..).unwrap_err(), "ln", fact, line);
    says(&z.reshape(&[3, 1]).unwrap_err(), "ln", fact, line);
    says(&z.backward_with(Tensor::ones([3]).unwrap()).unwrap_err(), "ln", fact, line);
    says(&grad_with(&z, [&x], &z).unwrap_err(), "ln", fact, line);
    let anomaly = x.tape().unwrap().anomaly().unwrap();
    assert_eq!((anomaly.op, anomaly.at.line(), anomaly.parameter), ("ln", line, None));
    assert!(anomaly.to_string().starts_with("ln: the result [3] has 1 NaN"), "{anomaly}");
}

#[test]
fn an_input_that_held_nan_already_is_named() {
    let tape = Tape::new().detect_anomaly();
    let (x, w) = (tape.constant(Tensor::from([[1.0f32, f32::NAN]])), tape.leaf(Tensor::from([[1.0], [2.0]])));
    let (result, line) = (x.matmul(&w), line!());
    says(
        &result.unwrap_err(),
        "matmul",
        "the result [1, 1] has 1 NaN; input 0 [1, 2] held some already",
        line,
    );
}

#[test]
fn constants_are_looked_at_too() {
    let tape = Tape::new().detect_anomaly();
    let error = tape.constant(Tensor::from([0.0f32])).reciprocal().sum(..).unwrap_err();
    assert_eq!(error.op(), "reciprocal");
}

#[test]
fn the_backward_pass_names_the_line_of_the_forward_operation() {
    let x = watching(&[0.0, 4.0]);
    let (y, line) = (x.sqrt(), line!());
    let fact = "backward: the cotangent of input 0 [2] has 1 infinity; the cotangent of the result [2] is finite, \
                so it begins here";
    let loss = y.sum(..).unwrap();
    says(&loss.backward_retain().unwrap_err(), "sqrt", fact, line);
    let x = watching(&[0.0, 4.0]);
    let (y, line) = (x.sqrt(), line!());
    says(&grad(&y.sum(..).unwrap(), [&x]).unwrap_err(), "sqrt", fact, line);
}

#[test]
fn a_sum_of_cotangents_that_overflows_is_found() {
    let x = watching(&[1.0]);
    let y = x.exp();
    let z = (&y * 3e38).add(&(&y * 3e38)).unwrap();
    assert_eq!(z.value().as_slice(), [f32::INFINITY]);
    assert_eq!(x.sum(..).unwrap_err().op(), "scale", "e·3e38 is too large already");
    let x = watching(&[1.0]);
    let y = x.scale(0.1);
    let z = (&y * 3e38).sub(&(&y * -3e38)).unwrap();
    let error =
        z.mul(&Var::from(Tensor::from([1e-3f32]))).unwrap().sum(..).and_then(|z| z.scale(1e3).backward());
    let error = error.unwrap_err();
    assert_eq!(error.op(), "scale");
    assert!(error.fact().ends_with("it was given, or is the sum of finite ones"), "{error}");
}

#[test]
fn the_parameter_used_last_tells_the_layer() {
    let (first, second) = (Parameter::new(Tensor::scalar(1.0f32)), Parameter::new(Tensor::scalar(0.0f32)));
    let tape = Tape::new().detect_anomaly();
    let x = tape.constant(Tensor::scalar(2.0));
    let y = x.mul(&first.on(&x)).unwrap().mul(&second.on(&x)).unwrap();
    let _ = y.exp().ln().reciprocal();
    assert_eq!(tape.anomaly().unwrap().parameter, Some(second.id()));
}

#[test]
fn parts_of_a_model_are_named_in_order() {
    let tape = Tape::new().detect_anomaly();
    let x = tape.leaf(Tensor::scalar(0.0f32));
    let y = tape.within("features", || tape.within(3, || x.ln()));
    let error = y.reshape(&[1]).unwrap_err();
    assert_eq!(error.path(), "features.3");
    let inside = tape.within("features", || y.reshape(&[1]).unwrap_err());
    assert_eq!(inside.path(), "3", "whoever is outside adds the rest");
}

#[test]
fn a_clear_forgets_the_anomaly_and_operators_do_not_panic_because_of_one() {
    let x = watching(&[0.0]);
    let y = &x / &x;
    let _ = &y + &y - &x * &y;
    assert_eq!(x.sum(..).unwrap_err().op(), "div");
    let tape = x.tape().unwrap();
    tape.clear();
    tape.check().unwrap();
    assert!(tape.leaf(Tensor::scalar(1.0)).sum(..).is_ok() && tape.anomaly().is_none());
}

#[test]
fn a_tape_that_does_not_look_finds_nothing() {
    let x = Tape::new().leaf(Tensor::from([0.0f32]));
    assert!(x.ln().sum(..).unwrap().backward().is_ok());
    assert!(x.tape().unwrap().anomaly().is_none());
}
