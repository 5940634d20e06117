//! Unpooling: elements put where indices name, into zeros.
//!
//! The adjoint would give the gradient of a place to the element that stayed there. The pullback is PyTorch's
//! instead: each element takes the gradient of its place, also those that were replaced. The two differ only
//! where an index occurs twice in a plane.

use retrograd_tensor::{Error, Float, Result, Tensor, Unpooling, Window};

use super::linear::Map;
use super::pool::Pick;
use crate::Var;
use crate::op::{Op, Reads};

/// y = zeros, and x where `index` names; of several at one place the last stays.
struct Unpool {
    unpooling: Unpooling,
    index: Tensor<i64>,
}

impl<T: Float> Op<T, 1> for Unpool {
    fn name(&self) -> &'static str {
        "max_unpool"
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        self.unpooling.put(&self.index, x)
    }

    fn vjp(&self, _: [&Var<T>; 1], _: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        Ok([Some(Map(Pick(self.unpooling.places(&self.index)?)).apply([g])?)])
    }

    fn reads(&self, _: [bool; 1]) -> Reads<1> {
        Reads::NOTHING
    }

    fn held_bytes(&self) -> usize {
        self.index.held_bytes()
    }
}

impl<T: Float> Var<T> {
    /// The inverse of [`max_pool`](Self::max_pool), but for what was lost: zeros, with each element of
    /// `[n, c, …]` (or `[c, …]`) at the place in its plane that `index` (of the same shape) names, counted
    /// flat.
    ///
    /// Each extent H becomes (H − 1)·stride − 2·padding + kernel, where ceil mode counts for nothing, or what
    /// `output_size` says, which must be less than a stride away from that. It has `D` extents, or is the shape
    /// `[n, c, …]` that was pooled. As indices are flat, a width other than the pooled one's moves elements to
    /// other columns.
    ///
    /// Where an index occurs twice in a plane, the last element in row-major order stays, at any number of
    /// threads; each of them takes the gradient of the place.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool2d.html)
    ///
    /// # Errors
    /// If the shapes differ, a kernel, stride, or extent other than that of the batch is 0, `output_size` is
    /// too far away, or an index lies outside the plane.
    #[track_caller]
    pub fn max_unpool<const D: usize>(
        &self,
        index: &Tensor<i64>,
        window: impl Into<Window<D>>,
        output_size: Option<&[usize]>,
    ) -> Result<Var<T>> {
        let op = const { ["max_unpool1d", "max_unpool2d", "max_unpool3d"][D - 1] };
        if index.shape() != self.shape() {
            let fact = format!("expected indices of shape {}, found {}", self.shape(), index.shape());
            return Err(Error::new(op, fact));
        }
        let (x, batched) = self.batched::<D>(op)?;
        // Not through a closure, which would lose the caller's line.
        let output_size = match output_size {
            Some(size) => Some(last(op, size)?),
            None => None,
        };
        let unpooling = Unpooling::new(op, x.shape(), window.into(), output_size)?;
        let index = index.reshape_to(x.shape())?;
        Unpool { unpooling, index }.apply([&x])?.unbatched(batched)
    }
}

/// The last `D` extents of as many or two more.
#[track_caller]
fn last<const D: usize>(op: &'static str, size: &[usize]) -> Result<[usize; D]> {
    match size.last_chunk() {
        Some(last) if size.len() == D || size.len() == D + 2 => Ok(*last),
        _ => {
            let fact = format!("expected an output size of {D} or {} extents, found {size:?}", D + 2);
            Err(Error::new(op, fact))
        }
    }
}
