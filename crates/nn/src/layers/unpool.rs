//! Unpooling of 1, 2 and 3 dimensions, from one struct.

use retrograd_autograd::Var;
use retrograd_tensor::{Float, Result, Tensor, Window};

use crate::Size;

/// The inverse of [`MaxPool`](crate::MaxPool), but for what was lost: zeros, with each element at the place
/// that its index names.
///
/// `x` `[n, c, …]` (or `[c, …]`) and `indices` of the same shape come from
/// [`forward_with_indices`](crate::MaxPool::forward_with_indices); each extent H becomes
/// (H − 1)·stride − 2·padding + kernel. Several extents are pooled to one H, so
/// [`forward_to`](Self::forward_to) is told which it was. The stride is the kernel by default.
///
/// Where an index occurs twice in a plane, because windows overlapped, the last element in row-major order
/// stays, at any number of threads. Each of them takes the gradient of the place, as in PyTorch.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html)
///
/// ```
/// # use retrograd_nn::{MaxPool1d, MaxUnpool1d, Tensor, Var};
/// let x = Var::from(Tensor::from([[1.0f32, 5.0, 4.0, 2.0, 9.0]]));
/// let (y, indices) = MaxPool1d::new(2).forward_with_indices(&x)?;
/// let unpool = MaxUnpool1d::new(2);
/// assert_eq!(unpool.forward(&y, &indices)?.value(), &Tensor::from([[0.0, 5.0, 4.0, 0.0]]));
/// assert_eq!(unpool.forward_to(&y, &indices, &[5])?.value(), &Tensor::from([[0.0, 5.0, 4.0, 0.0, 0.0]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MaxUnpool<const D: usize> {
    window: Window<D>,
}

/// Along sequences `[n, c, length]`.
pub type MaxUnpool1d = MaxUnpool<1>;
/// Over images `[n, c, height, width]`.
pub type MaxUnpool2d = MaxUnpool<2>;
/// Over volumes `[n, c, depth, height, width]`.
pub type MaxUnpool3d = MaxUnpool<3>;

impl<const D: usize> MaxUnpool<D> {
    /// For what was pooled by windows of `kernel_size`, side by side.
    pub fn new(kernel_size: impl Into<Size<D>>) -> Self {
        Self { window: kernel_size.into().0.into() }
    }

    /// How far apart neighbouring windows began; the kernel size by default.
    pub fn stride(self, stride: impl Into<Size<D>>) -> Self {
        Self { window: Window { stride: stride.into().0, ..self.window } }
    }

    /// The padding that there was on both sides; none by default.
    pub fn padding(self, padding: impl Into<Size<D>>) -> Self {
        Self { window: Window { padding: padding.into().0, ..self.window } }
    }

    /// Zeros of the extents that the window says, with the elements of `x` where `indices` name.
    ///
    /// # Errors
    /// If the shapes differ, a kernel, stride, or extent other than that of the batch is 0, or an index lies
    /// outside the plane.
    #[track_caller]
    pub fn forward<T: Float>(&self, x: &Var<T>, indices: &Tensor<i64>) -> Result<Var<T>> {
        x.max_unpool(indices, self.window, None)
    }

    /// As [`forward`](Self::forward), to the extents `output_size`: `D` of them, or the shape `[n, c, …]` that
    /// was pooled. Indices are flat: a width other than the pooled one's moves elements to other columns.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and if an extent is a stride or more away from what the window says.
    #[track_caller]
    pub fn forward_to<T: Float>(
        &self,
        x: &Var<T>,
        indices: &Tensor<i64>,
        output_size: &[usize],
    ) -> Result<Var<T>> {
        x.max_unpool(indices, self.window, Some(output_size))
    }
}

crate::module::no_parameters!(MaxUnpool<const D: usize>);
