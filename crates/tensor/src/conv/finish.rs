//! What becomes of the sums of a convolution.
//!
//! A bias is a shift. A normalisation with given moments is a scale and a shift, a rectifier a floor: where they
//! follow a convolution and nobody wants to know what is between, they cost next to nothing here, and a pass over
//! memory each on their own.

use crate::simd::dispatch;
use crate::{Element, Float, Tensor, par};

/// What is done to every sum of a convolution while it is at hand: y = max(scale·Σ + shift, floor), with a scale and a
/// shift for each channel; NaN stays NaN.
///
/// ```
/// # use retrograd_tensor::{Finish, Geometry, Sliding, Slot, Tensor};
/// let geometry = Geometry::convolution("conv", &[1, 1, 3], &[1, 1, 1], 1, Sliding::<1>::default())?;
/// let (x, w) = (Tensor::from([[[1.0, 2.0, 3.0]]]), Tensor::from([[[1.0]]]));
/// let finish = Finish::plus(Some(&Tensor::from([-2.0]))).rectified();
/// let y = geometry.solve_finished(Slot::Output, [&x, &w], &finish)?;
/// assert_eq!(y, Tensor::from([[[0.0, 0.0, 1.0]]]));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Finish<T: Element = f32> {
    scale: Option<Tensor<T>>,
    shift: Option<Tensor<T>>,
    floor: Option<T>,
}

impl<T: Float> Finish<T> {
    /// y = Σ + bias, or Σ where there is none.
    pub fn plus(bias: Option<&Tensor<T>>) -> Self {
        Self { scale: None, shift: bias.cloned(), floor: None }
    }

    /// This, then weight·(y − mean)/√(var + eps) + bias; without a weight and a bias, they are 1 and 0.
    ///
    /// Nothing if there is a floor already, the numbers of channels differ, `eps` is not finite or below 0, or what
    /// comes of them is not finite.
    pub fn normalised(
        &self,
        [mean, var]: [&Tensor<T>; 2],
        eps: f64,
        [weight, bias]: [Option<&Tensor<T>>; 2],
    ) -> Option<Self> {
        let others = [Some(var), weight, bias, self.scale.as_ref(), self.shift.as_ref()];
        let fits = others.into_iter().flatten().all(|other| other.shape() == mean.shape());
        if !fits || self.floor.is_some() || !(eps >= 0.0 && eps.is_finite()) {
            return None;
        }
        let (one, zero) = (mean.ones_like(), mean.zeros_like());
        let (mut scale, mut shift) = (one.clone(), zero.clone());
        let (to_scale, to_shift, n) = (scale.make_mut(), shift.make_mut(), mean.numel());
        let given = [Some(mean), Some(var), weight, self.scale.as_ref(), bias, self.shift.as_ref()];
        let [mean, var, weight, old_scale, bias, old_shift] = std::array::from_fn(|i| {
            let otherwise = if i < 4 { &one } else { &zero };
            &given[i].unwrap_or(otherwise).as_slice()[..n]
        });
        dispatch(
            #[inline(always)]
            || {
                for i in 0..n {
                    let by = weight[i].to_f64() / (var[i].to_f64() + eps).sqrt();
                    to_scale[i] = T::from_f64(by * old_scale[i].to_f64());
                    to_shift[i] =
                        T::from_f64(by * (old_shift[i].to_f64() - mean[i].to_f64()) + bias[i].to_f64());
                }
            },
        );
        let finite = |tensor: &Tensor<T>| tensor.as_slice().iter().all(|x| x.is_finite());
        let finite = finite(&scale) && finite(&shift);
        finite.then_some(Self { scale: Some(scale), shift: Some(shift), floor: None })
    }

    /// This, then max(y, 0), NaN staying NaN.
    pub fn rectified(&self) -> Self {
        Self { floor: Some(T::ZERO), ..self.clone() }
    }

    /// What there is of scales and shifts.
    pub(crate) fn by_channel(&self) -> impl Iterator<Item = &Tensor<T>> {
        self.scale.iter().chain(&self.shift)
    }

    /// Whether y = Σ.
    pub(crate) fn is_nothing(&self) -> bool {
        self.by_channel().next().is_none() && self.floor.is_none()
    }

    /// The scale and the shift of each channel where they are not 1 and 0, and the floor.
    pub(super) fn parts(&self) -> ([Option<&[T]>; 2], T) {
        let [scale, shift] = [&self.scale, &self.shift].map(|tensor| tensor.as_ref().map(Tensor::as_slice));
        ([scale, shift], self.floor.unwrap_or(T::NEG_INFINITY))
    }

    /// What sums can begin with rather than be shifted by in the end, and what is left to be done to those.
    pub(super) fn begun(&self) -> (Option<&[T]>, Self) {
        match (&self.scale, &self.shift) {
            (None, Some(shift)) => (Some(shift.as_slice()), Self { shift: None, ..self.clone() }),
            _ => (None, self.clone()),
        }
    }

    /// Does it to planes of sums, the first of which is number `first` of a result.
    pub(super) fn planes(&self, first: usize, planes: &mut [T], plane: usize) {
        if self.is_nothing() {
            return;
        }
        let ([scale, shift], floor) = self.parts();
        dispatch(
            #[inline(always)]
            || {
                for (nth, plane) in planes.chunks_exact_mut(plane.max(1)).enumerate() {
                    let of_channel = |values: &[T]| values[(first + nth) % values.len()];
                    let (scale, shift) =
                        (scale.map_or(T::ONE, of_channel), shift.map_or(T::ZERO, of_channel));
                    for y in plane {
                        let z = *y * scale + shift;
                        *y = if z <= floor { floor } else { z };
                    }
                }
            },
        );
    }

    /// As [`planes`](Self::planes), for all planes of a result.
    pub(super) fn all(&self, result: &mut [T], plane: usize) {
        if !self.is_nothing() {
            par::rows(result, plane, plane, |first, planes| self.planes(first, planes, plane));
        }
    }
}
