//! Pooling. Maximum pooling picks elements, average pooling is linear; each owes its adjoint.

use retrograd_tensor::{Divisor, Error, Float, OutputSize, Pooling, Result, Shape, Tensor, Window};

use super::linear::{Linear, Map};
use crate::Var;
use crate::op::Op;
use crate::profile::Clock;

/// The elements at some places of their planes.
#[derive(Clone, Debug)]
pub(super) struct Pick(pub(super) Tensor<u32>);

/// Elements added into zeros at their places: the adjoint of [`Pick`].
#[derive(Clone, Debug)]
pub(super) struct Put {
    whole: Shape,
    pick: Pick,
}

impl<T: Float> Linear<T> for Pick {
    type Adjoint = Put;
    const NAME: &'static str = "max_pool";

    fn map(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        x.pick(&self.0)
    }

    fn adjoint(&self, whole: &Shape) -> Put {
        Put { whole: whole.clone(), pick: self.clone() }
    }

    fn held_bytes(&self) -> usize {
        self.0.held_bytes()
    }
}

impl<T: Float> Linear<T> for Put {
    type Adjoint = Pick;
    const NAME: &'static str = "max_pool_adjoint";

    fn map(&self, g: &Tensor<T>) -> Result<Tensor<T>> {
        g.add_at(&self.pick.0, &self.whole)
    }

    fn adjoint(&self, _: &Shape) -> Pick {
        self.pick.clone()
    }

    fn held_bytes(&self) -> usize {
        self.pick.0.held_bytes()
    }
}

/// The average of each window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Average {
    pub(super) pooling: Pooling,
    pub(super) divisor: Divisor,
}

/// Each element, divided, spread over its window: the adjoint of [`Average`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread(Average);

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
        x.maxima_and_index(&Pooling::max(op, x.shape(), window.into(), dilation)?, batched)
    }

    /// As [`max_pool`](Self::max_pool), without the positions, which nobody looks for where there is no tape.
    ///
    /// # Errors
    /// As [`max_pool`](Self::max_pool).
    #[track_caller]
    pub fn max_pool_values<const D: usize>(
        &self,
        window: impl Into<Window<D>>,
        dilation: [usize; D],
    ) -> Result<Var<T>> {
        let op = const { ["max_pool1d", "max_pool2d", "max_pool3d"][D - 1] };
        let (x, batched) = self.batched::<D>(op)?;
        x.maxima(&Pooling::max(op, x.shape(), window.into(), dilation)?)?.unbatched(batched)
    }

    #[track_caller]
    pub(super) fn maxima(&self, pooling: &Pooling) -> Result<Var<T>> {
        match self.tape() {
            Some(_) => Ok(self.maxima_with_places(pooling)?.0),
            None => Ok(Var::from(pooling.max_of(self.value())?)),
        }
    }

    #[track_caller]
    fn maxima_with_places(&self, pooling: &Pooling) -> Result<(Var<T>, Tensor<u32>)> {
        let clock = Clock::start(self.tape());
        let (y, places) = pooling.max_with_places(self.value())?;
        clock.stop();
        Ok((Map(Pick(places.clone())).apply_to([self], y)?, places))
    }

    #[track_caller]
    fn maxima_and_index(&self, pooling: &Pooling, batched: bool) -> Result<(Var<T>, Tensor<i64>)> {
        let (y, places) = self.maxima_with_places(pooling)?;
        let index = places.map(i64::from);
        Ok((y.unbatched(batched)?, if batched { index } else { index.squeeze(0)? }))
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

    /// The average of windows along the last `D` axes of `[n, c, …]` (or `[c, …]`) that cover the input evenly:
    /// output o of O sees the inputs from ⌊o·H/O⌋ to before ⌈(o + 1)·H/O⌉ of H. `output_size` has O for each
    /// axis, as one number or an array; `None` keeps H.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html)
    ///
    /// # Errors
    /// If an extent other than that of the batch is 0 in input or result.
    #[track_caller]
    pub fn adaptive_avg_pool<const D: usize>(&self, output_size: impl Into<OutputSize<D>>) -> Result<Var<T>> {
        let op = const { ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"][D - 1] };
        let (x, batched) = self.batched::<D>(op)?;
        let pooling = Pooling::adaptive(op, x.shape(), output_size)?;
        Map(Average { pooling, divisor: Divisor::ExcludePadding }).apply([&x])?.unbatched(batched)
    }

    /// The maximum of the windows of [`adaptive_avg_pool`](Self::adaptive_avg_pool), and where it stands: its
    /// position in the plane, counted flat. Of equal maxima the first wins, NaN wins over all.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool2d.html)
    ///
    /// # Errors
    /// As [`adaptive_avg_pool`](Self::adaptive_avg_pool).
    #[track_caller]
    pub fn adaptive_max_pool<const D: usize>(
        &self,
        output_size: impl Into<OutputSize<D>>,
    ) -> Result<(Var<T>, Tensor<i64>)> {
        let op = const { ["adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"][D - 1] };
        let (x, batched) = self.batched::<D>(op)?;
        x.maxima_and_index(&Pooling::adaptive(op, x.shape(), output_size)?, batched)
    }

    /// The average of each channel: `[n, c, …]` to `[n, c]`.
    ///
    /// # Errors
    /// If there are fewer than three axes, or an extent other than that of the batch is 0.
    #[track_caller]
    pub fn global_avg_pool(&self) -> Result<Var<T>> {
        self.planes_of_channels("global_avg_pool")?.adaptive_avg_pool([1])?.squeeze(2)
    }

    /// The maximum of each channel: `[n, c, …]` to `[n, c]`. Of equal maxima the first takes the gradient.
    ///
    /// # Errors
    /// As [`global_avg_pool`](Self::global_avg_pool).
    #[track_caller]
    pub fn global_max_pool(&self) -> Result<Var<T>> {
        let x = self.planes_of_channels("global_max_pool")?;
        x.maxima(&Pooling::adaptive("adaptive_max_pool1d", x.shape(), [1])?)?.squeeze(2)
    }

    /// `[n, c, …]` as `[n, c, elements]`.
    #[track_caller]
    fn planes_of_channels(&self, op: &'static str) -> Result<Var<T>> {
        if self.rank() < 3 {
            let fact = format!("expected [n, c, …] of at least 3 axes, found {}", self.shape());
            return Err(Error::new(op, fact));
        }
        self.flatten(2)
    }

    /// The p-norm (Σ xᵖ)^(1/p) of each window along the last `D` axes of `[n, c, …]` (or `[c, …]`), without
    /// absolute values, so that an odd p wants x ≥ 0. Computed, as by PyTorch, from the average of xᵖ times the
    /// elements of a whole window: one that reaches beyond the input in ceil mode counts as if it were whole.
    /// Where Σ xᵖ = 0 the gradient is 0 (for p ≥ 1).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool2d.html)
    ///
    /// # Errors
    /// As [`avg_pool`](Self::avg_pool), and if `norm_type` is 0 or not finite or the window has padding.
    #[track_caller]
    pub fn lp_pool<const D: usize>(&self, norm_type: f64, window: impl Into<Window<D>>) -> Result<Var<T>> {
        let op = const { ["lp_pool1d", "lp_pool2d", "lp_pool3d"][D - 1] };
        let window = window.into();
        if norm_type == 0.0 || !norm_type.is_finite() {
            let fact = format!("expected a finite norm_type other than 0, found {norm_type}");
            return Err(Error::new(op, fact));
        }
        if window.padding != [0; D] {
            return Err(Error::new(op, format!("expected no padding, found {:?}", window.padding)));
        }
        let (x, batched) = self.batched::<D>(op)?;
        let average =
            Average { pooling: Pooling::average(op, x.shape(), window)?, divisor: Divisor::IncludePadding };
        let powers = if norm_type == 2.0 { x.square() } else { x.powf(norm_type) };
        let elements: f64 = window.kernel.iter().map(|&extent| extent as f64).product();
        let sums = Map(average).apply([&powers])?.scale(elements);
        // The root's slope at 0 is infinite; what goes around it has none.
        let zero = sums.value().map(|sum| sum == T::ZERO);
        let root = Var::where_(&zero, &Var::from(Tensor::scalar(T::ONE)), &sums)?.powf(1.0 / norm_type);
        let nothing = Tensor::scalar(T::from_f64(0f64.powf(1.0 / norm_type)));
        Var::where_(&zero, &Var::from(nothing), &root)?.unbatched(batched)
    }

    /// [`max_pool`](Self::max_pool) of images by square windows side by side.
    ///
    /// # Errors
    /// As [`max_pool`](Self::max_pool).
    #[track_caller]
    pub fn max_pool2d(&self, kernel_size: usize) -> Result<Var<T>> {
        self.max_pool_values([kernel_size; 2], [1; 2])
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
