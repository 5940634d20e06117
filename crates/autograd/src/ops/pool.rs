//! Pooling. Maximum pooling picks elements, average pooling is linear; each owes its adjoint.

use retrograd_tensor::{Divisor, Float, Pooling, Result, Shape, Tensor, Window};

use super::linear::{Linear, Map};
use crate::Var;
use crate::op::Op;

/// The elements that `index` names, counted flat in each plane: `y[p][i] = x[p][index[p][i]]`.
#[derive(Clone, Debug)]
struct Pick {
    /// The shapes of input and result, planes first: `[planes, elements of a plane]`.
    planes: [usize; 2],
    index: Tensor<i64>,
}

/// Elements added into zeros where `index` names: the adjoint of [`Pick`].
#[derive(Clone, Debug)]
struct Put {
    whole: Shape,
    pick: Pick,
}

impl<T: Float> Linear<T> for Pick {
    type Adjoint = Put;
    const NAME: &'static str = "max_pool";

    fn map(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let (x, index) = (x.reshape_to(self.planes)?, self.flat_index()?);
        let y = x.gather(1, &index)?;
        y.reshape_to(self.index.shape())
    }

    fn adjoint(&self, whole: &Shape) -> Put {
        Put { whole: whole.clone(), pick: self.clone() }
    }

    fn held_bytes(&self) -> usize {
        self.index.held_bytes()
    }
}

impl<T: Float> Linear<T> for Put {
    type Adjoint = Pick;
    const NAME: &'static str = "max_pool_adjoint";

    fn map(&self, g: &Tensor<T>) -> Result<Tensor<T>> {
        let index = self.pick.flat_index()?;
        let g = g.reshape_to(index.shape())?;
        Tensor::scatter_add_zeros(self.pick.planes, 1, &index, &g)?.reshape_to(&self.whole)
    }

    fn adjoint(&self, _: &Shape) -> Pick {
        self.pick.clone()
    }

    fn held_bytes(&self) -> usize {
        self.pick.index.held_bytes()
    }
}

impl Pick {
    fn flat_index(&self) -> Result<Tensor<i64>> {
        let elements = self.index.numel() / self.planes[0].max(1);
        self.index.reshape_to([self.planes[0], elements])
    }
}

/// The average of each window.
#[derive(Clone, Copy, Debug)]
struct Average {
    pooling: Pooling,
    divisor: Divisor,
}

/// Each element, divided, spread over its window: the adjoint of [`Average`].
#[derive(Clone, Copy, Debug)]
struct Spread(Average);

impl<T: Float> Linear<T> for Average {
    type Adjoint = Spread;
    const NAME: &'static str = "avg_pool";

    fn map(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.pooling.average_of(self.divisor, x)
    }

    fn adjoint(&self, _: &Shape) -> Spread {
        Spread(*self)
    }
}

impl<T: Float> Linear<T> for Spread {
    type Adjoint = Average;
    const NAME: &'static str = "avg_pool_adjoint";

    fn map(&self, g: &Tensor<T>) -> Result<Tensor<T>> {
        self.0.pooling.spread(self.0.divisor, g)
    }

    fn adjoint(&self, _: &Shape) -> Average {
        self.0
    }
}

impl<T: Float> Var<T> {
    /// The maximum of each window along the last `D` axes of `[n, c, …]` (or `[c, …]`), and where it stands:
    /// its position in the unpadded plane, counted flat. Of equal maxima the first wins, NaN wins over all;
    /// padding counts as −∞.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html)
    ///
    /// # Errors
    /// If a kernel, stride or dilation is 0, the padding exceeds half of the window, or the input is smaller
    /// than the window.
    #[track_caller]
    pub fn max_pool<const D: usize>(
        &self,
        window: impl Into<Window<D>>,
        dilation: [usize; D],
    ) -> Result<(Var<T>, Tensor<i64>)> {
        let op = const { ["max_pool1d", "max_pool2d", "max_pool3d"][D - 1] };
        let (x, batched) = self.batched::<D>(op)?;
        let pooling = Pooling::max(op, x.shape(), window.into(), dilation)?;
        let (y, index) = pooling.max_of(x.value())?;
        let [n, c, plane @ ..] = &x.shape()[..] else {
            unreachable!("a batched variable has at least two axes")
        };
        let planes = [n * c, plane.iter().product()];
        let y = Map(Pick { planes, index: index.clone() }).apply_to([&x], y)?.unbatched(batched)?;
        let index = if batched { index } else { index.squeeze(0)? };
        Ok((y, index))
    }

    /// The average of each window along the last `D` axes of `[n, c, …]` (or `[c, …]`).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html)
    ///
    /// # Errors
    /// If a kernel or stride is 0, the padding exceeds half of the window, or the input is smaller than the
    /// window.
    #[track_caller]
    pub fn avg_pool<const D: usize>(&self, window: impl Into<Window<D>>, divisor: Divisor) -> Result<Var<T>> {
        let op = const { ["avg_pool1d", "avg_pool2d", "avg_pool3d"][D - 1] };
        let (x, batched) = self.batched::<D>(op)?;
        let pooling = Pooling::average(op, x.shape(), window.into())?;
        Map(Average { pooling, divisor }).apply([&x])?.unbatched(batched)
    }

    /// [`max_pool`](Self::max_pool) of images by square windows side by side.
    ///
    /// # Errors
    /// As [`max_pool`](Self::max_pool).
    #[track_caller]
    pub fn max_pool2d(&self, kernel_size: usize) -> Result<Var<T>> {
        Ok(self.max_pool([kernel_size; 2], [1; 2])?.0)
    }

    /// [`avg_pool`](Self::avg_pool) of images by square windows side by side.
    ///
    /// # Errors
    /// As [`avg_pool`](Self::avg_pool).
    #[track_caller]
    pub fn avg_pool2d(&self, kernel_size: usize) -> Result<Var<T>> {
        self.avg_pool([kernel_size; 2], Divisor::IncludePadding)
    }
}
