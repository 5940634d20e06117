//! Images side by side: the operations that lie so from one to the next.

use retrograd_tensor::{
    Divisor, Error, Float, Geometry, Pooling, Result, Shape, Sliding, Slot, Tensor, Window,
};

use super::conv::{Solve, solved};
use super::linear::{Held, Linear, Map, linear};
use super::pool::Average;
use crate::op::Op;
use crate::{Tape, Var};

linear! {
    /// Images one after the other as images side by side.
    Interleave { lanes: usize } "interleave":
        |a, x| x.interleaved(a.lanes);
        Deinterleave |_, _| Deinterleave {};

    /// Images side by side as images one after the other.
    Deinterleave {} "deinterleave":
        |_a, x| x.deinterleaved();
        Interleave |_, shape| Interleave { lanes: shape[shape.len() - 1] };
}

/// Images `[n, c, …]` that lie side by side, as `[n/lanes, c, …, lanes]`.
///
/// With as many of them as a vector has lanes, one instruction does for all what is done at one place: convolution and
/// pooling are fastest, and nothing is transposed between one and the next. Values are those of the images one after the
/// other, but for the last digits of sums, which are added up in another order. The `Sequential` of the layers makes and
/// undoes it where that pays ([`Geometry::lanes`]).
///
/// ```
/// # use retrograd_autograd::{Interleaved, Tape};
/// # use retrograd_tensor::{Divisor, Tensor};
/// let tape = Tape::<f32>::new();
/// let x = tape.leaf(Tensor::ones([32, 1, 8, 8])?);
/// let beside = x.interleaved(16)?;
/// assert_eq!(*beside.values().shape(), [2, 1, 8, 8, 16]);
/// let y = Interleaved::from_values(beside.into_values().into_tanh());
/// let y = y.avg_pool([2, 2], Divisor::IncludePadding)?.deinterleaved()?;
/// assert_eq!(*y.shape(), [32, 1, 4, 4]);
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Interleaved<T: Float = f32>(Var<T>);

impl<T: Float> Var<T> {
    /// The images of `[n, c, …]` side by side, `lanes` at a time.
    ///
    /// # Errors
    /// If there are fewer than two axes, or `lanes` is 0 or does not divide n.
    #[track_caller]
    pub fn interleaved(&self, lanes: usize) -> Result<Interleaved<T>> {
        if self.rank() < 2 {
            let fact = format!("expected images [n, c, …], found {}", self.shape());
            return Err(Error::new("interleave", fact));
        }
        Ok(Interleaved(Map(Interleave { lanes }).apply([self])?))
    }
}

impl<T: Float> Interleaved<T> {
    /// The images one after the other.
    ///
    /// # Errors
    /// If the result is too large for the memory there is.
    #[track_caller]
    pub fn deinterleaved(&self) -> Result<Var<T>> {
        Map(Deinterleave {}).apply([&self.0])
    }

    /// The values as they lie, `[n/lanes, c, …, lanes]`.
    pub fn values(&self) -> &Var<T> {
        &self.0
    }

    /// How many images are side by side.
    pub fn lanes(&self) -> usize {
        let shape = self.0.shape();
        shape[shape.len() - 1]
    }

    /// The shape of the images one after the other.
    pub fn shape(&self) -> Shape {
        let mut shape = self.0.shape().clone();
        shape[0] *= self.lanes();
        shape.remove(shape.len() - 1);
        shape
    }

    /// The tape that it is on.
    pub fn tape(&self) -> Option<&Tape<T>> {
        self.0.tape()
    }

    /// The values without the order that they have.
    pub fn into_values(self) -> Var<T> {
        self.0
    }

    /// Values that lie like that: what a function of elements or of channels made of others.
    ///
    /// # Panics
    /// If they are no `[n/lanes, c, …, lanes]` with at least one lane.
    pub fn from_values(values: Var<T>) -> Self {
        let shape = values.shape();
        let fits = matches!(shape[..], [_, _, .., lanes] if lanes > 0);
        assert!(fits, "interleaved images are [n/lanes, c, …, lanes], not {shape}");
        Self(values)
    }

    /// [`Var::conv`] of the images.
    ///
    /// # Errors
    /// As [`Var::conv`], and over three axes.
    #[track_caller]
    pub fn conv<const D: usize>(
        &self,
        weight: &Var<T>,
        bias: Option<&Var<T>>,
        groups: usize,
        sliding: Sliding<D>,
    ) -> Result<Self> {
        let op = const { ["conv1d", "conv2d", "conv3d"][D - 1] };
        let geometry = Geometry::convolution(op, &self.shape(), weight.shape(), groups, sliding)?;
        let geometry = geometry.interleaved(self.lanes()).ok_or_else(|| volumes(op))?;
        Ok(Self(solved(op, Solve { geometry, slot: Slot::Output }, [&self.0, weight], bias)?))
    }

    /// [`Var::max_pool_values`] of the images.
    ///
    /// # Errors
    /// As [`Var::max_pool_values`], and over three axes.
    #[track_caller]
    pub fn max_pool<const D: usize>(
        &self,
        window: impl Into<Window<D>>,
        dilation: [usize; D],
    ) -> Result<Self> {
        let op = const { ["max_pool1d", "max_pool2d", "max_pool3d"][D - 1] };
        let pooling = Pooling::max(op, &self.shape(), window.into(), dilation)?;
        let pooling = pooling.interleaved(self.lanes()).ok_or_else(|| volumes(op))?;
        Ok(Self(self.0.maxima(&pooling)?))
    }

    /// [`Var::avg_pool`] of the images.
    ///
    /// # Errors
    /// As [`Var::avg_pool`], and over three axes.
    #[track_caller]
    pub fn avg_pool<const D: usize>(&self, window: impl Into<Window<D>>, divisor: Divisor) -> Result<Self> {
        let op = const { ["avg_pool1d", "avg_pool2d", "avg_pool3d"][D - 1] };
        let pooling = Pooling::average(op, &self.shape(), window.into())?;
        let pooling = pooling.interleaved(self.lanes()).ok_or_else(|| volumes(op))?;
        Ok(Self(Map(Average { pooling, divisor }).apply([&self.0])?))
    }
}

#[track_caller]
fn volumes(op: &'static str) -> Error {
    Error::new(op, "volumes cannot be interleaved")
}
