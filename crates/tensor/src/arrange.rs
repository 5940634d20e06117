//! Operations that mirror, shift, repeat, cut up and accumulate along axes.
//!
//! A tensor is seen as `[outer, extent, inner]` around the axis at hand; whole runs of `inner` elements move.

use smallvec::SmallVec;

use crate::tensor::addressable;
use crate::{Axes, Element, Error, Float, Result, Shape, Slice, Tensor, par};

impl<T: Element> Tensor<T> {
    /// The tensor mirrored along `axes`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.flip.html)
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn flip(&self, axes: impl Into<Axes>) -> Result<Self> {
        let chosen = axes.into().chosen("flip", self.shape())?;
        let mut y = self.clone();
        for axis in (0..self.rank()).filter(|&axis| chosen[axis]) {
            let last = self.shape()[axis].saturating_sub(1);
            y = y.moved_along(axis, |i| last - i);
        }
        Ok(y)
    }

    /// The tensor with its elements moved on by each shift along its axis, those that leave at one end coming
    /// in at the other; a negative shift moves back. `shifts` has (shift, axis); an axis may be named again.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.roll.html)
    ///
    /// # Errors
    /// If an axis does not exist.
    #[track_caller]
    pub fn roll(&self, shifts: &[(isize, isize)]) -> Result<Self> {
        let mut y = self.clone();
        for &(shift, axis) in shifts {
            let axis = self.shape().axis("roll", axis)?;
            let extent = self.shape()[axis];
            if extent > 1 {
                let back = extent - shift.rem_euclid(extent as isize) as usize;
                y = y.moved_along(axis, |i| (i + back) % extent);
            }
        }
        Ok(y)
    }

    /// Position i along `axis` from position `source(i)`.
    fn moved_along(&self, axis: usize, source: impl Fn(usize) -> usize + Sync) -> Self {
        let extent = self.shape()[axis];
        let inner: usize = self.shape()[axis + 1..].iter().product();
        let x = self.as_slice();
        Tensor::written(self.shape().clone(), |y| {
            par::rows(y, inner, inner, |first, rows| {
                for (i, y) in rows.chunks_mut(inner.max(1)).enumerate() {
                    let (outer, to) = ((first + i) / extent, (first + i) % extent);
                    y.copy_from_slice(&x[(outer * extent + source(to)) * inner..][..inner]);
                }
            });
        })
    }

    /// The tensor `repeats` times over along each axis: `[2, 3]` repeated `[4, 1, 2]` times is `[4, 2, 6]`.
    /// More repeats than axes add axes in front.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.repeat.html)
    ///
    /// # Errors
    /// If there are fewer repeats than axes, or there is no room for the result.
    #[track_caller]
    pub fn repeat(&self, repeats: &[usize]) -> Result<Self> {
        let [single, each, whole] = self.shape().repeated(repeats)?;
        let whole = addressable::<T>("repeat", whole)?;
        self.reshape_to(single)?.broadcast_to(each)?.reshape_to(whole)
    }

    /// The pieces of extents `sizes` along `axis`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.split.html)
    ///
    /// # Errors
    /// If the axis does not exist, or `sizes` do not sum to its extent.
    #[track_caller]
    pub fn split_with_sizes(&self, sizes: &[usize], axis: isize) -> Result<Vec<Self>> {
        self.cut(&self.shape().cut("split", axis, sizes)?)
    }

    /// The pieces of extent `size` along `axis`; the last may be smaller.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.split.html)
    ///
    /// # Errors
    /// If the axis does not exist, or `size` is 0 and the axis is not empty.
    #[track_caller]
    pub fn split(&self, size: usize, axis: isize) -> Result<Vec<Self>> {
        self.cut(&self.shape().split("split", axis, size)?)
    }

    /// At most `chunks` pieces along `axis`, of equal extents but for the last.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.chunk.html)
    ///
    /// # Errors
    /// If the axis does not exist, or `chunks` is 0.
    #[track_caller]
    pub fn chunk(&self, chunks: usize, axis: isize) -> Result<Vec<Self>> {
        self.cut(&self.shape().chunk(axis, chunks)?)
    }

    #[track_caller]
    fn cut(&self, pieces: &[SmallVec<[Slice; 5]>]) -> Result<Vec<Self>> {
        let mut cut = Vec::with_capacity(pieces.len());
        for piece in pieces {
            cut.push(self.slice(piece)?);
        }
        Ok(cut)
    }

    /// The elements of each matrix (the last two axes) on and below its `diagonal`, elsewhere 0. Diagonal 0
    /// is the main one, d > 0 lies d above it.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.tril.html)
    ///
    /// # Errors
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn tril(&self, diagonal: isize) -> Result<Self> {
        self.band("tril", |above| above <= diagonal)
    }

    /// The elements of each matrix (the last two axes) on and above its `diagonal`, elsewhere 0. Diagonal 0
    /// is the main one, d > 0 lies d above it.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.triu.html)
    ///
    /// # Errors
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn triu(&self, diagonal: isize) -> Result<Self> {
        self.band("triu", |above| above >= diagonal)
    }

    /// The elements that `keeps` their distance above the main diagonal.
    #[track_caller]
    fn band(&self, op: &'static str, keeps: impl Fn(isize) -> bool) -> Result<Self> {
        let &[.., rows, columns] = &self.shape()[..] else {
            return Err(Error::new(op, format!("expected matrices, found shape {}", self.shape())));
        };
        let mut y = self.clone();
        for (at, row) in y.make_mut().chunks_mut(columns.max(1)).enumerate() {
            for (column, y) in row.iter_mut().enumerate() {
                if !keeps(column as isize - (at % rows) as isize) {
                    *y = T::default();
                }
            }
        }
        Ok(y)
    }
}

impl<T: Float> Tensor<T> {
    /// yᵢ = x₀ + … + xᵢ along `axis`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.cumsum.html)
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Result<Self> {
        let axis = self.shape().axis("cumsum", axis)?;
        let inner: usize = self.shape()[axis + 1..].iter().product();
        let block = self.shape()[axis] * inner;
        let mut y = self.clone();
        par::rows(y.make_mut(), block, block, |_, blocks| {
            for block in blocks.chunks_mut(block.max(1)) {
                for i in inner..block.len() {
                    block[i] += block[i - inner];
                }
            }
        });
        Ok(y)
    }
}

impl Shape {
    /// The shapes by which a tensor of this shape is repeated ([`Tensor::repeat`]): with an axis of extent 1
    /// before each, with the repeats in place of the ones, and merged.
    ///
    /// # Errors
    /// If there are fewer repeats than axes.
    #[track_caller]
    pub fn repeated(&self, repeats: &[usize]) -> Result<[Shape; 3]> {
        let Some(added) = repeats.len().checked_sub(self.len()) else {
            let fact = format!("expected a repeat for each axis of {self}, found {repeats:?}");
            return Err(Error::new("repeat", fact));
        };
        let extents = || std::iter::repeat_n(1, added).chain(self.iter().copied()).zip(repeats);
        let whole: Shape = extents().map(|(extent, &times)| extent.saturating_mul(times)).collect();
        // How often nothing is repeated does not matter, and may be too often to be counted.
        let most = if whole.contains(&0) { 1 } else { usize::MAX };
        Ok([
            extents().flat_map(|(extent, _)| [1, extent]).collect(),
            extents().flat_map(|(extent, &times)| [times.min(most), extent]).collect(),
            whole,
        ])
    }

    /// The pieces of extents `sizes` along `axis`.
    ///
    /// # Errors
    /// If the axis does not exist, or `sizes` do not sum to its extent.
    #[track_caller]
    pub fn cut(&self, op: &'static str, axis: isize, sizes: &[usize]) -> Result<Vec<SmallVec<[Slice; 5]>>> {
        let axis = self.axis(op, axis)?;
        let total = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
        if total != Some(self[axis]) {
            let fact = format!(
                "expected sizes that sum to {} at axis {axis} of {self}, found {sizes:?}",
                self[axis]
            );
            return Err(Error::new(op, fact));
        }
        let mut begin = 0;
        Ok(sizes
            .iter()
            .map(|&size| {
                let mut piece: SmallVec<[Slice; 5]> = SmallVec::from_elem((..).into(), axis);
                piece.push((begin..begin + size as isize).into());
                begin += size as isize;
                piece
            })
            .collect())
    }

    /// The pieces of extent `size` along `axis`; the last may be smaller.
    ///
    /// # Errors
    /// If the axis does not exist, or `size` is 0 and the axis is not empty.
    #[track_caller]
    pub fn split(&self, op: &'static str, axis: isize, size: usize) -> Result<Vec<SmallVec<[Slice; 5]>>> {
        let extent = self[self.axis(op, axis)?];
        if size == 0 && extent > 0 {
            return Err(Error::new(op, format!("expected pieces of at least 1 of the {extent}, found 0")));
        }
        let pieces = extent.div_ceil(size.max(1)).max(1);
        let mut sizes = vec![size.min(extent); pieces];
        sizes[pieces - 1] = extent - size.min(extent) * (pieces - 1);
        self.cut(op, axis, &sizes)
    }

    /// At most `chunks` pieces along `axis`, of equal extents but for the last.
    ///
    /// # Errors
    /// If the axis does not exist, or `chunks` is 0.
    #[track_caller]
    pub fn chunk(&self, axis: isize, chunks: usize) -> Result<Vec<SmallVec<[Slice; 5]>>> {
        let extent = self[self.axis("chunk", axis)?];
        if chunks == 0 {
            return Err(Error::new("chunk", "expected at least one chunk, found 0"));
        }
        self.split("chunk", axis, extent.div_ceil(chunks))
    }
}
