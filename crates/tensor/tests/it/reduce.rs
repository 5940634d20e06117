//! Reductions, over every subset of the axes of random shapes.

use rand::RngExt;
use retrograd_tensor::{Axes, Result, Tensor, keepdim};

use crate::oracle::{assert_close, assert_same, at, indices, rng, shapes, tabulate, whole, wild};

/// Every subset of `rank` axes, some counted from the back.
fn subsets(rank: usize) -> impl Iterator<Item = Vec<isize>> {
    (0..1 << rank).map(move |bits: usize| {
        let chosen = (0..rank).filter(move |axis| bits >> axis & 1 == 1);
        chosen
            .map(|axis| axis as isize - if (bits + axis).is_multiple_of(3) { rank as isize } else { 0 })
            .collect()
    })
}

/// The shape that is left, and that with the reduced axes kept as 1.
fn reduced(shape: &[usize], axes: &[isize]) -> (Vec<usize>, Vec<usize>) {
    let gone = |axis: usize| axes.iter().any(|a| a.rem_euclid(shape.len() as isize) as usize == axis);
    let left = (0..shape.len()).filter(|&axis| !gone(axis)).map(|axis| shape[axis]).collect();
    (left, (0..shape.len()).map(|axis| if gone(axis) { 1 } else { shape[axis] }).collect())
}

/// The oracle: `f` of the elements that fall together, in order, for each element of `kept`.
fn fold(x: &Tensor<f64>, kept: &[usize], f: impl Fn(&[f64]) -> f64) -> Tensor<f64> {
    tabulate(kept, |index| {
        let same = |other: &Vec<usize>| {
            std::iter::zip(other, std::iter::zip(kept, &index)).all(|(o, (&d, i))| d == 1 || o == i)
        };
        let together: Vec<f64> = indices(x.shape()).filter(same).map(|other| at(x, &other)).collect();
        f(&together)
    })
}

type Reduction = (&'static str, fn(&Tensor<f64>, Axes) -> Result<Tensor<f64>>, fn(&[f64]) -> f64);

fn largest(x: &[f64], larger: fn(f64, f64) -> bool) -> f64 {
    x.iter().copied().reduce(|a, b| if larger(a, b) || a.is_nan() { a } else { b }).unwrap()
}

fn squares(x: &[f64]) -> f64 {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    x.iter().map(|x| (x - mean) * (x - mean)).sum()
}

const SUMS: &[Reduction] = &[
    ("sum", |x, axes| x.sum(axes), |x| x.iter().sum()),
    ("prod", |x, axes| x.prod(axes), |x| x.iter().product()),
    ("mean", |x, axes| x.mean(axes), |x| x.iter().sum::<f64>() / x.len() as f64),
    ("biased var", |x, axes| x.var(axes, 0.0), |x| squares(x) / x.len() as f64),
    ("unbiased var", |x, axes| x.var(axes, 1.0), |x| squares(x) / (x.len() as f64 - 1.0).max(0.0)),
];

/// These choose, and must have something to choose from.
const EXTREMES: &[Reduction] = &[
    ("amax", |x, axes| x.amax(axes), |x| largest(x, |a, b| a > b)),
    ("amin", |x, axes| x.amin(axes), |x| largest(x, |a, b| a < b)),
];

fn check(x: &Tensor<f64>, axes: &[isize], table: &[Reduction], assert: fn(&str, &Tensor<f64>, &Tensor<f64>)) {
    let (left, kept) = reduced(x.shape(), axes);
    for (name, operation, f) in table {
        let what = format!("{name} of {} over {axes:?}", x.shape());
        let expected = fold(x, &kept, f);
        assert(&what, &operation(x, keepdim(axes)).unwrap(), &expected);
        assert(
            &what,
            &operation(x, axes.into()).unwrap(),
            &Tensor::from_vec(expected.to_vec(), left.clone()).unwrap(),
        );
    }
}

#[test]
fn sums_over_every_subset_of_axes_with_and_without_keeping_them() {
    let mut rng = rng(10);
    for shape in shapes(10).iter().filter(|shape| shape.iter().product::<usize>() <= 300) {
        let x = whole(shape, &mut rng);
        subsets(shape.len()).for_each(|axes| check(&x, &axes, SUMS, assert_close));
    }
}

#[test]
fn extremes_are_nan_where_an_element_is_and_an_error_where_there_is_none() {
    let mut rng = rng(11);
    for shape in shapes(11).iter().filter(|shape| shape.iter().product::<usize>() <= 300) {
        let x = wild(shape, &mut rng);
        for axes in subsets(shape.len()) {
            let nothing = axes.iter().any(|a| shape[a.rem_euclid(shape.len() as isize) as usize] == 0);
            match nothing {
                true => EXTREMES
                    .iter()
                    .for_each(|(_, operation, _)| assert!(operation(&x, axes[..].into()).is_err())),
                false => check(&x, &axes, EXTREMES, assert_same),
            }
        }
    }
}

#[test]
fn all_axes_are_written_as_a_full_range() {
    let x = Tensor::<f64>::arange(6).unwrap().reshape(&[2, 3]).unwrap();
    assert_eq!(x.sum(..).unwrap(), Tensor::scalar(15.0));
    assert_eq!(x.sum(keepdim(..)).unwrap(), Tensor::from([[15.0]]));
    assert_eq!(x.sum([-1, 0]).unwrap(), Tensor::scalar(15.0));
    assert_eq!(x.sum([]).unwrap(), x, "no axes reduce nothing");
}

#[test]
fn of_nothing_the_sum_is_0_the_product_1_and_the_mean_nan() {
    let x = Tensor::<f64>::zeros([2, 0, 3]).unwrap();
    assert_eq!(x.sum(1).unwrap(), Tensor::zeros([2, 3]).unwrap());
    assert_eq!(x.prod(..).unwrap(), Tensor::scalar(1.0));
    assert!(x.mean(1).unwrap().as_slice().iter().all(|x| x.is_nan()));
    assert!(x.var(.., 0.0).unwrap().item().unwrap().is_nan());
}

#[test]
fn long_sums_are_exact_where_the_numbers_allow_it() {
    // Longer than a run (4096), than a task (32 Ki), and neither a multiple of anything.
    for [a, b, c] in
        [[1, 1, 100_003], [100_003, 1, 1], [7, 4_099, 3], [3, 5, 8_209], [40_009, 2, 1], [61, 43, 37]]
    {
        let x =
            Tensor::<f64>::arange(a * b * c).unwrap().reshape(&[a as isize, b as isize, c as isize]).unwrap();
        for axes in subsets(3) {
            let (left, kept) = reduced(x.shape(), &axes);
            let mut expected = vec![0.0; left.iter().product()];
            for (index, value) in indices(x.shape()).zip(x.as_slice()) {
                let place =
                    std::iter::zip(&index, &kept).fold(0, |at, (&i, &d)| at * d + if d == 1 { 0 } else { i });
                expected[place] += value;
            }
            let what = format!("sum of {} over {axes:?}", x.shape());
            assert_same(&what, &x.sum(&axes[..]).unwrap(), &Tensor::from_vec(expected, left).unwrap());
        }
    }
}

#[test]
fn a_long_sum_keeps_its_rounding_error_small() {
    let x = Tensor::full([1 << 22], 0.1f32).unwrap();
    let (sum, exact) =
        (f64::from(x.sum(..).unwrap().item().unwrap()), f64::from(0.1f32) * f64::from(1 << 22));
    assert!((sum - exact).abs() < 1e-6 * exact, "{sum}, not {exact}");
}

#[test]
fn the_position_of_an_extreme_is_the_first_of_equals_and_nan_comes_before_all() {
    type Position = (fn(&Tensor<f64>, isize) -> Result<Tensor<i64>>, fn(f64, f64) -> bool);
    let table: [Position; 2] = [(Tensor::argmax, |a, b| a > b), (Tensor::argmin, |a, b| a < b)];
    let mut rng = rng(12);
    for shape in shapes(12).iter().filter(|shape| !shape.contains(&0)) {
        for x in [whole(shape, &mut rng), wild(shape, &mut rng)] {
            for (axis, (operation, better)) in (0..shape.len()).flat_map(|axis| table.map(|row| (axis, row)))
            {
                let (left, _) = reduced(shape, &[axis as isize]);
                let expected = tabulate(&left, |mut index| {
                    index.insert(axis, 0);
                    let along: Vec<f64> = (0..shape[axis])
                        .map(|i| {
                            index[axis] = i;
                            at(&x, &index)
                        })
                        .collect();
                    let wins = |i: &usize| {
                        along[*i].is_nan()
                            || !along.iter().any(|&other| other.is_nan() || better(other, along[*i]))
                    };
                    (0..along.len()).find(wins).unwrap() as i64
                });
                let what = format!("position along {axis} of {shape:?}");
                assert_same(&what, &operation(&x, axis as isize - shape.len() as isize).unwrap(), &expected);
            }
        }
    }
}

#[test]
fn positions_of_extremes_are_those_of_a_search_through_long_axes_too() {
    let mut rng = rng(13);
    for shape in [[1_000, 37], [37, 1_000], [50_000, 1], [2, 33]] {
        // Few different numbers, so that there are ties, and a few NaNs.
        let numbers = [0.0, -0.0, 1.0, 2.0, 2.0, f64::INFINITY];
        let x = Tensor::from_fn(shape, || match rng.random_range(0..200) {
            0 => f64::NAN,
            n => numbers[n % numbers.len()],
        });
        let x = x.unwrap();
        for axis in 0..2 {
            let line = |other: usize| -> Vec<f64> {
                let index = |i| if axis == 0 { [i, other] } else { [other, i] };
                (0..shape[axis]).map(|i| x.get(&index(i)).unwrap()).collect()
            };
            let first = |better: fn(f64, f64) -> bool| -> Vec<i64> {
                let search = |line: Vec<f64>| {
                    let nan = line.iter().position(|x| x.is_nan());
                    let best = || (0..line.len()).find(|&i| !line.iter().any(|&x| better(x, line[i])));
                    nan.or_else(best).unwrap() as i64
                };
                (0..shape[1 - axis]).map(|other| search(line(other))).collect()
            };
            assert_eq!(x.argmax(axis as isize).unwrap().to_vec(), first(|a, b| a > b));
            assert_eq!(x.argmin(axis as isize).unwrap().to_vec(), first(|a, b| a < b));
        }
    }
}

#[test]
fn runs_short_and_long_are_summed_across_what_lies_between_them() {
    for inner in [1, 2, 9, 16, 32, 39, 63, 64, 65, 200, 2100] {
        for outer in [1, 2, 41] {
            let shape = [outer, 3, inner, 1, 2];
            let len = shape.iter().product::<usize>();
            let x = Tensor::from_vec((0..len).map(|i| (i * i % 13) as f64).collect(), shape).unwrap();
            let mut expected = [0.0; 3];
            for (i, x) in x.as_slice().iter().enumerate() {
                expected[i / (2 * inner) % 3] += x;
            }
            let sums = x.sum([0, 2, 4]).unwrap();
            assert_eq!(sums.shape()[..], [3, 1], "{outer} {inner}");
            assert_eq!(sums.as_slice(), expected, "{outer} {inner}");
            assert_eq!(x.sum_to([1, 3, 1, 1, 1]).unwrap().as_slice(), expected, "{outer} {inner}");
        }
    }
}
