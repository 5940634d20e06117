//! Softmax and its logarithm.

use retrograd_tensor::Tensor;

use crate::oracle::{assert_close, assert_same, at, rng, shapes, tabulate};

/// The oracle: eˣ/Σ eˣ along an axis, from the definition.
fn naive(x: &Tensor<f64>, axis: usize) -> Tensor<f64> {
    tabulate(x.shape(), |index| {
        let along = |i: usize| {
            let mut index = index.clone();
            index[axis] = i;
            at(x, &index)
        };
        at(x, &index).exp() / (0..x.shape()[axis]).map(|i| along(i).exp()).sum::<f64>()
    })
}

#[test]
fn softmax_along_any_axis_and_its_logarithm() {
    let mut rng = rng(50);
    for shape in shapes(50) {
        let x = Tensor::<f64>::randn(&shape[..], &mut rng).unwrap();
        for axis in 0..shape.len() {
            let (what, expected) = (format!("axis {axis} of {shape:?}"), naive(&x, axis));
            assert_close(&what, &x.softmax(axis as isize).unwrap(), &expected);
            assert_close(
                &what,
                &x.log_softmax(axis as isize - shape.len() as isize).unwrap(),
                &expected.map(f64::ln),
            );
        }
    }
}

/// Rows of which each holds one difficulty, along the last axis and, transposed, along the first.
fn along_both_axes(rows: [[f64; 3]; 4], expected: [[f64; 3]; 4], f: fn(&Tensor<f64>, isize) -> Tensor<f64>) {
    let (x, y) = (Tensor::from(rows), Tensor::from(expected));
    assert_close("along rows", &f(&x, 1), &y);
    assert_close("along columns", &f(&x.transpose(0, 1).unwrap(), 0), &y.transpose(0, 1).unwrap());
}

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

#[test]
fn large_numbers_do_not_overflow_and_a_nan_stays_in_its_row() {
    let rows = [[1e4, 1e4, -1e4], [-INF, 0.0, 0.0], [NAN, 0.0, 0.0], [-INF, -INF, -INF]];
    let half = 0.5f64;
    along_both_axes(rows, [[half, half, 0.0], [0.0, half, half], [NAN; 3], [NAN; 3]], |x, axis| {
        x.softmax(axis).unwrap()
    });
    let log = half.ln();
    along_both_axes(rows, [[log, log, log - 2e4], [-INF, log, log], [NAN; 3], [NAN; 3]], |x, axis| {
        x.log_softmax(axis).unwrap()
    });
}

#[test]
fn of_one_element_the_softmax_is_one_and_of_none_there_is_none() {
    assert_same("one", &Tensor::from([[7.0f32], [-7.0]]).softmax(1).unwrap(), &Tensor::ones([2, 1]).unwrap());
    assert_eq!(*Tensor::<f32>::zeros([2, 0, 3]).unwrap().log_softmax(1).unwrap().shape(), [2, 0, 3]);
}

#[test]
fn a_row_of_any_length_is_normalised_and_a_nan_anywhere_spreads_over_it() {
    for len in (1..140).chain([1000]) {
        let row = |nan: Option<usize>| {
            let x = |i: usize| if nan == Some(i) { f64::NAN } else { (i * 7 % 11) as f64 - 5.0 };
            Tensor::from_vec((0..len).map(x).collect(), [1, len]).unwrap()
        };
        assert_close("softmax", &row(None).softmax(1).unwrap(), &naive(&row(None), 1));
        for nan in [0, len / 2, len - 1] {
            assert!(
                row(Some(nan)).softmax(1).unwrap().as_slice().iter().all(|y| y.is_nan()),
                "{nan} of {len}"
            );
        }
    }
}
