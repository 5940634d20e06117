//! Channels into space, and space into channels.

use retrograd_autograd::Var;
use retrograd_tensor::{Float, Result};

use crate::Layer;

/// Channels moved into space, r² of them for each element of a finer image.
///
/// `x` `[…, c·r², h, w]` gives `[…, c, h·r, w·r]`, y`[c, h·r + i, w·r + j]` = x`[(c·r + i)·r + j, h, w]`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html),
/// [Shi et al. 2016](https://arxiv.org/abs/1609.05158)
///
/// # Errors
/// An input of fewer than three axes, or whose channels r² does not divide; r = 0.
///
/// ```
/// # use retrograd_nn::{Layer, PixelShuffle, Tensor};
/// let y = PixelShuffle(2).predict(&Tensor::from([[[1.0f32]], [[2.0]], [[3.0]], [[4.0]]]))?;
/// assert_eq!(y, Tensor::from([[[1.0, 2.0], [3.0, 4.0]]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelShuffle(
    /// r, how many times finer the result is.
    pub usize,
);

/// Space moved into channels: the reverse of [`PixelShuffle`].
///
/// `x` `[…, c, h·r, w·r]` gives `[…, c·r², h, w]`, y`[(c·r + i)·r + j, h, w]` = x`[c, h·r + i, w·r + j]`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelUnshuffle.html)
///
/// # Errors
/// An input of fewer than three axes, or whose height or width r does not divide; r = 0.
///
/// ```
/// # use retrograd_nn::{Layer, PixelUnshuffle, Tensor};
/// let y = PixelUnshuffle(2).predict(&Tensor::from([[[1.0f32, 2.0], [3.0, 4.0]]]))?;
/// assert_eq!(y, Tensor::from([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelUnshuffle(
    /// r, how many times coarser the result is.
    pub usize,
);

crate::module::no_parameters!(PixelShuffle);
crate::module::no_parameters!(PixelUnshuffle);

impl<T: Float> Layer<T> for PixelShuffle {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.pixel_shuffle(self.0)
    }
}

impl<T: Float> Layer<T> for PixelUnshuffle {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.pixel_unshuffle(self.0)
    }
}
