//! Choosing and scattering elements by integer index.

use crate::tensor::addressable;
use crate::{Element, Error, Float, Result, Shape, Tensor, par, simd};

impl<T: Element> Tensor<T> {
    /// The slices along `axis` at the positions in `index` (a vector), in that order.
    ///
    /// # Errors
    /// If the axis does not exist, `index` is not a vector, or a position lies outside the axis.
    #[track_caller]
    pub fn index_select(&self, axis: isize, index: &Tensor<i64>) -> Result<Self> {
        let op = "index_select";
        let axis = self.shape().axis(op, axis)?;
        if index.rank() != 1 {
            return Err(Error::new(
                op,
                format!("expected a vector of positions, found shape {}", index.shape()),
            ));
        }
        within(op, index, self.shape(), axis)?;
        let mut shape = self.shape().clone();
        shape[axis] = index.numel();
        let shape = addressable::<T>(op, shape)?;
        let (extent, inner) = (self.shape()[axis], inner(self.shape(), axis));
        let x = self.as_slice();
        Ok(Tensor::written(shape, |y| {
            for (row, y) in y.chunks_mut(inner.max(1)).enumerate() {
                let (outer, nth) = (row / index.numel(), row % index.numel());
                let from = (outer * extent + index.as_slice()[nth] as usize) * inner;
                y.copy_from_slice(&x[from..from + inner]);
            }
        }))
    }

    /// The elements along `axis` that `index` names: `y[i][j] = x[index[i][j]][j]` for axis 0 of a matrix.
    /// `index` has the result's shape: as many axes as `self`, elsewhere than along `axis` no longer than it.
    ///
    /// # Errors
    /// If the axis does not exist, the shapes do not fit, or a position lies outside the axis.
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Tensor<i64>) -> Result<Self> {
        let paths = Paths::new("gather", self.shape(), axis, index)?;
        let (x, positions) = (self.as_slice(), index.as_slice());
        Ok(Tensor::written(index.shape().clone(), |y| {
            let Some([extent, len]) = paths.rows else {
                return paths.visit(positions, |at, from| y[at] = x[from]);
            };
            par::rows(y, len, len, |first, rows| {
                let positions = positions[first * len..].chunks_exact(len);
                let x = x[first * extent..].chunks_exact(extent);
                for ((y, x), positions) in rows.chunks_exact_mut(len).zip(x).zip(positions) {
                    y.iter_mut().zip(positions).for_each(|(y, &position)| *y = x[position as usize]);
                }
            });
        }))
    }

    /// `self` with each element of `source` put at the position along `axis` that `index` names. Of several at
    /// one position the last in row-major order stays.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.scatter_.html)
    ///
    /// # Errors
    /// If the axis does not exist, the shapes do not fit, or a position lies outside the axis.
    #[track_caller]
    pub fn scatter(&self, axis: isize, index: &Tensor<i64>, source: &Self) -> Result<Self> {
        let paths = Paths::new("scatter", self.shape(), axis, index)?;
        one_each("scatter", index, source.shape())?;
        let mut y = self.clone();
        let (to, source) = (y.make_mut(), source.as_slice());
        paths.visit(index.as_slice(), |at, position| to[position] = source[at]);
        Ok(y)
    }
}

/// Checks that there is an index for each element.
#[track_caller]
fn one_each(op: &'static str, index: &Tensor<i64>, source: &Shape) -> Result<()> {
    if index.shape() == source {
        return Ok(());
    }
    Err(Error::new(op, format!("expected one index for each element, found {} for {source}", index.shape())))
}

impl<T: Float> Tensor<T> {
    /// `self` with each element of `source` added at the position along `axis` that `index` names: the
    /// adjoint of [`gather`](Self::gather). Repeated positions add up, in row-major order.
    ///
    /// # Errors
    /// If the axis does not exist, the shapes do not fit, or a position lies outside the axis.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, index: &Tensor<i64>, source: &Self) -> Result<Self> {
        scattered(self.shape().clone(), axis, index, source, |y, at| {
            y.copy_from_slice(&self.as_slice()[at..][..y.len()]);
        })
    }

    /// As [`scatter_add`](Self::scatter_add) on zeros of shape `whole`, which are written once only.
    ///
    /// # Errors
    /// If `whole` has more elements than can be addressed, the axis does not exist, the shapes do not fit, or
    /// a position lies outside the axis.
    #[track_caller]
    pub fn scatter_add_zeros(
        whole: impl Into<Shape>,
        axis: isize,
        index: &Tensor<i64>,
        source: &Self,
    ) -> Result<Self> {
        let whole = addressable::<T>("scatter_add", whole.into())?;
        scattered(whole, axis, index, source, |y, _| y.fill(T::ZERO))
    }

    /// `self` with the slices of `source` along `axis` added at the positions in `index` (a vector): the
    /// adjoint of [`index_select`](Self::index_select). Repeated positions add up in order.
    ///
    /// # Errors
    /// If the axis does not exist, the shapes do not fit, or a position lies outside the axis.
    #[track_caller]
    pub fn index_add(&self, axis: isize, index: &Tensor<i64>, source: &Self) -> Result<Self> {
        index_added(self.shape().clone(), axis, index, source, |y| y.copy_from_slice(self.as_slice()))
    }

    /// As [`index_add`](Self::index_add) on zeros of shape `whole`, which are written once only.
    ///
    /// # Errors
    /// If `whole` has more elements than can be addressed, the axis does not exist, the shapes do not fit, or
    /// a position lies outside the axis.
    #[track_caller]
    pub fn index_add_zeros(
        whole: impl Into<Shape>,
        axis: isize,
        index: &Tensor<i64>,
        source: &Self,
    ) -> Result<Self> {
        let whole = addressable::<T>("index_add", whole.into())?;
        index_added(whole, axis, index, source, |y| y.fill(T::ZERO))
    }
}

/// A tensor of shape `whole`, of which `begin` writes any run of elements given where it begins, with each
/// element of `source` added where `index` names.
#[track_caller]
fn scattered<T: Float>(
    whole: Shape,
    axis: isize,
    index: &Tensor<i64>,
    source: &Tensor<T>,
    begin: impl Fn(&mut [T], usize) + Sync,
) -> Result<Tensor<T>> {
    let paths = Paths::new("scatter_add", &whole, axis, index)?;
    one_each("scatter_add", index, source.shape())?;
    let (positions, source) = (index.as_slice(), source.as_slice());
    Ok(Tensor::written(whole, |y| {
        let Some([extent, len]) = paths.rows else {
            begin(y, 0);
            return paths.visit(positions, |at, to| y[to] += source[at]);
        };
        par::rows(y, extent, extent + len, |first, rows| {
            begin(rows, first * extent);
            let (positions, source) = (&positions[first * len..], &source[first * len..]);
            let each = positions.chunks_exact(len).zip(source.chunks_exact(len));
            for (y, (positions, source)) in rows.chunks_exact_mut(extent).zip(each) {
                positions.iter().zip(source).for_each(|(&position, &x)| y[position as usize] += x);
            }
        });
    }))
}

/// A tensor of shape `whole`, which `begin` writes, with the slices of `source` added where `index` names.
#[track_caller]
fn index_added<T: Float>(
    whole: Shape,
    axis: isize,
    index: &Tensor<i64>,
    source: &Tensor<T>,
    begin: impl FnOnce(&mut [T]),
) -> Result<Tensor<T>> {
    let op = "index_add";
    let axis = whole.axis(op, axis)?;
    let mut expected = whole.clone();
    expected[axis] = index.numel();
    if index.rank() != 1 || *source.shape() != expected {
        return Err(Error::new(
            op,
            format!(
                "expected a vector of positions and a source of {expected}, found {} and {}",
                index.shape(),
                source.shape()
            ),
        ));
    }
    within(op, index, &whole, axis)?;
    let (extent, inner) = (whole[axis], inner(&whole, axis));
    Ok(Tensor::written(whole, |y| {
        begin(y);
        for (row, source) in source.as_slice().chunks(inner.max(1)).enumerate() {
            let (outer, nth) = (row / index.numel(), row % index.numel());
            let to = (outer * extent + index.as_slice()[nth] as usize) * inner;
            y[to..to + inner].iter_mut().zip(source).for_each(|(y, &x)| *y += x);
        }
    }))
}

fn inner(shape: &[usize], axis: usize) -> usize {
    shape[axis + 1..].iter().product()
}

/// Checks that every index is a position of the axis.
#[track_caller]
fn within(op: &'static str, index: &Tensor<i64>, shape: &Shape, axis: usize) -> Result<()> {
    let extent = shape[axis];
    // Negative numbers are enormous ones. All are looked at without a branch first: hardly ever is one
    // outside.
    let outside = |i: i64| i as u64 >= extent as u64;
    let any_outside = |positions: &[i64]| {
        simd::dispatch(
            #[inline(always)]
            || positions.iter().fold(false, |any, &i| any | outside(i)),
        )
    };
    let mut suspects = index.as_slice().chunks(1024).filter(|positions| any_outside(positions)).flatten();
    match suspects.find(|&&i| outside(i)) {
        Some(i) => {
            Err(Error::new(op, format!("index {i} lies outside axis {axis} of {shape} (0 to {extent} − 1)")))
        }
        None => Ok(()),
    }
}

/// The paths between the elements of an index tensor and those of a larger one.
struct Paths {
    /// Extent in the index and stride in the other, for each axis; the axis of the index has stride 0.
    axes: Vec<(usize, usize)>,
    /// Stride of the axis that the index chooses along.
    stride: usize,
    /// Where the index chooses along the last axis and is elsewhere as long as the other: how long their rows
    /// are, the other's first. Then each row has to do with its own row only. None if there is no element.
    rows: Option<[usize; 2]>,
}

impl Paths {
    #[track_caller]
    fn new(op: &'static str, shape: &Shape, axis: isize, index: &Tensor<i64>) -> Result<Self> {
        let axis = shape.axis(op, axis)?;
        let fits = |i: usize| i == axis || index.shape()[i] <= shape[i];
        if index.rank() != shape.len() || !(0..shape.len()).all(fits) {
            return Err(Error::new(
                op,
                format!(
                    "index {} does not fit {shape} (no longer elsewhere than along axis {axis})",
                    index.shape()
                ),
            ));
        }
        within(op, index, shape, axis)?;
        let mut strides = shape.strides();
        let stride = std::mem::replace(&mut strides[axis], 0);
        let aligned = axis + 1 == shape.len() && shape[..axis] == index.shape()[..axis] && index.numel() > 0;
        let rows = aligned.then(|| [shape[axis], index.shape()[axis]]);
        Ok(Self { rows, axes: std::iter::zip(index.shape().iter().copied(), strides).collect(), stride })
    }

    /// Calls `step` with each position of the index and the position it names.
    fn visit(&self, index: &[i64], mut step: impl FnMut(usize, usize)) {
        let Some((&(len, inner), outer)) = self.axes.split_last() else { return };
        for (row, positions) in index.chunks(len.max(1)).enumerate() {
            let (mut rest, mut begin) = (row, 0);
            for &(extent, stride) in outer.iter().rev() {
                begin += rest % extent * stride;
                rest /= extent;
            }
            for (i, &position) in positions.iter().enumerate() {
                step(row * len + i, begin + i * inner + position as usize * self.stride);
            }
        }
    }
}
