//! PyTorch's behaviour where it is easily got wrong: a named test for each rule, on numbers easily followed.

use std::num::NonZeroI64;

use retrograd_nn::{
    AvgPool1d, AvgPool2d, Conv1d, Conv2d, Layer, LeakyReLU, MaxPool1d, MaxPool2d, PReLU, Padding, Parameter,
    RReLU, ReLU, Shape, Tape, Tensor, Var, init,
};

use crate::{refuses, rng};

const NAN: f64 = f64::NAN;
const LOWEST: f64 = f64::NEG_INFINITY;

/// The output for `x`, and the gradient of the sum of the outputs.
fn run(layer: &impl Layer<f64>, x: Tensor<f64>) -> (Tensor<f64>, Tensor<f64>) {
    let x = Tape::new().leaf(x);
    let y = layer.forward(&x).unwrap();
    let gradients = y.sum(..).unwrap().backward().unwrap();
    (y.into_value(), gradients.wrt(&x).unwrap().clone())
}

/// As [`run`], of numbers along one axis of one channel.
fn along<const N: usize>(layer: &impl Layer<f64>, x: [f64; N]) -> (Vec<f64>, Vec<f64>) {
    let (y, gradient) = run(layer, Tensor::from([x]));
    (y.to_vec(), gradient.to_vec())
}

/// Equal bits but for the payload of NaN.
#[track_caller]
fn assert_same(found: &[f64], expected: &[f64]) {
    let same = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
    let equal = found.len() == expected.len() && std::iter::zip(found, expected).all(same);
    assert!(equal, "{found:?}, expected {expected:?}");
}

mod rectifiers {
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
}

mod maxima {
    use super::*;

    #[test]
    fn of_equal_maxima_the_first_in_row_major_order_wins_and_takes_the_gradient() {
        let x = Tensor::from([[[1.0, 3.0], [3.0, 3.0]]]);
        let (_, index) = MaxPool2d::new(2).forward_with_indices(&Var::from(&x)).unwrap();
        assert_eq!(index.to_vec(), [1]);
        assert_eq!(run(&MaxPool2d::new(2), x).1, Tensor::from([[[0.0, 1.0], [0.0, 0.0]]]));
    }

    #[test]
    fn nan_wins_and_of_several_the_last() {
        let x = Tensor::from([[NAN, 5.0, NAN, f64::INFINITY]]);
        let (y, index) = MaxPool1d::new(4).forward_with_indices(&Var::from(&x)).unwrap();
        assert!(y.item().unwrap().is_nan());
        assert_eq!(index.to_vec(), [2]);
        assert_eq!(run(&MaxPool1d::new(4), x).1.to_vec(), [0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn padding_counts_as_the_lowest_and_never_wins() {
        let layer = MaxPool1d::new(2).padding(1);
        assert_eq!(along(&layer, [-3.0, -4.0]).0, [-3.0, -4.0], "not 0");
        let x = Tensor::from([[LOWEST, LOWEST]]);
        let (y, index) = layer.forward_with_indices(&Var::from(&x)).unwrap();
        assert_eq!((y.value().to_vec(), index.to_vec()), (vec![LOWEST; 2], vec![0, 1]), "the first within");
    }

    #[test]
    fn with_padding_a_dilated_windows_first_element_is_found_by_steps_of_the_dilation() {
        let x = Tensor::from([[LOWEST, LOWEST, LOWEST, LOWEST, LOWEST]]);
        let layer = MaxPool1d::new(2).stride(1).padding(1).dilation(2);
        let (_, index) = layer.forward_with_indices(&Var::from(&x)).unwrap();
        assert_eq!(index.to_vec(), [1, 0, 1, 2, 3]);
    }

    #[test]
    fn indices_count_flat_in_the_unpadded_plane_of_each_channel() {
        let x = Tensor::from([[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], [[9.0, 1.0, 2.0], [3.0, 4.0, 5.0]]]);
        let layer = MaxPool2d::new([2, 3]).padding([1, 1]).stride([2, 2]);
        let (_, index) = layer.forward_with_indices(&Var::from(&x)).unwrap();
        assert_eq!(*index.shape(), [2, 2, 2]);
        assert_eq!(index.to_vec(), [1, 2, 4, 5, 0, 2, 4, 5]);
    }

    #[test]
    fn overlapping_windows_add_their_gradients() {
        assert_eq!(along(&MaxPool1d::new(2).stride(1), [1.0, 9.0, 2.0, 3.0]).1, [0.0, 2.0, 0.0, 1.0]);
    }
}

mod windows {
    use super::*;

    #[test]
    fn ceil_mode_drops_a_last_window_that_would_begin_after_the_input_and_its_left_padding() {
        let extent = |layer: MaxPool1d, h: usize| {
            layer.predict(&Tensor::<f64>::zeros([1, h]).unwrap()).unwrap().shape()[1]
        };
        assert_eq!(extent(MaxPool1d::new(2).padding(1), 5), 3);
        assert_eq!(extent(MaxPool1d::new(1).stride(2).ceil_mode(true), 32), 16);
        assert_eq!(extent(MaxPool1d::new(4).padding(2).ceil_mode(true), 9), 3);
        assert_eq!(extent(MaxPool1d::new(2).ceil_mode(true), 5), 3, "one that begins inside stays");
    }

    #[test]
    fn the_stride_is_the_kernel_by_default() {
        let y = AvgPool2d::new([2, 3]).predict(&Tensor::<f64>::zeros([1, 4, 9]).unwrap()).unwrap();
        assert_eq!(*y.shape(), [1, 2, 3]);
    }

    #[test]
    fn height_and_width_with_different_remainders_are_not_confused() {
        let x = Tensor::<f64>::zeros([1, 1, 7, 11]).unwrap();
        let conv: Conv2d<f64> = Conv2d::new(1, 1, [2, 3]).stride([2, 3]).build(&mut rng(0)).unwrap();
        assert_eq!(*conv.predict(&x).unwrap().shape(), [1, 1, 3, 3]);
        let (floor, ceil) =
            (MaxPool2d::new(3).stride([3, 2]), MaxPool2d::new(3).stride([3, 2]).ceil_mode(true));
        assert_eq!(*floor.predict(&x).unwrap().shape(), [1, 1, 2, 5]);
        assert_eq!(*ceil.predict(&x).unwrap().shape(), [1, 1, 3, 5]);
    }

    #[test]
    fn padding_is_at_most_half_of_the_dilated_window() {
        let x = Tensor::<f64>::zeros([1, 9]).unwrap();
        assert!(MaxPool1d::new(3).padding(2).predict(&x).is_err());
        assert!(MaxPool1d::new(3).dilation(2).padding(2).predict(&x).is_ok());
        assert!(AvgPool1d::new(3).padding(2).predict(&x).is_err());
    }
}

mod averages {
    use super::*;

    #[test]
    fn padding_counts_in_the_divisor_unless_it_is_left_out() {
        let layer = AvgPool1d::new(2).padding(1);
        assert_eq!(along(&layer, [2.0, 4.0, 6.0]).0, [1.0, 5.0]);
        assert_eq!(along(&layer.count_include_pad(false), [2.0, 4.0, 6.0]).0, [2.0, 5.0]);
        assert_eq!(along(&layer.count_include_pad(false), [2.0, 4.0, 6.0]).1, [1.0, 0.5, 0.5]);
    }

    #[test]
    fn what_ceil_mode_covers_beyond_the_padding_never_counts() {
        let layer = AvgPool1d::new(3).stride(3).ceil_mode(true);
        assert_eq!(
            along(&layer, [3.0, 3.0, 3.0, 8.0]),
            (vec![3.0, 8.0], vec![1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0])
        );
        // The last window covers the input's last element and the padding after it: 2, not 3.
        let padded = AvgPool1d::new(3).stride(2).padding(1).ceil_mode(true);
        assert_eq!(along(&padded, [3.0, 3.0, 3.0, 8.0]).0, [2.0, 14.0 / 3.0, 4.0]);
    }

    #[test]
    fn a_divisor_of_ones_own_replaces_every_count() {
        let layer = AvgPool1d::new(2).padding(1).divisor_override(NonZeroI64::new(4).unwrap());
        assert_eq!(along(&layer, [2.0, 4.0, 6.0]).0, [0.5, 2.5]);
    }
}

mod convolutions {
    use super::*;

    fn ones<const D: usize>(builder: retrograd_nn::ConvBuilder<D, f64>) -> retrograd_nn::Conv<D, f64> {
        builder.bias(false).init(init::Constant(1.0)).build(&mut rng(0)).unwrap()
    }

    #[test]
    fn the_kernel_is_not_flipped() {
        let mut layer: Conv1d<f64> = ones(Conv1d::new(1, 1, 2));
        *layer.weight.value_mut() = Tensor::from([[[1.0, 10.0]]]);
        assert_eq!(along(&layer, [1.0, 2.0, 3.0]).0, [21.0, 32.0]);
    }

    #[test]
    fn same_puts_one_more_at_the_end_for_an_even_kernel_and_counts_dilation() {
        let even = ones(Conv1d::new(1, 1, 2).padding(Padding::Same));
        assert_eq!(along(&even, [1.0, 2.0, 4.0]).0, [3.0, 6.0, 4.0]);
        let dilated = ones(Conv1d::new(1, 1, 2).padding(Padding::Same).dilation(3));
        assert_eq!(along(&dilated, [1.0, 2.0, 4.0, 8.0]).0, [4.0, 9.0, 2.0, 4.0], "one before, two after");
    }

    #[test]
    fn grouped_fan_out_is_all_output_channels_times_the_kernel() {
        let depthwise: Conv2d<f64> = Conv2d::new(8, 16, 3).groups(8).build(&mut rng(0)).unwrap();
        assert_eq!(init::fans(depthwise.weight.value().shape()).unwrap(), (9.0, 16.0 * 9.0));
        let transposed = Shape::from([16, 4, 3, 3]);
        assert_eq!(init::fans(&transposed).unwrap(), (36.0, 144.0), "read off the shape alone");
    }

    #[test]
    fn a_channel_of_one_group_does_not_see_another() {
        let layer = ones(Conv1d::new(2, 2, 1).groups(2));
        let (y, _) = run(&layer, Tensor::from([[1.0], [10.0]]));
        assert_eq!(y, Tensor::from([[1.0], [10.0]]));
    }
}

mod losses {
    use super::*;

    #[test]
    fn cross_entropy_is_the_mean_over_the_batch_and_nan_of_none() {
        let logits = Var::from(Tensor::from([[0.0, 0.0], [3f64.ln(), 0.0]]));
        let loss = logits.cross_entropy(&Tensor::from([0, 1])).unwrap().item().unwrap();
        assert!((loss - (2f64.ln() + 4f64.ln()) / 2.0).abs() < 1e-15);
        let none = Var::from(Tensor::<f64>::zeros([0, 2]).unwrap());
        let empty = Tensor::<i64>::from_slice(&[], [0]).unwrap();
        assert!(none.cross_entropy(&empty).unwrap().item().unwrap().is_nan());
    }

    #[test]
    fn a_target_that_is_no_class_is_refused_the_ignored_one_of_pytorch_too() {
        let logits = Var::from(Tensor::<f64>::zeros([1, 2]).unwrap());
        for class in [2, -1, -100] {
            let text = format!("cross_entropy: target {class} is no class of the 2 (0 to 1)");
            refuses(logits.cross_entropy(&Tensor::from([class])), &text);
        }
    }
}
