use retrograd_nn::{
    Adagrad, Adam, AdamW, Gradients, Module, Optimizer, RMSprop, Sgd, clip_finite_grad_norm, clip_grad_norm,
    clip_grad_value,
};

use super::*;

type Pair = Vec<Parameter<f64>>;

/// Two parameters, and the gradients of Σ parameter·g.
fn pair(first: &[f64], second: &[f64]) -> (Pair, Gradients<f64>) {
    let parameter = |g: &[f64]| Parameter::new(Tensor::ones([g.len()]).unwrap());
    let model = vec![parameter(first), parameter(second)];
    let tape = Tape::new();
    let part = |p: &Parameter<f64>, g: &[f64]| {
        let g = tape.constant(Tensor::from_slice(g, [g.len()]).unwrap());
        (tape.parameter(p) * g).sum(..).unwrap()
    };
    let gradients = (part(&model[0], first) + part(&model[1], second)).backward().unwrap();
    (model, gradients)
}

fn all(gradients: &Gradients<f64>) -> Vec<f64> {
    gradients.iter().flat_map(|(_, gradient)| gradient.to_vec()).collect()
}

/// What 1 becomes in steps of a gradient of `g`.
fn stepped(mut optimizer: impl Optimizer<f64>, g: f64, steps: usize) -> f64 {
    let (mut model, gradients) = pair(&[g], &[0.0]);
    for _ in 0..steps {
        optimizer.step(&mut model, &gradients).unwrap();
    }
    model.parameters()[0].1.value().as_slice()[0]
}

#[track_caller]
fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
}

#[test]
fn one_norm_of_all_gradients_is_clipped_at_once() {
    let (_, mut gradients) = pair(&[3.0, 0.0], &[-4.0]);
    assert_eq!(clip_grad_norm(&mut gradients, 2.5, 2.0).unwrap(), 5.0);
    let factor = 2.5 / (5.0 + 1e-6);
    assert_same(&all(&gradients), &[3.0 * factor, 0.0, -4.0 * factor]);
    for (norm_type, norm) in [(1.0, 7.0), (2.0, 5.0), (3.0, 91f64.cbrt()), (f64::INFINITY, 4.0)] {
        let (_, mut gradients) = pair(&[3.0, 0.0], &[-4.0]);
        assert_near(clip_grad_norm(&mut gradients, 10.0, norm_type).unwrap(), norm);
        assert_same(&all(&gradients), &[3.0, 0.0, -4.0]);
    }
}

#[test]
fn a_norm_that_is_not_finite_spoils_the_gradients_or_is_an_error() {
    for (bad, norm_type) in [(NAN, 2.0), (NAN, f64::INFINITY), (f64::INFINITY, 2.0), (f64::INFINITY, 1.0)] {
        for swapped in [false, true] {
            let (_, mut gradients) = if swapped { pair(&[1.0], &[bad]) } else { pair(&[bad], &[1.0]) };
            let before = all(&gradients);
            let text = format!("clip_grad_norm: expected gradients of a finite norm, found {}", bad);
            refuses(clip_finite_grad_norm(&mut gradients, 1.0, norm_type), &text);
            assert_same(&all(&gradients), &before);
            let norm = clip_grad_norm(&mut gradients, 1.0, norm_type).unwrap();
            assert_same(&[norm], &[bad]);
            let finite = if bad.is_nan() { NAN } else { 0.0 };
            assert_same(&all(&gradients), &if swapped { [finite, NAN] } else { [NAN, finite] });
        }
    }
}

#[test]
fn values_are_clipped_one_by_one() {
    let (_, mut gradients) = pair(&[3.0, NAN], &[-4.0, 0.5]);
    clip_grad_value(&mut gradients, 1.0).unwrap();
    assert_same(&all(&gradients), &[1.0, NAN, -1.0, 0.5]);
    let text = "clip_grad_value: expected a value of at least 0, found -1";
    refuses(clip_grad_value(&mut gradients, -1.0), text);
    let text = "clip_grad_norm: expected a type of norm above 0, found 0";
    refuses(clip_grad_norm(&mut gradients, 1.0, 0.0), text);
    let text = "clip_grad_norm: expected a highest norm of at least 0, found NaN";
    refuses(clip_grad_norm(&mut gradients, NAN, 2.0), text);
}

#[test]
fn the_first_step_of_sgd_ignores_the_dampening() {
    assert_near(stepped(Sgd::new(0.1).momentum(0.5).dampening(0.75), 2.0, 1), 1.0 - 0.1 * 2.0);
    // v = 2, then 0.5·2 + 0.25·2.
    assert_near(stepped(Sgd::new(0.1).momentum(0.5).dampening(0.75), 2.0, 2), 0.8 - 0.1 * 1.5);
}

#[test]
fn epsilon_is_added_after_the_root() {
    assert_near(stepped(Adam::new(1.0).eps(6.0), 2.0, 1), 1.0 - 2.0 / (2.0 + 6.0));
    assert_near(stepped(RMSprop::new(1.0).alpha(0.0).eps(6.0), 2.0, 1), 1.0 - 2.0 / (2.0 + 6.0));
    assert_near(stepped(Adagrad::new(1.0).eps(6.0), 2.0, 1), 1.0 - 2.0 / (2.0 + 6.0));
}

#[test]
fn decoupled_decay_never_enters_the_gradient() {
    // The step of Adam is the learning rate whatever the gradient; decay within it would change nothing.
    assert_near(stepped(Adam::new(0.1).eps(0.0).weight_decay(0.5), 2.0, 1), 0.9);
    assert_near(stepped(AdamW::new(0.1).eps(0.0).weight_decay(0.5), 2.0, 1), 1.0 - 0.05 - 0.1);
}

#[test]
fn the_learning_rate_multiplies_the_velocity() {
    let (mut model, gradients) = pair(&[2.0], &[0.0]);
    let mut sgd = Sgd::new(0.1).momentum(0.5);
    sgd.step(&mut model, &gradients).unwrap();
    sgd.set_learning_rate(0.01);
    sgd.step(&mut model, &gradients).unwrap();
    // v = 2, then 3: were the rate within it, the second step would be 0.5·0.2 + 0.02.
    assert_near(model[0].value().as_slice()[0], 0.8 - 0.01 * 3.0);
}
