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
    let (floor, ceil) = (MaxPool2d::new(3).stride([3, 2]), MaxPool2d::new(3).stride([3, 2]).ceil_mode(true));
    assert_eq!(*floor.predict(&x).unwrap().shape(), [1, 1, 2, 5]);
    assert_eq!(*ceil.predict(&x).unwrap().shape(), [1, 1, 3, 5]);
}

#[test]
fn padding_is_at_most_half_of_the_kernel_whatever_its_dilation() {
    let x = Tensor::<f64>::zeros([1, 9]).unwrap();
    assert!(MaxPool1d::new(3).padding(2).predict(&x).is_err());
    assert!(MaxPool1d::new(3).dilation(2).padding(2).predict(&x).is_err());
    assert!(AvgPool1d::new(3).padding(2).predict(&x).is_err());
}

#[test]
fn adaptive_windows_overlap_where_the_output_does_not_divide_the_input() {
    // Of 5 inputs, 3 outputs see 0 to 1, 1 to 3, and 3 to 4.
    let x = [1.0, 2.0, 4.0, 8.0, 16.0];
    let (y, gradient) = along(&AdaptiveAvgPool1d::new(3), x);
    assert_same(&y, &[1.5, 14.0 / 3.0, 12.0]);
    assert_same(&gradient, &[1.0 / 2.0, 1.0 / 2.0 + 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0 + 1.0 / 2.0, 1.0 / 2.0]);
    assert_eq!(along(&AdaptiveMaxPool1d::new(3), x), (vec![2.0, 8.0, 16.0], vec![0.0, 1.0, 0.0, 1.0, 1.0]));
    // More outputs than inputs repeat them.
    assert_eq!(along(&AdaptiveAvgPool1d::new(4), [1.0, 3.0]).0, [1.0, 1.0, 3.0, 3.0]);
    assert_eq!(along(&AdaptiveAvgPool1d::new(3), [1.0, 3.0]).0, [1.0, 2.0, 3.0]);
}

#[test]
fn an_average_over_volumes_wants_an_input_no_smaller_than_the_kernel_even_in_ceil_mode() {
    let x = Tensor::<f64>::zeros([1, 4, 4, 4]).unwrap();
    let text = "avg_pool3d: input 4 at axis -3 (expected at least 5, the kernel)";
    refuses(AvgPool3d::new(5).padding(2).predict(&x), text);
    assert!(AvgPool3d::new(5).stride(2).ceil_mode(true).predict(&x).is_err());
    let plane = Tensor::<f64>::zeros([1, 4, 4]).unwrap();
    assert!(AvgPool2d::new(5).stride(2).ceil_mode(true).predict(&plane).is_ok());
}

#[test]
fn a_batch_may_be_empty_but_channels_may_not() {
    let layer = MaxPool1d::new(2);
    assert_eq!(*layer.predict(&Tensor::<f64>::zeros([0, 2, 4]).unwrap()).unwrap().shape(), [0, 2, 2]);
    let none = Tensor::<f64>::zeros([1, 0, 4]).unwrap();
    refuses(layer.predict(&none), "max_pool1d: input [1, 0, 4] has no channels (expected at least 1)");
}
