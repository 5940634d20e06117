//! Moving averages of weights.

use retrograd_nn::{Buffer, Ema, Float, Parameter, Tensor, module};

use crate::refuses;

struct Normed<T: Float> {
    weight: Parameter<T>,
    mean: Buffer<T>,
}
module!(Normed<T> { weight, mean });

fn normed(weight: f64, mean: f64) -> Normed<f64> {
    Normed { weight: Parameter::new(Tensor::from([weight])), mean: Buffer::new(Tensor::from([mean])) }
}

fn values(model: &Normed<f64>) -> [f64; 2] {
    [model.weight.value().as_slice()[0], model.mean.value().as_slice()[0]]
}

/// The averages after these models.
fn averages(mut ema: Ema<f64>, models: &[[f64; 2]]) -> [f64; 2] {
    for &[weight, mean] in models {
        ema.update(&normed(weight, mean)).unwrap();
    }
    let mut model = normed(0.0, 0.0);
    ema.apply_to(&mut model).unwrap();
    values(&model)
}

#[test]
fn an_average_begins_as_the_weights_and_moves_by_the_rest_of_the_decay() {
    let models = [[1.0, 1.0], [3.0, 3.0], [5.0, 5.0]];
    assert_eq!(averages(Ema::new(0.5), &models[..1]), [1.0, 1.0]);
    assert_eq!(averages(Ema::new(0.5), &models), [3.5, 5.0], "buffers are the last ones");
    assert_eq!(averages(Ema::new(0.5).buffers(true), &models), [3.5, 3.5]);
    // A decay of at most 2/11 after one update, 3/12 after two.
    let second = 3.0 - 2.0 * 2.0 / 11.0;
    let [weight, _] = averages(Ema::new(0.99).warmup(true), &models);
    assert!((weight - (5.0 + (second - 5.0) / 4.0)).abs() < 1e-12, "{weight}");
}

#[test]
fn two_swaps_leave_everything_as_it_was() {
    let (mut model, mut ema) = (normed(1.0, 2.0), Ema::new(0.5));
    ema.update(&model).unwrap();
    *model.weight.value_mut() = Tensor::from([5.0]);
    ema.update(&model).unwrap();
    ema.swap(&mut model).unwrap();
    assert_eq!(values(&model), [3.0, 2.0]);
    ema.swap(&mut model).unwrap();
    assert_eq!(values(&model), [5.0, 2.0]);
    ema.apply_to(&mut model).unwrap();
    assert_eq!(values(&model), [3.0, 2.0]);
}

#[test]
fn averages_are_saved_and_restored() {
    let (model, mut ema) = (normed(1.0, 2.0), Ema::new(0.5));
    ema.update(&model).unwrap();
    ema.update(&normed(2.0, 2.0)).unwrap();
    let saved = ema.state_dict();
    assert_eq!(saved[2], ("n_averaged".into(), Tensor::scalar(2.0)));
    let mut resumed = Ema::new(0.5);
    resumed.load_state_dict(&model, &saved).unwrap();
    for ema in [&mut ema, &mut resumed] {
        ema.update(&normed(7.0, 3.0)).unwrap();
    }
    assert_eq!(resumed.state_dict(), ema.state_dict());
    let text = "ema: expected a count under `n_averaged`";
    refuses(resumed.load_state_dict(&model, &saved[..2]), text);
    let text = "ema: expected the model that was averaged: another has other paths or shapes";
    refuses(resumed.load_state_dict(&model, &saved[1..]), text);
    let mut more = saved.clone();
    more.push(("other".into(), Tensor::scalar(0.0)));
    refuses(resumed.load_state_dict(&model, &more), "ema: expected 2 averages, found 3");
    assert_eq!(resumed.state_dict(), ema.state_dict(), "unchanged");
}

#[test]
fn another_model_and_a_decay_out_of_range_are_refused() {
    let mut ema = Ema::new(0.5);
    ema.update(&normed(1.0, 2.0)).unwrap();
    let text = "ema: expected the model that was averaged: another has other paths or shapes";
    let mut other = Parameter::new(Tensor::from([1.0]));
    refuses(ema.update(&other), text);
    refuses(ema.swap(&mut other), text);
    assert!(ema.apply_to(&mut other).is_err());
    refuses(Ema::new(1.5).update(&other), "ema: expected a decay from 0 to 1, found 1.5");
}

#[test]
fn an_average_that_was_saved_before_its_first_update_can_be_loaded() {
    let model = normed(1.0, 2.0);
    let mut ema = Ema::new(0.5);
    ema.load_state_dict(&model, &Ema::new(0.5).state_dict()).unwrap();
    ema.update(&model).unwrap();
    assert_eq!(ema.state_dict()[0].1, Tensor::from([1.0]));
}
