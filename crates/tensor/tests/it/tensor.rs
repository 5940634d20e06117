//! Making tensors, and reading and writing their elements.

use retrograd_tensor::{Shape, Tensor};

use crate::oracle::{indices, shapes};

#[test]
fn get_counts_in_row_major_order() {
    for shape in shapes(1) {
        let numel = shape.iter().product::<usize>();
        let x = Tensor::from_vec((0..numel as i64).collect(), &shape[..]).unwrap();
        for (offset, index) in indices(&shape).enumerate() {
            assert_eq!(x.get(&index), Some(offset as i64), "{index:?} of {shape:?}");
        }
        assert_eq!(x.get(&shape), (shape.is_empty()).then_some(0), "an index beyond every axis");
        assert_eq!(x.get(&vec![0; shape.len() + 1]), None, "an index with an axis too many");
    }
}

#[test]
fn nested_arrays_become_axes() {
    let x = Tensor::from([[[[1i64, 2]], [[3, 4]], [[5, 6]]]]);
    assert_eq!(*x.shape(), [1, 3, 1, 2]);
    assert_eq!(x.to_vec(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(*Tensor::from([[[1.0f32]]]).shape(), [1, 1, 1]);
    assert_eq!(*Tensor::from([[true], [false]]).shape(), [2, 1]);
    assert_eq!(*Tensor::from([1.0f64, 2.0]).shape(), [2]);
    assert_eq!(*Tensor::from(7i64).shape(), []);
}

#[test]
fn item_takes_the_only_element_at_any_rank() {
    assert_eq!(Tensor::scalar(3.0f32).item().unwrap(), 3.0);
    assert!(Tensor::from([[[true]]]).item().unwrap());
}

#[test]
fn constructors_fill_every_element() {
    assert_eq!(Tensor::<f32>::zeros([2, 1]).unwrap().to_vec(), [0.0; 2]);
    assert_eq!(Tensor::<f64>::ones([3]).unwrap().to_vec(), [1.0; 3]);
    assert_eq!(Tensor::full([1, 2], 7i64).unwrap().to_vec(), [7; 2]);
    assert_eq!(Tensor::<f32>::arange(3).unwrap().to_vec(), [0.0, 1.0, 2.0]);
    assert_eq!(*Tensor::<f32>::arange(0).unwrap().shape(), [0]);
    let x = Tensor::<f32>::arange(6).unwrap().reshape(&[3, 2]).unwrap();
    assert_eq!(x.zeros_like(), Tensor::zeros([3, 2]).unwrap());
    assert_eq!(x.ones_like(), Tensor::ones([3, 2]).unwrap());
}

#[test]
fn cast_rounds_to_the_nearest_and_is_exact_where_it_can_be() {
    let x = Tensor::from([0.1f64, f64::NAN, 1e300, -0.5]);
    let single = x.cast::<f32>().to_vec();
    assert_eq!((single[0], single[2], single[3]), (0.1f32, f32::INFINITY, -0.5));
    assert!(single[1].is_nan());
    assert_eq!(Tensor::from([0.1f32]).cast::<f64>().to_vec(), [f64::from(0.1f32)]);
}

#[test]
fn clones_share_their_elements_until_one_is_written() {
    let mut x = Tensor::from([1.0f32, 2.0]);
    let y = x.clone();
    assert!(!x.is_unique() && !y.is_unique());
    x.make_mut()[0] = 9.0;
    assert_eq!((x.to_vec(), y.to_vec()), (vec![9.0, 2.0], vec![1.0, 2.0]));
    assert!(x.is_unique() && y.is_unique());
}

#[test]
fn a_change_of_shape_shares_the_elements() {
    let x = Tensor::<f32>::arange(6).unwrap();
    let y = x.reshape(&[2, 3]).unwrap();
    assert!(!x.is_unique());
    assert_eq!(x.as_slice().as_ptr(), y.as_slice().as_ptr());
}

/// In release builds too, where a kernel would otherwise return what it never wrote.
#[test]
fn what_is_kept_as_a_shape_only_is_never_read_or_written() {
    let text = |result: std::thread::Result<usize>| *result.unwrap_err().downcast::<&str>().unwrap();
    let x = Tensor::<f32>::shape_only([2, 3].into());
    let read = std::panic::catch_unwind(|| x.as_slice().len());
    let written = std::panic::catch_unwind(|| x.clone().make_mut().len());
    assert_eq!(
        [text(read), text(written)],
        ["reading a value that the tape did not keep: an operation's `reads` does not name it"; 2]
    );
    assert_eq!(Tensor::<f32>::shape_only([0, 3].into()).as_slice(), []);
}

#[test]
fn a_shape_that_no_tensor_has_counts_as_many_elements_as_there_can_be() {
    let shape = Shape::from([usize::MAX, 2, 3]);
    assert_eq!((shape.numel(), shape.checked_numel()), (usize::MAX, None));
    assert_eq!(Shape::from([usize::MAX, 0, 3]).numel(), 0);
}

#[test]
fn equality_wants_equal_shapes_and_knows_no_nan() {
    let x = Tensor::from([1.0f32, 2.0]);
    assert_eq!(x, x.clone());
    assert_ne!(x, x.unsqueeze(0).unwrap());
    let nan = Tensor::scalar(f32::NAN);
    assert_ne!(nan, nan.clone());
}

#[test]
fn tensors_and_errors_cross_threads() {
    fn crosses<V: Send + Sync + 'static>() {}
    crosses::<Tensor<f32>>();
    crosses::<Tensor<bool>>();
    crosses::<Shape>();
    crosses::<retrograd_tensor::Error>();
}
