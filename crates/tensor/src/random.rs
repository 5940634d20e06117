//! Random tensors, from the caller's generator.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use crate::{Element, Error, Float, Result, Shape, Tensor};

impl<T: Element> Tensor<T> {
    /// Elements drawn one after the other, in row-major order, by `draw`.
    ///
    /// # Errors
    /// If the shape has more elements than can be addressed, or than there is memory for.
    #[track_caller]
    pub fn from_fn(shape: impl Into<Shape>, mut draw: impl FnMut() -> T) -> Result<Self> {
        let shape = crate::tensor::addressable::<T>("from_fn", shape.into())?;
        Ok(Self::written(shape, |y| y.fill_with(&mut draw)))
    }
}

impl<T: Float> Tensor<T> {
    /// Elements from the normal distribution of mean 0 and deviation 1.
    ///
    /// # Errors
    /// If the shape has more elements than can be addressed, or than there is memory for.
    #[track_caller]
    pub fn randn(shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Self> {
        Self::from_fn(shape, || T::from_f64(StandardNormal.sample(rng)))
    }

    /// Elements distributed uniformly in [`low`, `high`).
    ///
    /// # Errors
    /// If `low` > `high`, one of them is not finite, or the shape has more elements than can be addressed, or
    /// than there is memory for.
    #[track_caller]
    pub fn rand(shape: impl Into<Shape>, low: f64, high: f64, rng: &mut impl Rng) -> Result<Self> {
        if !(low <= high && (high - low).is_finite()) {
            return Err(Error::new(
                "rand",
                format!("expected finite bounds low ≤ high, found {low} and {high}"),
            ));
        }
        Self::from_fn(shape, || {
            // Rounding to `T` may reach the upper bound, which does not belong to the interval.
            let x = T::from_f64(low + (high - low) * rng.random::<f64>());
            if x.to_f64() < high { x } else { T::from_f64(low) }
        })
    }

    /// 1 with probability `p`, else 0.
    ///
    /// # Errors
    /// If `p` is not within `[0, 1]`, or the shape has more elements than can be addressed, or than there is
    /// memory for.
    #[track_caller]
    pub fn bernoulli(shape: impl Into<Shape>, p: f64, rng: &mut impl Rng) -> Result<Self> {
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::new("bernoulli", format!("a probability lies within [0, 1], not at {p}")));
        }
        // 32 bits an element are enough, and half the work of 64.
        let below = (p * 2f64.powi(32)) as u64;
        Self::from_fn(shape, || if u64::from(rng.next_u32()) < below { T::ONE } else { T::ZERO })
    }
}
