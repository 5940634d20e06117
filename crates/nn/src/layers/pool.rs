//! Pooling layers of 1, 2 and 3 dimensions, from one struct each.

use std::num::NonZeroI64;

use retrograd_autograd::{Interleaved, Var};
use retrograd_tensor::{Divisor, Float, Result, Tensor, Window};

use crate::{InterleavedLayer, Interleaving, Layer, Size};

/// The maximum of each window.
///
/// `x` `[n, c, …]` (or `[c, …]`) keeps n and c; each extent H becomes ⌊(H + 2·padding − dilation·(kernel − 1) −
/// 1)/stride⌋ + 1, rounded up in ceil mode, in which a last window that would begin after the input and its
/// left padding is dropped. Padding counts as −∞; of equal maxima the first wins; NaN wins over all. The stride
/// is the kernel by default.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html)
///
/// ```
/// # use retrograd_nn::{Layer, MaxPool2d, Tensor};
/// let y = MaxPool2d::new(2).predict(&Tensor::from([[[1.0f32, 2.0, 5.0, 0.0], [3.0, 4.0, 0.0, 0.0]]]))?;
/// assert_eq!(y, Tensor::from([[[4.0, 5.0]]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
///
/// # Errors
/// [`forward`](Layer::forward) refuses 0 as a kernel, stride, dilation or extent (but for the batch's), more
/// padding than half of the window, an input smaller than the window, and a window that sees padding alone.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool<const D: usize> {
    window: Window<D>,
    dilation: [usize; D],
}

/// The average of each window.
///
/// Extents as in [`MaxPool`]. The divisor is the window's size, padding included but never what lies beyond it
/// in ceil mode; [`count_include_pad(false)`](Self::count_include_pad) leaves out the padding, and
/// [`divisor_override`](Self::divisor_override) sets a number of its own.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html)
///
/// ```
/// # use retrograd_nn::{AvgPool1d, Layer, Tensor};
/// let y = AvgPool1d::new(3).stride(1).predict(&Tensor::from([[1.0f32, 2.0, 3.0, 10.0]]))?;
/// assert_eq!(y, Tensor::from([[2.0, 5.0]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
///
/// # Errors
/// As [`MaxPool`]; over volumes also if the unpadded input is smaller than the kernel.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool<const D: usize> {
    window: Window<D>,
    divisor: Divisor,
}

/// The p-norm (Σ xᵖ)^(1/p) of each window, without absolute values: an odd p wants x ≥ 0.
///
/// Extents as in [`MaxPool`], without padding. At p = 1 it is a sum. Where Σ xᵖ = 0 the gradient is 0
/// (for p ≥ 1). In ceil mode a window that reaches beyond the input counts as if it were whole: its sum is
/// scaled up, as by PyTorch.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.LPPool2d.html)
///
/// ```
/// # use retrograd_nn::{LPPool1d, Layer, Tensor};
/// let y = LPPool1d::new(2.0, 2).predict(&Tensor::from([[3.0f32, 4.0, 5.0, 12.0]]))?;
/// assert_eq!(y, Tensor::from([[5.0, 13.0]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
///
/// # Errors
/// As [`AvgPool`], and if the norm type is 0 or not finite.
#[derive(Clone, Copy, Debug)]
pub struct LPPool<const D: usize> {
    norm_type: f64,
    window: Window<D>,
}

/// Along sequences `[n, c, length]`.
pub type MaxPool1d = MaxPool<1>;
/// Over images `[n, c, height, width]`.
pub type MaxPool2d = MaxPool<2>;
/// Over volumes `[n, c, depth, height, width]`.
pub type MaxPool3d = MaxPool<3>;
/// Along sequences `[n, c, length]`.
pub type AvgPool1d = AvgPool<1>;
/// Over images `[n, c, height, width]`.
pub type AvgPool2d = AvgPool<2>;
/// Over volumes `[n, c, depth, height, width]`.
pub type AvgPool3d = AvgPool<3>;
/// Along sequences `[n, c, length]`.
pub type LPPool1d = LPPool<1>;
/// Over images `[n, c, height, width]`.
pub type LPPool2d = LPPool<2>;
/// Over volumes `[n, c, depth, height, width]`.
pub type LPPool3d = LPPool<3>;

impl<const D: usize> MaxPool<D> {
    /// Windows of `kernel_size`, side by side.
    pub fn new(kernel_size: impl Into<Size<D>>) -> Self {
        Self { window: kernel_size.into().0.into(), dilation: [1; D] }
    }

    /// The distance of neighbouring elements of a window; 1 by default.
    pub fn dilation(self, dilation: impl Into<Size<D>>) -> Self {
        Self { dilation: dilation.into().0, ..self }
    }

    /// The output, and the position of each maximum in its unpadded plane, counted flat.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    #[track_caller]
    pub fn forward_with_indices<T: Float>(&self, x: &Var<T>) -> Result<(Var<T>, Tensor<i64>)> {
        x.max_pool(self.window, self.dilation)
    }
}

impl<const D: usize> AvgPool<D> {
    /// Windows of `kernel_size`, side by side.
    pub fn new(kernel_size: impl Into<Size<D>>) -> Self {
        Self { window: kernel_size.into().0.into(), divisor: Divisor::IncludePadding }
    }

    /// Whether padding counts in the divisor; it does by default.
    pub fn count_include_pad(self, include: bool) -> Self {
        Self { divisor: if include { Divisor::IncludePadding } else { Divisor::ExcludePadding }, ..self }
    }

    /// Divides by this number, whatever the window covers.
    pub fn divisor_override(self, divisor: NonZeroI64) -> Self {
        Self { divisor: Divisor::Fixed(divisor), ..self }
    }
}

impl<const D: usize> LPPool<D> {
    /// The norm of order `norm_type` of windows of `kernel_size`, side by side.
    pub fn new(norm_type: f64, kernel_size: impl Into<Size<D>>) -> Self {
        Self { norm_type, window: kernel_size.into().0.into() }
    }
}

macro_rules! sliding_window {
    ($($Pool:ident)*) => {$(
        impl<const D: usize> $Pool<D> {
            /// How far apart neighbouring windows begin; the kernel size by default.
            pub fn stride(self, stride: impl Into<Size<D>>) -> Self {
                Self { window: Window { stride: stride.into().0, ..self.window }, ..self }
            }

            /// Whether a last window that reaches beyond the padded input counts; it does not by default.
            pub fn ceil_mode(self, ceil_mode: bool) -> Self {
                Self { window: Window { ceil_mode, ..self.window }, ..self }
            }
        }

        crate::module::no_parameters!($Pool<const D: usize>);
    )*};
}

macro_rules! padded_window {
    ($($Pool:ident)*) => {$(
        impl<const D: usize> $Pool<D> {
            /// Padding on both sides of the input; none by default.
            pub fn padding(self, padding: impl Into<Size<D>>) -> Self {
                Self { window: Window { padding: padding.into().0, ..self.window }, ..self }
            }
        }
    )*};
}

sliding_window!(MaxPool AvgPool LPPool);
padded_window!(MaxPool AvgPool);

impl<const D: usize, T: Float> Layer<T> for MaxPool<D> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.max_pool_values(self.window, self.dilation)
    }

    fn interleaving(&self) -> Interleaving<'_, T> {
        Interleaving::Own { layer: self, gains: Some(true) }
    }
}

impl<const D: usize, T: Float> InterleavedLayer<T> for MaxPool<D> {
    fn forward_interleaved(&self, x: &Interleaved<T>) -> Option<Interleaved<T>> {
        x.max_pool(self.window, self.dilation).ok()
    }
}

impl<const D: usize, T: Float> Layer<T> for AvgPool<D> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.avg_pool(self.window, self.divisor)
    }

    fn interleaving(&self) -> Interleaving<'_, T> {
        Interleaving::Own { layer: self, gains: Some(true) }
    }
}

impl<const D: usize, T: Float> InterleavedLayer<T> for AvgPool<D> {
    fn forward_interleaved(&self, x: &Interleaved<T>) -> Option<Interleaved<T>> {
        x.avg_pool(self.window, self.divisor).ok()
    }
}

impl<const D: usize, T: Float> Layer<T> for LPPool<D> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.lp_pool(self.norm_type, self.window)
    }
}
