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
        assert_same(
            &what,
            &Tensor::index_add_zeros(&shape[..], signed, &index, &source).unwrap(),
            &x.zeros_like().index_add(signed, &index, &source).unwrap(),
        );
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
        assert_same(
            &what,
            &Tensor::scatter_add_zeros(&shape[..], signed, &index, &source).unwrap(),
            &x.zeros_like().scatter_add(signed, &index, &source).unwrap(),
        );
    }
}

/// As a maximum pooling has them: rows enough for several threads, the index longer or shorter than they are.
#[test]
fn rows_gather_from_and_scatter_to_themselves() {
    let mut rng = rng(32);
    for [rows, extent, len] in [[900, 100, 25], [5_000, 7, 31], [1, 100_000, 3], [3, 1, 40_000]] {
        let index = positions(&[rows, len], extent, &mut rng);
        let (x, source) = (whole::<f64>(&[rows, extent], &mut rng), whole::<f64>(&[rows, len], &mut rng));
        let (mut gathered, mut sum) = (Vec::new(), x.to_vec());
        for (i, (&position, &source)) in index.as_slice().iter().zip(source.as_slice()).enumerate() {
            let place = i / len * extent + position as usize;
            gathered.push(x.as_slice()[place]);
            sum[place] += source;
        }
        assert_eq!(x.gather(1, &index).unwrap().to_vec(), gathered);
        assert_eq!(x.scatter_add(1, &index, &source).unwrap().to_vec(), sum);
    }
}
