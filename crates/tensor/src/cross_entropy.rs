//! The cross-entropy of logits with class numbers: logarithm of the sum of exponentials and pick in one pass,
//! the pullback in another.
//!
//! The logits are `[n, classes, d₁, …]`; every other index is a *position*. With weights w and smoothing ε, a
//! position of class y has the loss Σ_c q_c·(ln Σ eˣ − x_c), where q_c = (1 − ε)·w_y·\[c = y\] +
//! ε/classes·w_c; an ignored one has q = 0. The gradient is (Σ q)·softmax(x) − q, so that the exponentials
//! are never stored.

use crate::element::larger;
use crate::reduce::{join_all, maximum};
use crate::simd::dispatch;
use crate::{Error, Float, Result, Shape, Tensor, par};

/// Class numbers as the targets of a classification, checked against the shape of the logits.
#[derive(Clone, Debug)]
pub struct ClassTargets<T: Float> {
    target: Tensor<i64>,
    ignore_index: i64,
    weight: Tensor<T>,
    label_smoothing: T,
    logits: Shape,
}

impl<T: Float> ClassTargets<T> {
    /// `target` holds a class number for each position of `logits`: `[n, d₁, …]` for `[n, classes, d₁, …]`,
    /// and a scalar for `[classes]`. `weight` is `[classes]`; without it all classes weigh 1.
    ///
    /// # Errors
    /// If the shapes do not fit, there are no classes, a target is neither a class nor `ignore_index`, or the
    /// smoothing is not within `[0, 1]`.
    #[track_caller]
    pub fn new(
        op: &'static str,
        logits: &Shape,
        target: &Tensor<i64>,
        weight: Option<&Tensor<T>>,
        ignore_index: i64,
        label_smoothing: f64,
    ) -> Result<Self> {
        let classes = class_count(op, logits)?;
        let mut expected = logits.clone();
        expected.remove(class_axis(logits));
        if *target.shape() != expected {
            let fact = format!("logits {logits} want targets of shape {expected}, found {}", target.shape());
            return Err(Error::new(op, fact));
        }
        let no_class = |&&class: &&i64| (class < 0 || class as usize >= classes) && class != ignore_index;
        if let Some(class) = target.as_slice().iter().find(no_class) {
            let fact = format!("target {class} is no class of the {classes} (0 to {})", classes - 1);
            return Err(Error::new(op, fact));
        }
        check_smoothing(op, label_smoothing)?;
        Ok(Self {
            target: target.clone(),
            ignore_index,
            weight: class_weights(op, classes, weight)?,
            label_smoothing: T::from_f64(label_smoothing),
            logits: logits.clone(),
        })
    }

    /// The axis of the logits along which the classes lie.
    pub fn axis(&self) -> isize {
        class_axis(&self.logits) as isize
    }

    /// Bytes of the tensors that the targets hold.
    #[doc(hidden)]
    pub fn held_bytes(&self) -> usize {
        self.target.held_bytes() + self.weight.held_bytes()
    }

    /// Which positions count: those that are not ignored.
    pub fn kept(&self) -> Tensor<bool> {
        self.target.map(|class| class != self.ignore_index)
    }

    /// The class of each position, 0 where it is ignored.
    pub fn classes(&self) -> Tensor<i64> {
        self.target.map(|class| if class == self.ignore_index { 0 } else { class })
    }

    /// The weight of each position's class, 0 where it is ignored.
    pub fn weights(&self) -> Tensor<T> {
        let weight = self.weight.as_slice();
        self.target.map(|class| self.class(class).map_or(T::ZERO, |class| weight[class]))
    }

    /// The sum of [`weights`](Self::weights): what the mean of the losses is divided by.
    pub fn total_weight(&self) -> f64 {
        let weight = self.weight.as_slice();
        let kept = self.target.as_slice().iter().filter_map(|&class| self.class(class));
        kept.map(|class| weight[class].to_f64()).sum()
    }

    /// Σ q of each position.
    pub fn masses(&self) -> Tensor<T> {
        let spread = self.spread_sum();
        self.target.map(|class| self.class(class).map_or(T::ZERO, |class| self.hit(class) + spread))
    }

    /// q, of the logits' shape.
    pub fn distribution(&self) -> Tensor<T> {
        let (classes, inner) = self.extents();
        let target = self.target.as_slice();
        Tensor::written(self.logits.clone(), |q| {
            for (at, q) in q.iter_mut().enumerate() {
                let (row, column) = (at / inner, at % inner);
                let (outer, c) = (row / classes, row % classes);
                *q = match self.class(target[outer * inner + column]) {
                    None => T::ZERO,
                    Some(y) if y == c => self.hit(c) + self.spread(c),
                    Some(_) => self.spread(c),
                };
            }
        })
    }

    /// The loss of each position, and what [`pullback`](Self::pullback) needs to know: `[positions, 3]`, of
    /// which each row holds the loss, max x and ln Σ e^(x − max).
    ///
    /// # Panics
    /// If `x` is not of the logits' shape.
    pub fn cross_entropy(&self, x: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
        assert!(*x.shape() == self.logits, "the targets are those of other logits");
        let (classes, inner) = self.extents();
        let (x, target) = (x.as_slice(), self.target.as_slice());
        let parts = Tensor::written([target.len(), 3].into(), |parts| {
            par::rows(parts, 3, 16 * classes, |first, parts| {
                dispatch(
                    #[inline(always)]
                    || match inner {
                        1 => self.rows(&x[first * classes..], &target[first..], parts),
                        _ => self.columns(x, target, first, parts),
                    },
                );
            });
        });
        let losses = parts.as_slice().iter().step_by(3);
        let losses = Tensor::written(self.target.shape().clone(), |y| {
            y.iter_mut().zip(losses).for_each(|(y, &loss)| *y = loss);
        });
        (losses, parts)
    }

    /// Positions that are rows of `x`.
    #[inline(always)]
    fn rows(&self, x: &[T], target: &[i64], parts: &mut [T]) {
        let x = x.chunks_exact(self.weight.numel());
        for ((x, &class), parts) in x.zip(target).zip(parts.chunks_exact_mut(3)) {
            let [max, ln_sum] = row_normaliser(x);
            let spread = self.spread_loss(x.iter().copied(), max, ln_sum);
            let loss = self.class(class).map(|y| self.hit(y) * (ln_sum - (x[y] - max)) + spread);
            parts.copy_from_slice(&[loss.unwrap_or(T::ZERO), max, ln_sum]);
        }
    }

    /// Positions from `first` on that are columns of the blocks of `x`, some of them at a time.
    #[inline(always)]
    fn columns(&self, x: &[T], target: &[i64], first: usize, parts: &mut [T]) {
        let (classes, inner) = self.extents();
        let mut position = first;
        let mut rest = parts;
        while !rest.is_empty() {
            let (outer, column) = (position / inner, position % inner);
            let width = WIDE.min(inner - column).min(rest.len() / 3);
            let (these, others) = rest.split_at_mut(3 * width);
            let block = &x[outer * classes * inner..][..classes * inner];
            let (max, ln_sum) = column_normalisers(block, inner, column, width);
            for (i, parts) in these.chunks_exact_mut(3).enumerate() {
                let (max, ln_sum) = (max[i], ln_sum[i]);
                let x = |class: usize| block[class * inner + column + i];
                let spread = self.spread_loss((0..classes).map(x), max, ln_sum);
                let class = self.class(target[position + i]);
                let loss = class.map(|y| self.hit(y) * (ln_sum - (x(y) - max)) + spread);
                parts.copy_from_slice(&[loss.unwrap_or(T::ZERO), max, ln_sum]);
            }
            (position, rest) = (position + width, others);
        }
    }

    /// The gradient of x in one pass, g·((Σ q)·softmax(x) − q), given the cotangent `g` of the losses and what
    /// [`cross_entropy`](Self::cross_entropy) gave beside them.
    ///
    /// # Panics
    /// If the shapes are not those.
    pub fn pullback(&self, x: &Tensor<T>, parts: &Tensor<T>, g: &Tensor<T>) -> Tensor<T> {
        assert!(
            *x.shape() == self.logits && g.shape() == self.target.shape(),
            "the targets are those of other logits"
        );
        let (classes, inner) = self.extents();
        let (x, parts, target, g) = (x.as_slice(), parts.as_slice(), self.target.as_slice(), g.as_slice());
        let masses = self.masses();
        // What is ignored has no gradient even where the cotangent is infinite: a mean over nothing.
        let factors = masses.as_slice().iter().zip(g).zip(target);
        let factors = factors.map(|((&mass, &g), &class)| match self.class(class) {
            Some(_) => [g * mass, g],
            None => [T::ZERO; 2],
        });
        let mut pulls = Tensor::<T>::written([target.len(), 2].into(), |y| {
            y.chunks_exact_mut(2).zip(factors).for_each(|(y, factors)| y.copy_from_slice(&factors));
        });
        let pulls: &[T] = pulls.make_mut();
        Tensor::written(self.logits.clone(), |y| {
            // With one column a row is a position, otherwise a class.
            let length = if inner == 1 { classes } else { inner };
            par::rows(y, length, 16 * length, |first, rows| {
                dispatch(
                    #[inline(always)]
                    || {
                        for (i, y) in rows.chunks_exact_mut(length).enumerate() {
                            let row = first + i;
                            let x = &x[row * length..][..length];
                            if inner == 1 {
                                let (pull, part) = (&pulls[2 * row..][..2], &parts[3 * row..][..3]);
                                self.pull_row(x, target[row], pull, part, y);
                            } else {
                                let (at, class) = (row / classes * inner, row % classes);
                                let of = Positions {
                                    target: &target[at..][..inner],
                                    pulls: &pulls[2 * at..][..2 * inner],
                                    parts: &parts[3 * at..][..3 * inner],
                                };
                                self.pull_class(x, class, of, y);
                            }
                        }
                    },
                );
            });
        })
    }

    /// The gradient of a position, a row of `x`.
    #[inline(always)]
    fn pull_row(&self, x: &[T], class: i64, pull: &[T], part: &[T], y: &mut [T]) {
        let (&[scale, g], &[_, max, ln_sum]) = (pull, part) else { return };
        for (y, &x) in y.iter_mut().zip(x) {
            *y = scale * ((x - max) - ln_sum).exp();
        }
        if self.label_smoothing != T::ZERO {
            y.iter_mut().enumerate().for_each(|(c, y)| *y -= g * self.spread(c));
        }
        if let Some(class) = self.class(class) {
            y[class] -= g * self.hit(class);
        }
    }

    /// The gradient of one class at neighbouring positions.
    #[inline(always)]
    fn pull_class(&self, x: &[T], class: usize, of: Positions<'_, T>, y: &mut [T]) {
        let (spread, hit) = (self.spread(class), self.hit(class));
        let each = of.pulls.chunks_exact(2).zip(of.parts.chunks_exact(3));
        for ((y, &x), (pull, part)) in y.iter_mut().zip(x).zip(each) {
            *y = pull[0] * ((x - part[1]) - part[2]).exp() - pull[1] * spread;
        }
        let hits = of.target.iter().map(|&target| target == class as i64);
        for ((y, hits), pull) in y.iter_mut().zip(hits).zip(of.pulls.chunks_exact(2)) {
            if hits {
                *y -= pull[1] * hit;
            }
        }
    }

    /// ε/classes·Σ w·(ln Σ eˣ − x) of a position.
    #[inline(always)]
    fn spread_loss(&self, x: impl Iterator<Item = T>, max: T, ln_sum: T) -> T {
        if self.label_smoothing == T::ZERO {
            return T::ZERO;
        }
        x.enumerate().map(|(c, x)| self.spread(c) * (ln_sum - (x - max))).sum()
    }

    /// The class of a target that is not ignored.
    #[inline(always)]
    fn class(&self, target: i64) -> Option<usize> {
        (target != self.ignore_index).then_some(target as usize)
    }

    /// (1 − ε)·w of a class.
    #[inline(always)]
    fn hit(&self, class: usize) -> T {
        (T::ONE - self.label_smoothing) * self.weight.as_slice()[class]
    }

    /// ε/classes·w of a class.
    #[inline(always)]
    fn spread(&self, class: usize) -> T {
        let weight = self.weight.as_slice();
        self.label_smoothing * weight[class] / T::from_f64(weight.len() as f64)
    }

    fn spread_sum(&self) -> T {
        if self.label_smoothing == T::ZERO {
            return T::ZERO;
        }
        (0..self.weight.numel()).map(|class| self.spread(class)).sum()
    }

    /// How many classes there are, and how many positions lie between one and the next.
    fn extents(&self) -> (usize, usize) {
        (self.weight.numel(), self.logits[class_axis(&self.logits) + 1..].iter().product())
    }
}

/// Targets, pulls `[2]` and parts `[3]` of neighbouring positions.
#[derive(Clone, Copy)]
struct Positions<'a, T> {
    target: &'a [i64],
    pulls: &'a [T],
    parts: &'a [T],
}

/// Sums side by side within a row: a vector of AVX-512, so that the order of additions is that of the shape.
const LANES: usize = 16;
/// Columns that are treated at a time.
const WIDE: usize = 64;

/// max x and ln Σ e^(x − max) of a row.
#[inline(always)]
fn row_normaliser<T: Float>(x: &[T]) -> [T; 2] {
    let max = maximum(x);
    let sum = join_all::<T, LANES>(
        x,
        T::NEG_INFINITY,
        #[inline(always)]
        |x| (x - max).exp(),
        #[inline(always)]
        |a, b| a + b,
    );
    [max, sum.ln()]
}

/// The same for some columns of a block with `inner` of them.
#[inline(always)]
fn column_normalisers<T: Float>(
    x: &[T],
    inner: usize,
    column: usize,
    width: usize,
) -> ([T; WIDE], [T; WIDE]) {
    let (mut max, mut sum) = ([T::NEG_INFINITY; WIDE], [T::ZERO; WIDE]);
    let rows = x.chunks_exact(inner).map(|row| &row[column..][..width]);
    for x in rows.clone() {
        max.iter_mut().zip(x).for_each(|(max, &x)| *max = larger(*max, x));
    }
    for x in rows {
        for ((sum, &max), &x) in sum.iter_mut().zip(&max).zip(x) {
            *sum += (x - max).exp();
        }
    }
    (max, sum.map(T::ln))
}

/// The axis of logits along which the classes lie: 1, or 0 of a vector.
pub fn class_axis(logits: &Shape) -> usize {
    usize::from(logits.rank() > 1)
}

/// How many classes logits have.
///
/// # Errors
/// If there are none.
#[track_caller]
pub fn class_count(op: &'static str, logits: &Shape) -> Result<usize> {
    match logits.get(class_axis(logits)) {
        Some(&classes) if classes > 0 => Ok(classes),
        _ => Err(Error::new(op, format!("expected logits [n, classes], found shape {logits}"))),
    }
}

/// The weights of the classes, 1 where none are given.
///
/// # Errors
/// If they are not one for each class.
#[track_caller]
pub fn class_weights<T: Float>(
    op: &'static str,
    classes: usize,
    weight: Option<&Tensor<T>>,
) -> Result<Tensor<T>> {
    match weight {
        None => Tensor::ones([classes]),
        Some(weight) if weight.shape()[..] == [classes] => Ok(weight.clone()),
        Some(weight) => {
            Err(Error::new(op, format!("expected weights [{classes}], found shape {}", weight.shape())))
        }
    }
}

/// # Errors
/// If the smoothing is not within `[0, 1]`.
#[track_caller]
pub fn check_smoothing(op: &'static str, label_smoothing: f64) -> Result<()> {
    if !(0.0..=1.0).contains(&label_smoothing) {
        let fact = format!("expected a label smoothing within [0, 1], found {label_smoothing}");
        return Err(Error::new(op, fact));
    }
    Ok(())
}
