use super::*;

fn index<const N: usize>(positions: [i64; N]) -> Tensor<i64> {
    Tensor::from([positions])
}

#[test]
fn where_an_index_is_repeated_the_last_stays_and_each_takes_the_gradient_of_the_place() {
    let x = Tape::new().leaf(Tensor::from([[5.0, 7.0, 6.0]]));
    let y = MaxUnpool1d::new(2).forward(&x, &index([4, 4, 1])).unwrap();
    assert_eq!(y.value().to_vec(), [0.0, 6.0, 0.0, 0.0, 7.0, 0.0]);
    let weights = Var::from(Tensor::from([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]));
    let gradients = y.mul(&weights).unwrap().sum(..).unwrap().backward().unwrap();
    assert_eq!(gradients.wrt(&x).unwrap().to_vec(), [5.0, 5.0, 2.0]);
}

#[test]
fn overlapping_windows_that_found_one_maximum_put_it_back_once() {
    let x = Var::from(Tensor::from([[1.0, 9.0, 2.0, 3.0]]));
    let (y, indices) = MaxPool1d::new(2).stride(1).forward_with_indices(&x).unwrap();
    let back = MaxUnpool1d::new(2).stride(1).forward(&y, &indices).unwrap();
    assert_eq!(back.value().to_vec(), [0.0, 9.0, 0.0, 3.0], "9, not 18");
}

#[test]
fn the_output_size_is_less_than_a_stride_away_from_what_the_window_says() {
    let x = Var::from(Tensor::<f64>::ones([1, 1, 2, 2]).unwrap());
    let indices = Tensor::from([[[[0i64, 1], [3, 4]]]]);
    let layer = MaxUnpool2d::new(2);
    let extents = |size: &[usize]| layer.forward_to(&x, &indices, size).map(|y| y.shape()[2..].to_vec());
    assert_eq!(*layer.forward(&x, &indices).unwrap().shape(), [1, 1, 4, 4]);
    assert_eq!(extents(&[3, 5]).unwrap(), [3, 5]);
    assert_eq!(extents(&[1, 1, 5, 3]).unwrap(), [5, 3], "a whole shape");
    let text = |size, axis| format!("max_unpool2d: output size {size} at axis {axis} (expected 3 to 5)");
    refuses(layer.forward_to(&x, &indices, &[2, 4]), &text(2, -2));
    refuses(layer.forward_to(&x, &indices, &[4, 6]), &text(6, -1));
    let text = "max_unpool2d: expected an output size of 2 or 4 extents, found [4]";
    refuses(layer.forward_to(&x, &indices, &[4]), text);
}

#[test]
fn indices_are_flat_so_that_another_width_moves_elements_to_other_columns() {
    let x = Var::from(Tensor::from([[[1.0, 2.0], [3.0, 4.0]]]));
    let indices = Tensor::from([[[0i64, 2], [8, 10]]]);
    let layer = MaxUnpool2d::new(2);
    let y = layer.forward(&x, &indices).unwrap();
    for (i, j, value) in [(0, 0, 1.0), (0, 2, 2.0), (2, 0, 3.0), (2, 2, 4.0)] {
        assert_eq!(y.value().get(&[0, i, j]), Some(value));
    }
    let y = layer.forward_to(&x, &indices, &[4, 5]).unwrap();
    for (i, j, value) in [(0, 0, 1.0), (0, 2, 2.0), (1, 3, 3.0), (2, 0, 4.0)] {
        assert_eq!(y.value().get(&[0, i, j]), Some(value));
    }
}

#[test]
fn an_index_outside_the_plane_is_refused() {
    let x = Var::from(Tensor::from([[1.0, 2.0]]));
    for place in [4, -1, i64::MAX, i64::MIN] {
        let text = format!("max_unpool: index {place} lies outside a plane of [4] (0 to 4 − 1)");
        refuses(MaxUnpool1d::new(2).forward(&x, &index([0, place])), &text);
    }
    let text = "max_unpool1d: expected indices of shape [1, 2], found [1, 3]";
    refuses(MaxUnpool1d::new(2).forward(&x, &index([0, 1, 2])), text);
}
