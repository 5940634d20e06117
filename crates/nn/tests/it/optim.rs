//! Optimizers, on steps computed by hand.

use retrograd_nn::{
    Adam, AdamW, Buffer, Float, Gradients, Linear, Module, Optimizer, Parameter, Sgd, Tape, Tensor, module,
};

use crate::{random, refuses, rng};

/// A gradient of `g` for a parameter.
fn gradient_of(parameter: &Parameter<f64>, g: impl Into<Tensor<f64>>) -> Gradients<f64> {
    let tape = Tape::new();
    (tape.parameter(parameter) * tape.constant(g)).sum(..).unwrap().backward().unwrap()
}

/// What becomes of 1 in steps with these gradients.
fn steps(mut optimizer: impl Optimizer<f64>, gradients: &[f64]) -> f64 {
    let mut p = Parameter::new(Tensor::scalar(1.0));
    for &g in gradients {
        let gradients = gradient_of(&p, g);
        optimizer.step(&mut p, &gradients).unwrap();
    }
    p.value().item().unwrap()
}

#[track_caller]
fn assert_near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 1e-12, "{what}: {found}, expected {expected}");
}

#[test]
fn two_steps_of_sgd() {
    let sgd = || Sgd::new(0.1);
    let table = [
        ("plain: 1 − 0.2 − 0.4", sgd(), 0.4),
        ("decay: g = 2.5, then 4 + 0.5·0.75", sgd().weight_decay(0.5), 0.3125),
        ("momentum: v = 2, then 0.5·2 + 4", sgd().momentum(0.5), 0.3),
        (
            "dampening leaves the first step alone: v = 2, then 1 + 0.75·4",
            sgd().momentum(0.5).dampening(0.25),
            0.4,
        ),
        ("dampening without momentum does nothing", sgd().dampening(0.25), 0.4),
        ("nesterov: 2 + 0.5·2, then 4 + 0.5·5", sgd().momentum(0.5).nesterov(true), 0.05),
        ("momentum and decay: v = 2.5, then 1.25 + 4.375", sgd().momentum(0.5).weight_decay(0.5), 0.1875),
        (
            "nesterov and decay: 3.75, then g = 4.3125, v = 5.5625, g + 0.5·v = 7.09375",
            sgd().momentum(0.5).nesterov(true).weight_decay(0.5),
            -0.084_375,
        ),
    ];
    for (what, optimizer, expected) in table {
        assert_near(steps(optimizer, &[2.0, 4.0]), expected, what);
    }
}

#[test]
fn the_learning_rate_multiplies_the_velocity_rather_than_entering_it() {
    let mut optimizer = Sgd::new(0.1).momentum(0.5);
    let mut p = Parameter::new(Tensor::scalar(1.0));
    for (rate, expected) in [(0.1, 0.8), (0.01, 0.75), (0.0, 0.75)] {
        optimizer.set_learning_rate(rate);
        assert_eq!(Optimizer::<f64>::learning_rate(&optimizer), rate);
        let gradients = gradient_of(&p, 2.0 * if rate == 0.01 { 2.0 } else { 1.0 });
        optimizer.step(&mut p, &gradients).unwrap();
        assert_near(p.value().item().unwrap(), expected, "rate");
    }
}

#[test]
fn the_first_steps_of_adam() {
    // The first step is m̂ = g, v̂ = g², so that it goes as far as the learning rate, whatever the gradient.
    let adam = || Adam::new(0.1).eps(0.0);
    assert_near(steps(adam(), &[2.0]), 0.9, "the first step");
    assert_near(steps(adam(), &[-2e-5]), 1.1, "the first step of a small gradient");
    // m = 0.9·0.2 + 0.1·4 = 0.58, v = 0.999·0.004 + 0.001·16 = 0.019996.
    let second = |m: f64, v: f64| 0.1 * (m / 0.19) / (v / 0.001_999).sqrt();
    assert_near(steps(adam(), &[2.0, 4.0]), 0.9 - second(0.58, 0.019_996), "two steps");
    // g = 2.5, then 4 + 0.5·0.9 = 4.45: m = 0.225 + 0.445, v = 0.999·0.00625 + 0.001·4.45².
    let decayed = 0.9 - second(0.67, 0.006_243_75 + 0.019_802_5);
    assert_near(steps(adam().weight_decay(0.5), &[2.0, 4.0]), decayed, "decay is part of the gradient");
    assert_near(steps(Adam::new(0.1).eps(2.0), &[2.0]), 0.95, "epsilon is added to the root: 0.1·2/(2 + 2)");
    // m = 0.5·1 + 0.5·4 = 2.5 over 0.75, v = 0.25·3 + 0.75·16 = 12.75 over 0.9375.
    let betas = 0.9 - 0.1 * (2.5 / 0.75) / (12.75f64 / 0.9375).sqrt();
    assert_near(steps(adam().betas(0.5, 0.25), &[2.0, 4.0]), betas, "other betas");
}

#[test]
fn adamw_decays_apart_from_the_gradient() {
    let adamw = || AdamW::new(0.1).eps(0.0);
    assert_near(steps(adamw(), &[2.0]), 1.0 - 0.1 * 0.01 - 0.1, "0.01 by default");
    assert_near(steps(adamw().weight_decay(0.5), &[2.0]), 0.95 - 0.1, "another decay");
    let second = 0.1 * (0.58 / 0.19) / (0.019_996f64 / 0.001_999).sqrt();
    assert_near(steps(adamw().weight_decay(0.5), &[2.0, 4.0]), 0.85 * 0.95 - second, "two steps");
    assert_near(
        steps(adamw().weight_decay(0.0), &[2.0, 4.0]),
        steps(Adam::new(0.1).eps(0.0), &[2.0, 4.0]),
        "none",
    );
}

#[test]
fn state_goes_by_parameter_and_a_parameter_that_joins_later_begins_its_own() {
    let mut pair = vec![Parameter::new(Tensor::scalar(1.0)), Parameter::new(Tensor::scalar(1.0))];
    let mut optimizer = Sgd::new(0.1).momentum(0.5);
    let first = gradient_of(&pair[0], 2.0);
    optimizer.step(&mut pair, &first).unwrap();
    let mut both = gradient_of(&pair[0], 4.0);
    both += gradient_of(&pair[1], 2.0);
    pair.reverse();
    optimizer.step(&mut pair, &both).unwrap();
    assert_near(pair[1].value().item().unwrap(), 0.3, "its second step");
    assert_near(pair[0].value().item().unwrap(), 0.8, "its first step");
}

#[test]
fn settings_out_of_range_are_refused_by_name_and_value() {
    #[track_caller]
    fn refused(mut optimizer: impl Optimizer<f64>, text: &str) {
        let mut p = Parameter::new(Tensor::scalar(1.0));
        let gradients = gradient_of(&p, 2.0);
        let error = optimizer.step(&mut p, &gradients).unwrap_err();
        assert_eq!(format!("{}: {}", error.op(), error.fact()), text);
        assert_eq!(p.value().item().unwrap(), 1.0, "unchanged");
    }
    refused(Sgd::new(-0.1), "sgd: expected a learning rate of at least 0, found -0.1");
    refused(Sgd::new(f64::NAN), "sgd: expected a learning rate of at least 0, found NaN");
    refused(Sgd::new(f64::INFINITY), "sgd: expected a learning rate of at least 0, found inf");
    refused(Sgd::new(0.1).momentum(-0.5), "sgd: expected a momentum of at least 0, found -0.5");
    refused(Sgd::new(0.1).dampening(f64::NAN), "sgd: expected a dampening that is finite, found NaN");
    refused(Sgd::new(0.1).weight_decay(-1.0), "sgd: expected a weight decay of at least 0, found -1");
    let nesterov = "sgd: Nesterov's momentum wants a momentum and no dampening, found";
    refused(Sgd::new(0.1).nesterov(true), &format!("{nesterov} 0 and 0"));
    let dampened = Sgd::new(0.1).nesterov(true).momentum(0.9).dampening(0.1);
    refused(dampened, &format!("{nesterov} 0.9 and 0.1"));
    refused(Adam::new(-0.1), "adam: expected a learning rate of at least 0, found -0.1");
    refused(Adam::new(0.1).betas(1.0, 0.5), "adam: expected a first beta from 0 to below 1, found 1");
    refused(Adam::new(0.1).betas(0.5, -0.1), "adam: expected a second beta from 0 to below 1, found -0.1");
    refused(Adam::new(0.1).eps(f64::NAN), "adam: expected an epsilon of at least 0, found NaN");
    refused(AdamW::new(0.1).weight_decay(-1.0), "adamw: expected a weight decay of at least 0, found -1");
}

#[test]
fn an_error_names_the_line_of_the_step() {
    let mut p = Parameter::new(Tensor::scalar(1.0));
    let gradients = gradient_of(&p, 2.0);
    let text = "expected a learning rate of at least 0, found -1";
    refuses(Sgd::new(-1.0).step(&mut p, &gradients), &format!("sgd: {text}"));
    refuses(Adam::new(-1.0).step(&mut p, &gradients), &format!("adam: {text}"));
}

#[test]
fn the_gradients_of_another_model_are_refused_and_missing_ones_are_not() {
    let build = || Linear::<f64>::new(2, 1).build(&mut rng(0)).unwrap();
    let (mut model, other) = (build(), build());
    let foreign = gradient_of(&other.weight, 1.0);
    let text = "none of the model's 2 parameters has a gradient: are they of another model?";
    refuses(Sgd::new(0.1).step(&mut model, &foreign), &format!("sgd: {text}"));
    refuses(AdamW::new(0.1).step(&mut model, &foreign), &format!("adamw: {text}"));
    assert_eq!(model.state_dict(), other.state_dict(), "unchanged: the same seed built both");
    let of_weight = gradient_of(&model.weight, 1.0);
    Sgd::new(0.1).step(&mut model, &of_weight).unwrap();
    assert_eq!(model.bias.as_ref().unwrap().value(), other.bias.as_ref().unwrap().value());
    assert_ne!(model.weight.value(), other.weight.value());
    model.freeze();
    Sgd::new(0.1).step(&mut model, &foreign).unwrap();
}

struct Normed<T: Float> {
    first: Parameter<T>,
    fc: Linear<T>,
    mean: Buffer<T>,
}
module!(Normed<T> { first, fc, mean });

fn normed() -> Normed<f64> {
    Normed {
        first: Parameter::new(Tensor::scalar(1.0)),
        fc: Linear::new(3, 2).build(&mut rng(0)).unwrap(),
        mean: Buffer::new(Tensor::from([1.0, 2.0])),
    }
}

#[test]
fn reported_updates_are_made_in_their_order() {
    let mut model = normed();
    let tape = Tape::new();
    tape.report(&model.mean, 0.5, Tensor::from([3.0, 0.0]));
    tape.report(&model.mean, 0.25, Tensor::from([0.0, 4.0]));
    let gradients = tape.parameter(&model.first).square().backward().unwrap();
    assert_eq!(model.mean.value(), &Tensor::from([1.0, 2.0]), "the pass changes nothing");
    Sgd::new(0.1).step(&mut model, &gradients).unwrap();
    assert_eq!(model.mean.value(), &Tensor::from([1.5, 1.75]), "(1 + 3)/2, then three quarters of it");
}

#[test]
fn shapes_that_do_not_fit_are_refused_by_path_and_nothing_changes() {
    let mut model = normed();
    let before = model.state_dict();
    let mut gradients = gradient_of(&model.first, 1.0);
    gradients += gradient_of(&model.fc.weight, random([2, 3], 1));
    for (_, gradient) in gradients.iter_mut().skip(1) {
        *gradient = Tensor::zeros([3, 2]).unwrap();
    }
    let text = "expected a gradient of shape [2, 3], found [3, 2]";
    let mut adam = Adam::new(0.1);
    refuses(adam.step(&mut model, &gradients), &format!("fc.weight: adam: {text}"));
    refuses(Sgd::new(0.1).step(&mut model, &gradients), &format!("fc.weight: sgd: {text}"));
    assert_eq!(model.state_dict(), before);

    let tape = Tape::new();
    tape.report(&model.mean, 0.5, Tensor::scalar(1.0));
    let gradients = tape.parameter(&model.first).square().backward().unwrap();
    let text = "mean: adam: expected an update of shape [2], found []";
    refuses(adam.step(&mut model, &gradients), text);
    assert_eq!(model.state_dict(), before);

    let gradients = gradient_of(&model.fc.weight, random([2, 3], 1));
    adam.step(&mut model, &gradients).unwrap();
}
