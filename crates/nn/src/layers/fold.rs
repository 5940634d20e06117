//! Images into patches, and patches into images.

use retrograd_autograd::Var;
use retrograd_tensor::{Float, Result, Sliding};

use crate::{Layer, Size};

/// The patches that a sliding kernel sees, one a column (im2col).
///
/// `x` `[n, c, h, w]` (or `[c, h, w]`) gives `[n, c·kh·kw, L]`, y`[n, (c, t), o]` =
/// x`[n, c, o·stride + t·dilation − padding]`, with zeros for padding, over the taps t of the kernel and its L
/// positions o, ⌊(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1 along each axis, both in row-major
/// order. A convolution is the product of its weight with this. For sequences and volumes there is
/// [`Var::unfold`].
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html)
///
/// # Errors
/// A kernel, stride or dilation of 0; an input of other axes, or which, padded, is smaller than the kernel.
///
/// ```
/// # use retrograd_nn::{Layer, Tensor, Unfold};
/// let x = Tensor::from([[[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]]);
/// let y = Unfold::new([2, 2]).predict(&x)?;
/// assert_eq!(y, Tensor::from([[1.0, 2.0], [2.0, 3.0], [4.0, 5.0], [5.0, 6.0]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Unfold {
    kernel_size: [usize; 2],
    sliding: Sliding<2>,
}

/// Patches put together to images, sums where they overlap (col2im): the adjoint of [`Unfold`].
///
/// `x` `[n, c·kh·kw, L]` (or `[c·kh·kw, L]`) gives `[n, c, h, w]` of the output size, y`[n, c, i]` = Σ
/// x`[n, (c, t), o]` over the taps t and positions o with o·stride + t·dilation − padding = i. Of an unfolded
/// image, each element comes back as many times as it was seen. For sequences and volumes there is
/// [`Var::fold`].
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Fold.html)
///
/// # Errors
/// A kernel, stride or dilation of 0; an input of other axes, whose rows are no multiple of kh·kw, or whose
/// columns are not as many as the kernel has positions in the output size.
///
/// ```
/// # use retrograd_nn::{Fold, Layer, Tensor};
/// let x = Tensor::from([[1.0f32, 2.0], [2.0, 3.0], [4.0, 5.0], [5.0, 6.0]]);
/// let y = Fold::new([2, 3], [2, 2]).predict(&x)?;
/// assert_eq!(y, Tensor::from([[[1.0, 4.0, 3.0], [4.0, 10.0, 6.0]]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fold {
    output_size: [usize; 2],
    kernel_size: [usize; 2],
    sliding: Sliding<2>,
}

crate::module::no_parameters!(Unfold);
crate::module::no_parameters!(Fold);

impl Unfold {
    /// Patches of this size, side by side in steps of 1, without padding.
    pub fn new(kernel_size: impl Into<Size<2>>) -> Self {
        Self { kernel_size: kernel_size.into().0, sliding: Sliding::default() }
    }
}

impl Fold {
    /// Patches of this size, side by side in steps of 1, to images of `output_size`, without padding.
    pub fn new(output_size: impl Into<Size<2>>, kernel_size: impl Into<Size<2>>) -> Self {
        let (output_size, kernel_size) = (output_size.into().0, kernel_size.into().0);
        Self { output_size, kernel_size, sliding: Sliding::default() }
    }
}

macro_rules! sliding_settings {
    ($($Type:ident)*) => {$(
        impl $Type {
            /// How far neighbouring patches are apart; 1 by default.
            pub fn stride(mut self, stride: impl Into<Size<2>>) -> Self {
                self.sliding.stride = stride.into().0;
                self
            }

            /// How far neighbouring elements of a patch are apart in the image; 1 by default.
            pub fn dilation(mut self, dilation: impl Into<Size<2>>) -> Self {
                self.sliding.dilation = dilation.into().0;
                self
            }

            /// How wide a border of zeros around the image patches may reach into; 0 by default.
            pub fn padding(mut self, padding: impl Into<Size<2>>) -> Self {
                self.sliding.padding = padding.into().0.map(|side| [side; 2]);
                self
            }
        }
    )*};
}

sliding_settings!(Unfold Fold);

impl<T: Float> Layer<T> for Unfold {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.unfold(self.kernel_size, self.sliding)
    }
}

impl<T: Float> Layer<T> for Fold {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.fold(self.output_size, self.kernel_size, self.sliding)
    }
}
