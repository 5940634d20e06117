//! What a convolution is over: extents, channels and groups, with every number checked once and for all.

use crate::window::{Axis, axis_name, reach};
use crate::{Error, Float, Result, Shape};

/// How a kernel slides over the input, for each of `D` axes, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sliding<const D: usize> {
    /// How far apart neighbouring outputs look.
    pub stride: [usize; D],
    /// How far apart neighbouring taps of the kernel look.
    pub dilation: [usize; D],
    /// Zeros imagined before and after the input.
    pub padding: [[usize; 2]; D],
}

/// Every position, neighbouring taps, no padding.
impl<const D: usize> Default for Sliding<D> {
    fn default() -> Self {
        Self { stride: [1; D], dilation: [1; D], padding: [[0; 2]; D] }
    }
}

/// One of the three tensors of a convolution, in cyclic order: the operands of each are the next two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// x: `[batch, in_channels, …]`.
    Input,
    /// w: `[out_channels, in_channels / groups, …]`.
    Weight,
    /// y: `[batch, out_channels, …]`.
    Output,
}

impl Slot {
    /// The slots of the two operands that are solved for this one: the next two in cyclic order.
    pub fn operands(self) -> [Slot; 2] {
        match self {
            Slot::Input => [Slot::Weight, Slot::Output],
            Slot::Weight => [Slot::Output, Slot::Input],
            Slot::Output => [Slot::Input, Slot::Weight],
        }
    }
}

/// A fully resolved convolution of 1, 2 or 3 axes: which input meets which tap of the weight for which
/// output.
///
/// Kept as three axes, the leading ones of extent 1. That the shapes agree and that no number overflows is
/// checked by the two constructors, so that whoever holds a geometry need not ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    pub(super) batch: usize,
    pub(super) groups: usize,
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    pub(super) axes: [Axis; 3],
    /// How many of the axes, counted from the back, the caller's tensors have.
    pub(super) rank: usize,
    /// Whether the last axis is that of interleaved images, which weights do not have.
    pub(super) interleaved: bool,
}

impl Geometry {
    /// The convolution of an input `[batch, in_channels, …]` with a weight `[out_channels, in_channels /
    /// groups, …]`.
    ///
    /// Each extent H becomes ⌊(H + before + after − dilation·(kernel − 1) − 1) / stride⌋ + 1, as in
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html).
    ///
    /// # Errors
    /// If the shapes do not fit each other or `groups`, a stride, dilation or kernel is 0, the input is empty
    /// along an axis or, padded, smaller than the kernel, or a number overflows. `op` is the operation that the
    /// message names.
    #[track_caller]
    pub fn convolution<const D: usize>(
        op: &'static str,
        input: &[usize],
        weight: &[usize],
        groups: usize,
        sliding: Sliding<D>,
    ) -> Result<Self> {
        let fits = Operands::new::<D>(op, input, weight, groups)?;
        let [out_channels, in_channels] = [weight[0], input[1]];
        if weight[1].checked_mul(groups) != Some(in_channels) {
            let each = if groups == 1 { "".into() } else { format!(" / {groups}") };
            let fact = format!(
                "input {input:?} has {in_channels}{each} channels, but weight {weight:?} takes {}",
                weight[1]
            );
            return Err(Error::new(op, fact));
        }
        fits.resolve(in_channels, out_channels, sliding, None)
    }

    /// The convolution whose [`Slot::Input`] is the result of a transposed convolution, of an input
    /// `[batch, in_channels, …]` with a weight `[in_channels, out_channels / groups, …]`: that input is
    /// [`Slot::Output`].
    ///
    /// Each extent H becomes (H − 1)·stride − before − after + dilation·(kernel − 1) + `output_padding` + 1,
    /// as in [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html).
    ///
    /// # Errors
    /// As [`Geometry::convolution`]; also if the padding leaves nothing, or an output padding is smaller
    /// neither than the stride nor than the dilation.
    #[track_caller]
    pub fn transposed<const D: usize>(
        op: &'static str,
        input: &[usize],
        weight: &[usize],
        groups: usize,
        sliding: Sliding<D>,
        output_padding: [usize; D],
    ) -> Result<Self> {
        let fits = Operands::new::<D>(op, input, weight, groups)?;
        if weight[0] != input[1] {
            let fact = format!(
                "weight {weight:?} takes {} channels, but input {input:?} has {}",
                weight[0], input[1]
            );
            return Err(Error::new(op, fact));
        }
        let Some(out_channels) = weight[1].checked_mul(groups) else { return Err(fits.too_large()) };
        fits.resolve(out_channels, input[1], sliding, Some(output_padding))
    }

    /// The shape of the tensor in `slot`, with as many axes as the tensors that the geometry was made for.
    pub fn shape(&self, slot: Slot) -> Shape {
        let (leading, extent): ([usize; 2], fn(&Axis) -> usize) = match slot {
            Slot::Input => ([self.batch, self.in_channels], |axis| axis.input),
            Slot::Weight => ([self.out_channels, self.group_in()], |axis| axis.kernel),
            Slot::Output => ([self.batch, self.out_channels], |axis| axis.output),
        };
        let last = if self.interleaved && slot == Slot::Weight { 2 } else { 3 };
        leading.into_iter().chain(self.axes[3 - self.rank..last].iter().map(extent)).collect()
    }

    /// The same convolution of images that are [interleaved](crate::Tensor::interleaved), `lanes` of them side by side:
    /// of inputs `[batch / lanes, channels, …, lanes]`, to outputs like that, with the same weight. None where there are
    /// no such: the batch is not a multiple of `lanes`, or there are three axes.
    ///
    /// The images are an axis along which the kernel is one wide, and nothing else changes.
    pub fn interleaved(&self, lanes: usize) -> Option<Self> {
        let [outer, deep, high] = self.axes;
        if self.interleaved || self.rank == 3 || lanes == 0 || !self.batch.is_multiple_of(lanes) {
            return None;
        }
        debug_assert_eq!(outer, Axis::identity(1));
        let axes = [deep, high, Axis::identity(lanes)];
        Some(Self { batch: self.batch / lanes, axes, rank: self.rank + 1, interleaved: true, ..*self })
    }

    /// How many images side by side make the fastest convolution, and the fastest gradients, if any do.
    pub fn lanes<T: Float>(&self) -> Option<usize> {
        T::lanes(self)
    }

    /// What [`interleaved`](Self::interleaved) was made of, or might have been.
    pub(super) fn deinterleaved(&self, lanes: usize) -> Option<Self> {
        let [deep, high, images] = self.axes;
        let axes = [Axis::identity(1), deep, high];
        let batch = self.batch.checked_mul(lanes)?;
        let rank = self.rank - 1;
        (images == Axis::identity(lanes)).then_some(Self { batch, axes, rank, interleaved: false, ..*self })
    }

    /// The convolution by which this one's input is found from its output, where that is one: with stride 1, a
    /// convolution of the output with the taps reversed and the channels' roles exchanged.
    pub(super) fn reversed(&self) -> Option<Geometry> {
        let mut axes = self.axes;
        for axis in &mut axes {
            let reach = reach(axis.kernel, axis.dilation)? - 1;
            // The extent of the reversed convolution's padded input, which nobody has counted yet.
            axis.input.checked_add(reach)?;
            if axis.stride != 1 || axis.before > reach || axis.after > reach {
                return None;
            }
            *axis = Axis {
                input: axis.output,
                output: axis.input,
                before: reach - axis.before,
                after: reach - axis.after,
                ..*axis
            };
        }
        let (in_channels, out_channels) = (self.out_channels, self.in_channels);
        Some(Geometry { in_channels, out_channels, axes, ..*self })
    }

    /// Input channels of each group.
    pub(super) fn group_in(&self) -> usize {
        self.in_channels / self.groups
    }

    /// Output channels of each group.
    pub(super) fn group_out(&self) -> usize {
        self.out_channels / self.groups
    }

    /// Elements of one channel of an image.
    pub(super) fn in_plane(&self) -> usize {
        self.axes.iter().map(|axis| axis.input).product()
    }

    /// Elements of one channel of a result: the positions of the kernel.
    pub(super) fn out_plane(&self) -> usize {
        self.axes.iter().map(|axis| axis.output).product()
    }

    /// Elements of one input channel of a kernel.
    pub(super) fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.kernel).product()
    }
}

/// Two shapes of the right rank, and groups that divide their channels.
struct Operands<'a> {
    op: &'static str,
    input: &'a [usize],
    weight: &'a [usize],
    groups: usize,
    rank: usize,
}

/// What one axis is told: stride, dilation, padding.
type Slide = (usize, usize, [usize; 2]);

impl<'a> Operands<'a> {
    #[track_caller]
    fn new<const D: usize>(
        op: &'static str,
        input: &'a [usize],
        weight: &'a [usize],
        groups: usize,
    ) -> Result<Self> {
        for (name, shape, leading) in
            [("input", input, "batch, channels"), ("weight", weight, "channels, channels of a group")]
        {
            if shape.len() != D + 2 {
                return Err(Error::new(
                    op,
                    format!(
                        "{name} {shape:?} has {} axes (expected {}: {leading} and {D} more)",
                        shape.len(),
                        D + 2
                    ),
                ));
            }
        }
        if groups == 0 || !input[1].is_multiple_of(groups) || !weight[0].is_multiple_of(groups) {
            return Err(Error::new(
                op,
                format!(
                    "{groups} groups do not divide the channels of input {input:?} and weight {weight:?}"
                ),
            ));
        }
        Ok(Self { op, input, weight, groups, rank: D })
    }

    /// The geometry: of a convolution, or, where there is an output padding, of what is transposed.
    #[track_caller]
    fn resolve<const D: usize>(
        &self,
        in_channels: usize,
        out_channels: usize,
        sliding: Sliding<D>,
        output_padding: Option<[usize; D]>,
    ) -> Result<Geometry> {
        let mut axes = [Axis::identity(1); 3];
        for (axis, i) in (0..D).zip(3 - D..3) {
            let slide = (sliding.stride[axis], sliding.dilation[axis], sliding.padding[axis]);
            let (extent, kernel) = (self.input[axis + 2], self.weight[axis + 2]);
            axes[i] = match output_padding {
                None => convolved(self.op, i, slide, extent, kernel)?,
                Some(extra) => transposed(self.op, i, slide, extent, kernel, extra[axis])?,
            };
        }
        let (batch, groups, rank) = (self.input[0], self.groups, self.rank);
        let geometry = Geometry { batch, groups, in_channels, out_channels, axes, rank, interleaved: false };
        let countable = |slot| geometry.shape(slot).checked_numel().is_some();
        if [Slot::Input, Slot::Weight, Slot::Output].into_iter().all(countable) {
            Ok(geometry)
        } else {
            Err(self.too_large())
        }
    }

    #[track_caller]
    fn too_large(&self) -> Error {
        Error::new(
            self.op,
            format!("the result of input {:?} and weight {:?} is too large", self.input, self.weight),
        )
    }
}

/// The axis of a convolution over `input` elements.
#[track_caller]
fn convolved(op: &'static str, i: usize, slide: Slide, input: usize, kernel: usize) -> Result<Axis> {
    let (stride, dilation, [before, after]) = slide;
    let span = span(op, i, slide, kernel)?;
    let Some(padded) = input.checked_add(before).and_then(|n| n.checked_add(after)) else {
        return Err(overflow(op, i, slide, input, kernel));
    };
    if input == 0 {
        return Err(empty(op, i));
    }
    if padded < span {
        return Err(Error::new(
            op,
            format!(
                "the kernel does not fit into the padded input at axis {}: {dilation}·({kernel} − 1) + 1 = \
                 {span} > {input} + {before} + {after} = {padded}",
                axis_name(i)
            ),
        ));
    }
    let output = (padded - span) / stride + 1;
    Ok(Axis { input, kernel, output, stride, dilation, before, after })
}

/// The axis of the convolution whose output has `small` elements and whose input is what the transposed
/// convolution makes of them.
#[track_caller]
fn transposed(
    op: &'static str,
    i: usize,
    slide: Slide,
    small: usize,
    kernel: usize,
    extra: usize,
) -> Result<Axis> {
    let (stride, dilation, [before, after]) = slide;
    let span = span(op, i, slide, kernel)?;
    let at = axis_name(i);
    if extra >= stride && extra >= dilation {
        return Err(Error::new(
            op,
            format!(
                "output padding {extra} at axis {at} (expected less than the stride {stride} or the dilation \
                 {dilation})"
            ),
        ));
    }
    let Some(steps) = small.checked_sub(1) else {
        return Err(empty(op, i));
    };
    let whole = steps.checked_mul(stride).and_then(|n| n.checked_add(span)?.checked_add(extra));
    let (Some(whole), Some(crop)) = (whole, before.checked_add(after)) else {
        return Err(overflow(op, i, slide, small, kernel));
    };
    if whole <= crop {
        return Err(Error::new(
            op,
            format!(
                "the padding leaves nothing at axis {at}: ({small} − 1)·{stride} + {dilation}·({kernel} − 1) + \
                 {extra} + 1 = {whole} ≤ {before} + {after}"
            ),
        ));
    }
    Ok(Axis { input: whole - crop, kernel, output: small, stride, dilation, before, after })
}

#[track_caller]
fn empty(op: &'static str, i: usize) -> Error {
    Error::new(op, format!("the input is empty at axis {} (expected an extent of at least 1)", axis_name(i)))
}

/// How far the kernel reaches.
#[track_caller]
fn span(op: &'static str, i: usize, slide: Slide, kernel: usize) -> Result<usize> {
    let (stride, dilation, _) = slide;
    for (name, value) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
        if value == 0 {
            return Err(Error::new(op, format!("{name} 0 at axis {} (expected at least 1)", axis_name(i))));
        }
    }
    match reach(kernel, dilation) {
        Some(span) => Ok(span),
        None => Err(overflow(op, i, slide, 0, kernel)),
    }
}

#[track_caller]
fn overflow(op: &'static str, i: usize, slide: Slide, extent: usize, kernel: usize) -> Error {
    let (stride, dilation, [before, after]) = slide;
    Error::new(
        op,
        format!(
            "extents overflow at axis {}: input {extent}, kernel {kernel}, stride {stride}, dilation \
             {dilation}, padding {before} and {after}",
            axis_name(i)
        ),
    )
}
