//! What weights begin as.

use retrograd_nn::init::{
    Constant, Fan, Init, KaimingNormal, KaimingUniform, Nonlinearity, Uniform, XavierNormal, XavierUniform,
    fans,
};
use retrograd_nn::{Conv2d, Linear, Shape, Tensor};

use crate::{refuses, rng};

/// fan_in 300, fan_out 900: 90,000 weights.
const SHAPE: [usize; 4] = [300, 100, 3, 1];

fn sample(init: &dyn Init<f64>) -> Tensor<f64> {
    init.sample(&SHAPE.into(), &mut rng(1)).unwrap()
}

fn deviation(x: &Tensor<f64>) -> f64 {
    x.var(.., 0.0).unwrap().item().unwrap().sqrt()
}

#[test]
fn normal_ones_have_their_deviation_and_mean_0() {
    let selu = Nonlinearity::Selu;
    let table: [(&str, Box<dyn Init<f64>>, f64); 5] = [
        ("xavier", Box::new(XavierNormal::default()), (2.0f64 / 1200.0).sqrt()),
        ("xavier with a gain", Box::new(XavierNormal::gain(3.0)), 3.0 * (2.0f64 / 1200.0).sqrt()),
        ("kaiming", Box::new(KaimingNormal::default()), (2.0f64 / 300.0).sqrt()),
        (
            "kaiming by fan_out",
            Box::new(KaimingNormal { fan: Fan::Out, ..Default::default() }),
            (2.0f64 / 900.0).sqrt(),
        ),
        (
            "kaiming for selu",
            Box::new(KaimingNormal { fan: Fan::In, nonlinearity: selu }),
            0.75 / 300f64.sqrt(),
        ),
    ];
    for (what, init, expected) in table {
        let x = sample(&*init);
        let (mean, deviation) = (x.mean(..).unwrap().item().unwrap(), deviation(&x));
        // The deviation of 90,000 numbers is known to 0.24 %, their mean to a 300th of it; five of those.
        assert!((deviation / expected - 1.0).abs() < 0.012, "{what}: {deviation}, expected {expected}");
        assert!(mean.abs() < 5.0 * expected / 300.0, "{what}: mean {mean}");
        let beyond = x.as_slice().iter().filter(|x| x.abs() > 1.96 * expected).count();
        assert!(
            (4100..4900).contains(&beyond),
            "{what}: {beyond} of 90000 beyond 1.96 deviations: not normal"
        );
    }
}

#[test]
fn uniform_ones_fill_their_bounds_and_keep_to_them() {
    let table: [(&str, Box<dyn Init<f64>>, f64); 6] = [
        ("xavier", Box::new(XavierUniform::default()), (6.0f64 / 1200.0).sqrt()),
        ("xavier with a gain", Box::new(XavierUniform::gain(0.5)), 0.5 * (6.0f64 / 1200.0).sqrt()),
        ("kaiming", Box::new(KaimingUniform::default()), (6.0f64 / 300.0).sqrt()),
        (
            "kaiming by fan_out",
            Box::new(KaimingUniform { fan: Fan::Out, ..Default::default() }),
            (6.0f64 / 900.0).sqrt(),
        ),
        (
            "pytorch's default, kaiming with a leak of √5",
            Box::new(KaimingUniform { fan: Fan::In, nonlinearity: Nonlinearity::LeakyRelu(5f64.sqrt()) }),
            1.0 / 300f64.sqrt(),
        ),
        ("a bound", Box::new(Uniform::within(0.125)), 0.125),
    ];
    for (what, init, bound) in table {
        let x = sample(&*init);
        let largest = x.as_slice().iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        assert!(largest <= bound * (1.0 + 1e-12) && largest > 0.999 * bound, "{what}: {largest} of {bound}");
        let ratio = deviation(&x) * 3f64.sqrt() / bound;
        assert!((ratio - 1.0).abs() < 0.01, "{what}: not uniform, {ratio}");
    }
}

#[test]
fn the_default_of_layers_is_pytorchs_for_the_bias_too() {
    let conv: Conv2d<f64> = Conv2d::new(8, 2000, [2, 2]).groups(4).build(&mut rng(2)).unwrap();
    let linear: Linear<f64> = Linear::new(16, 2000).build(&mut rng(2)).unwrap();
    let bound_of = |x: &Tensor<f64>| x.as_slice().iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    for (what, weight, bias, fan_in) in
        [("conv", conv.weight, conv.bias, 8.0f64), ("linear", linear.weight, linear.bias, 16.0)]
    {
        for x in [weight.value(), bias.unwrap().value()] {
            let share = bound_of(x) * fan_in.sqrt();
            assert!(share <= 1.0 && share > 0.99, "{what}: {share} of the bound");
        }
    }
}

#[test]
fn an_initialiser_of_ones_own_is_for_the_weight_alone() {
    let layer: Linear<f64> = Linear::new(4, 50).init(Constant(7.0)).build(&mut rng(0)).unwrap();
    assert!(layer.weight.value().as_slice().iter().all(|&w| w == 7.0));
    assert!(layer.bias.unwrap().value().as_slice().iter().all(|b| b.abs() <= 0.5));
}

#[test]
fn gains_are_those_of_pytorch() {
    let table = [
        (Nonlinearity::Linear, 1.0),
        (Nonlinearity::Sigmoid, 1.0),
        (Nonlinearity::Tanh, 5.0 / 3.0),
        (Nonlinearity::Relu, std::f64::consts::SQRT_2),
        (Nonlinearity::LeakyRelu(0.01), 1.414_142_841_071_428_2),
        (Nonlinearity::Selu, 0.75),
    ];
    for (nonlinearity, gain) in table {
        assert!((nonlinearity.gain() - gain).abs() < 1e-7, "{nonlinearity:?}");
    }
}

#[test]
fn fans_are_read_off_the_shape() {
    for (shape, expected) in [
        (&[5, 7][..], (7.0, 5.0)),
        (&[6, 4, 3], (12.0, 18.0)),
        (&[6, 1, 3, 5], (15.0, 90.0)),
        (&[2, 3, 2, 2, 2], (24.0, 16.0)),
    ] {
        assert_eq!(fans(&shape.into()).unwrap(), expected, "{shape:?}");
    }
}

#[test]
fn a_weight_of_one_axis_has_no_fans() {
    let text = "fans: expected a weight of at least two axes, found shape [3]";
    refuses(fans(&[3].into()), text);
    refuses(Uniform::by_fan_in(&[3].into()), text);
    let by_fans: [Box<dyn Init<f32>>; 4] = [
        Box::new(XavierNormal::default()),
        Box::new(XavierUniform::default()),
        Box::new(KaimingNormal::default()),
        Box::new(KaimingUniform::default()),
    ];
    for init in by_fans {
        let error = init.sample(&Shape::from([3]), &mut rng(0)).unwrap_err();
        assert_eq!(format!("{}: {}", error.op(), error.fact()), text);
    }
}

#[test]
fn settings_that_make_no_distribution_are_refused_at_the_line_that_builds() {
    let linear = |init: XavierNormal| Linear::<f32>::new(1, 1).init(init);
    let text = "init: expected a finite, non-negative deviation or bound, found";
    refuses(linear(XavierNormal::gain(-1.0)).build(&mut rng(0)), &format!("{text} -1"));
    refuses(linear(XavierNormal::gain(f64::NAN)).build(&mut rng(0)), &format!("{text} NaN"));
    let infinite = Linear::<f32>::new(1, 1).init(Uniform::within(f64::INFINITY));
    refuses(infinite.build(&mut rng(0)), "init: expected finite bounds low ≤ high, found -inf and inf");
}

#[test]
fn the_same_seed_gives_the_same_weights() {
    let build = |seed| Conv2d::<f32>::new(3, 4, 3).build(&mut rng(seed)).unwrap();
    let [a, b, other] = [build(1), build(1), build(2)];
    assert_eq!(a.weight.value(), b.weight.value());
    assert_eq!(a.bias.as_ref().unwrap().value(), b.bias.as_ref().unwrap().value());
    assert_ne!(a.weight.value(), other.weight.value());
    assert_ne!(a.weight.value().as_slice()[..4], *a.bias.unwrap().value().as_slice(), "the bias draws on");
}
