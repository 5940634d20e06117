use super::*;

#[test]
fn relu_passes_no_gradient_at_zero_and_nan_passes_both_ways() {
    let (y, gradient) = along(&ReLU, [-1.0, 0.0, -0.0, 2.0, NAN]);
    assert_same(&y, &[0.0, 0.0, 0.0, 2.0, NAN]);
    assert_eq!(gradient, [0.0, 0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn leaky_relu_has_the_negative_sides_slope_at_zero() {
    let (y, gradient) = along(&LeakyReLU { negative_slope: 0.5 }, [-2.0, 0.0, 2.0, NAN]);
    assert_same(&y, &[-1.0, 0.0, 2.0, NAN]);
    assert_eq!(gradient[..3], [0.5, 0.5, 1.0]);
}

#[test]
fn prelu_has_the_learned_slope_at_zero_and_learns_from_what_is_not_positive() {
    let layer = PReLU { weight: Parameter::new(Tensor::from([0.5])) };
    let x = Tape::new().leaf(Tensor::from([[-2.0, 0.0, 3.0, -4.0]]));
    let gradients = layer.forward(&x).unwrap().sum(..).unwrap().backward().unwrap();
    assert_eq!(gradients.wrt(&x), Some(&Tensor::from([[0.5, 0.5, 1.0, 0.5]])));
    assert_eq!(gradients.get(&layer.weight), Some(&Tensor::from([-6.0])));
}

#[test]
fn prelus_channels_are_axis_1_and_a_vector_has_one() {
    let two = PReLU { weight: Parameter::new(Tensor::from([0.5, 2.0])) };
    let (y, _) = run(&two, Tensor::from([[-1.0, -1.0], [-1.0, 1.0]]));
    assert_eq!(y, Tensor::from([[-0.5, -2.0], [-0.5, 1.0]]));
    assert!(two.predict(&Tensor::from([-1.0, -1.0])).is_err());
}

#[test]
fn rrelu_has_the_drawn_slope_at_zero() {
    let (_, gradient) = along(&RReLU::new(0.25, 0.25).unwrap(), [0.0, -0.0, -1.0, 1.0]);
    assert_eq!(gradient, [0.25, 0.25, 0.25, 1.0]);
}
