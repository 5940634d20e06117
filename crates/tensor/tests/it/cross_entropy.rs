//! Cross-entropy with class numbers, and its pullback.

use rand::RngExt;
use retrograd_tensor::{ClassTargets, Shape, Tensor, with_threads};

use crate::oracle::{assert_close, at, rng, tabulate};

const IGNORED: i64 = -100;

/// A case of the oracle: logits `[outer, classes, inner]`, or `[outer, classes]` where `inner` is 0.
struct Naive {
    logits: Tensor<f64>,
    target: Tensor<i64>,
    weight: Tensor<f64>,
    smoothing: f64,
}

impl Naive {
    fn new([outer, classes, inner]: [usize; 3], smoothing: f64) -> Self {
        let rng = &mut rng((outer + 7 * classes + 31 * inner) as u64);
        let rest = [outer, inner];
        let rest = if inner == 0 { &rest[..1] } else { &rest };
        let logits = [&[outer, classes], &rest[1..]].concat();
        let target = Tensor::from_fn(rest, || {
            if rng.random_bool(0.2) { IGNORED } else { rng.random_range(0..classes as i64) }
        });
        Self {
            target: target.unwrap(),
            logits: Tensor::randn(&logits[..], rng).unwrap().map(|x: f64| 3.0 * x),
            weight: Tensor::rand([classes], 0.5, 2.0, rng).unwrap(),
            smoothing,
        }
    }

    fn targets(&self) -> ClassTargets<f64> {
        let (logits, weight) = (self.logits.shape(), Some(&self.weight));
        ClassTargets::new("test", logits, &self.target, weight, IGNORED, self.smoothing).unwrap()
    }

    /// softmax(x)_c and q_c of every class c at a position.
    fn distributions(&self, position: &[usize]) -> Vec<(f64, f64)> {
        let classes = self.weight.numel();
        let x = |c: usize| at(&self.logits, &[&position[..1], &[c], &position[1..]].concat());
        let sum: f64 = (0..classes).map(|c| x(c).exp()).sum();
        let class = at(&self.target, position);
        let share = |c: usize| {
            let hit = if c as i64 == class { 1.0 - self.smoothing } else { 0.0 };
            let q = at(&self.weight, &[c]) * (hit + self.smoothing / classes as f64);
            if class == IGNORED { 0.0 } else { q }
        };
        (0..classes).map(|c| (x(c).exp() / sum, share(c))).collect()
    }

    /// −Σ q·ln softmax(x).
    fn losses(&self) -> Tensor<f64> {
        tabulate(self.target.shape(), |position| {
            self.distributions(&position).into_iter().map(|(p, q)| -q * p.ln()).sum()
        })
    }

    /// g·((Σ q)·softmax(x) − q).
    fn gradient(&self, g: &Tensor<f64>) -> Tensor<f64> {
        tabulate(self.logits.shape(), |mut index| {
            let c = index.remove(1);
            let distributions = self.distributions(&index);
            let mass: f64 = distributions.iter().map(|(_, q)| q).sum();
            at(g, &index) * (mass * distributions[c].0 - distributions[c].1)
        })
    }
}

/// Rows with less and more than the 16 lanes, columns with less and more than the 64 of a tile.
const SHAPES: &[[usize; 3]] = &[
    [0, 3, 0],
    [1, 1, 0],
    [3, 2, 0],
    [5, 15, 0],
    [4, 16, 0],
    [3, 17, 0],
    [2, 50, 0],
    [2, 3, 0],
    [3, 4, 1],
    [2, 3, 2],
    [1, 5, 63],
    [2, 3, 64],
    [2, 17, 65],
    [3, 2, 130],
];

#[test]
fn losses_and_gradients_are_those_of_the_definition() {
    for &shape in SHAPES {
        for smoothing in [0.0, 0.3, 1.0] {
            let naive = Naive::new(shape, smoothing);
            let targets = naive.targets();
            let what = format!("{shape:?}, smoothing {smoothing}");
            let (losses, parts) = targets.cross_entropy(&naive.logits);
            assert_close(&what, &losses, &naive.losses());
            let g = Tensor::randn(losses.shape(), &mut rng(1)).unwrap();
            assert_close(&what, &targets.pullback(&naive.logits, &parts, &g), &naive.gradient(&g));
        }
    }
}

#[test]
fn work_that_is_split_is_that_of_the_definition_with_the_same_bits_on_any_number_of_threads() {
    for shape in [[6000, 10, 0], [3, 5, 4000]] {
        let naive = Naive::new(shape, 0.1);
        let targets = naive.targets();
        let g = Tensor::randn(naive.target.shape(), &mut rng(1)).unwrap();
        let on = |threads: usize| {
            with_threads(threads, || {
                let (losses, parts) = targets.cross_entropy(&naive.logits);
                let gradient = targets.pullback(&naive.logits, &parts, &g);
                (losses, gradient)
            })
            .unwrap()
        };
        let (losses, gradient) = on(1);
        assert!((&losses, &gradient) == (&on(2).0, &on(3).1), "{shape:?}");
        assert_close("losses", &losses, &naive.losses());
        assert_close("gradient", &gradient, &naive.gradient(&g));
    }
}

#[test]
fn large_logits_do_not_overflow_and_an_impossible_class_costs_infinity() {
    let logits = Tensor::from([[1e4, 0.0], [0.0, f64::NEG_INFINITY]]);
    let targets = ClassTargets::new("test", logits.shape(), &Tensor::from([1i64, 1]), None, IGNORED, 0.0);
    let (losses, parts) = targets.as_ref().unwrap().cross_entropy(&logits);
    assert_eq!(losses.as_slice(), [1e4, f64::INFINITY]);
    let gradient = targets.unwrap().pullback(&logits, &parts, &Tensor::ones([2]).unwrap());
    assert_eq!(gradient.as_slice(), [1.0, -1.0, 1.0, -1.0]);
}

#[test]
fn sums_and_masses_of_targets_leave_out_what_is_ignored() {
    let (target, weight) = (Tensor::from([1, IGNORED, 0]), Tensor::from([0.5, 2.0]));
    let logits = Shape::from([3, 2]);
    let targets = ClassTargets::new("test", &logits, &target, Some(&weight), IGNORED, 0.5).unwrap();
    assert_eq!(targets.total_weight(), 2.5);
    assert_eq!(targets.weights().as_slice(), [2.0, 0.0, 0.5]);
    assert_eq!(targets.masses().as_slice(), [1.625, 0.0, 0.875]);
    assert_eq!(targets.distribution().as_slice(), [0.125, 1.5, 0.0, 0.0, 0.375, 0.5]);
}
