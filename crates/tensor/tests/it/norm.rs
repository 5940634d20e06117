//! Normalisation by groups, against its definition one element at a time.

use retrograd_tensor::{Groups, Moments, Source, Tensor};

use crate::oracle::{assert_close, rng};

const EPS: f64 = 1e-3;

/// A name, the groups, and the group and the channel of each element.
type Layout = (&'static str, Groups, Vec<(usize, usize)>);

/// From the definitions: by batch, by 2 groups of channels, by row.
fn layouts(shape: [usize; 3]) -> [Layout; 3] {
    let [n, c, l] = shape;
    let whole = shape.into();
    let indices = (0..n).flat_map(move |i| (0..c).flat_map(move |j| (0..l).map(move |k| (i, j, k))));
    [
        ("batch", Groups::of_batch(&whole), indices.clone().map(|(_, j, _)| (j, j)).collect()),
        (
            "groups",
            Groups::of_channels(&whole, 2),
            indices.clone().map(|(i, j, _)| (2 * i + j / (c / 2), j)).collect(),
        ),
        ("rows", Groups::of_rows(&whole, 2), indices.map(|(i, j, k)| (i, l * j + k)).collect()),
    ]
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// The elements of `x` in a group (part 0) or a channel (part 1).
fn members(x: &[f64], of: &[(usize, usize)], group: usize) -> impl Iterator<Item = f64> {
    x.iter().zip(of).filter(move |(_, of)| of.0 == group).map(|(&x, _)| x)
}

/// Shapes of every form: long runs in one piece and in several, runs too short to be rows, none.
const SHAPES: [[usize; 3]; 6] = [[3, 4, 33], [2, 2, 5000], [40, 4, 3], [70, 130, 1], [1, 4, 6], [5, 2, 16]];

#[test]
fn moments_values_and_pullbacks_are_those_of_the_definition() {
    let rng = &mut rng(60);
    for shape in SHAPES {
        let x = Tensor::<f64>::randn(shape, rng).unwrap().map(|x| 3.0 + 2.0 * x);
        let g = Tensor::<f64>::randn(shape, rng).unwrap();
        for (what, groups, of) in layouts(shape) {
            let what = format!("{what} of {shape:?}");
            let count = of.iter().map(|of| of.0).max().unwrap() + 1;
            let (xs, gs) = (x.as_slice(), g.as_slice());
            let means: Vec<f64> = (0..count).map(|group| mean(members(xs, &of, group))).collect();
            let var = |group: usize| mean(members(xs, &of, group).map(|x| (x - means[group]).powi(2)));
            let vars: Vec<f64> = (0..count).map(var).collect();
            let vector = |values: &[f64]| Tensor::from_slice(values, [values.len()]).unwrap();
            let expected = Moments { mean: vector(&means), var: vector(&vars) };
            let found = groups.moments(&x);
            assert_close(&what, &found.mean, &expected.mean);
            assert_close(&what, &found.var, &expected.var);

            let weight = Tensor::<f64>::randn([groups.channels()], rng).unwrap();
            let bias = Tensor::<f64>::randn([groups.channels()], rng).unwrap();
            let (w, b) = (weight.as_slice(), bias.as_slice());
            let standard: Vec<f64> =
                xs.iter().zip(&of).map(|(x, of)| (x - means[of.0]) / (vars[of.0] + EPS).sqrt()).collect();
            let y: Vec<f64> = standard.iter().zip(&of).map(|(x, of)| w[of.1] * x + b[of.1]).collect();
            let found = groups.normalise(&x, &expected, EPS, [&weight, &bias]);
            assert_close(&what, &found, &Tensor::from_slice(&y, shape).unwrap());

            for (source, plain, slope) in
                [(Source::Own, 1.0, 1.0), (Source::MeanSquare, 0.0, 1.0), (Source::Given, 0.0, 0.0)]
            {
                let scaled: Vec<f64> = gs.iter().zip(&of).map(|(g, of)| w[of.1] * g).collect();
                let product: Vec<f64> = scaled.iter().zip(&standard).map(|(g, x)| g * x).collect();
                let over = |values: &[f64]| -> Vec<f64> {
                    (0..count).map(|group| mean(members(values, &of, group))).collect()
                };
                let (of_g, of_product) = (over(&scaled), over(&product));
                let gx: Vec<f64> = (0..of.len())
                    .map(|i| {
                        let group = of[i].0;
                        let rest = scaled[i] - plain * of_g[group] - slope * standard[i] * of_product[group];
                        rest / (vars[group] + EPS).sqrt()
                    })
                    .collect();
                let sum = |term: &dyn Fn(usize) -> f64| {
                    let mut sums = vec![0.0; groups.channels()];
                    (0..of.len()).for_each(|i| sums[of[i].1] += term(i));
                    vector(&sums)
                };
                let (found, [gw, gb]) = groups.pull([&x, &weight, &g], &expected, EPS, source, true);
                let what = format!("{what}, {source:?}");
                let close = |found: &Tensor<f64>, expected: &Tensor<f64>| {
                    assert_eq!(found.shape(), expected.shape(), "{what}");
                    for (a, b) in found.as_slice().iter().zip(expected.as_slice()) {
                        assert!((a - b).abs() <= 1e-11 * (1.0 + b.abs()), "{what}: {a}, expected {b}");
                    }
                };
                close(&found.unwrap(), &Tensor::from_slice(&gx, shape).unwrap());
                close(&gw, &sum(&|i| gs[i] * standard[i]));
                close(&gb, &sum(&|i| gs[i]));
            }
        }
    }
}

#[test]
fn single_precision_far_from_zero_loses_no_digits() {
    for shape in SHAPES {
        let x = Tensor::<f32>::randn(shape, &mut rng(61)).unwrap().map(|x| 1e4 + x);
        let exact = x.cast::<f64>();
        for (what, groups, _) in layouts(shape) {
            let channels = groups.channels();
            let (one, zero) = (Tensor::<f32>::ones([channels]).unwrap(), Tensor::zeros([channels]).unwrap());
            let found = groups.normalise(&x, &groups.moments(&x), EPS, [&one, &zero]);
            let expected =
                groups.normalise(&exact, &groups.moments(&exact), EPS, [&one.cast(), &zero.cast::<f64>()]);
            for (a, b) in found.as_slice().iter().zip(expected.as_slice()) {
                assert!((f64::from(*a) - b).abs() < 1e-5, "{what} of {shape:?}: {a}, expected {b}");
            }
        }
    }
}

#[test]
fn what_has_no_elements_has_no_result_and_no_gradient() {
    for shape in [[0, 4, 3], [2, 4, 0], [0, 0, 0]] {
        let x = Tensor::<f32>::zeros(shape).unwrap();
        for (_, groups, _) in layouts([2, 4, 3]).map(|(what, _, of)| match what {
            "batch" => (what, Groups::of_batch(x.shape()), of),
            "groups" => (what, Groups::of_channels(x.shape(), 2), of),
            _ => (what, Groups::of_rows(x.shape(), 2), of),
        }) {
            let weight = Tensor::ones([groups.channels()]).unwrap();
            let moments = groups.moments(&x);
            assert_eq!(groups.normalise(&x, &moments, EPS, [&weight, &weight]), x);
            let (gx, [gw, gb]) = groups.pull([&x, &weight, &x], &moments, EPS, Source::Own, true);
            assert_eq!((gx.unwrap(), gw, gb), (x.clone(), weight.zeros_like(), weight.zeros_like()));
        }
    }
}
