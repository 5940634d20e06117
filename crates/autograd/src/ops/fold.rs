//! Unfolding images into the patches that a kernel sees, and folding patches into images: linear, each the
//! other's adjoint.

use retrograd_tensor::{Error, Float, Patches, Result, Shape, Sliding, Tensor};

use super::linear::{Linear, Map};
use crate::Var;
use crate::op::Op;

/// Images taken apart.
struct Unfold(Patches);

/// Patches put together, sums where they overlap.
struct Fold(Patches);

impl<T: Float> Linear<T> for Unfold {
    type Adjoint = Fold;
    const NAME: &'static str = "unfold";

    fn map(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.0.unfold(x)
    }

    fn adjoint(&self, _: &Shape) -> Fold {
        Fold(self.0.clone())
    }
}

impl<T: Float> Linear<T> for Fold {
    type Adjoint = Unfold;
    const NAME: &'static str = "fold";

    fn map(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.0.fold(x)
    }

    fn adjoint(&self, _: &Shape) -> Unfold {
        Unfold(self.0.clone())
    }
}

impl<T: Float> Var<T> {
    /// The patches that a kernel sees of `[n, c, …]` (or `[c, …]`), one a column: `[n, c·Πkernel, L]` with L
    /// positions in row-major order, as many as a convolution has outputs. Padding is 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.unfold.html)
    ///
    /// # Errors
    /// If there are not `D` + 1 or `D` + 2 axes, a kernel, stride or dilation is 0, the kernel exceeds the
    /// padded input, or the result cannot be addressed.
    #[track_caller]
    pub fn unfold<const D: usize>(&self, kernel: [usize; D], sliding: Sliding<D>) -> Result<Var<T>> {
        let (x, batched) = self.batched::<D>("unfold")?;
        let patches = Patches::new("unfold", x.shape(), kernel, sliding)?;
        Map(Unfold(patches)).apply([&x])?.unbatched(batched)
    }

    /// Patches `[n, c·Πkernel, L]` (or without n) put together to `[n, c, …]` with these extents, sums where
    /// they overlap: the adjoint of [`unfold`](Self::unfold).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.fold.html)
    ///
    /// # Errors
    /// If there are not 2 or 3 axes, the rows are no multiple of Πkernel, the columns are not as many as the
    /// kernel has positions, or the settings do not fit as for [`unfold`](Self::unfold).
    #[track_caller]
    pub fn fold<const D: usize>(
        &self,
        extents: [usize; D],
        kernel: [usize; D],
        sliding: Sliding<D>,
    ) -> Result<Var<T>> {
        let op = "fold";
        let (x, batched) = self.batched::<1>(op)?;
        let taps = Shape::from(kernel).numel();
        let (n, rows) = (x.shape()[0], x.shape()[1]);
        if taps == 0 || !rows.is_multiple_of(taps) {
            let fact =
                format!("expected rows in multiples of the {taps} taps of {kernel:?}, found {}", x.shape());
            return Err(Error::new(op, fact));
        }
        let images: Shape = [n, rows / taps].into_iter().chain(extents).collect();
        let patches = Patches::new(op, &images, kernel, sliding)?;
        if x.shape() != patches.patches() {
            let fact =
                format!("expected patches {} of images {images}, found {}", patches.patches(), x.shape());
            return Err(Error::new(op, fact));
        }
        Map(Fold(patches)).apply([&x])?.unbatched(batched)
    }
}
