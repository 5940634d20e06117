//! Unpooling: maxima put back to where they were found, zeros elsewhere.
//!
//! y[p][index[p][i]] = x[p][i] for each plane p. Indices may repeat where windows overlapped; what is put later
//! replaces what was put before, and a plane is one thread's, so that the last in row-major order stays.

use super::geometry::check_input;
use super::{Float, Window, par};
use crate::tensor::countable;
use crate::window::axis_name;
use crate::{Error, Result, Shape};

/// A fully resolved unpooling of tensors `[batch, channels, …]` over 1, 2 or 3 axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpooling {
    input: Shape,
    output: Shape,
}

impl Unpooling {
    /// The unpooling of a tensor `[batch, channels, …]` that `window` made.
    ///
    /// Each extent H becomes (H − 1)·stride − 2·padding + kernel, or what `output_size` says, which must be
    /// less than a stride away from that, as in
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html).
    ///
    /// # Errors
    /// If an extent other than that of the batch is 0, a kernel or stride is 0, `output_size` is too far away,
    /// or a number overflows.
    #[track_caller]
    pub fn new<const D: usize>(
        op: &'static str,
        input: &[usize],
        window: Window<D>,
        output_size: Option<[usize; D]>,
    ) -> Result<Self> {
        check_input::<D>(op, input)?;
        let mut output = Shape::from(input);
        for axis in 0..D {
            let (kernel, stride, padding) = (window.kernel[axis], window.stride[axis], window.padding[axis]);
            let wanted = output_size.map(|size| size[axis]);
            let side = Side { input: input[axis + 2], kernel, stride, padding };
            output[axis + 2] = side.output(op, axis_name(3 - D + axis), wanted)?;
        }
        Ok(Self { input: input.into(), output: countable(op, output)? })
    }

    /// The shape of what is unpooled, and of the indices.
    pub fn input(&self) -> &Shape {
        &self.input
    }

    /// The shape of the result.
    pub fn output(&self) -> &Shape {
        &self.output
    }

    /// The elements of a plane of inputs and of one of outputs. Enormous, perhaps, where the batch is empty.
    fn planes(&self) -> [usize; 2] {
        [&self.input, &self.output].map(|shape| shape[2..].iter().product())
    }

    /// # Errors
    /// If an index lies outside the plane of outputs.
    #[track_caller]
    pub(crate) fn check(&self, index: &[i64]) -> Result<()> {
        let [_, outputs] = self.planes();
        match index.iter().find(|&&i| i as u64 >= outputs as u64) {
            Some(i) => {
                let plane = &self.output[2..];
                let fact = format!("index {i} lies outside a plane of {plane:?} (0 to {outputs} − 1)");
                Err(Error::new("max_unpool", fact))
            }
            None => Ok(()),
        }
    }
}

/// One axis.
struct Side {
    input: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl Side {
    /// The extent of the result: `wanted`, if that is near enough, else what the window says.
    #[track_caller]
    fn output(&self, op: &'static str, axis: isize, wanted: Option<usize>) -> Result<usize> {
        let Self { input, kernel, stride, padding } = *self;
        for (name, value) in [("input", input), ("kernel", kernel), ("stride", stride)] {
            if value == 0 {
                return Err(Error::new(op, format!("{name} 0 at axis {axis} (expected at least 1)")));
            }
        }
        let counted = || {
            let whole = (input - 1).checked_mul(stride)?.checked_add(kernel)?;
            // The highest number that is computed with hereafter.
            let _ = whole.checked_add(stride)?;
            Some((whole, padding.checked_mul(2)?))
        };
        let Some((whole, padded)) = counted() else {
            let fact = format!(
                "extents overflow at axis {axis}: input {input}, kernel {kernel}, stride {stride}, padding {padding}"
            );
            return Err(Error::new(op, fact));
        };
        let lowest = (whole + 1).saturating_sub(padded.saturating_add(stride)).max(1);
        let end = (whole + stride).saturating_sub(padded);
        let fact = match wanted {
            Some(wanted) if (lowest..end).contains(&wanted) => return Ok(wanted),
            Some(wanted) if lowest < end => {
                format!("output size {wanted} at axis {axis} (expected {lowest} to {})", end - 1)
            }
            Some(wanted) => format!("output size {wanted} at axis {axis} (none fits the window)"),
            None if whole > padded => return Ok(whole - padded),
            None => {
                format!("nothing is left at axis {axis}: ({input} − 1)·{stride} − 2·{padding} + {kernel} < 1")
            }
        };
        Err(Error::new(op, fact))
    }
}

/// y = zeros, and x where `index` says.
///
/// # Panics
/// If a slice is not as long as its shape says, or an index was not checked.
pub(crate) fn put<T: Float>(geo: &Unpooling, index: &[i64], x: &[T], y: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let [inputs, outputs] = geo.planes();
    par::rows(y, outputs, outputs + inputs, |first, planes| {
        let (x, index) = (&x[first * inputs..], &index[first * inputs..]);
        let each = x.chunks_exact(inputs).zip(index.chunks_exact(inputs));
        for (y, (x, index)) in planes.chunks_exact_mut(outputs).zip(each) {
            y.fill(T::ZERO);
            x.iter().zip(index).for_each(|(&x, &place)| y[place as usize] = x);
        }
    });
}
