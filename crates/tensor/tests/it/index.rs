//! Choosing and scattering by integer index.

use rand::RngExt;
use rand::rngs::StdRng;
use retrograd_tensor::Tensor;

use crate::oracle::{assert_same, at, indices, rng, shapes, tabulate, whole};

/// Random positions of an axis.
fn positions(shape: &[usize], extent: usize, rng: &mut StdRng) -> Tensor<i64> {
    Tensor::from_fn(shape, || rng.random_range(0..extent as i64)).unwrap()
}

/// Random shapes with an axis that has positions.
fn with_axis(seed: u64) -> impl Iterator<Item = (Vec<usize>, usize)> {
    shapes(seed)
        .into_iter()
        .flat_map(|shape| (0..shape.len()).map(move |axis| (shape.clone(), axis)))
        .filter(|(shape, axis)| shape[*axis] > 0)
}

#[test]
fn index_select_takes_slices_and_index_add_adds_them_repeated_ones_too() {
    let mut rng = rng(30);
    for (shape, axis) in with_axis(30) {
        let count = rng.random_range(0..5);
        let index = positions(&[count], shape[axis], &mut rng);
        let x = whole::<f64>(&shape, &mut rng);
        let mut result = shape.clone();
        result[axis] = count;
        let named = |mut i: Vec<usize>| {
            i[axis] = at(&index, &[i[axis]]) as usize;
            i
        };
        let what = format!("{index} along {axis} of {shape:?}");
        let signed = axis as isize - shape.len() as isize;
        assert_same(
            &what,
            &x.index_select(signed, &index).unwrap(),
            &tabulate(&result, |i| at(&x, &named(i))),
        );

        let source = whole::<f64>(&result, &mut rng);
        let expected = tabulate(&shape, |i| {
            let added = indices(&result).filter(|j| named(j.clone()) == i).map(|j| at(&source, &j));
            at(&x, &i) + added.sum::<f64>()
        });
        assert_same(&what, &x.index_add(axis as isize, &index, &source).unwrap(), &expected);
    }
}

#[test]
fn gather_takes_elements_and_scatter_add_adds_them_repeated_ones_too() {
    let mut rng = rng(31);
    for (shape, axis) in with_axis(31) {
        // Elsewhere than along the axis, the index may be shorter; along it, longer.
        let part: Vec<usize> = (0..shape.len())
            .map(|i| {
                if i == axis {
                    rng.random_range(0..5)
                } else {
                    shape[i] - usize::from(shape[i] > 1 && rng.random())
                }
            })
            .collect();
        let index = positions(&part, shape[axis], &mut rng);
        let x = whole::<f64>(&shape, &mut rng);
        let named = |i: &Vec<usize>| {
            let mut named = i.clone();
            named[axis] = at(&index, i) as usize;
            named
        };
        let what = format!("{part:?} along {axis} of {shape:?}");
        let signed = axis as isize - shape.len() as isize;
        assert_same(&what, &x.gather(signed, &index).unwrap(), &tabulate(&part, |i| at(&x, &named(&i))));

        let source = whole::<f64>(&part, &mut rng);
        let expected = tabulate(&shape, |i| {
            let added = indices(&part).filter(|j| named(j) == i).map(|j| at(&source, &j));
            at(&x, &i) + added.sum::<f64>()
        });
        assert_same(&what, &x.scatter_add(axis as isize, &index, &source).unwrap(), &expected);
    }
}
