//! Element-wise operations and broadcasting.

use retrograd_tensor::{Result, Tensor};

use crate::oracle::{
    assert_close, assert_same, at, broadcast_at, joint, part_of, rng, shape, shapes, tabulate, whole, wild,
};

type Binary<U> = (&'static str, fn(&Tensor<f64>, &Tensor<f64>) -> Result<Tensor<U>>, fn(f64, f64) -> U);

/// The larger by `f`, NaN if one is.
fn nan_or(a: f64, b: f64, f: fn(f64, f64) -> f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { f(a, b) }
}

const ARITHMETIC: &[Binary<f64>] = &[
    ("add", Tensor::add, |a, b| a + b),
    ("sub", Tensor::sub, |a, b| a - b),
    ("mul", Tensor::mul, |a, b| a * b),
    ("div", Tensor::div, |a, b| a / b),
    ("pow", Tensor::pow, f64::powf),
    ("maximum", Tensor::maximum, |a, b| nan_or(a, b, f64::max)),
    ("minimum", Tensor::minimum, |a, b| nan_or(a, b, f64::min)),
    ("zip", |a, b| a.zip(b, |a, b| 2.0 * a - b), |a, b| 2.0 * a - b),
    ("+", |a, b| Ok(a + b), |a, b| a + b),
    ("-", |a, b| Ok(a - b), |a, b| a - b),
    ("*", |a, b| Ok(a * b), |a, b| a * b),
    ("/", |a, b| Ok(a / b), |a, b| a / b),
];

const COMPARISONS: &[Binary<bool>] = &[
    ("eq", Tensor::eq, |a, b| a == b),
    ("ne", Tensor::ne, |a, b| a != b),
    ("lt", Tensor::lt, |a, b| a < b),
    ("le", Tensor::le, |a, b| a <= b),
    ("gt", Tensor::gt, |a, b| a > b),
    ("ge", Tensor::ge, |a, b| a >= b),
];

/// Holds a table of operations against its formulas on random shapes that broadcast.
fn check<U: retrograd_tensor::Element>(table: &[Binary<U>]) {
    let mut rng = rng(2);
    for rank in (0..=5).flat_map(|rank| [rank; 12]) {
        let common = shape(rank, &mut rng);
        let (a, b) = (part_of(&common, &mut rng), part_of(&common, &mut rng));
        let (a, b) = (wild(&a, &mut rng), wild(&b, &mut rng));
        for (name, operation, formula) in table {
            let what = format!("{name} of {} and {}", a.shape(), b.shape());
            let expected = tabulate(&joint(a.shape(), b.shape()), |index| {
                formula(broadcast_at(&a, &index), broadcast_at(&b, &index))
            });
            assert_same(&what, &operation(&a, &b).unwrap(), &expected);
        }
    }
}

#[test]
fn arithmetic_broadcasts_and_treats_every_pair_alike() {
    check(ARITHMETIC);
}

#[test]
fn comparisons_broadcast_and_nan_is_unequal_to_everything() {
    check(COMPARISONS);
}

#[test]
fn where_takes_from_yes_or_no_and_all_three_broadcast() {
    let mut rng = rng(3);
    for rank in (0..=5).flat_map(|rank| [rank; 8]) {
        let common = shape(rank, &mut rng);
        let [mask, yes, no] = std::array::from_fn(|_| wild(&part_of(&common, &mut rng), &mut rng));
        let mask = mask.map(|x| x > 0.0);
        let shape = joint(&joint(mask.shape(), yes.shape()), no.shape());
        let expected = tabulate(&shape, |index| {
            if broadcast_at(&mask, &index) { broadcast_at(&yes, &index) } else { broadcast_at(&no, &index) }
        });
        let what = format!("where {} {} {}", mask.shape(), yes.shape(), no.shape());
        assert_same(&what, &Tensor::where_(&mask, &yes, &no).unwrap(), &expected);
    }
}

type Unary = (&'static str, fn(&Tensor<f64>) -> Tensor<f64>, fn(f64) -> f64);

const FUNCTIONS: &[Unary] = &[
    ("neg", |x| -x, |x| -x),
    ("scale", |x| x.scale(3.0), |x| 3.0 * x),
    ("shift", |x| x.shift(3.0), |x| x + 3.0),
    ("reciprocal", Tensor::reciprocal, |x| 1.0 / x),
    ("abs", Tensor::abs, f64::abs),
    ("square", Tensor::square, |x| x * x),
    ("sqrt", Tensor::sqrt, f64::sqrt),
    ("powf", |x| x.powf(1.5), |x| x.powf(1.5)),
    ("exp", Tensor::exp, f64::exp),
    ("exp_m1", Tensor::exp_m1, f64::exp_m1),
    ("ln", Tensor::ln, f64::ln),
    ("ln_1p", Tensor::ln_1p, f64::ln_1p),
    ("sin", |x| x.clamp(-9.0, 9.0).sin(), |x| x.clamp(-9.0, 9.0).sin()),
    ("cos", |x| x.clamp(-9.0, 9.0).cos(), |x| x.clamp(-9.0, 9.0).cos()),
    ("tanh", Tensor::tanh, f64::tanh),
    ("sigmoid", Tensor::sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
    ("relu", Tensor::relu, |x| nan_or(x, 0.0, f64::max)),
    ("floor", Tensor::floor, f64::floor),
    ("ceil", Tensor::ceil, f64::ceil),
    ("round", Tensor::round, f64::round_ties_even),
    ("clamp", |x| x.clamp(-1.0, 2.0), |x| x.clamp(-1.0, 2.0)),
    ("a number on the left", |x| 3.0 - 2.0 / (1.0 + x * 2.0) - 0.5, |x| 3.0 - 2.0 / (1.0 + 2.0 * x) - 0.5),
];

#[test]
fn functions_of_one_element_are_those_of_the_standard_library_at_every_kind_of_number() {
    let mut rng = rng(7);
    for shape in shapes(7) {
        let x = wild(&shape, &mut rng);
        for (name, operation, formula) in FUNCTIONS {
            assert_close(name, &operation(&x), &tabulate(&shape, |index| formula(at(&x, &index))));
        }
    }
}

#[test]
fn crossed_bounds_clamp_to_the_upper_one() {
    assert_eq!(Tensor::from([0.0f32, 3.0, 9.0]).clamp(5.0, 1.0), Tensor::from([1.0; 3]));
}

#[test]
fn map_and_zip3_keep_the_shape() {
    let mut rng = rng(4);
    for shape in shapes(4) {
        let [a, b, c] = std::array::from_fn(|_| wild(&shape, &mut rng));
        assert_same("map", &a.map(|x| x < 1.0), &tabulate(&shape, |i| at(&a, &i) < 1.0));
        let expected = tabulate(&shape, |i| at(&a, &i) * at(&b, &i) + at(&c, &i));
        assert_same("zip3", &a.zip3(&b, &c, |a, b, c| a * b + c), &expected);
    }
}

#[test]
fn updates_in_place_leave_those_who_shared_the_elements_alone() {
    let mut rng = rng(5);
    for shape in shapes(5) {
        let [old, g, s] = std::array::from_fn(|_| whole::<f64>(&shape, &mut rng));
        let mut x = old.clone();
        x.update(&g, |x, g| x - 2.0 * g).unwrap();
        assert_same("update", &x, &tabulate(&shape, |i| at(&old, &i) - 2.0 * at(&g, &i)));
        x.accumulate(&g).unwrap();
        assert_same("accumulate", &x, &tabulate(&shape, |i| at(&old, &i) - at(&g, &i)));

        let (mut y, mut state) = (old.clone(), s.clone());
        y.update_with([&mut state], &g, |x, [s], g| (x - s - g, [2.0 * s + g])).unwrap();
        assert_same("updated", &y, &tabulate(&shape, |i| at(&old, &i) - at(&s, &i) - at(&g, &i)));
        assert_same("state", &state, &tabulate(&shape, |i| 2.0 * at(&s, &i) + at(&g, &i)));
    }
}

#[test]
fn updates_reach_every_element_whatever_the_length_and_the_number_of_slots() {
    for len in (0..70).chain([1000, 32 * 1024, 32 * 1024 + 1, 100_003]) {
        let x = |step: f64| Tensor::from_vec((0..len).map(|i| i as f64 * step).collect(), [len]).unwrap();
        let (mut p, mut m, mut v, g) = (x(1.0), x(2.0), x(3.0), x(4.0));
        p.update_with([], &g, |p, [], g| (p + g, [])).unwrap();
        assert_eq!(p, x(5.0), "{len}");
        p.update_with([&mut m, &mut v], &g, |p, [m, v], g| (p + m + v + g, [m + g, v - g])).unwrap();
        assert_eq!([p, m, v], [x(14.0), x(6.0), x(-1.0)], "{len}");
    }
}

#[test]
fn what_repeats_within_short_rows_meets_every_element_it_should() {
    for inner in [1, 2, 7, 16, 25, 63, 64] {
        let x = |shape: [usize; 4]| {
            let len = shape.iter().product::<usize>();
            Tensor::from_vec((0..len).map(|i| i as f64).collect(), shape).unwrap()
        };
        let (image, bias) = (x([5, 3, inner, 1]), x([1, 3, 1, 1]));
        let expected = tabulate(image.shape(), |i| at(&image, &i) - 10.0 * i[1] as f64);
        let minus = |a: f64, b: f64| a - 10.0 * b;
        assert_same("the second", &image.zip(&bias, minus).unwrap(), &expected);
        let of_three = bias.reshape(&[3, 1, 1]).unwrap();
        assert_same("of fewer axes", &image.zip(&of_three, minus).unwrap(), &expected);
        assert_same("the first", &bias.zip(&image, |b, a| minus(a, b)).unwrap(), &expected);
    }
}

#[test]
fn broadcast_to_repeats_and_sum_to_adds_what_was_repeated() {
    let mut rng = rng(6);
    for rank in (0..=5).flat_map(|rank| [rank; 12]) {
        let common = shape(rank, &mut rng);
        let part = whole::<f64>(&part_of(&common, &mut rng), &mut rng);
        let what = format!("{} and {common:?}", part.shape());
        let repeated = part.broadcast_to(&common[..]).unwrap();
        assert_same(&what, &repeated, &tabulate(&common, |index| broadcast_at(&part, &index)));

        let x = whole::<f64>(&common, &mut rng);
        let mut sums = part.zeros_like();
        let place = tabulate(part.shape(), |_| 0.0);
        for index in crate::oracle::indices(&common) {
            let offset: usize = index[rank - place.rank()..]
                .iter()
                .zip(place.shape().iter().zip(place.shape().strides()))
                .map(|(&i, (&extent, stride))| if extent == 1 { 0 } else { i * stride })
                .sum();
            sums.make_mut()[offset] += at(&x, &index);
        }
        assert_same(&what, &x.sum_to(part.shape()).unwrap(), &sums);
    }
}
