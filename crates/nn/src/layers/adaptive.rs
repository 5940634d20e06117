//! Pooling to an extent of one's own, of 1, 2 and 3 dimensions, from one struct each.

use retrograd_autograd::Var;
use retrograd_tensor::{Float, OutputSize, Result, Tensor};

use crate::Layer;

/// The average of windows that cover the input evenly.
///
/// `x` `[n, c, …]` (or `[c, …]`) keeps n and c; output o of O sees the inputs from ⌊o·H/O⌋ to before
/// ⌈(o + 1)·H/O⌉ of H, so that windows overlap where O does not divide H. `output_size` is one O for all axes
/// or an array; `None` keeps H.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html)
///
/// ```
/// # use retrograd_nn::{AdaptiveAvgPool2d, Layer, Tensor};
/// let x = Tensor::from([[[1.0f32, 2.0, 3.0], [5.0, 6.0, 7.0]]]);
/// assert_eq!(AdaptiveAvgPool2d::new([1, 2]).predict(&x)?, Tensor::from([[[3.5, 4.5]]]));
/// assert_eq!(AdaptiveAvgPool2d::new([None, Some(1)]).predict(&x)?, Tensor::from([[[2.0], [6.0]]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
///
/// # Errors
/// [`forward`](Layer::forward) refuses an extent of 0 in input or result, other than that of the batch.
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveAvgPool<const D: usize> {
    output_size: OutputSize<D>,
}

/// The maximum of windows that cover the input evenly.
///
/// Extents and windows as in [`AdaptiveAvgPool`]; of equal maxima the first wins, NaN wins over all.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool2d.html)
///
/// ```
/// # use retrograd_nn::{AdaptiveMaxPool1d, Layer, Tensor};
/// let y = AdaptiveMaxPool1d::new(2).predict(&Tensor::from([[1.0f32, 4.0, 3.0]]))?;
/// assert_eq!(y, Tensor::from([[4.0, 4.0]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
///
/// # Errors
/// As [`AdaptiveAvgPool`].
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveMaxPool<const D: usize> {
    output_size: OutputSize<D>,
}

/// The average of each channel: `[n, c, …]` to `[n, c]`, [`AdaptiveAvgPool`] to 1 without the axes that are
/// left. [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html)
/// has it as `AdaptiveAvgPool2d(1)` and `Flatten`.
///
/// ```
/// # use retrograd_nn::{GlobalAvgPool, Layer, Tensor};
/// let y = GlobalAvgPool.predict(&Tensor::from([[[1.0f32, 2.0, 3.0], [5.0, 6.0, 7.0]]]))?;
/// assert_eq!(y, Tensor::from([[2.0, 6.0]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
///
/// # Errors
/// [`forward`](Layer::forward) refuses fewer than three axes, and an extent of 0 other than that of the batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalAvgPool;

/// The maximum of each channel: `[n, c, …]` to `[n, c]`, [`AdaptiveMaxPool`] to 1 without the axes that are
/// left. [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool2d.html)
/// has it as `AdaptiveMaxPool2d(1)` and `Flatten`.
///
/// ```
/// # use retrograd_nn::{GlobalMaxPool, Layer, Tensor};
/// let y = GlobalMaxPool.predict(&Tensor::from([[[1.0f32, 2.0, 3.0], [5.0, 6.0, 7.0]]]))?;
/// assert_eq!(y, Tensor::from([[3.0, 7.0]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
///
/// # Errors
/// As [`GlobalAvgPool`].
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalMaxPool;

/// Along sequences `[n, c, length]`.
pub type AdaptiveAvgPool1d = AdaptiveAvgPool<1>;
/// Over images `[n, c, height, width]`.
pub type AdaptiveAvgPool2d = AdaptiveAvgPool<2>;
/// Over volumes `[n, c, depth, height, width]`.
pub type AdaptiveAvgPool3d = AdaptiveAvgPool<3>;
/// Along sequences `[n, c, length]`.
pub type AdaptiveMaxPool1d = AdaptiveMaxPool<1>;
/// Over images `[n, c, height, width]`.
pub type AdaptiveMaxPool2d = AdaptiveMaxPool<2>;
/// Over volumes `[n, c, depth, height, width]`.
pub type AdaptiveMaxPool3d = AdaptiveMaxPool<3>;

impl<const D: usize> AdaptiveAvgPool<D> {
    /// To `output_size`: one extent for all axes, or one or none for each.
    pub fn new(output_size: impl Into<OutputSize<D>>) -> Self {
        Self { output_size: output_size.into() }
    }
}

impl<const D: usize> AdaptiveMaxPool<D> {
    /// To `output_size`: one extent for all axes, or one or none for each.
    pub fn new(output_size: impl Into<OutputSize<D>>) -> Self {
        Self { output_size: output_size.into() }
    }

    /// The output, and the position of each maximum in its plane, counted flat.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    #[track_caller]
    pub fn forward_with_indices<T: Float>(&self, x: &Var<T>) -> Result<(Var<T>, Tensor<i64>)> {
        x.adaptive_max_pool(self.output_size)
    }
}

crate::module::no_parameters!(AdaptiveAvgPool<const D: usize>);
crate::module::no_parameters!(AdaptiveMaxPool<const D: usize>);
crate::module::no_parameters!(GlobalAvgPool);
crate::module::no_parameters!(GlobalMaxPool);

impl<const D: usize, T: Float> Layer<T> for AdaptiveAvgPool<D> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.adaptive_avg_pool(self.output_size)
    }
}

impl<const D: usize, T: Float> Layer<T> for AdaptiveMaxPool<D> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        Ok(self.forward_with_indices(x)?.0)
    }
}

impl<T: Float> Layer<T> for GlobalAvgPool {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.global_avg_pool()
    }
}

impl<T: Float> Layer<T> for GlobalMaxPool {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.global_max_pool()
    }
}
