//! Convolution layers of 1, 2 and 3 dimensions, from one struct.

use rand::Rng;
use retrograd_autograd::{Parameter, Var};
use retrograd_tensor::{Error, Float, Result, Shape, Sliding};

use super::linear::weight_and_bias;
use crate::init::Init;
use crate::{Layer, Size, module};

/// Cross-correlation: a kernel slides over the input, multiplying and adding.
///
/// `x` `[n, in, …]` (or `[in, …]`) gives `[n, out, …]`, where each extent H becomes ⌊(H + 2·padding −
/// dilation·(kernel − 1) − 1)/stride⌋ + 1. `weight` is `[out, in/groups, kernel…]`, `bias` `[out]`; both begin
/// uniform in ±1/√fan_in with fan_in = in/groups·Πkernel.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html)
///
/// ```
/// # use retrograd_nn::{Conv2d, Layer, Tensor, init::XavierNormal};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let conv = Conv2d::new(3, 8, 5).stride(2).padding([2, 1]).init(XavierNormal::default());
/// let conv: Conv2d = conv.build(rng)?;
/// let y = conv.predict(&Tensor::zeros([1, 3, 28, 28])?)?;
/// assert_eq!(*y.shape(), [1, 8, 14, 13]);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conv<const D: usize, T: Float = f32> {
    /// The kernels, `[out, in/groups, kernel…]`.
    pub weight: Parameter<T>,
    /// What is added to each output channel, `[out]`.
    pub bias: Option<Parameter<T>>,
    groups: usize,
    sliding: Sliding<D>,
}

/// Along sequences `[n, c, length]`.
pub type Conv1d<T = f32> = Conv<1, T>;
/// Over images `[n, c, height, width]`.
pub type Conv2d<T = f32> = Conv<2, T>;
/// Over volumes `[n, c, depth, height, width]`.
pub type Conv3d<T = f32> = Conv<3, T>;

module!(Conv<const D: usize; T> { weight, bias } ignoring { groups, sliding });

impl<const D: usize, T: Float> Conv<D, T> {
    /// A layer from `in_channels` to `out_channels` channels, to be [built](ConvBuilder::build); `kernel_size`
    /// is one number for all axes or an array.
    #[expect(clippy::new_ret_no_self, reason = "weights need a random number generator, which `build` takes")]
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        kernel_size: impl Into<Size<D>>,
    ) -> ConvBuilder<D, T> {
        ConvBuilder {
            in_channels,
            out_channels,
            kernel_size: kernel_size.into().0,
            stride: [1; D],
            padding: Padding::Each([0; D]),
            dilation: [1; D],
            groups: 1,
            bias: true,
            init: None,
        }
    }
}

/// The zeros imagined around the input of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const D: usize> {
    /// This many on both sides of each axis.
    Each([usize; D]),
    /// As many as keep the extents, for stride 1; of an odd number, one more at the end.
    Same,
    /// None.
    Valid,
}

impl<const D: usize> From<usize> for Padding<D> {
    fn from(all: usize) -> Self {
        Padding::Each([all; D])
    }
}

impl<const D: usize> From<[usize; D]> for Padding<D> {
    fn from(each: [usize; D]) -> Self {
        Padding::Each(each)
    }
}

/// The settings of a [`Conv`] layer.
pub struct ConvBuilder<const D: usize, T: Float = f32> {
    in_channels: usize,
    out_channels: usize,
    kernel_size: [usize; D],
    stride: [usize; D],
    padding: Padding<D>,
    dilation: [usize; D],
    groups: usize,
    bias: bool,
    init: Option<Box<dyn Init<T>>>,
}

impl<const D: usize, T: Float> ConvBuilder<D, T> {
    /// How far the kernel moves between neighbouring outputs; 1 by default.
    pub fn stride(self, stride: impl Into<Size<D>>) -> Self {
        Self { stride: stride.into().0, ..self }
    }

    /// Zeros on both sides of the input: a number, one for each axis, [`Padding::Same`] or [`Padding::Valid`];
    /// none by default.
    pub fn padding(self, padding: impl Into<Padding<D>>) -> Self {
        Self { padding: padding.into(), ..self }
    }

    /// The distance of neighbouring taps of the kernel; 1 by default.
    pub fn dilation(self, dilation: impl Into<Size<D>>) -> Self {
        Self { dilation: dilation.into().0, ..self }
    }

    /// Into how many groups the channels are divided, each convolved on its own; 1 by default. As many as there
    /// are input channels make a depthwise convolution.
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// Whether there is a bias; there is by default.
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// What the weight begins as.
    pub fn init(self, init: impl Init<T> + 'static) -> Self {
        Self { init: Some(Box::new(init)), ..self }
    }

    /// The layer, with weights drawn from `rng`.
    ///
    /// # Errors
    /// If a channel count, kernel extent, stride or dilation is 0, `groups` does not divide both channel
    /// counts, `same` padding meets a stride, or the weight cannot be addressed.
    #[track_caller]
    pub fn build(self, rng: &mut impl Rng) -> Result<Conv<D, T>> {
        let Self { in_channels, out_channels, kernel_size, stride, dilation, groups, .. } = self;
        let op = const { ["conv1d", "conv2d", "conv3d"][D - 1] };
        if groups == 0 || !in_channels.is_multiple_of(groups) || !out_channels.is_multiple_of(groups) {
            let fact = format!(
                "{groups} groups do not divide {in_channels} input and {out_channels} output channels"
            );
            return Err(Error::new(op, fact));
        }
        for (name, values) in [("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation)] {
            if values.contains(&0) {
                return Err(Error::new(op, format!("expected a {name} of at least 1, found {values:?}")));
            }
        }
        if in_channels == 0 || out_channels == 0 {
            let fact = format!("expected at least 1 channel, found {in_channels} in and {out_channels} out");
            return Err(Error::new(op, fact));
        }
        let sliding = Sliding { stride, dilation, padding: self.sides(op)? };
        let mut shape = Shape::from([out_channels, in_channels / groups]);
        kernel_size.iter().for_each(|&extent| shape.push(extent));
        let (weight, bias) = weight_and_bias(op, shape, self.bias.then_some(out_channels), self.init, rng)?;
        Ok(Conv { weight, bias, groups, sliding })
    }

    /// The padding before and after each axis.
    #[track_caller]
    fn sides(&self, op: &'static str) -> Result<[[usize; 2]; D]> {
        match self.padding {
            Padding::Each(each) => Ok(each.map(|padding| [padding; 2])),
            Padding::Valid => Ok([[0; 2]; D]),
            Padding::Same if self.stride != [1; D] => {
                Err(Error::new(op, format!("`same` padding wants a stride of 1, found {:?}", self.stride)))
            }
            Padding::Same => Ok(std::array::from_fn(|axis| {
                let total = self.dilation[axis].saturating_mul(self.kernel_size[axis] - 1);
                [total / 2, total - total / 2]
            })),
        }
    }
}

impl<const D: usize, T: Float> Layer<T> for Conv<D, T> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let bias = self.bias.as_ref().map(|bias| bias.on(x));
        x.conv(&self.weight.on(x), bias.as_ref(), self.groups, self.sliding)
    }
}
