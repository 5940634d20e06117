use retrograd_nn::init::{Constant, Dirac, Eye, Init, Orthogonal, TruncatedNormal, Zeros, fans};
use retrograd_nn::{Linear, Module, Result};

use super::*;

#[test]
fn the_fans_of_a_grouped_weight_know_nothing_of_groups_and_those_of_a_transposed_one_swap() {
    assert_eq!(fans(&Shape::from([6, 1, 3, 3])).unwrap(), (9.0, 54.0));
    assert_eq!(fans(&Shape::from([4, 6, 3, 2])).unwrap(), (36.0, 24.0));
}

#[test]
fn rows_or_columns_of_an_orthogonal_weight_are_orthonormal() {
    for (shape, rows) in [(Shape::from([3, 2, 2]), true), (Shape::from([5, 3]), false)] {
        let w: Tensor<f64> = Orthogonal::default().sample(&shape, &mut rng(1)).unwrap().flatten(1).unwrap();
        let t = w.transpose(0, 1).unwrap();
        let product = if rows { w.matmul(&t) } else { t.matmul(&w) }.unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let expected = f64::from(u8::from(i == j));
                assert!((product.get(&[i, j]).unwrap() - expected).abs() < 1e-14);
            }
        }
    }
}

#[test]
fn a_convolution_that_begins_as_dirac_keeps_its_channels() {
    let weight: Tensor<f64> = Dirac { groups: 2 }.sample(&Shape::from([4, 2, 3]), &mut rng(1)).unwrap();
    let x = Tensor::randn([1, 4, 5], &mut rng(2)).unwrap();
    let mut layer = Conv1d::new(4, 4, 3).groups(2).padding(1).bias(false).build(&mut rng(3)).unwrap();
    layer.weight = Parameter::new(weight);
    assert_eq!(layer.predict(&x).unwrap(), x);
}

#[test]
fn truncated_normal_numbers_keep_their_bounds_and_have_the_moments_of_what_is_left() {
    let inf = f64::INFINITY;
    // Bounds, then the mean and the deviation between them, of the standard normal distribution.
    for (low, high, mean, std) in [
        (-2.0, 2.0, 0.0, 0.879_626),
        (-inf, inf, 0.0, 1.0),
        (0.0, inf, 0.797_885, 0.602_810),
        (-0.01, 0.02, 0.005, 0.03 / 12f64.sqrt()),
        (10.0, inf, 10.098_093, 0.097_068),
        (-11.0, -10.0, -10.098_086, 0.097_040),
        (3.0, 3.0, 3.0, 0.0),
    ] {
        let bounds = TruncatedNormal { low: 5.0 + 2.0 * low, high: 5.0 + 2.0 * high, mean: 5.0, std: 2.0 };
        let x: Tensor<f64> = bounds.sample(&Shape::from([40_000]), &mut rng(1)).unwrap();
        assert!(x.as_slice().iter().all(|&x| bounds.low <= x && x <= bounds.high), "{low} to {high}");
        let found = (x.mean(..).unwrap().item().unwrap() - 5.0) / 2.0;
        assert!((found - mean).abs() <= 5.0 * std / 200.0 + 1e-12, "{low} to {high}: mean {found}");
        let found = x.var(.., 0.0).unwrap().item().unwrap().sqrt() / 2.0;
        assert!((found - std).abs() <= 0.03 * std + 1e-12, "{low} to {high}: deviation {found}");
    }
    let single: Tensor<f32> = TruncatedNormal { low: 0.1, high: 0.1000001, ..Default::default() }
        .sample(&Shape::from([1000]), &mut rng(1))
        .unwrap();
    assert!(single.as_slice().iter().all(|&x| (0.1f32..=0.1000001).contains(&x)));
}

#[test]
fn no_truncated_normal_distribution_has_crossed_or_unreachable_bounds() {
    let shape = Shape::from([2]);
    let standard = TruncatedNormal::default();
    for bad in [
        TruncatedNormal { low: 1.0, high: 0.0, ..standard },
        TruncatedNormal { std: 0.0, ..standard },
        TruncatedNormal { std: f64::INFINITY, ..standard },
        TruncatedNormal { mean: f64::NAN, ..standard },
        TruncatedNormal { high: f64::NAN, ..standard },
        TruncatedNormal { low: f64::INFINITY, high: f64::INFINITY, ..standard },
    ] {
        let drawn: Result<Tensor<f32>> = bad.sample(&shape, &mut rng(1));
        assert!(drawn.is_err(), "{bad:?}");
    }
    let far = TruncatedNormal { low: 1e200, high: 1e300, ..standard };
    assert_eq!(far.sample(&shape, &mut rng(1)).unwrap(), Tensor::<f64>::full([2], 1e200).unwrap());
}

#[test]
fn parameters_whose_paths_match_a_pattern_begin_anew() {
    let mut layer = Linear::<f64>::new(2, 3).build(&mut rng(1)).unwrap();
    let bias = layer.bias.as_ref().unwrap().value().clone();
    layer.initialize("w*", &Constant(7.0), &mut rng(2)).unwrap();
    assert_eq!(*layer.weight.value(), Tensor::full([3, 2], 7.0).unwrap());
    assert_eq!(*layer.bias.as_ref().unwrap().value(), bias);
    let text = "initialize: the model has no parameters `*.weight`";
    refuses(layer.initialize("*.weight", &Zeros, &mut rng(2)), text);
    let text = "init: expected a matrix for Eye, found shape [3]";
    let error = layer.initialize("*", &Eye, &mut rng(2)).unwrap_err();
    assert_eq!((format!("{}: {}", error.op(), error.fact()).as_str(), error.path()), (text, "bias"));
    assert_eq!(*layer.weight.value(), Tensor::full([3, 2], 7.0).unwrap(), "unchanged");
}
