//! Choosing and scattering elements by integer index.

use crate::tensor::addressable;
use crate::{Element, Error, Float, Result, Shape, Tensor};

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
        let shape = addressable(op, shape)?;
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
        let x = self.as_slice();
        Ok(Tensor::written(index.shape().clone(), |y| {
            paths.visit(index.as_slice(), |at, from| y[at] = x[from]);
        }))
    }
}

impl<T: Float> Tensor<T> {
    /// `self` with each element of `source` added at the position along `axis` that `index` names: the adjoint
    /// of [`gather`](Self::gather). Repeated positions add up, in row-major order.
    ///
    /// # Errors
    /// If the axis does not exist, the shapes do not fit, or a position lies outside the axis.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, index: &Tensor<i64>, source: &Self) -> Result<Self> {
        let paths = Paths::new("scatter_add", self.shape(), axis, index)?;
        if index.shape() != source.shape() {
            return Err(Error::new(
                "scatter_add",
                format!(
                    "expected one index for each element, found {} for {}",
                    index.shape(),
                    source.shape()
                ),
            ));
        }
        let mut sum = self.clone();
        let (source, y) = (source.as_slice(), sum.make_mut());
        paths.visit(index.as_slice(), |at, to| y[to] += source[at]);
        Ok(sum)
    }

    /// `self` with the slices of `source` along `axis` added at the positions in `index` (a vector): the
    /// adjoint of [`index_select`](Self::index_select). Repeated positions add up in order.
    ///
    /// # Errors
    /// If the axis does not exist, the shapes do not fit, or a position lies outside the axis.
    #[track_caller]
    pub fn index_add(&self, axis: isize, index: &Tensor<i64>, source: &Self) -> Result<Self> {
        let op = "index_add";
        let axis = self.shape().axis(op, axis)?;
        let mut expected = self.shape().clone();
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
        within(op, index, self.shape(), axis)?;
        let (extent, inner) = (self.shape()[axis], inner(self.shape(), axis));
        let mut sum = self.clone();
        let y = sum.make_mut();
        for (row, source) in source.as_slice().chunks(inner.max(1)).enumerate() {
            let (outer, nth) = (row / index.numel(), row % index.numel());
            let to = (outer * extent + index.as_slice()[nth] as usize) * inner;
            y[to..to + inner].iter_mut().zip(source).for_each(|(y, &x)| *y += x);
        }
        Ok(sum)
    }
}

fn inner(shape: &[usize], axis: usize) -> usize {
    shape[axis + 1..].iter().product()
}

/// Checks that every index is a position of the axis.
#[track_caller]
fn within(op: &'static str, index: &Tensor<i64>, shape: &Shape, axis: usize) -> Result<()> {
    let extent = shape[axis];
    match index.as_slice().iter().find(|&&i| i < 0 || i as usize >= extent) {
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
        Ok(Self { axes: std::iter::zip(index.shape().iter().copied(), strides).collect(), stride })
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
