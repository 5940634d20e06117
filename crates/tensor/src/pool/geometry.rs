//! Where the windows of a pooling lie, with every number checked once and for all.

use smallvec::SmallVec;

use crate::window::{Axis, axis_name, reach};
use crate::{Error, Result, Shape};

/// A window and how it slides, for each of `D` axes, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window<const D: usize> {
    /// The window's extents.
    pub kernel: [usize; D],
    /// How far apart neighbouring windows begin.
    pub stride: [usize; D],
    /// Padding imagined on either side of the input.
    pub padding: [usize; D],
    /// Whether a last window that reaches beyond the padded input counts, as long as it begins before the
    /// padding after the input.
    pub ceil_mode: bool,
}

/// Windows side by side, without padding.
impl<const D: usize> From<[usize; D]> for Window<D> {
    fn from(kernel: [usize; D]) -> Self {
        Self { kernel, stride: kernel, padding: [0; D], ceil_mode: false }
    }
}

/// The extent of an adaptive pooling's result for each of `D` axes; none keeps the input's. Made from one
/// number for all axes, or an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputSize<const D: usize>(pub [Option<usize>; D]);

impl<const D: usize> From<usize> for OutputSize<D> {
    fn from(all: usize) -> Self {
        Self([Some(all); D])
    }
}

impl<const D: usize> From<[usize; D]> for OutputSize<D> {
    fn from(each: [usize; D]) -> Self {
        Self(each.map(Some))
    }
}

impl<const D: usize> From<[Option<usize>; D]> for OutputSize<D> {
    fn from(each: [Option<usize>; D]) -> Self {
        Self(each)
    }
}

/// A fully resolved pooling over 1, 2 or 3 axes of tensors `[batch, channels, …]`: which inputs each output
/// sees.
///
/// Kept as three axes, the leading ones of extent 1. Each window sees at least one input, and no number
/// overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pooling {
    leading: [usize; 2],
    sides: [Side; 3],
    /// How many of the axes, counted from the back, the caller's tensors have.
    rank: usize,
}

/// One axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Side {
    Sliding(Axis),
    /// Output o of O sees the inputs from ⌊o·H/O⌋ to ⌈(o + 1)·H/O⌉ of H.
    Adaptive {
        input: usize,
        output: usize,
    },
}

/// The inputs that one output sees along an axis: from `start`, each `step` of the axis, to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Inputs and padding that the window covers, without what lies beyond the padding.
    pub(super) padded: usize,
}

/// What an axis' outputs see, one after the other.
pub(super) type Reaches = SmallVec<[Reach; 32]>;

impl Pooling {
    /// Maximum pooling of a tensor `[batch, channels, …]` by windows whose neighbouring elements are
    /// `dilation` apart.
    ///
    /// Each extent H becomes ⌊(H + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, the quotient rounded
    /// up in ceil mode, in which a last window that would begin after the input is dropped; as in
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html).
    ///
    /// # Errors
    /// If a kernel, stride, dilation or extent other than that of the batch is 0, the padding exceeds half of
    /// the window, the input is smaller than the window, a window would see padding alone, or a number
    /// overflows. `op` is the operation that the message names.
    #[track_caller]
    pub fn max<const D: usize>(
        op: &'static str,
        input: &[usize],
        window: Window<D>,
        dilation: [usize; D],
    ) -> Result<Self> {
        Self::sliding(op, input, window, dilation)
    }

    /// Average pooling of a tensor `[batch, channels, …]`; the extents are those of [`Pooling::max`].
    ///
    /// # Errors
    /// As [`Pooling::max`], and over three axes if the unpadded input is smaller than the window (a rule of
    /// PyTorch's).
    #[track_caller]
    pub fn average<const D: usize>(op: &'static str, input: &[usize], window: Window<D>) -> Result<Self> {
        let pooling = Self::sliding(op, input, window, [1; D])?;
        let small = |&axis: &usize| D == 3 && input[axis + 2] < window.kernel[axis];
        if let Some(axis) = (0..D).find(small) {
            let (input, kernel, name) = (input[axis + 2], window.kernel[axis], axis_name(axis));
            let fact = format!("input {input} at axis {name} (expected at least {kernel}, the kernel)");
            return Err(Error::new(op, fact));
        }
        Ok(pooling)
    }

    /// Pooling of a tensor `[batch, channels, …]` to the extents `output`, by windows from ⌊o·H/O⌋ to ⌈(o +
    /// 1)·H/O⌉.
    ///
    /// # Errors
    /// If an extent other than that of the batch is 0, or a number overflows.
    #[track_caller]
    pub fn adaptive<const D: usize>(
        op: &'static str,
        input: &[usize],
        output: impl Into<OutputSize<D>>,
    ) -> Result<Self> {
        check_input::<D>(op, input)?;
        let OutputSize(output) = output.into();
        let mut sides = [Side::Adaptive { input: 1, output: 1 }; 3];
        for (axis, i) in (0..D).zip(3 - D..3) {
            let input = input[axis + 2];
            let output = output[axis].unwrap_or(input);
            if input == 0 || output == 0 {
                return Err(Error::new(
                    op,
                    format!(
                        "{input} to {output} elements at axis {} (expected at least 1 of both)",
                        axis_name(i)
                    ),
                ));
            }
            if output.checked_mul(input).is_none() {
                return Err(Error::new(op, format!("{input} · {output} overflows at axis {}", axis_name(i))));
            }
            sides[i] = Side::Adaptive { input, output };
        }
        Self::of(op, input, sides, D)
    }

    #[track_caller]
    fn sliding<const D: usize>(
        op: &'static str,
        input: &[usize],
        window: Window<D>,
        dilation: [usize; D],
    ) -> Result<Self> {
        check_input::<D>(op, input)?;
        let mut sides = [Side::Adaptive { input: 1, output: 1 }; 3];
        for (axis, i) in (0..D).zip(3 - D..3) {
            let (kernel, stride, padding) = (window.kernel[axis], window.stride[axis], window.padding[axis]);
            let axis = Axis {
                input: input[axis + 2],
                kernel,
                output: 0,
                stride,
                dilation: dilation[axis],
                before: padding,
                after: padding,
            };
            sides[i] = Side::Sliding(pooled(op, i, axis, window.ceil_mode)?);
        }
        Self::of(op, input, sides, D)
    }

    /// The pooling, unless its tensors are too large or a window sees no input.
    #[track_caller]
    fn of(op: &'static str, input: &[usize], sides: [Side; 3], rank: usize) -> Result<Self> {
        let pooling = Self { leading: [input[0], input[1]], sides, rank };
        if pooling.input().checked_numel().is_none() || pooling.output().checked_numel().is_none() {
            return Err(Error::new(op, format!("the result of input {input:?} is too large")));
        }
        for (i, side) in sides.iter().enumerate() {
            if let Some(o) = side.blind() {
                let name = axis_name(i);
                return Err(Error::new(op, format!("window {o} at axis {name} sees padding alone: {side}")));
            }
        }
        Ok(pooling)
    }

    /// The same pooling of images that are [interleaved](crate::Tensor::interleaved), `lanes` of them side by side: from
    /// `[n/lanes, c, …, lanes]` to results like that. None where there are no such: the batch is not a multiple of
    /// `lanes`, or there are three axes. Places of maxima are counted in planes that `lanes` images share.
    pub fn interleaved(&self, lanes: usize) -> Option<Self> {
        let ([batch, channels], [_, deep, high]) = (self.leading, self.sides);
        if self.rank == 3 || lanes == 0 || !batch.is_multiple_of(lanes) {
            return None;
        }
        let sides = [deep, high, Side::Sliding(Axis::identity(lanes))];
        Some(Self { leading: [batch / lanes, channels], sides, rank: self.rank + 1 })
    }

    /// The shape of what is pooled.
    pub fn input(&self) -> Shape {
        self.shape(Side::input)
    }

    /// The shape of the result.
    pub fn output(&self) -> Shape {
        self.shape(Side::output)
    }

    fn shape(&self, extent: impl Fn(&Side) -> usize) -> Shape {
        self.leading.into_iter().chain(self.sides[3 - self.rank..].iter().map(extent)).collect()
    }

    /// The extents of a plane that is pooled.
    pub(super) fn in_extents(&self) -> [usize; 3] {
        self.sides.each_ref().map(Side::input)
    }

    /// What the outputs along each axis see.
    pub(super) fn reaches(&self) -> [Reaches; 3] {
        self.sides.each_ref().map(Side::reaches)
    }

    /// The axes, if windows slide along all of them: those that adapt do where they are of one length and side
    /// by side.
    pub(super) fn axes(&self) -> Option<[Axis; 3]> {
        let [Some(depth), Some(height), Some(width)] = self.sides.each_ref().map(Side::axis) else {
            return None;
        };
        Some([depth, height, width])
    }

    /// How far apart neighbouring elements of a window are, along each axis.
    pub(super) fn steps(&self) -> [usize; 3] {
        self.sides.each_ref().map(|side| match side {
            Side::Sliding(axis) => axis.dilation,
            Side::Adaptive { .. } => 1,
        })
    }
}

impl Side {
    fn input(&self) -> usize {
        match *self {
            Side::Sliding(axis) => axis.input,
            Side::Adaptive { input, .. } => input,
        }
    }

    fn output(&self) -> usize {
        match *self {
            Side::Sliding(axis) => axis.output,
            Side::Adaptive { output, .. } => output,
        }
    }

    fn axis(&self) -> Option<Axis> {
        match *self {
            Side::Sliding(axis) => Some(axis),
            Side::Adaptive { input, output } => {
                let kernel = input / output;
                (kernel * output == input).then_some(Axis {
                    input,
                    kernel,
                    output,
                    stride: kernel,
                    dilation: 1,
                    before: 0,
                    after: 0,
                })
            }
        }
    }

    /// The first output that sees padding alone, if there is one.
    ///
    /// No window begins after the input, and at most half of one lies before it. So such a window begins in
    /// the padding before the input and steps over all of it, which takes a dilation longer than the input.
    /// Found in a few steps, because nothing says that an extent of an empty tensor can be counted through.
    fn blind(&self) -> Option<usize> {
        let Side::Sliding(Axis { input, output, stride, dilation, before, .. }) = *self else { return None };
        let mut o = 0;
        while input < dilation && o < output && o * stride < before {
            let Reach { start, end, .. } = self.reach(o);
            if start >= end {
                return Some(o);
            }
            // What outputs see first moves on by the stride, until it lies beyond the input.
            o += (input - start).div_ceil(stride);
        }
        None
    }

    fn reaches(&self) -> Reaches {
        (0..self.output()).map(|o| self.reach(o)).collect()
    }

    fn reach(&self, o: usize) -> Reach {
        match *self {
            Side::Sliding(Axis { input, kernel, stride, dilation, before, .. }) => {
                let first = o * stride;
                let span = dilation * (kernel - 1) + 1;
                // In the padding before the input, by whole steps to the first element of the window that is
                // not.
                let outside = before.saturating_sub(first);
                let start = first + outside.div_ceil(dilation) * dilation - before;
                let end = (first + span).saturating_sub(before).min(input);
                Reach { start, end, padded: (first + span).min(input + 2 * before) - first }
            }
            Side::Adaptive { input, output } => {
                let (start, end) = (o * input / output, ((o + 1) * input).div_ceil(output));
                Reach { start, end, padded: end - start }
            }
        }
    }
}

/// The numbers, as messages spell them.
impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Side::Sliding(Axis { input, kernel, stride, dilation, before, .. }) => write!(
                f,
                "input {input}, kernel {kernel}, stride {stride}, padding {before}, dilation {dilation}"
            ),
            Side::Adaptive { input, output } => write!(f, "input {input}, output {output}"),
        }
    }
}

/// Checks that there are a batch, at least one channel, and `D` axes more.
#[track_caller]
pub(crate) fn check_input<const D: usize>(op: &'static str, input: &[usize]) -> Result<()> {
    let axes = D + 2;
    let fact = match input {
        [_, 0, ..] => format!("input {input:?} has no channels (expected at least 1)"),
        _ if input.len() == axes => return Ok(()),
        _ => {
            let found = input.len();
            format!("input {input:?} has {found} axes (expected {axes}: batch, channels and {D} more)")
        }
    };
    Err(Error::new(op, fact))
}

/// The axis with its output's extent, if there is one.
#[track_caller]
fn pooled(op: &'static str, i: usize, axis: Axis, ceil_mode: bool) -> Result<Axis> {
    let Axis { input, kernel, stride, dilation, before: padding, .. } = axis;
    let at = axis_name(i);
    for (name, value) in [("input", input), ("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
        if value == 0 {
            return Err(Error::new(op, format!("{name} 0 at axis {at} (expected at least 1)")));
        }
    }
    let counted = || {
        let span = reach(kernel, dilation)?;
        let padded = input.checked_add(padding.checked_mul(2)?)?;
        // The largest number that is computed with hereafter.
        padded.checked_add(span)?.checked_add(stride)?.checked_add(dilation)?;
        Some((span, padded))
    };
    let Some((span, padded)) = counted() else {
        return Err(Error::new(op, format!("extents overflow at axis {at}: {}", Side::Sliding(axis))));
    };
    // PyTorch's rule, which does not count the dilation.
    let half = kernel / 2;
    if padding > half {
        let fact = format!("padding {padding} at axis {at} (expected at most {half}, half of the kernel)");
        return Err(Error::new(op, fact));
    }
    let room = if ceil_mode { padded + stride - 1 } else { padded };
    if room < span {
        return Err(Error::new(
            op,
            format!(
                "the window does not fit into the padded input at axis {at}: {dilation}·({kernel} − 1) + 1 = \
                 {span} > {input} + 2·{padding} = {padded}"
            ),
        ));
    }
    let mut output = (room - span) / stride + 1;
    if ceil_mode && (output - 1) * stride >= input + padding {
        output -= 1;
    }
    Ok(Axis { output, ..axis })
}
