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
