//! Transposed convolution layers of 1, 2 and 3 dimensions, from one struct.

use rand::Rng;
use retrograd_autograd::{Parameter, Var};
use retrograd_tensor::{Error, Float, Result, Sliding};

use super::conv::ConvBuilder;
use crate::{Layer, Size, module};

/// The transpose of a convolution: every input element puts a copy of the kernel, times itself, into the
/// result, and what overlaps is added up. It enlarges where a [`Conv`](super::Conv) with the same settings
/// reduces.
///
/// y`[n, k, o·stride + t·dilation − padding]` = bias`[k]` + Σ weight`[c, k, t]`·x`[n, c, o]`, over all that
/// falls on the same place, c in k's group. `x` `[n, in, …]` (or `[in, …]`) gives `[n, out, …]`, where each
/// extent H becomes (H − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1. `weight` is
/// `[in, out/groups, kernel…]`, `bias` `[out]`; both begin uniform in ±1/√fan_in, where fan_in is read off the
/// weight's shape: out/groups·Πkernel. The settings are those of the [builder](ConvBuilder); the border is of
/// zeros, always.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html)
///
/// # Errors
/// An input of other axes or channels or one that is empty, a padding that leaves nothing, an output padding
/// that is smaller neither than the stride nor than the dilation.
///
/// ```
/// # use retrograd_nn::{ConvTranspose2d, Layer, Tensor};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let up: ConvTranspose2d = ConvTranspose2d::new(8, 3, 3).stride(2).padding(1).build(rng)?;
/// let x = Tensor::zeros([1, 8, 7, 7])?;
/// assert_eq!(*up.predict(&x)?.shape(), [1, 3, 13, 13]);
/// assert_eq!(*up.forward_with_output_size(&(&x).into(), [14, 13])?.shape(), [1, 3, 14, 13]);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConvTranspose<const D: usize, T: Float = f32> {
    /// The kernels, `[in, out/groups, kernel…]`.
    pub weight: Parameter<T>,
    /// What is added to each output channel, `[out]`.
    pub bias: Option<Parameter<T>>,
    groups: usize,
    sliding: Sliding<D>,
    output_padding: [usize; D],
}

/// Along sequences `[n, c, length]`.
pub type ConvTranspose1d<T = f32> = ConvTranspose<1, T>;
/// Over images `[n, c, height, width]`.
pub type ConvTranspose2d<T = f32> = ConvTranspose<2, T>;
/// Over volumes `[n, c, depth, height, width]`.
pub type ConvTranspose3d<T = f32> = ConvTranspose<3, T>;

module!(ConvTranspose<const D: usize; T> { weight, bias } ignoring { groups, sliding, output_padding });

/// The settings of a [`ConvTranspose`] layer.
pub type ConvTransposeBuilder<const D: usize, T = f32> = ConvBuilder<D, T, Cropped<D>>;

/// The edges of a [`ConvTranspose`]: what is cut off the result, and what is added at its end.
#[derive(Clone, Copy, Debug)]
pub struct Cropped<const D: usize> {
    padding: [usize; D],
    output_padding: [usize; D],
}

impl<const D: usize, T: Float> ConvTranspose<D, T> {
    /// A layer from `in_channels` to `out_channels` channels, to be [built](ConvTransposeBuilder::build);
    /// `kernel_size` is one number for all axes or an array.
    #[expect(clippy::new_ret_no_self, reason = "weights need a random number generator, which `build` takes")]
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        kernel_size: impl Into<Size<D>>,
    ) -> ConvTransposeBuilder<D, T> {
        let edges = Cropped { padding: [0; D], output_padding: [0; D] };
        ConvBuilder::of(in_channels, out_channels, kernel_size.into(), edges)
    }

    const OP: &'static str = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"][D - 1];

    /// As [`forward`](Layer::forward), to a result of these extents: the output padding is what that takes,
    /// whatever the layer's own. With a stride, a convolution has the same extent for several of its input's,
    /// and this says which one is meant.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward), and if an extent is below (H − 1)·stride − 2·padding +
    /// dilation·(kernel − 1) + 1, or not below that plus the stride.
    #[track_caller]
    pub fn forward_with_output_size(&self, x: &Var<T>, output_size: [usize; D]) -> Result<Var<T>> {
        let Some(channels) = x.rank().checked_sub(D + 1).filter(|&batch| batch < 2) else {
            let fact = format!("expected {} or {} axes, found {}: {}", D + 1, D + 2, x.rank(), x.shape());
            return Err(Error::new(Self::OP, fact));
        };
        let mut output_padding = [0; D];
        for axis in 0..D {
            let least = self.least_extent(axis, x.shape()[channels + 1 + axis]);
            let [size, stride] = [output_size[axis], self.sliding.stride[axis]].map(|n| n as i128);
            if !(least..least + stride).contains(&size) {
                let fact = format!(
                    "expected an output size of {least} to {} at axis {}, found {size}",
                    least + stride - 1,
                    axis as isize - D as isize
                );
                return Err(Error::new(Self::OP, fact));
            }
            output_padding[axis] = (size - least) as usize;
        }
        self.transposed(x, output_padding)
    }

    /// The extent without an output padding; computed so wide that no settings overflow it.
    fn least_extent(&self, axis: usize, input: usize) -> i128 {
        let wide = |n: usize| n as i128;
        let Sliding { stride, dilation, padding } = self.sliding;
        let kernel = self.weight.value().shape()[2 + axis];
        let steps = (wide(input) - 1).saturating_mul(wide(stride[axis]));
        let reach = wide(kernel.saturating_sub(1)).saturating_mul(wide(dilation[axis]));
        let cut: i128 = padding[axis].into_iter().map(wide).sum();
        steps.saturating_add(reach).saturating_sub(cut).saturating_add(1)
    }

    #[track_caller]
    fn transposed(&self, x: &Var<T>, output_padding: [usize; D]) -> Result<Var<T>> {
        let bias = self.bias.as_ref().map(|bias| bias.on(x));
        x.conv_transpose(&self.weight.on(x), bias.as_ref(), self.groups, self.sliding, output_padding)
    }
}

impl<const D: usize, T: Float> ConvTransposeBuilder<D, T> {
    /// How much is cut off both ends of the result, one number or one for each axis; nothing by default. It is
    /// called padding for being that of the convolution that this transposes.
    pub fn padding(mut self, padding: impl Into<Size<D>>) -> Self {
        self.edges.padding = padding.into().0;
        self
    }

    /// How much longer the result is at its end, one number or one for each axis; 0 by default. It is smaller
    /// than the stride or the dilation. What it adds are no zeros but more places for kernels to reach.
    pub fn output_padding(mut self, output_padding: impl Into<Size<D>>) -> Self {
        self.edges.output_padding = output_padding.into().0;
        self
    }

    /// The layer, with weights drawn from `rng`.
    ///
    /// # Errors
    /// If a channel count, kernel extent, stride or dilation is 0, `groups` does not divide both channel
    /// counts, or the weight cannot be addressed.
    #[track_caller]
    pub fn build(self, rng: &mut impl Rng) -> Result<ConvTranspose<D, T>> {
        let op = ConvTranspose::<D, T>::OP;
        let Self { stride, dilation, groups, edges: Cropped { padding, output_padding }, .. } = self;
        let sliding = Sliding { stride, dilation, padding: padding.map(|side| [side; 2]) };
        let leading = |[inputs, outputs, groups]: [usize; 3]| [inputs, outputs / groups];
        let (weight, bias) = self.parameters(op, leading, rng)?;
        Ok(ConvTranspose { weight, bias, groups, sliding, output_padding })
    }
}

impl<const D: usize, T: Float> Layer<T> for ConvTranspose<D, T> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        self.transposed(x, self.output_padding)
    }
}
