//! Optimizers, on steps computed by hand.

use retrograd_autograd::Change;
use retrograd_nn::{
    Adadelta, Adagrad, Adam, AdamW, Buffer, Float, Gradients, Layer, Linear, Lion, Module, NAdam, Optimizer,
    Parameter, RAdam, RMSprop, Sgd, Tape, Tensor, module,
    optim::{Descent, Rule},
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
    tape.report(&model.mean, Change::Average { weight: 0.5, value: Tensor::from([3.0, 0.0]) });
    tape.report(&model.mean, Change::Average { weight: 0.25, value: Tensor::from([0.0, 4.0]) });
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
    tape.report(&model.mean, Change::Average { weight: 0.5, value: Tensor::scalar(1.0) });
    let gradients = tape.parameter(&model.first).square().backward().unwrap();
    let text = "mean: adam: expected an update of shape [2], found []";
    refuses(adam.step(&mut model, &gradients), text);
    assert_eq!(model.state_dict(), before);

    let gradients = gradient_of(&model.fc.weight, random([2, 3], 1));
    adam.step(&mut model, &gradients).unwrap();
}

/// What becomes of two elements under the oracle: a loop in plain numbers, over the gradients of each step.
fn two_elements(
    mut optimizer: impl Optimizer<f64>,
    mut oracle: impl FnMut(usize, &mut [f64; 3], f64, f64) -> f64,
    what: &str,
) {
    let gradients =
        [[1.5, -0.2], [-0.7, 0.0], [2.5, 1e-3], [0.3, -4.0], [0.9, 0.1], [-1.1, 0.4], [0.2, -0.3]];
    let mut p = Parameter::new(Tensor::from([0.5, -2.0]));
    let mut expected = [0.5, -2.0];
    let mut states = [[0.0; 3]; 2];
    for (step, g) in gradients.into_iter().enumerate() {
        let gradients = gradient_of(&p, g);
        optimizer.step(&mut p, &gradients).unwrap();
        for i in 0..2 {
            expected[i] = oracle(step + 1, &mut states[i], expected[i], g[i]);
            let found = p.value().as_slice()[i];
            assert_near(found, expected[i], &format!("{what}, element {i} after step {}", step + 1));
        }
    }
}

#[test]
fn adadelta_follows_its_paper() {
    // Algorithm 1, with a learning rate and PyTorch's weight decay.
    let oracle = |rate: f64, rho: f64, eps: f64, decay: f64| {
        move |_, [square, delta, _]: &mut [f64; 3], p: f64, g: f64| {
            let g = g + decay * p;
            *square = rho * *square + (1.0 - rho) * g * g;
            let step = -((*delta + eps).sqrt() / (*square + eps).sqrt()) * g;
            *delta = rho * *delta + (1.0 - rho) * step * step;
            p + rate * step
        }
    };
    two_elements(Adadelta::new(1.0), oracle(1.0, 0.9, 1e-6, 0.0), "plain");
    let other = Adadelta::new(0.5).rho(0.7).eps(1e-3).weight_decay(0.1);
    two_elements(other, oracle(0.5, 0.7, 1e-3, 0.1), "all settings");
}

#[test]
fn nadam_follows_its_paper() {
    let oracle = |decay: f64, decoupled: bool, momentum_decay: f64| {
        move |t: usize, [m, v, product]: &mut [f64; 3], p: f64, g: f64| {
            let (p, g) = if decoupled { (p - 0.02 * decay * p, g) } else { (p, g + decay * p) };
            let mu = |t: usize| 0.9 * (1.0 - 0.5 * 0.96f64.powf(t as f64 * momentum_decay));
            if t == 1 {
                *product = 1.0;
            }
            *product *= mu(t);
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.999 * *v + 0.001 * g * g;
            let mean = mu(t + 1) * *m / (1.0 - *product * mu(t + 1)) + (1.0 - mu(t)) * g / (1.0 - *product);
            p - 0.02 * mean / ((*v / (1.0 - 0.999f64.powi(t as i32))).sqrt() + 1e-8)
        }
    };
    two_elements(NAdam::new(0.02), oracle(0.0, false, 4e-3), "plain");
    two_elements(
        NAdam::new(0.02).weight_decay(0.1).momentum_decay(0.5),
        oracle(0.1, false, 0.5),
        "weight decay",
    );
    let decoupled = NAdam::new(0.02).weight_decay(0.1).decoupled_weight_decay(true);
    two_elements(decoupled, oracle(0.1, true, 4e-3), "decoupled weight decay");
}

#[test]
fn radam_follows_its_paper() {
    let oracle = |beta2: f64, decay: f64, decoupled: bool| {
        move |t: usize, [m, v, _]: &mut [f64; 3], p: f64, g: f64| {
            let (p, g) = if decoupled { (p - 0.02 * decay * p, g) } else { (p, g + decay * p) };
            *m = 0.9 * *m + 0.1 * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            let (t, power) = (t as f64, beta2.powi(t as i32));
            let mean = *m / (1.0 - 0.9f64.powf(t));
            let last = 2.0 / (1.0 - beta2) - 1.0;
            let rho = last - 2.0 * t * power / (1.0 - power);
            if rho <= 5.0 {
                return p - 0.02 * mean;
            }
            let r = ((rho - 4.0) * (rho - 2.0) * last / ((last - 4.0) * (last - 2.0) * rho)).sqrt();
            p - 0.02 * mean * r * (1.0 - power).sqrt() / (v.sqrt() + 1e-8)
        }
    };
    two_elements(RAdam::new(0.02), oracle(0.999, 0.0, false), "rectified from the sixth step on");
    let never = RAdam::new(0.02).betas(0.9, 0.6).weight_decay(0.1);
    two_elements(never, oracle(0.6, 0.1, false), "never rectified");
    let decoupled = RAdam::new(0.02).weight_decay(0.1).decoupled_weight_decay(true);
    two_elements(decoupled, oracle(0.999, 0.1, true), "decoupled weight decay");
}

#[test]
fn lion_follows_its_paper() {
    let oracle = |_, [m, ..]: &mut [f64; 3], p: f64, g: f64| {
        let c = 0.9 * *m + 0.1 * g;
        *m = 0.99 * *m + 0.01 * g;
        p - 0.01 * (if c == 0.0 { 0.0 } else { c.signum() } + 0.3 * p)
    };
    two_elements(Lion::new(0.01).weight_decay(0.3), oracle, "lion");
    assert_eq!(steps(Lion::new(0.01), &[0.0]), 1.0, "the sign of nothing is nothing");
    assert!(steps(Lion::new(0.01), &[f64::NAN]).is_nan());
}

#[test]
fn settings_of_the_other_optimizers_are_refused_as_well() {
    #[track_caller]
    fn refused(mut optimizer: impl Optimizer<f64>, text: &str) {
        let mut p = Parameter::new(Tensor::scalar(1.0));
        let gradients = gradient_of(&p, 2.0);
        refuses(optimizer.step(&mut p, &gradients), text);
    }
    refused(RMSprop::new(0.1).alpha(-0.5), "rmsprop: expected an alpha of at least 0, found -0.5");
    refused(RMSprop::new(0.1).momentum(-0.5), "rmsprop: expected a momentum of at least 0, found -0.5");
    refused(RMSprop::new(0.1).eps(-1.0), "rmsprop: expected an epsilon of at least 0, found -1");
    let decay = "adagrad: expected a decay of the learning rate of at least 0, found -0.1";
    refused(Adagrad::new(0.1).lr_decay(-0.1), decay);
    let sum = "adagrad: expected an initial sum of at least 0, found -1";
    refused(Adagrad::new(0.1).initial_accumulator_value(-1.0), sum);
    refused(Adadelta::new(1.0).rho(1.5), "adadelta: expected a rho from 0 to 1, found 1.5");
    refused(NAdam::new(0.1).betas(1.0, 0.5), "nadam: expected a first beta from 0 to below 1, found 1");
    let decay = "nadam: expected a momentum decay of at least 0, found -1";
    refused(NAdam::new(0.1).momentum_decay(-1.0), decay);
    refused(RAdam::new(0.1).betas(0.5, 1.0), "radam: expected a second beta from 0 to below 1, found 1");
    refused(Lion::new(0.1).betas(f64::NAN, 0.5), "lion: expected a first beta from 0 to below 1, found NaN");
    let group = Sgd::new(0.1).group("bias", |group| group.momentum(-1.0));
    refused(group, "bias: sgd: expected a momentum of at least 0, found -1");
}

/// A gradient of ones for every parameter.
fn ones(model: &impl Module<f64>) -> Gradients<f64> {
    let tape = Tape::new();
    let sums = model.parameters().into_iter().map(|(_, p)| tape.parameter(p).sum(..).unwrap());
    sums.reduce(|a, b| a + b).unwrap().backward().unwrap()
}

fn filled(weight: f64, bias: f64) -> Linear<f64> {
    let mut model = Linear::new(2, 1).build(&mut rng(0)).unwrap();
    *model.weight.value_mut() = Tensor::full([1, 2], weight).unwrap();
    *model.bias.as_mut().unwrap().value_mut() = Tensor::full([1], bias).unwrap();
    model
}

#[test]
fn a_group_has_settings_of_its_own_and_the_first_match_counts() {
    let mut model = vec![filled(1.0, 1.0), filled(1.0, 1.0)];
    let mut sgd = Sgd::new(0.1)
        .weight_decay(0.5)
        .group("1.bias", |group| group.learning_rate(0.3))
        .group("*.bias", |group| group.weight_decay(0.0).learning_rate(0.2));
    assert_eq!(Optimizer::<f64>::learning_rates(&sgd), [0.1, 0.3, 0.2]);
    let gradients = ones(&model);
    sgd.step(&mut model, &gradients).unwrap();
    let value = |i: usize, bias: bool| {
        let Linear { weight, bias: b } = &model[i];
        if bias { b.as_ref().unwrap().value().as_slice()[0] } else { weight.value().as_slice()[1] }
    };
    assert_near(value(0, false), 1.0 - 0.1 * 1.5, "in no group");
    assert_near(value(1, false), 1.0 - 0.1 * 1.5, "in no group");
    assert_near(value(0, true), 1.0 - 0.2, "in the second group");
    assert_near(value(1, true), 1.0 - 0.3 * 1.5, "in both");
    sgd.set_learning_rate(0.0);
    assert_eq!(sgd.learning_rates(), [0.0, 0.3, 0.2], "groups keep theirs");
    refuses(sgd.set_learning_rates(&[0.1]), "sgd: expected 3 learning rates, found 1");
}

#[test]
fn groups_and_models_without_parameters_are_refused() {
    let mut model = filled(1.0, 1.0);
    let gradients = ones(&model);
    let text = |pattern| format!("adam: the model has no parameters for the group `{pattern}`");
    let mut unmatched = Adam::new(0.1).group("*.bias", |group| group.weight_decay(0.0));
    refuses(unmatched.step(&mut model, &gradients), &text("*.bias"));
    let mut shadowed = Adam::new(0.1).group("*", |group| group).group("bias", |group| group.eps(1.0));
    refuses(shadowed.step(&mut model, &gradients), &text("bias"));
    assert_eq!(model.state_dict(), filled(1.0, 1.0).state_dict(), "unchanged");
    let mut none: Vec<Linear<f64>> = Vec::new();
    refuses(Sgd::new(0.1).step(&mut none, &gradients), "sgd: the model has no parameters");
}

/// Steps of a small regression from `from` to `to`, which depend on nothing but their numbers.
fn train(model: &mut Linear<f64>, optimizer: &mut impl Optimizer<f64>, steps: std::ops::Range<u64>) {
    for step in steps {
        let tape = Tape::new();
        let loss = model.forward(&tape.constant(random([4, 2], step))).unwrap().square().mean(..).unwrap();
        optimizer.step(model, &loss.backward().unwrap()).unwrap();
    }
}

#[test]
fn a_resumed_training_has_the_bits_of_one_that_was_never_interrupted() {
    fn check<R: Rule>(fresh: impl Fn() -> Descent<R, f64>, slots: &[&str]) {
        let mut whole = filled(1.0, -1.0);
        train(&mut whole, &mut fresh(), 0..10);
        let (mut first, mut optimizer) = (filled(1.0, -1.0), fresh());
        train(&mut first, &mut optimizer, 0..5);
        let (weights, state) = (first.state_dict(), optimizer.state_dict(&first));
        let names: Vec<&str> = state.iter().filter_map(|(name, _)| name.strip_prefix("weight.")).collect();
        assert_eq!(names, slots, "{}", R::NAME);
        let (mut second, mut optimizer) = (filled(0.0, 0.0), fresh());
        second.load_state_dict(&weights).unwrap();
        optimizer.load_state_dict(&second, &state).unwrap();
        assert_eq!(optimizer.state_dict(&second), state);
        train(&mut second, &mut optimizer, 5..10);
        assert_eq!(second.state_dict(), whole.state_dict(), "{}", R::NAME);
    }
    check(|| Sgd::new(0.1), &["step"]);
    check(|| Sgd::new(0.1).momentum(0.9).dampening(0.5), &["step", "momentum_buffer"]);
    check(|| Adam::new(0.1), &["step", "exp_avg", "exp_avg_sq"]);
    check(|| AdamW::new(0.1).amsgrad(true), &["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]);
    check(
        || RMSprop::new(0.1).centered(true).momentum(0.5),
        &["step", "square_avg", "grad_avg", "momentum_buffer"],
    );
    check(|| Adagrad::new(0.1).lr_decay(0.1), &["step", "sum"]);
    check(|| Adadelta::new(1.0), &["step", "square_avg", "acc_delta"]);
    check(
        || NAdam::new(0.1).group("bias", |g| g.learning_rate(0.2)),
        &["step", "exp_avg", "exp_avg_sq", "mu_product"],
    );
    check(|| RAdam::new(0.1), &["step", "exp_avg", "exp_avg_sq"]);
    check(|| Lion::new(0.1), &["step", "exp_avg"]);
}

#[test]
fn a_state_that_does_not_fit_is_refused_with_all_that_is_wrong() {
    let (mut model, mut adam) = (filled(1.0, 1.0), Adam::new(0.1));
    train(&mut model, &mut adam, 0..2);
    let good = adam.state_dict(&model);
    let mut bad = good.clone();
    bad[0].1 = Tensor::scalar(1.5);
    bad[1].1 = Tensor::zeros([2, 1]).unwrap();
    bad[2].0 = "weight.variance".into();
    let text = "adam: `weight.step` is no count of steps; `weight.exp_avg` has shape [2, 1], not [1, 2]; \
                `weight.exp_avg_sq` [1, 2] is missing; there is no `weight.variance`";
    refuses(adam.load_state_dict(&model, &bad), text);
    let twice = [&good[..], &good[1..2]].concat();
    refuses(adam.load_state_dict(&model, &twice), "adam: `weight.exp_avg` occurs more than once");
    assert_eq!(adam.state_dict(&model), good, "unchanged");
    adam.load_state_dict(&model, &[]).unwrap();
    assert!(adam.state_dict(&model).is_empty(), "begun anew");
}
