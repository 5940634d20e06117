//! Sorting along an axis. NaN counts as the largest number, equal elements keep their order.

use std::cmp::Ordering;

use crate::tensor::addressable;
use crate::{Error, Float, Result, Tensor, par};

impl<T: Float> Tensor<T> {
    /// The elements along `axis` from the smallest to the largest, or the other way round, and the positions
    /// where they stood. NaN counts as the largest; equal ones keep their order.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.sort.html)
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn sort(&self, axis: isize, descending: bool) -> Result<(Self, Tensor<i64>)> {
        let axis = self.shape().axis("sort", axis)?;
        self.ordered("sort", axis, self.shape()[axis], descending)
    }

    /// The `k` largest elements along `axis`, the largest first, or the `k` smallest, the smallest first, and
    /// the positions where they stood. NaN counts as the largest; of equal ones the first come first.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.topk.html)
    ///
    /// # Errors
    /// If the axis does not exist or has fewer than `k` elements.
    #[track_caller]
    pub fn topk(&self, k: usize, axis: isize, largest: bool) -> Result<(Self, Tensor<i64>)> {
        let axis = self.shape().axis("topk", axis)?;
        let extent = self.shape()[axis];
        if k > extent {
            return Err(Error::new(
                "topk",
                format!("expected at most the {extent} elements there are, found {k}"),
            ));
        }
        self.ordered("topk", axis, k, largest)
    }

    /// The first `k` elements of the sorted axis.
    #[track_caller]
    fn ordered(
        &self,
        op: &'static str,
        axis: usize,
        k: usize,
        descending: bool,
    ) -> Result<(Self, Tensor<i64>)> {
        let extent = self.shape()[axis];
        let inner: usize = self.shape()[axis + 1..].iter().product();
        let mut shape = self.shape().clone();
        shape[axis] = k;
        let shape = addressable::<i64>(op, shape)?;
        let x = self.as_slice();
        let index = Tensor::written(shape, |index| {
            par::rows(index, k * inner, 8 * extent * inner, |first, blocks| {
                let mut order: Vec<usize> = Vec::with_capacity(extent);
                for (i, block) in blocks.chunks_mut((k * inner).max(1)).enumerate() {
                    let x = &x[(first + i) * extent * inner..][..extent * inner];
                    for column in 0..inner {
                        let at = |position: usize| x[position * inner + column];
                        order.clear();
                        order.extend(0..extent);
                        // Reversing the comparison, not the result, leaves equal elements in their order.
                        order.sort_by(|&a, &b| match descending {
                            true => compare(at(b), at(a)),
                            false => compare(at(a), at(b)),
                        });
                        for (nth, &position) in order[..k].iter().enumerate() {
                            block[nth * inner + column] = position as i64;
                        }
                    }
                }
            });
        });
        Ok((self.gather(axis as isize, &index)?, index))
    }
}

/// The order of numbers, NaN after all of them.
fn compare<T: Float>(a: T, b: T) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}
