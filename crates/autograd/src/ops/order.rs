//! Choosing by value: the positions are the tensor's, and the elements are gathered from there, which is
//! linear.

use retrograd_tensor::{Axes, Float, Result, Tensor, keepdim};

use crate::Var;
use crate::op::{Op, Reads};

/// Elements put at positions along an axis.
#[derive(Clone, Debug)]
struct Put {
    axis: isize,
    index: Tensor<i64>,
}

impl<T: Float> Op<T, 2> for Put {
    fn name(&self) -> &'static str {
        "scatter"
    }

    fn forward(&self, [x, source]: [&Tensor<T>; 2]) -> Result<Tensor<T>> {
        x.scatter(self.axis, &self.index, source)
    }

    fn vjp(
        &self,
        _: [&Var<T>; 2],
        _: &Var<T>,
        g: &Var<T>,
        [wants_x, wants_source]: [bool; 2],
    ) -> Result<[Option<Var<T>>; 2]> {
        let nothing = || Ok(Var::from(Tensor::zeros(self.index.shape())?));
        let to_x = || g.scatter(self.axis, &self.index, &nothing()?);
        let to_source = || g.gather(self.axis, &self.index);
        Ok([wants_x.then(to_x).transpose()?, wants_source.then(to_source).transpose()?])
    }

    fn reads(&self, _: [bool; 2]) -> Reads<2> {
        Reads::NOTHING
    }

    fn held_bytes(&self) -> usize {
        self.index.held_bytes()
    }
}

impl<T: Float> Var<T> {
    /// `self` with each element of `source` put at the position along `axis` that `index` names. Of several at
    /// one position the last in row-major order stays, but as in PyTorch each receives the gradient of its
    /// place.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.scatter_.html)
    ///
    /// # Errors
    /// If the axis does not exist, the shapes do not fit, or a position lies outside the axis.
    #[track_caller]
    pub fn scatter(&self, axis: isize, index: &Tensor<i64>, source: &Var<T>) -> Result<Var<T>> {
        Put { axis, index: index.clone() }.apply([self, source])
    }

    /// `value` where the mask is true, elsewhere the variable; the mask broadcasts to the variable.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.masked_fill_.html)
    ///
    /// # Errors
    /// If the mask's shape does not broadcast to the variable's.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor<bool>, value: f64) -> Result<Var<T>> {
        let mask = mask.broadcast_to(self.shape())?;
        Var::where_(&mask, &Var::from(Tensor::scalar(T::from_f64(value))), self)
    }

    /// The largest element along an axis, NaN if one is, and the position of the first of equals, which
    /// receives the gradient.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.max.html)
    ///
    /// # Errors
    /// If it is not one axis that is named, the axis does not exist, or it has no elements.
    #[track_caller]
    pub fn max_dim(&self, axis: impl Into<Axes>) -> Result<(Var<T>, Tensor<i64>)> {
        let (axis, keep) = axis.into().single("max_dim", self.shape())?;
        self.chosen_along(axis, keep, self.value().max_dim(keepdim(axis))?.1)
    }

    /// The smallest element along an axis, NaN if one is, and the position of the first of equals, which
    /// receives the gradient.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.min.html)
    ///
    /// # Errors
    /// If it is not one axis that is named, the axis does not exist, or it has no elements.
    #[track_caller]
    pub fn min_dim(&self, axis: impl Into<Axes>) -> Result<(Var<T>, Tensor<i64>)> {
        let (axis, keep) = axis.into().single("min_dim", self.shape())?;
        self.chosen_along(axis, keep, self.value().min_dim(keepdim(axis))?.1)
    }

    #[track_caller]
    fn chosen_along(&self, axis: isize, keep: bool, index: Tensor<i64>) -> Result<(Var<T>, Tensor<i64>)> {
        let values = self.gather(axis, &index)?;
        Ok(if keep { (values, index) } else { (values.squeeze(axis)?, index.squeeze(axis)?) })
    }

    /// The elements along `axis` from the smallest to the largest, or the other way round, and the positions
    /// where they stood. NaN counts as the largest; equal ones keep their order.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.sort.html)
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn sort(&self, axis: isize, descending: bool) -> Result<(Var<T>, Tensor<i64>)> {
        let (_, index) = self.value().sort(axis, descending)?;
        Ok((self.gather(axis, &index)?, index))
    }

    /// The `k` largest elements along `axis`, the largest first, or the `k` smallest, the smallest first, and
    /// the positions where they stood. NaN counts as the largest; of equal ones the first come first.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.topk.html)
    ///
    /// # Errors
    /// If the axis does not exist or has fewer than `k` elements.
    #[track_caller]
    pub fn topk(&self, k: usize, axis: isize, largest: bool) -> Result<(Var<T>, Tensor<i64>)> {
        let (_, index) = self.value().topk(k, axis, largest)?;
        Ok((self.gather(axis, &index)?, index))
    }
}
