//! Tensors defined element by element, random shapes and contents, and how tensors are compared.

use std::ops::Range;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use retrograd_tensor::{Element, Float, Tensor};

/// Every index of a shape, in row-major order.
pub(crate) fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let shape = shape.to_vec();
    (0..shape.iter().product()).map(move |mut offset: usize| {
        let mut index = vec![0; shape.len()];
        for (axis, extent) in shape.iter().enumerate().rev() {
            index[axis] = offset % extent;
            offset /= extent;
        }
        index
    })
}

/// The oracle: the tensor whose element at each index is `f` of the index.
pub(crate) fn tabulate<T: Element>(shape: &[usize], f: impl FnMut(Vec<usize>) -> T) -> Tensor<T> {
    let values: Vec<T> = indices(shape).map(f).collect();
    Tensor::from_vec(values, shape).unwrap()
}

/// The element at an index that exists.
pub(crate) fn at<T: Element>(x: &Tensor<T>, index: &[usize]) -> T {
    x.get(index).unwrap_or_else(|| panic!("no element {index:?} in {}", x.shape()))
}

/// The element that broadcasting puts at an index: axes are aligned at the last, and an extent of 1 is
/// repeated.
pub(crate) fn broadcast_at<T: Element>(x: &Tensor<T>, index: &[usize]) -> T {
    let own = &index[index.len() - x.rank()..];
    let own: Vec<usize> =
        own.iter().zip(x.shape().iter()).map(|(&i, &d)| if d == 1 { 0 } else { i }).collect();
    at(x, &own)
}

/// The shape that two shapes which broadcast broadcast to.
pub(crate) fn joint(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let padded = |shape: &[usize]| [vec![1; rank - shape.len()], shape.to_vec()].concat();
    std::iter::zip(padded(a), padded(b)).map(|(a, b)| if a == 1 { b } else { a }).collect()
}

pub(crate) fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// A random number of a range that may begin below 0.
pub(crate) fn signed(range: Range<isize>, rng: &mut StdRng) -> isize {
    rng.random_range(range.start as i64..range.end as i64) as isize
}

/// A random shape with extents 1, 2, 3 and 5, and now and then 0.
pub(crate) fn shape(rank: usize, rng: &mut StdRng) -> Vec<usize> {
    let extents = [1, 1, 2, 2, 3, 3, 3, 5, 5, 0];
    (0..rank).map(|_| extents[rng.random_range(0..extents.len())]).collect()
}

/// Several random shapes of every rank up to 5.
pub(crate) fn shapes(seed: u64) -> Vec<Vec<usize>> {
    let mut rng = rng(seed);
    (0..=5).flat_map(|rank| (0..8).map(move |_| rank)).map(|rank| shape(rank, &mut rng)).collect()
}

/// A random shape that broadcasts to `whole`: leading axes dropped, others made 1.
pub(crate) fn part_of(whole: &[usize], rng: &mut StdRng) -> Vec<usize> {
    let dropped = if rng.random_bool(0.3) { rng.random_range(0..=whole.len()) } else { 0 };
    whole[dropped..].iter().map(|&extent| if rng.random_bool(0.4) { 1 } else { extent }).collect()
}

/// Whole numbers from −3 to 3, whose sums are exact in any order.
pub(crate) fn whole<T: Float>(shape: &[usize], rng: &mut StdRng) -> Tensor<T> {
    Tensor::from_fn(shape, || T::from_f64(f64::from(rng.random_range(-3..=3)))).unwrap()
}

/// Numbers among which are zeros, infinities and NaN.
pub(crate) fn wild(shape: &[usize], rng: &mut StdRng) -> Tensor<f64> {
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 1e300];
    Tensor::from_fn(shape, || values[rng.random_range(0..values.len())]).unwrap()
}

/// Shapes and elements are equal; a NaN equals a NaN.
#[track_caller]
pub(crate) fn assert_same<T: Element>(what: &str, actual: &Tensor<T>, expected: &Tensor<T>) {
    #[allow(clippy::eq_op, reason = "only NaN differs from itself")]
    let same = |a: T, b: T| a == b || (a != a && b != b);
    assert_agree(what, actual, expected, same);
}

/// Shapes are equal, and elements but for rounding; a NaN equals a NaN.
#[track_caller]
pub(crate) fn assert_close(what: &str, actual: &Tensor<f64>, expected: &Tensor<f64>) {
    let close =
        |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-13 * (1.0 + b.abs());
    assert_agree(what, actual, expected, close);
}

#[track_caller]
fn assert_agree<T: Element>(
    what: &str,
    actual: &Tensor<T>,
    expected: &Tensor<T>,
    agree: impl Fn(T, T) -> bool,
) {
    assert_eq!(actual.shape(), expected.shape(), "{what}: shapes");
    for index in indices(expected.shape()) {
        let (a, b) = (at(actual, &index), at(expected, &index));
        assert!(agree(a, b), "{what}: at {index:?} of {}: {a}, expected {b}", expected.shape());
    }
}
