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
fn padding_is_at_most_half_of_the_dilated_window() {
    let x = Tensor::<f64>::zeros([1, 9]).unwrap();
    assert!(MaxPool1d::new(3).padding(2).predict(&x).is_err());
    assert!(MaxPool1d::new(3).dilation(2).padding(2).predict(&x).is_ok());
    assert!(AvgPool1d::new(3).padding(2).predict(&x).is_err());
}
