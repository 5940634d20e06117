//! Convolution layers of 1, 2 and 3 dimensions, from one struct; and the builder that transposed ones share.

use rand::Rng;
use retrograd_autograd::{Interleaved, Parameter, Var};
use retrograd_tensor::{Error, Finish, Float, Geometry, PaddingMode, Result, Shape, Sliding, Slot};

use super::linear::weight_and_bias;
use crate::init::Init;
use crate::{AnyLayer, InterleavedLayer, Interleaving, Layer, Size, module};

/// Cross-correlation: a kernel slides over the input, multiplying and adding.
///
/// y`[n, k, o]` = bias`[k]` + Σ weight`[k, c, t]`·x`[n, c, o·stride + t·dilation − padding]`, over the taps t
/// of the kernel and the channels c of k's group. `x` `[n, in, …]` (or `[in, …]`) gives `[n, out, …]`, where
/// each extent H becomes ⌊(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1. `weight` is
/// `[out, in/groups, kernel…]`, `bias` `[out]`; both begin uniform in ±1/√fan_in with fan_in =
/// in/groups·Πkernel. The settings are those of the [builder](ConvBuilder).
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html)
///
/// # Errors
/// An input of other axes or channels, one that is empty or, padded, smaller than the kernel; and a border that
/// the padding mode does not allow ([`Var::pad_with`]).
///
/// ```
/// # use retrograd_nn::{Conv2d, Layer, PaddingMode, Tensor, init::XavierNormal};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let conv = Conv2d::new(3, 8, 5).stride(2).padding([2, 1]).init(XavierNormal::default());
/// let conv: Conv2d = conv.padding_mode(PaddingMode::Reflect).build(rng)?;
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
    padding_mode: PaddingMode,
}

/// Along sequences `[n, c, length]`.
pub type Conv1d<T = f32> = Conv<1, T>;
/// Over images `[n, c, height, width]`.
pub type Conv2d<T = f32> = Conv<2, T>;
/// Over volumes `[n, c, depth, height, width]`.
pub type Conv3d<T = f32> = Conv<3, T>;

module!(Conv<const D: usize; T> { weight, bias } ignoring { groups, sliding, padding_mode });

impl<const D: usize, T: Float> Conv<D, T> {
    /// A layer from `in_channels` to `out_channels` channels, to be [built](ConvBuilder::build); `kernel_size`
    /// is one number for all axes or an array.
    #[expect(clippy::new_ret_no_self, reason = "weights need a random number generator, which `build` takes")]
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        kernel_size: impl Into<Size<D>>,
    ) -> ConvBuilder<D, T> {
        let edges = Padded { padding: Padding::Each([0; D]), mode: PaddingMode::Zeros };
        ConvBuilder::of(in_channels, out_channels, kernel_size.into(), edges)
    }
}

/// How wide the border around the input of a convolution is.
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

/// The settings of a [`Conv`] layer, or of a [`ConvTranspose`](super::ConvTranspose), which differ in `E`: what
/// happens at the edges.
///
/// | setting | what it is | default |
/// |---|---|---|
/// | `in_channels` | the channels of the input | |
/// | `out_channels` | the channels of the result | |
/// | `kernel_size` | the extents of the kernel | |
/// | [`stride`](Self::stride) | how far the kernel moves | 1 |
/// | `padding` | how wide the border of the input is (transposed: what is cut off the result) | 0 |
/// | `padding_mode` | what the border holds | zeros |
/// | `output_padding` | what a transposed one adds to the result's end | 0 |
/// | [`dilation`](Self::dilation) | how far neighbouring taps are apart | 1 |
/// | [`groups`](Self::groups) | how many parts of the channels are convolved on their own | 1 |
/// | [`bias`](Self::bias) | whether a number is added to each channel of the result | yes |
/// | [`init`](Self::init) | what the weight begins as | uniform in ±1/√fan_in |
pub struct ConvBuilder<const D: usize, T: Float = f32, E = Padded<D>> {
    in_channels: usize,
    out_channels: usize,
    pub(super) kernel_size: [usize; D],
    pub(super) stride: [usize; D],
    pub(super) dilation: [usize; D],
    pub(super) groups: usize,
    bias: bool,
    init: Option<Box<dyn Init<T>>>,
    pub(super) edges: E,
}

/// The edges of a [`Conv`]: a border.
#[derive(Clone, Copy, Debug)]
pub struct Padded<const D: usize> {
    padding: Padding<D>,
    mode: PaddingMode,
}

impl<const D: usize, T: Float, E> ConvBuilder<D, T, E> {
    pub(super) fn of(in_channels: usize, out_channels: usize, kernel_size: Size<D>, edges: E) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel_size: kernel_size.0,
            stride: [1; D],
            dilation: [1; D],
            groups: 1,
            bias: true,
            init: None,
            edges,
        }
    }

    /// How far the kernel moves between neighbouring outputs (of a transposed convolution: inputs), one number
    /// or one for each axis; 1 by default.
    pub fn stride(self, stride: impl Into<Size<D>>) -> Self {
        Self { stride: stride.into().0, ..self }
    }

    /// The distance of neighbouring taps of the kernel, one number or one for each axis; 1 by default.
    pub fn dilation(self, dilation: impl Into<Size<D>>) -> Self {
        Self { dilation: dilation.into().0, ..self }
    }

    /// Into how many groups the channels are divided, each convolved on its own: group g of the output sees
    /// group g of the input only. It divides both channel counts; 1 by default. As many as there are input
    /// channels make a depthwise convolution.
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// Whether a trained number is added to each output channel; it is by default.
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// What the weight begins as; uniform in ±1/√fan_in by default, as the bias always is. fan_in is read off
    /// the weight's shape, the second extent times the kernel's.
    pub fn init(self, init: impl Init<T> + 'static) -> Self {
        Self { init: Some(Box::new(init)), ..self }
    }

    /// The weight and the bias; of the weight, the axes of the channels are given by `leading`, from input
    /// channels, output channels and groups.
    #[track_caller]
    pub(super) fn parameters(
        self,
        op: &'static str,
        leading: fn([usize; 3]) -> [usize; 2],
        rng: &mut impl Rng,
    ) -> Result<(Parameter<T>, Option<Parameter<T>>)> {
        let Self { in_channels, out_channels, kernel_size, stride, dilation, groups, .. } = self;
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
        let mut shape = Shape::from(leading([in_channels, out_channels, groups]));
        kernel_size.iter().for_each(|&extent| shape.push(extent));
        weight_and_bias(op, shape, self.bias.then_some(out_channels), self.init, rng)
    }
}

impl<const D: usize, T: Float> ConvBuilder<D, T> {
    /// How wide the border on both sides of the input is: a number, one for each axis, [`Padding::Same`] or
    /// [`Padding::Valid`]; none by default.
    pub fn padding(mut self, padding: impl Into<Padding<D>>) -> Self {
        self.edges.padding = padding.into();
        self
    }

    /// What the border holds; zeros by default.
    pub fn padding_mode(mut self, mode: PaddingMode) -> Self {
        self.edges.mode = mode;
        self
    }

    /// The layer, with weights drawn from `rng`.
    ///
    /// # Errors
    /// If a channel count, kernel extent, stride or dilation is 0, `groups` does not divide both channel
    /// counts, `same` padding meets a stride, or the weight cannot be addressed.
    #[track_caller]
    pub fn build(self, rng: &mut impl Rng) -> Result<Conv<D, T>> {
        let op = const { ["conv1d", "conv2d", "conv3d"][D - 1] };
        let Self { stride, dilation, groups, edges: Padded { mode: padding_mode, .. }, .. } = self;
        let sliding = Sliding { stride, dilation, padding: self.sides(op)? };
        let leading = |[inputs, outputs, groups]: [usize; 3]| [outputs, inputs / groups];
        let (weight, bias) = self.parameters(op, leading, rng)?;
        Ok(Conv { weight, bias, groups, sliding, padding_mode })
    }

    /// The padding before and after each axis.
    #[track_caller]
    fn sides(&self, op: &'static str) -> Result<[[usize; 2]; D]> {
        match self.edges.padding {
            Padding::Each(each) => Ok(each.map(|padding| [padding; 2])),
            Padding::Valid => Ok([[0; 2]; D]),
            Padding::Same if self.stride != [1; D] => {
                Err(Error::new(op, format!("`same` padding wants a stride of 1, found {:?}", self.stride)))
            }
            Padding::Same => Ok(std::array::from_fn(|axis| {
                let total = self.dilation[axis].saturating_mul(self.kernel_size[axis].saturating_sub(1));
                [total / 2, total - total / 2]
            })),
        }
    }
}

impl<const D: usize, T: Float> Layer<T> for Conv<D, T> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let (weight, bias) = (self.weight.on(x), self.bias.as_ref().map(|bias| bias.on(x)));
        if self.padding_mode == PaddingMode::Zeros {
            return x.conv(&weight, bias.as_ref(), self.groups, self.sliding);
        }
        // A border too wide for the type is too wide for any input.
        let signed = |side: usize| isize::try_from(side).unwrap_or(isize::MAX);
        let border = self.sliding.padding.map(|[before, after]| (signed(before), signed(after)));
        let unpadded = Sliding { padding: [[0; 2]; D], ..self.sliding };
        x.pad_with(&border, self.padding_mode)?.conv(&weight, bias.as_ref(), self.groups, unpadded)
    }

    fn interleaving(&self) -> Interleaving<'_, T> {
        match self.padding_mode {
            // Another convolution decides for itself.
            PaddingMode::Zeros => Interleaving::Own { layer: self, gains: Some(false) },
            _ => Interleaving::Refused,
        }
    }

    fn with_next<'a>(&self, x: &Var<T>, next: &'a [AnyLayer<T>]) -> Option<(Var<T>, &'a [AnyLayer<T>])> {
        if x.tape().is_some() || x.rank() != D + 2 || self.padding_mode != PaddingMode::Zeros {
            return None;
        }
        let (weight, bias) = (self.weight.value(), self.bias.as_ref().map(Parameter::value));
        let (axes, &channels) = (x.rank(), weight.shape().first()?);
        let (mut finish, mut left) = (Finish::plus(bias), next);
        while let [layer, next @ ..] = left
            && let Some(more) = layer.in_passing(&finish, axes, channels)
        {
            (finish, left) = (more, next);
        }
        if left.len() == next.len() {
            return None;
        }
        // An error is left to the layer that is called alone, which knows what to say.
        let geometry =
            Geometry::convolution("conv", x.shape(), weight.shape(), self.groups, self.sliding).ok()?;
        let y = geometry.solve_finished(Slot::Output, [x.value(), weight], &finish).ok()?;
        Some((Var::from(y), left))
    }
}

impl<const D: usize, T: Float> InterleavedLayer<T> for Conv<D, T> {
    fn forward_interleaved(&self, x: &Interleaved<T>) -> Option<Interleaved<T>> {
        if self.lanes_of(&x.shape()) != Some(x.lanes()) {
            return None;
        }
        let (weight, bias) = (self.weight.on(x.values()), self.bias.as_ref().map(|bias| bias.on(x.values())));
        x.conv(&weight, bias.as_ref(), self.groups, self.sliding).ok()
    }

    fn lanes(&self, x: &Var<T>) -> Option<usize> {
        self.lanes_of(x.shape())
    }
}

impl<const D: usize, T: Float> Conv<D, T> {
    fn lanes_of(&self, x: &[usize]) -> Option<usize> {
        let weight = self.weight.value().shape();
        Geometry::convolution("conv", x, weight, self.groups, self.sliding).ok()?.lanes::<T>()
    }
}
