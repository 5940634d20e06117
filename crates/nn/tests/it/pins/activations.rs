use super::*;
use retrograd_nn::{
    CELU, ELU, GELU, GLU, Hardshrink, Hardsigmoid, Hardswish, Hardtanh, LogSigmoid, Mish, ReLU6, SELU, SiLU,
    Sigmoid, Softmax, Softplus, Softshrink, Softsign, Tanh, Tanhshrink, Threshold,
};

#[test]
fn hardtanh_relu6_and_clamp_pass_no_gradient_at_their_bounds() {
    let (y, gradient) = along(&Hardtanh::new(-1.0, 2.0).unwrap(), [-3.0, -1.0, 0.0, 2.0, 3.0, NAN]);
    assert_same(&y, &[-1.0, -1.0, 0.0, 2.0, 2.0, NAN]);
    assert_eq!(gradient, [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    let (y, gradient) = along(&ReLU6, [-1.0, 0.0, 1.0, 6.0, 7.0]);
    assert_eq!((&y[..], &gradient[..]), (&[0.0, 0.0, 1.0, 6.0, 6.0][..], &[0.0, 0.0, 1.0, 0.0, 0.0][..]));
    let x = Tape::new().leaf(Tensor::from([-1.0, 0.0, 1.0]));
    let gradients = x.clamp(-1.0, 1.0).sum(..).unwrap().backward().unwrap();
    assert_eq!(gradients.wrt(&x), Some(&Tensor::from([0.0, 1.0, 0.0])));
}

#[test]
fn softplus_is_linear_above_its_threshold_and_never_overflows() {
    let (y, gradient) = along(&Softplus { beta: 2.0, threshold: 4.0 }, [2.0, 2.5, 1e300]);
    assert!(y[0] > 2.0 && gradient[0] < 1.0, "not above: {} {}", y[0], gradient[0]);
    assert_eq!((&y[1..], &gradient[1..]), (&[2.5, 1e300][..], &[1.0, 1.0][..]));
    let (y, gradient) = along(&Softplus { beta: 1.0, threshold: 1e9 }, [800.0, -800.0]);
    assert_eq!((y, gradient), (vec![800.0, 0.0], vec![1.0, 0.0]));
}

#[test]
fn gelu_by_erf_and_by_tanh_are_two_functions() {
    let (exact, _) = along(&GELU::Exact, [1.0]);
    let (tanh, _) = along(&GELU::Tanh, [1.0]);
    assert!((exact[0] - 0.841_344_746_068_542_9).abs() < 1e-12);
    assert!((tanh[0] - 0.841_191_990_608_276_8).abs() < 1e-12);
}

#[test]
fn selu_has_the_papers_constants() {
    let (y, gradient) = along(&SELU, [1.0, 0.0, -800.0]);
    assert_eq!(y, [1.050_700_987_355_480_5, 0.0, -1.050_700_987_355_480_5 * 1.673_263_242_354_377_2]);
    assert_eq!(gradient[1], 1.050_700_987_355_480_5 * 1.673_263_242_354_377_2);
}

#[test]
fn elus_slope_at_zero_is_alpha_and_celus_is_one() {
    assert_eq!(along(&ELU { alpha: 0.5 }, [0.0, 1.0]).1, [0.5, 1.0]);
    assert_eq!(along(&CELU::new(0.5).unwrap(), [0.0, 1.0]).1, [1.0, 1.0]);
}

#[test]
fn shrinking_and_thresholds_pass_nothing_at_their_bounds() {
    let (y, gradient) = along(&Softshrink::new(0.5).unwrap(), [-1.0, -0.5, 0.5, 0.75]);
    assert_eq!((&y[..], &gradient[..]), (&[-0.5, 0.0, 0.0, 0.25][..], &[1.0, 0.0, 0.0, 1.0][..]));
    let (y, gradient) = along(&Hardshrink::default(), [-1.0, -0.5, 0.5, 0.75, NAN]);
    assert_same(&y, &[-1.0, 0.0, 0.0, 0.75, NAN]);
    assert_eq!(gradient, [1.0, 0.0, 0.0, 1.0, 1.0]);
    let (y, gradient) = along(&Threshold { threshold: 1.0, value: 9.0 }, [0.0, 1.0, 2.0]);
    assert_eq!((&y[..], &gradient[..]), (&[9.0, 9.0, 2.0][..], &[0.0, 0.0, 1.0][..]));
}

/// All the activations that work on one element.
fn all<T: Float>() -> Vec<(&'static str, Box<dyn Layer<T>>)> {
    vec![
        ("celu", Box::new(CELU::default())),
        ("elu", Box::new(ELU::default())),
        ("gelu", Box::new(GELU::Exact)),
        ("gelu by tanh", Box::new(GELU::Tanh)),
        ("hardshrink", Box::new(Hardshrink::default())),
        ("hardsigmoid", Box::new(Hardsigmoid)),
        ("hardswish", Box::new(Hardswish)),
        ("hardtanh", Box::new(Hardtanh::default())),
        ("leaky relu", Box::new(LeakyReLU::default())),
        ("logsigmoid", Box::new(LogSigmoid)),
        ("mish", Box::new(Mish)),
        ("relu", Box::new(ReLU)),
        ("relu6", Box::new(ReLU6)),
        ("selu", Box::new(SELU)),
        ("sigmoid", Box::new(Sigmoid)),
        ("silu", Box::new(SiLU)),
        ("softplus", Box::new(Softplus::default())),
        ("softshrink", Box::new(Softshrink::default())),
        ("softsign", Box::new(Softsign)),
        ("tanh", Box::new(Tanh)),
        ("tanhshrink", Box::new(Tanhshrink)),
    ]
}

fn is_finite_at_large_arguments<T: Float>(large: f64) {
    let numbers = [large, -large, large / 1e20, -large / 1e20, 100.0, -100.0, 20.0, -20.0];
    for (name, layer) in all::<T>() {
        let x = Tape::new().leaf(Tensor::from(numbers.map(T::from_f64)));
        let y = layer.forward(&x).unwrap();
        let [first] = retrograd_autograd::grad(&y.sum(..).unwrap(), [&x]).unwrap();
        for (what, values) in [("value", y.value()), ("gradient", first.value())] {
            assert!(
                values.as_slice().iter().all(|v| v.is_finite()),
                "{name}, {what} in {}: {values}",
                T::NAME
            );
        }
        if first.is_recorded() {
            let [second] = retrograd_autograd::grad(&first.sum(..).unwrap(), [&x]).unwrap();
            let curvature = second.value();
            assert!(curvature.as_slice().iter().all(|v| v.is_finite()), "{name} in {}: {curvature}", T::NAME);
        }
    }
}

#[test]
fn every_activation_and_its_derivatives_are_finite_at_large_arguments() {
    is_finite_at_large_arguments::<f32>(1e37);
    is_finite_at_large_arguments::<f64>(1e300);
}

#[test]
fn every_activation_passes_nan_on() {
    for (name, layer) in all::<f64>() {
        let y = layer.predict(&Tensor::from([NAN])).unwrap();
        assert!(y.as_slice()[0].is_nan(), "{name}: {y}");
    }
}

#[test]
fn what_pytorch_refuses_is_refused() {
    refuses(Hardtanh::new(1.0, 1.0), "hardtanh: expected min_val < max_val, found 1 and 1");
    refuses(Hardtanh::new(NAN, 1.0), "hardtanh: expected min_val < max_val, found NaN and 1");
    refuses(CELU::new(0.0), "celu: expected an alpha other than 0, found 0");
    refuses(Softshrink::new(-1.0), "softshrink: expected a lambda of at least 0, found -1");
    let x = Tensor::from([[1.0, 2.0, 3.0]]);
    refuses(GLU::default().predict(&x), "glu: expected two halves of axis 1 of [1, 3], found 3");
    assert!(Softmax { dim: 2 }.predict(&x).is_err());
    assert_eq!(Softmax { dim: 0 }.predict(&Tensor::scalar(3.0)).unwrap(), Tensor::scalar(1.0));
}

#[test]
fn a_negative_alpha_slope_or_beta_is_accepted_as_in_pytorch() {
    let x = Tensor::from([0.5, -0.5]);
    for layer in [&ELU { alpha: -1.0 } as &dyn Layer<f64>, &LeakyReLU { negative_slope: -0.5 }] {
        assert!(layer.predict(&x).is_ok());
    }
    assert_eq!(Softplus { beta: 0.0, threshold: 20.0 }.predict(&x).unwrap().as_slice()[0], f64::INFINITY);
}
