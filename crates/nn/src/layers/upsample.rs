//! Resampling of 1, 2 and 3 dimensions, from one struct.

use retrograd_autograd::Var;
pub use retrograd_tensor::Interpolation;
use retrograd_tensor::{Float, Resize, Result};

use crate::{Layer, Size};

/// Planes brought to other extents, larger or smaller.
///
/// `x` `[n, c, …]` keeps n and c; each extent H becomes the one of [`size`](Self::size), or ⌊factor·H⌋. Output
/// o of O has its place at o·H/O, and reads there what [`mode`](Self::mode) says: the nearest input (PyTorch's
/// `nearest`, the default), or the inputs around it in proportion (`linear`, `bilinear` or `trilinear`, by the
/// number of axes).
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Upsample.html)
///
/// ```
/// # use retrograd_nn::{Interpolation, Layer, Tensor, Upsample2d};
/// let x = Tensor::from([[[[1.0f32, 2.0], [3.0, 4.0]]]]);
/// let y = Upsample2d::size([1, 4]).predict(&x)?;
/// assert_eq!(y, Tensor::from([[[[1.0, 1.0, 2.0, 2.0]]]]));
/// let bilinear = Interpolation::Linear { align_corners: true };
/// let y = Upsample2d::scale_factor([1.5, 1.0]).mode(bilinear).predict(&x)?;
/// assert_eq!(y, Tensor::from([[[[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
///
/// # Errors
/// [`forward`](Layer::forward) refuses another number of axes, an extent of 0 other than that of the batch in
/// input or result, a factor that is not a positive number, and a result that there is no memory for.
#[derive(Clone, Copy, Debug)]
pub struct Upsample<const D: usize> {
    resize: Resize<D>,
    mode: Interpolation,
}

/// Along sequences `[n, c, length]`.
pub type Upsample1d = Upsample<1>;
/// Over images `[n, c, height, width]`.
pub type Upsample2d = Upsample<2>;
/// Over volumes `[n, c, depth, height, width]`.
pub type Upsample3d = Upsample<3>;

/// A scale factor for each of `D` axes: made from one number for all of them, or an array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaleFactor<const D: usize>(pub [f64; D]);

impl<const D: usize> From<f64> for ScaleFactor<D> {
    fn from(all: f64) -> Self {
        Self([all; D])
    }
}

impl<const D: usize> From<[f64; D]> for ScaleFactor<D> {
    fn from(each: [f64; D]) -> Self {
        Self(each)
    }
}

impl<const D: usize> Upsample<D> {
    /// To these extents, by the nearest input.
    pub fn size(size: impl Into<Size<D>>) -> Self {
        Self { resize: Resize::Size(size.into().0), mode: Interpolation::Nearest }
    }

    /// To ⌊factor·H⌋ of each extent H, by the nearest input. The place of output o is then o/factor.
    pub fn scale_factor(factor: impl Into<ScaleFactor<D>>) -> Self {
        let resize = Resize::ScaleFactor { factor: factor.into().0, recompute: false };
        Self { resize, mode: Interpolation::Nearest }
    }

    /// What each output reads.
    pub fn mode(self, mode: Interpolation) -> Self {
        Self { mode, ..self }
    }

    /// Whether places are computed from the two extents instead of the scale factor, which differ where
    /// factor·H is no integer; they are not by default. Changes nothing where there is no factor.
    pub fn recompute_scale_factor(self, recompute: bool) -> Self {
        match self.resize {
            Resize::Size(_) => self,
            Resize::ScaleFactor { factor, .. } => {
                Self { resize: Resize::ScaleFactor { factor, recompute }, ..self }
            }
        }
    }
}

crate::module::no_parameters!(Upsample<const D: usize>);

impl<const D: usize, T: Float> Layer<T> for Upsample<D> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.interpolate(self.resize, self.mode)
    }
}
