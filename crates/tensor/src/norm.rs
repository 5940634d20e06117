//! Normalisation: x̂ = (x − mean)/√(var + eps) over groups of elements, then y = w·x̂ + b by channel.
//!
//! Batch, layer, group and instance normalisation differ only in which elements form a group and which share a
//! channel ([`Groups`]). Each direction takes two passes over the elements: sums, then the result. Sums run
//! over pieces of fixed size, each about a mean of its own, and are joined in `f64` in a fixed order, so that
//! data far from zero lose no digits and the number of threads never shows.

use std::borrow::Cow;

use crate::par;
use crate::simd::dispatch;
use crate::{Float, Shape, Tensor};

/// Which elements are normalised together, and which are scaled alike.
///
/// The elements are `[outer, groups, inner]`: one group for each position on the middle axis. They are also
/// `[…, channels, run]`: one weight and one bias for each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    outer: usize,
    groups: usize,
    inner: usize,
    channels: usize,
    run: usize,
}

/// The mean and the biased variance of each group, in `f64`: near 10⁴ an `f32` mean is off by 5·10⁻⁴, which
/// would show in every element.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// `[groups]`.
    pub mean: Tensor<f64>,
    /// `[groups]`.
    pub var: Tensor<f64>,
}

/// Where the moments come from, which decides how the gradient flows through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// They are the elements' own.
    Own,
    /// The variance is the elements' mean square; the mean is 0.
    MeanSquare,
    /// They are constants.
    Given,
}

impl Moments {
    /// The moments about zero: mean 0, and the mean square in place of the variance.
    pub fn about_zero(&self) -> Self {
        let squares =
            self.mean.as_slice().iter().zip(self.var.as_slice()).map(|(mean, var)| var + mean * mean);
        Self { mean: self.mean.zeros_like(), var: vector(squares) }
    }
}

/// How the elements lie in memory as rows and columns, for the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A row belongs to one group and one channel.
    Runs,
    /// A column belongs to one group and one channel: groups are across rows, and their runs too short to be
    /// rows.
    Columns,
    /// A row is a group, a column is a channel.
    Rows,
}

/// Elements whose sums are made in `T`; twice that many `f64` stay in L1.
const PIECE: usize = 2048;
/// Sums side by side: two vectors of AVX-512.
const LANES: usize = 32;
/// Runs that are too short to be rows.
const SHORT: usize = 16;
/// Columns and rows that are summed at a time, and stay in L1.
const TILE: [usize; 2] = [128, 32];

impl Groups {
    /// One group for each channel of `[n, c, …]`, across the batch.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    pub fn of_batch(shape: &Shape) -> Self {
        let (n, c, run) = (shape[0], shape[1], shape[2..].iter().product());
        Self { outer: n, groups: c, inner: run, channels: c, run }
    }

    /// `groups` groups of channels in each example of `[n, c, …]`.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    pub fn of_channels(shape: &Shape, groups: usize) -> Self {
        let (n, c, run): (_, _, usize) = (shape[0], shape[1], shape[2..].iter().product());
        // Of what has no elements there may be any number.
        let groups_of_all = if shape.contains(&0) { 0 } else { n * groups };
        Self { outer: 1, groups: groups_of_all, inner: c / groups.max(1) * run, channels: c, run }
    }

    /// One group for each position on all but the last `axes` axes; each position on these is a channel.
    ///
    /// # Panics
    /// If there are fewer than `axes` axes.
    pub fn of_rows(shape: &Shape, axes: usize) -> Self {
        let (rows, columns) = shape.split_at(shape.len() - axes);
        let inner = columns.iter().product();
        let groups = if shape.contains(&0) { 0 } else { rows.iter().product() };
        Self { outer: 1, groups, inner, channels: inner, run: 1 }
    }

    /// The elements of a group.
    pub fn size(&self) -> usize {
        self.outer * self.inner
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The axes `[outer, groups, inner]`.
    pub fn by_group(&self) -> Shape {
        [self.outer, self.groups, self.inner].into()
    }

    /// The axes `[…, channels, run]`.
    pub fn by_channel(&self) -> Shape {
        let others = (self.size() * self.groups).checked_div(self.channels * self.run).unwrap_or(0);
        [others, self.channels, self.run].into()
    }

    fn form(&self) -> Form {
        if self.outer == 1 && self.run == 1 && self.channels == self.inner {
            Form::Rows
        } else if self.outer > 1 && self.run < SHORT {
            Form::Columns
        } else {
            Form::Runs
        }
    }

    /// The length of a row.
    fn columns(&self) -> usize {
        match self.form() {
            Form::Runs => self.run,
            Form::Columns => self.groups * self.inner,
            Form::Rows => self.inner,
        }
    }

    /// The group of element `i`.
    fn group(&self, i: usize) -> usize {
        i / self.inner % self.groups
    }

    /// The channel of element `i`.
    fn channel(&self, i: usize) -> usize {
        i / self.run % self.channels
    }

    /// The moments of each group; NaN where it has no elements.
    pub fn moments<T: Float>(&self, x: &Tensor<T>) -> Moments {
        let parts = match self.form() {
            Form::Columns => self.parts_of_columns(x.as_slice()),
            Form::Runs | Form::Rows => self.parts_of_runs(x.as_slice()),
        };
        let each = parts.len() / self.groups.max(1);
        let joined = |group: usize| {
            parts[group * each..][..each].iter().fold(Part::default(), |total, &part| total.join(part))
        };
        let of_groups: Vec<Part> = (0..self.groups).map(joined).collect();
        Moments {
            mean: vector(of_groups.iter().map(|part| part.mean)),
            var: vector(of_groups.iter().map(|part| part.squares / part.count)),
        }
    }

    /// The parts of each group whose elements lie in long runs.
    fn parts_of_runs<T: Float>(&self, x: &[T]) -> Vec<Part> {
        let Self { outer, groups, inner, .. } = *self;
        // A part is several whole runs, or a piece of one.
        let runs = (PIECE / inner.max(1)).clamp(1, outer.max(1));
        let pieces = inner.div_ceil(PIECE).max(1);
        let each = outer.div_ceil(runs) * pieces;
        let mut parts = vec![Part::default(); groups * each];
        par::rows(&mut parts, 1, 2 * PIECE.min(runs * inner), |first, parts| {
            dispatch(
                #[inline(always)]
                || {
                    for (i, part) in parts.iter_mut().enumerate() {
                        let (group, nth) = ((first + i) / each, (first + i) % each);
                        let (run, piece) = (nth / pieces * runs, nth % pieces * PIECE);
                        let (count, len) = (runs.min(outer - run), PIECE.min(inner - piece));
                        let begin = move |nth| ((run + nth) * groups + group) * inner + piece;
                        *part = Part::of((0..count).map(
                            #[inline(always)]
                            |nth| &x[begin(nth)..][..len],
                        ));
                    }
                },
            );
        });
        parts
    }

    /// The parts of each group whose elements lie in columns, one for each column.
    fn parts_of_columns<T: Float>(&self, x: &[T]) -> Vec<Part> {
        let columns = self.columns();
        let [width, height] = TILE;
        let mut parts = vec![Part::default(); columns];
        par::chunks(&mut parts, width, |tile, parts| {
            dispatch(
                #[inline(always)]
                || {
                    for block in x.chunks(height * columns) {
                        Part::join_columns(parts, &block[tile * width..], columns);
                    }
                },
            );
        });
        parts
    }

    /// w·x̂ + b, given the moments; `weight` and `bias` are `[channels]`.
    pub fn normalise<T: Float>(
        &self,
        x: &Tensor<T>,
        moments: &Moments,
        eps: f64,
        [weight, bias]: [&Tensor<T>; 2],
    ) -> Tensor<T> {
        let (form, columns) = (self.form(), self.columns().max(1));
        let scales = self.scales(moments, eps);
        let [weight, bias] = [weight, bias].map(|tensor| self.by_column(tensor.as_slice(), self.run));
        let elements = x.as_slice();
        Tensor::written(x.shape().clone(), |y| {
            par::rows(y, columns, 4 * columns, |first, y| {
                let x = &elements[first * columns..][..y.len()];
                let rows = y.chunks_exact_mut(columns).zip(x.chunks_exact(columns));
                dispatch(
                    #[inline(always)]
                    || {
                        for (row, (y, x)) in (first..).zip(rows) {
                            let (at, n) = (row * columns, y.len());
                            match form {
                                Form::Runs => {
                                    let scale = scales.at(self.group(at));
                                    let (w, b) = (weight[self.channel(at)], bias[self.channel(at)]);
                                    for (y, &x) in y.iter_mut().zip(x) {
                                        *y = w * scale.standard(x) + b;
                                    }
                                }
                                Form::Columns => {
                                    let (scale, w, b, x) =
                                        (scales.first(n), &weight[..n], &bias[..n], &x[..n]);
                                    for j in 0..n {
                                        y[j] = w[j] * scale(j).standard(x[j]) + b[j];
                                    }
                                }
                                Form::Rows => {
                                    let (scale, w, b, x) =
                                        (scales.at(row), &weight[..n], &bias[..n], &x[..n]);
                                    for j in 0..n {
                                        y[j] = w[j] * scale.standard(x[j]) + b[j];
                                    }
                                }
                            }
                        }
                    },
                );
            });
        })
    }

    /// The cotangents of x, the weight and the bias for the cotangent g of w·x̂ + b; that of x only if it is
    /// wanted.
    ///
    /// With ĝ = w·g it is (ĝ − mean ĝ − x̂·mean(ĝ·x̂))/√(var + eps), the means over each group; the first is
    /// gone where the mean is no function of x, both where the variance is none either. ∂w = Σ g·x̂ and ∂b =
    /// Σ g over each channel.
    pub fn pull<T: Float>(
        &self,
        [x, weight, g]: [&Tensor<T>; 3],
        moments: &Moments,
        eps: f64,
        source: Source,
        wants_x: bool,
    ) -> (Option<Tensor<T>>, [Tensor<T>; 2]) {
        let scales = self.scales(moments, eps);
        let columns = self.by_column(weight.as_slice(), self.run);
        let sums = self.sums(x.as_slice(), g.as_slice(), &columns, &scales);
        let (by_group, by_channel) = self.gathered(sums, weight.as_slice());
        let gx = wants_x.then(|| {
            let size = self.size() as f64;
            let mean = |nth: usize, flows: bool| -> Vec<T> {
                by_group.iter().map(|sums| T::from_f64(if flows { sums[nth] / size } else { 0.0 })).collect()
            };
            let means = [mean(0, source == Source::Own), mean(1, source != Source::Given)];
            self.pull_elements([x, g], &columns, &scales, means)
        });
        let of_channels = |nth: usize| vector(by_channel.iter().map(|sums| T::from_f64(sums[nth])));
        (gx, [of_channels(1), of_channels(0)])
    }

    /// (ĝ − `means[0]` − x̂·`means[1]`)/√(var + eps).
    fn pull_elements<T: Float>(
        &self,
        [x, g]: [&Tensor<T>; 2],
        weight: &[T],
        scales: &Scales<T>,
        means: [Vec<T>; 2],
    ) -> Tensor<T> {
        let (form, columns) = (self.form(), self.columns().max(1));
        let [plain, slope] = means.each_ref().map(|means| self.by_column(means, self.inner));
        let (all_x, all_g) = (x.as_slice(), g.as_slice());
        Tensor::written(x.shape().clone(), |y| {
            par::rows(y, columns, 2 * columns, |first, y| {
                let (at, len) = (first * columns, y.len());
                let inputs =
                    all_x[at..][..len].chunks_exact(columns).zip(all_g[at..][..len].chunks_exact(columns));
                let rows = y.chunks_exact_mut(columns).zip(inputs);
                dispatch(
                    #[inline(always)]
                    || {
                        for (row, (y, (x, g))) in (first..).zip(rows) {
                            let (at, n) = (row * columns, y.len());
                            let (x, g) = (&x[..n], &g[..n]);
                            match form {
                                Form::Runs => {
                                    let (group, w) = (self.group(at), weight[self.channel(at)]);
                                    let (scale, plain, slope) =
                                        (scales.at(group), plain[group], slope[group]);
                                    for j in 0..n {
                                        y[j] = scale.pull(w * g[j], x[j], plain, slope);
                                    }
                                }
                                Form::Columns => {
                                    let (scale, w) = (scales.first(n), &weight[..n]);
                                    let (plain, slope) = (&plain[..n], &slope[..n]);
                                    for j in 0..n {
                                        y[j] = scale(j).pull(w[j] * g[j], x[j], plain[j], slope[j]);
                                    }
                                }
                                Form::Rows => {
                                    let (scale, w) = (scales.at(row), &weight[..n]);
                                    let (plain, slope) = (plain[row], slope[row]);
                                    for j in 0..n {
                                        y[j] = scale.pull(w[j] * g[j], x[j], plain, slope);
                                    }
                                }
                            }
                        }
                    },
                );
            });
        })
    }

    /// Σ g and Σ g·x̂ over each row (of ĝ in place of g where columns are channels) or down each column, or
    /// both, as the form has use for them.
    fn sums<T: Float>(&self, x: &[T], g: &[T], weight: &[T], scales: &Scales<T>) -> Sums {
        let (form, columns) = (self.form(), self.columns());
        let rows = x.len().checked_div(columns).unwrap_or(0);
        let (of_rows, of_columns) = (form != Form::Columns, form != Form::Runs);
        let each = (par::GRAIN / columns.max(1)).max(TILE[1]).min(rows);
        // What a task adds up: the sums of its rows, then its share of the sums of columns.
        let own = if of_rows { each } else { 0 };
        let stride = own + if of_columns { columns } else { 0 };
        let tasks = rows.checked_div(each).map_or(0, |_| rows.div_ceil(each));
        let mut parts = vec![[T::ZERO; 2]; tasks * stride];
        par::chunks(&mut parts, stride, |task, parts| {
            let (sums_of_rows, sums_of_columns) = parts.split_at_mut(own);
            let rows = task * each..rows.min((task + 1) * each);
            dispatch(
                #[inline(always)]
                || {
                    for (nth, row) in rows.enumerate() {
                        let at = row * columns;
                        let (x, g) = (&x[at..][..columns], &g[at..][..columns]);
                        match form {
                            Form::Runs => {
                                let scale = scales.at(self.group(at));
                                sums_of_rows[nth] = sums(
                                    [x, g],
                                    #[inline(always)]
                                    |[x, g]| [g, g * scale.standard(x)],
                                );
                            }
                            Form::Columns => {
                                let (scale, sums) = (scales.first(columns), &mut sums_of_columns[..columns]);
                                for j in 0..columns {
                                    sums[j][0] += g[j];
                                    sums[j][1] += g[j] * scale(j).standard(x[j]);
                                }
                            }
                            Form::Rows => {
                                let scale = scales.at(row);
                                sums_of_rows[nth] = sums(
                                    [x, g, weight],
                                    #[inline(always)]
                                    |[x, g, w]| [w * g, w * g * scale.standard(x)],
                                );
                                for ((sums, &x), &g) in sums_of_columns.iter_mut().zip(x).zip(g) {
                                    sums[0] += g;
                                    sums[1] += g * scale.standard(x);
                                }
                            }
                        }
                    }
                },
            );
        });
        let mut sums = Sums { rows: Vec::with_capacity(rows), columns: vec![[0.0; 2]; stride - own] };
        for part in parts.chunks_exact(stride.max(1)) {
            sums.rows.extend(part[..own].iter().map(|sums| sums.map(T::to_f64)));
            for (sum, part) in sums.columns.iter_mut().zip(&part[own..]) {
                *sum = [sum[0] + part[0].to_f64(), sum[1] + part[1].to_f64()];
            }
        }
        sums.rows.truncate(rows);
        sums
    }

    /// The sums of ĝ and ĝ·x̂ over each group, and of g and g·x̂ over each channel.
    fn gathered<T: Float>(&self, sums: Sums, weight: &[T]) -> (Vec<[f64; 2]>, Vec<[f64; 2]>) {
        let (parts, each) = match self.form() {
            Form::Rows => return (sums.rows, sums.columns),
            Form::Runs => (sums.rows, self.run),
            Form::Columns => (sums.columns, 1),
        };
        let mut by_group = vec![[0.0; 2]; self.groups];
        let mut by_channel = vec![[0.0; 2]; self.channels];
        for (i, part) in parts.into_iter().enumerate() {
            let (group, channel) = (self.group(i * each), self.channel(i * each));
            let weight = weight[channel].to_f64();
            for nth in 0..2 {
                by_group[group][nth] += weight * part[nth];
                by_channel[channel][nth] += part[nth];
            }
        }
        (by_group, by_channel)
    }

    /// Mean and scale of each group, or of each column where columns are what has them.
    fn scales<T: Float>(&self, moments: &Moments, eps: f64) -> Scales<T> {
        let groups = || moments.mean.as_slice().iter().zip(moments.var.as_slice());
        let table = |f: fn(f64, f64) -> f64| -> Vec<T> {
            let values: Vec<T> =
                groups().map(|(&mean, &var)| T::from_f64(f(mean, 1.0 / (var + eps).sqrt()))).collect();
            self.by_column(&values, self.inner).into_owned()
        };
        Scales {
            mean: table(|mean, _| mean),
            inverse: table(|_, inverse| inverse),
            rest: table(|mean, inverse| (mean - T::from_f64(mean).to_f64()) * inverse),
        }
    }

    /// Values of groups or channels; where columns are what has them, each repeated for its `each` columns.
    fn by_column<'a, T: Float>(&self, values: &'a [T], each: usize) -> Cow<'a, [T]> {
        match self.form() {
            Form::Columns if each != 1 => {
                values.iter().flat_map(|&value| std::iter::repeat_n(value, each)).collect()
            }
            _ => Cow::Borrowed(values),
        }
    }
}

/// Sums over rows and down columns, each of two kinds.
struct Sums {
    rows: Vec<[f64; 2]>,
    columns: Vec<[f64; 2]>,
}

/// For each group, or each column, its [`Scale`].
struct Scales<T> {
    mean: Vec<T>,
    inverse: Vec<T>,
    rest: Vec<T>,
}

impl<T: Float> Scales<T> {
    #[inline(always)]
    fn at(&self, i: usize) -> Scale<T> {
        Scale { mean: self.mean[i], inverse: self.inverse[i], rest: self.rest[i] }
    }

    /// Those of the first `n` columns: cut to the length of the loop, they are read without checks.
    #[inline(always)]
    fn first(&self, n: usize) -> impl Fn(usize) -> Scale<T> {
        let (mean, inverse, rest) = (&self.mean[..n], &self.inverse[..n], &self.rest[..n]);
        #[inline(always)]
        move |j| Scale { mean: mean[j], inverse: inverse[j], rest: rest[j] }
    }
}

/// What makes an element of a group x̂: its mean, 1/√(var + eps), and what rounding took off the mean, scaled.
#[derive(Clone, Copy)]
struct Scale<T> {
    mean: T,
    inverse: T,
    rest: T,
}

impl<T: Float> Scale<T> {
    #[inline(always)]
    fn standard(self, x: T) -> T {
        (x - self.mean) * self.inverse - self.rest
    }

    #[inline(always)]
    fn pull(self, g: T, x: T, plain: T, slope: T) -> T {
        (g - plain - self.standard(x) * slope) * self.inverse
    }
}

/// How many elements there are, their mean, and Σ (x − mean)².
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Part {
    /// Of the elements of some runs: summed once for a mean, which need not be exact, and then about it.
    #[inline(always)]
    fn of<'a, T: Float>(runs: impl Iterator<Item = &'a [T]> + Clone) -> Self {
        let mut sum = Lanes::new();
        let mut count = 0;
        for run in runs.clone() {
            count += run.len();
            sum.add(
                [run],
                #[inline(always)]
                |[x]| [x],
            );
        }
        let count = count as f64;
        let about = sum.total()[0] / T::from_f64(count);
        let mut sums = Lanes::new();
        for run in runs {
            sums.add(
                [run],
                #[inline(always)]
                |[x]| [x - about, (x - about) * (x - about)],
            );
        }
        Self::about(count, about, sums.total())
    }

    /// The mean and the squares about it, from sums about another number.
    #[inline(always)]
    fn about<T: Float>(count: f64, about: T, [sum, squares]: [T; 2]) -> Self {
        let (sum, squares) = (sum.to_f64(), squares.to_f64());
        let rest = sum / count;
        Self { count, mean: about.to_f64() + rest, squares: squares - sum * rest }
    }

    /// Of both parts together.
    #[inline(always)]
    fn join(self, other: Self) -> Self {
        let count = self.count + other.count;
        let (between, share) = (other.mean - self.mean, other.count / count);
        Self {
            count,
            mean: self.mean + between * share,
            squares: self.squares + other.squares + between * between * self.count * share,
        }
    }

    /// Joins to each part the elements of its column in rows that begin `stride` apart.
    #[inline(always)]
    fn join_columns<T: Float>(parts: &mut [Self], x: &[T], stride: usize) {
        let n = parts.len();
        let (mut about, mut sum, mut squares) = ([T::ZERO; TILE[0]], [T::ZERO; TILE[0]], [T::ZERO; TILE[0]]);
        let (about, sum, squares) = (&mut about[..n], &mut sum[..n], &mut squares[..n]);
        let rows = x.chunks(stride);
        let count = rows.len() as f64;
        for x in rows.clone() {
            for (about, &x) in about.iter_mut().zip(x) {
                *about += x;
            }
        }
        about.iter_mut().for_each(|about| *about /= T::from_f64(count));
        for x in rows {
            let x = &x[..n];
            for j in 0..n {
                let rest = x[j] - about[j];
                sum[j] += rest;
                squares[j] += rest * rest;
            }
        }
        for (j, part) in parts.iter_mut().enumerate() {
            *part = part.join(Self::about(count, about[j], [sum[j], squares[j]]));
        }
    }
}

/// Sums side by side, so that an addition need not wait for the one before.
struct Lanes<T, const M: usize>([[T; LANES]; M]);

impl<T: Float, const M: usize> Lanes<T, M> {
    #[inline(always)]
    fn new() -> Self {
        Self([[T::ZERO; LANES]; M])
    }

    /// Adds the terms of the elements at each place of slices of one length.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "several slices are walked side by side")]
    fn add<const N: usize>(&mut self, x: [&[T]; N], terms: impl Fn([T; N]) -> [T; M]) {
        let vectors = x.map(|x| x.as_chunks::<LANES>().0);
        let count = vectors[0].len();
        let vectors = vectors.map(|vectors| &vectors[..count]);
        for i in 0..count {
            for lane in 0..LANES {
                self.add_one(lane, terms(std::array::from_fn(|n| vectors[n][i][lane])));
            }
        }
        let rest = x.map(|x| &x[count * LANES..]);
        for lane in 0..rest[0].len().min(LANES) {
            self.add_one(lane, terms(std::array::from_fn(|n| rest[n][lane])));
        }
    }

    #[inline(always)]
    fn add_one(&mut self, lane: usize, terms: [T; M]) {
        for (sums, term) in self.0.iter_mut().zip(terms) {
            sums[lane] += term;
        }
    }

    #[inline(always)]
    fn total(self) -> [T; M] {
        self.0.map(
            #[inline(always)]
            |mut sums| {
                let mut width = LANES;
                while width > 1 {
                    width /= 2;
                    for lane in 0..width {
                        sums[lane] += sums[lane + width];
                    }
                }
                sums[0]
            },
        )
    }
}

/// The sums of two terms over the places of slices of one length, made in pieces.
#[inline(always)]
fn sums<T: Float, const N: usize>(x: [&[T]; N], terms: impl Fn([T; N]) -> [T; 2] + Copy) -> [T; 2] {
    let len = x[0].len();
    let mut total = [T::ZERO; 2];
    for at in (0..len).step_by(PIECE) {
        let mut piece = Lanes::new();
        piece.add(x.map(|x| &x[at..len.min(at + PIECE)]), terms);
        let [a, b] = piece.total();
        total = [total[0] + a, total[1] + b];
    }
    total
}

fn vector<T: Float>(values: impl ExactSizeIterator<Item = T>) -> Tensor<T> {
    Tensor::written([values.len()].into(), |y| y.iter_mut().zip(values).for_each(|(y, value)| *y = value))
}
