//! Images side by side in memory.
//!
//! A batch `[n, c, …]` interleaved by l is `[n/l, c, …, l]`: the elements of l images that are at the same place are
//! neighbours. To whatever looks at one image at a time, that is a smaller batch of images with an axis more, along which
//! windows are one wide: convolution ([`Geometry::interleaved`](crate::Geometry::interleaved)) and pooling
//! ([`Pooling::interleaved`](crate::Pooling::interleaved)) need no other definition, and what acts on elements or
//! channels needs nothing at all. Where l is the lanes of a vector, every step of a window is one instruction for all of
//! them, whatever the extents, and nothing is transposed between one operation and the next. (cuda-convnet's CHWN has all
//! images innermost; oneDNN's blocked orders have channels so.)

use crate::par;
use crate::{Error, Float, Result, Shape, Tensor};

impl<T: Float> Tensor<T> {
    /// `[n, c, …]` as `[n/lanes, c, …, lanes]`: element (i·lanes + j, …) goes to (i, …, j).
    ///
    /// # Errors
    /// If there is no axis, or `lanes` is 0 or does not divide its extent.
    #[track_caller]
    pub fn interleaved(&self, lanes: usize) -> Result<Self> {
        let fits = self.shape().first().is_some_and(|&n| lanes > 0 && n.is_multiple_of(lanes));
        if !fits {
            let fact = format!("expected a multiple of {lanes} along the first axis, found {}", self.shape());
            return Err(Error::new("interleave", fact));
        }
        let mut shape = self.shape().clone();
        shape[0] /= lanes;
        shape.push(lanes);
        Ok(self.transposed(shape, lanes))
    }

    /// `[m, c, …, l]` as `[m·l, c, …]`: undoes [`interleaved`](Self::interleaved).
    ///
    /// # Errors
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn deinterleaved(&self) -> Result<Self> {
        let &[first, .., lanes] = &self.shape()[..] else {
            let fact = format!("expected [n/lanes, …, lanes], found {}", self.shape());
            return Err(Error::new("deinterleave", fact));
        };
        let images = first.saturating_mul(lanes);
        let mut shape = self.shape().clone();
        shape[0] = images;
        shape.remove(self.rank() - 1);
        Ok(self.transposed(shape, self.numel() / images.max(1)))
    }

    /// The elements as matrices one after the other, as many as the lesser of the first extents, each transposed to rows of
    /// `width`.
    fn transposed(&self, shape: Shape, width: usize) -> Self {
        let matrix = self.numel() / shape[0].min(self.shape()[0]).max(1);
        let x = self.as_slice();
        Tensor::written(shape, |y| {
            par::rows(y, matrix, matrix, |first, y| {
                let x = &x[first * matrix..][..y.len()];
                for (x, y) in x.chunks_exact(matrix).zip(y.chunks_exact_mut(matrix)) {
                    T::transpose(x, y, width);
                }
            });
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_at_the_same_place_are_neighbours_and_go_back() -> Result<()> {
        for (n, lanes, inner) in
            [(6, 3, 5), (32, 16, 7), (16, 8, 33), (4, 1, 2), (0, 16, 3), (16, 16, 0), (5, 5, 1)]
        {
            let x = Tensor::from_vec((0..n * inner).map(|i| i as f32).collect(), [n, inner])?;
            let y = x.interleaved(lanes)?;
            assert_eq!(y.shape()[..], [n / lanes, inner, lanes]);
            for (i, &value) in y.as_slice().iter().enumerate() {
                let (group, at, lane) = (i / lanes / inner, i / lanes % inner, i % lanes);
                assert_eq!(value, ((group * lanes + lane) * inner + at) as f32);
            }
            assert_eq!(y.deinterleaved()?, x);
            assert_eq!(y.cast::<f64>().deinterleaved()?, x.cast());
        }
        let x = Tensor::<f32>::zeros([6, 2])?;
        assert!(x.interleaved(4).is_err() && x.interleaved(0).is_err());
        assert!(Tensor::scalar(1.0f32).interleaved(1).is_err());
        assert!(Tensor::from([1.0f32]).deinterleaved().is_err());
        Ok(())
    }
}
