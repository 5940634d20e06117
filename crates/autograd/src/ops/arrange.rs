//! Mirroring, shifting, repeating, cutting up and accumulating along axes: linear, all of them.

use retrograd_tensor::{Axes, Float, Result, Shape, Slice, Tensor};
use smallvec::SmallVec;

use super::linear::{Held, Linear, Map, linear};
use crate::Var;
use crate::op::Op;

linear! {
    /// Mirrored along some axes.
    Flip { axes: Axes } "flip":
        |a, x| x.flip(a.axes.clone());
        Flip |a, _| a.clone();

    /// Moved on along some axes, (shift, axis) each.
    Roll { shifts: SmallVec<[(isize, isize); 4]> } "roll":
        |a, x| x.roll(&a.shifts);
        Roll |a, _| Roll { shifts: a.shifts.iter().map(|&(shift, axis)| (shift.saturating_neg(), axis)).collect() };

    /// The lower triangle of matrices.
    Tril { diagonal: isize } "tril":
        |a, x| x.tril(a.diagonal);
        Tril |a, _| a.clone();

    /// The upper triangle of matrices.
    Triu { diagonal: isize } "triu":
        |a, x| x.triu(a.diagonal);
        Triu |a, _| a.clone();

    /// Sums of the elements so far along an axis.
    Cumsum { axis: isize } "cumsum":
        |a, x| x.cumsum(a.axis);
        RestSum |a, _| RestSum { axis: a.axis };

    /// Sums of the elements from each on along an axis.
    RestSum { axis: isize } "cumsum from the end":
        |a, x| x.flip(a.axis)?.cumsum(a.axis)?.flip(a.axis);
        Cumsum |a, _| Cumsum { axis: a.axis };
}

impl<T: Float> Var<T> {
    /// Mirrored along `axes`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.flip.html)
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn flip(&self, axes: impl Into<Axes>) -> Result<Var<T>> {
        Map(Flip { axes: axes.into() }).apply([self])
    }

    /// The elements moved on by each shift along its axis, those that leave at one end coming in at the other;
    /// `shifts` has (shift, axis).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.roll.html)
    ///
    /// # Errors
    /// If an axis does not exist.
    #[track_caller]
    pub fn roll(&self, shifts: &[(isize, isize)]) -> Result<Var<T>> {
        Map(Roll { shifts: shifts.into() }).apply([self])
    }

    /// The elements of each matrix (the last two axes) on and below its `diagonal`, elsewhere 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.tril.html)
    ///
    /// # Errors
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn tril(&self, diagonal: isize) -> Result<Var<T>> {
        Map(Tril { diagonal }).apply([self])
    }

    /// The elements of each matrix (the last two axes) on and above its `diagonal`, elsewhere 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.triu.html)
    ///
    /// # Errors
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn triu(&self, diagonal: isize) -> Result<Var<T>> {
        Map(Triu { diagonal }).apply([self])
    }

    /// yᵢ = x₀ + … + xᵢ along `axis`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.cumsum.html)
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Result<Var<T>> {
        Map(Cumsum { axis }).apply([self])
    }

    /// The variable `repeats` times over along each axis; more repeats than axes add axes in front.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.repeat.html)
    ///
    /// # Errors
    /// If there are fewer repeats than axes, or there is no room for the result.
    #[track_caller]
    pub fn repeat(&self, repeats: &[usize]) -> Result<Var<T>> {
        let [single, each, whole] = self.shape().repeated(repeats)?;
        self.reshaped(single)?.broadcast_to(each)?.reshaped(whole)
    }

    /// The pieces of extents `sizes` along `axis`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.split.html)
    ///
    /// # Errors
    /// If the axis does not exist, or `sizes` do not sum to its extent.
    #[track_caller]
    pub fn split_with_sizes(&self, sizes: &[usize], axis: isize) -> Result<Vec<Var<T>>> {
        self.cut(&self.shape().cut("split", axis, sizes)?)
    }

    /// The pieces of extent `size` along `axis`; the last may be smaller.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.split.html)
    ///
    /// # Errors
    /// If the axis does not exist, or `size` is 0 and the axis is not empty.
    #[track_caller]
    pub fn split(&self, size: usize, axis: isize) -> Result<Vec<Var<T>>> {
        self.cut(&self.shape().split("split", axis, size)?)
    }

    /// At most `chunks` pieces along `axis`, of equal extents but for the last.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.chunk.html)
    ///
    /// # Errors
    /// If the axis does not exist, or `chunks` is 0.
    #[track_caller]
    pub fn chunk(&self, chunks: usize, axis: isize) -> Result<Vec<Var<T>>> {
        self.cut(&self.shape().chunk(axis, chunks)?)
    }

    #[track_caller]
    fn cut(&self, pieces: &[SmallVec<[Slice; 5]>]) -> Result<Vec<Var<T>>> {
        let mut cut = Vec::with_capacity(pieces.len());
        for piece in pieces {
            cut.push(self.slice(piece)?);
        }
        Ok(cut)
    }
}
