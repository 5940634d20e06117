//! Resampling, which is linear.

use retrograd_tensor::{Float, Interpolation, Resampling, Resize, Result, Shape, Tensor};

use super::linear::{Linear, Map};
use crate::Var;
use crate::op::Op;

/// What each output reads of the inputs.
#[derive(Clone, Debug)]
struct Resample(Resampling);

/// Each element added to the inputs that it was read from: the adjoint of [`Resample`].
#[derive(Clone, Debug)]
struct Unresample(Resampling);

impl<T: Float> Linear<T> for Resample {
    type Adjoint = Unresample;
    const NAME: &'static str = "interpolate";

    fn map(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.0.of(x)
    }

    fn adjoint(&self, _: &Shape) -> Unresample {
        Unresample(self.0.clone())
    }
}

impl<T: Float> Linear<T> for Unresample {
    type Adjoint = Resample;
    const NAME: &'static str = "interpolate_adjoint";

    fn map(&self, g: &Tensor<T>) -> Result<Tensor<T>> {
        self.0.spread(g)
    }

    fn adjoint(&self, _: &Shape) -> Resample {
        Resample(self.0.clone())
    }
}

impl<T: Float> Var<T> {
    /// The last `D` axes of `[n, c, …]` brought to other extents, each output reading the nearest input, or the
    /// two around its place in proportion.
    ///
    /// With extents H of the input and O of the result output o has its place at o·H/O; if a scale factor is
    /// given, then O = ⌊factor·H⌋ and the place is o/factor, unless it is to be recomputed. [`Interpolation`]
    /// says what is read there.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html)
    ///
    /// ```
    /// # use retrograd_autograd::Var;
    /// # use retrograd_tensor::{Interpolation, Resize, Tensor};
    /// let x = Var::from(Tensor::from([[[1.0f32, 2.0]]]));
    /// let y = x.interpolate(Resize::Size([4]), Interpolation::Linear { align_corners: false })?;
    /// assert_eq!(y.value(), &Tensor::from([[[1.0, 1.25, 1.75, 2.0]]]));
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are not `D` + 2 axes, an extent other than that of the batch is 0 in input or result, a scale
    /// factor is not a positive number, or there is no memory for the result.
    #[track_caller]
    pub fn interpolate<const D: usize>(
        &self,
        resize: Resize<D>,
        interpolation: Interpolation,
    ) -> Result<Var<T>> {
        Map(Resample(Resampling::new("interpolate", self.shape(), resize, interpolation)?)).apply([self])
    }
}
