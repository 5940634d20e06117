//! Softmax and its logarithm along an axis.

use crate::element::larger;
use crate::par;
use crate::reduce::{maximum, sum};
use crate::simd::dispatch;
use crate::storage::Storage;
use crate::{Float, Result, Tensor};

impl<T: Float> Tensor<T> {
    /// x − max − ln Σ e^(x − max) along `axis`, which never overflows.
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Result<Self> {
        self.normalised(
            "log_softmax",
            axis,
            #[inline(always)]
            |sum: T| sum.ln(),
            #[inline(always)]
            |[x, _], max, ln_sum| (x - max) - ln_sum,
        )
    }

    /// e^(x − max)/Σ e^(x − max) along `axis`, which never overflows.
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Result<Self> {
        self.normalised(
            "softmax",
            axis,
            #[inline(always)]
            |sum| sum,
            #[inline(always)]
            |[_, exp], _, sum| exp / sum,
        )
    }

    /// `finish`([x, e^(x − max)], max, `total`(Σ e^(x − max))) along `axis`.
    #[track_caller]
    fn normalised(
        &self,
        op: &'static str,
        axis: isize,
        total: impl Fn(T) -> T + Sync,
        finish: impl Fn([T; 2], T, T) -> T + Sync,
    ) -> Result<Self> {
        // A scalar counts as a vector of one, as in PyTorch.
        let shape = if self.rank() == 0 { &[1].into() } else { self.shape() };
        let axis = shape.axis(op, axis)?;
        let inner: usize = shape[axis + 1..].iter().product();
        let block = shape[axis] * inner;
        let x = self.as_slice();
        Ok(Tensor::written(self.shape().clone(), |y| {
            // An exponential costs about as much as sixteen additions.
            par::rows(y, block, 16 * block, |first, blocks| {
                for (i, y) in blocks.chunks_mut(block.max(1)).enumerate() {
                    let x = &x[(first + i) * block..][..y.len()];
                    match inner {
                        1 => row(x, y, &total, &finish),
                        _ => columns(x, y, inner, &total, &finish),
                    }
                }
            });
        }))
    }
}

/// A whole row is normalised. Its maximum and its sum are made side by side, as many as a vector has lanes, in
/// an order that the length alone decides.
#[inline(always)]
fn row<T: Float>(x: &[T], y: &mut [T], total: &impl Fn(T) -> T, finish: &impl Fn([T; 2], T, T) -> T) {
    dispatch(
        #[inline(always)]
        || {
            let max = maximum(x);
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - max).exp();
            }
            let sum = total(sum(y));
            for (y, &x) in y.iter_mut().zip(x) {
                *y = finish([x, *y], max, sum);
            }
        },
    );
}

/// Each of `inner` columns is normalised; a row of the block holds one element of each.
#[inline(always)]
fn columns<T: Float>(
    x: &[T],
    y: &mut [T],
    inner: usize,
    total: &impl Fn(T) -> T,
    finish: &impl Fn([T; 2], T, T) -> T,
) {
    let mut max = Storage::filled(inner, T::NEG_INFINITY);
    let mut sum = Storage::filled(inner, T::ZERO);
    let (max, sum) = (max.make_mut(), sum.make_mut());
    dispatch(
        #[inline(always)]
        || {
            for x in x.chunks(inner) {
                for (max, &x) in max.iter_mut().zip(x) {
                    *max = larger(*max, x);
                }
            }
            for x in x.chunks(inner) {
                for ((sum, &max), &x) in sum.iter_mut().zip(&*max).zip(x) {
                    *sum += (x - max).exp();
                }
            }
            for sum in sum.iter_mut() {
                *sum = total(*sum);
            }
            for (y, x) in y.chunks_mut(inner).zip(x.chunks(inner)) {
                for (((y, &x), &max), &sum) in y.iter_mut().zip(x).zip(&*max).zip(&*sum) {
                    *y = finish([x, (x - max).exp()], max, sum);
                }
            }
        },
    );
}
