//! The three matrix products between a group's weight w `[channels, rows]`, its unfolded images col `[rows,
//! n]` and its outputs y ``[channels, n]``: a GEMM, or, for a group of one output channel (depthwise
//! convolution), plain loops.

use crate::gemm::{MatMut, MatRef, Operand, Packed, Write};
use crate::{Float, simd};

/// Rows of `len` adjacent elements, `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T> {
    pub(super) data: &'a [T],
    pub(super) len: usize,
    pub(super) stride: usize,
}

impl<'a, T> Rows<'a, T> {
    fn row(&self, r: usize) -> &'a [T] {
        &self.data[r * self.stride..][..self.len]
    }

    fn matrix(&self, rows: usize) -> MatRef<'a, T> {
        MatRef::with_strides(self.data, rows, self.len, self.stride, 1)
    }
}

/// A group's weight, ready for many products of one kind.
pub(super) struct Weight<'a, T: Float> {
    channels: usize,
    rows: usize,
    matrix: Matrix<'a, T>,
}

enum Matrix<'a, T: Float> {
    /// Of one output channel.
    Row(&'a [T]),
    /// As it is, depth × rows of the result.
    View(MatRef<'a, T>),
    Packed(Packed<T>),
}

/// Columns of all results together below which a weight is read where it is: packing it would take longer than the
/// products.
const FEW: usize = 128;

impl<'a, T: Float> Weight<'a, T> {
    /// For [`Weight::output`].
    pub(super) fn for_output(w: &'a [T], channels: usize, columns: usize) -> Self {
        Self::new(w, channels, columns, MatRef::t)
    }

    /// For [`Weight::input`].
    pub(super) fn for_input(w: &'a [T], channels: usize, columns: usize) -> Self {
        Self::new(w, channels, columns, |w| w)
    }

    /// `operand` is what the product takes, depth × rows of the result.
    fn new(w: &'a [T], channels: usize, columns: usize, operand: fn(MatRef<'a, T>) -> MatRef<'a, T>) -> Self {
        let rows = w.len() / channels;
        let view = operand(MatRef::new(w, channels, rows));
        let matrix = match channels {
            1 => Matrix::Row(w),
            _ if columns < FEW => Matrix::View(view),
            _ => Matrix::Packed(T::pack(&view)),
        };
        Self { channels, rows, matrix }
    }

    /// y = w · col, the rows of y `stride` apart.
    pub(super) fn output(&self, col: Rows<'_, T>, y: &mut [T], stride: usize) {
        let multiply = |w, y| {
            let y = MatMut::with_stride(y, self.channels, col.len, stride);
            T::multiply(w, Operand::View(col.matrix(self.rows)), y, Write::Overwrite);
        };
        let row = match &self.matrix {
            Matrix::Row(row) => *row,
            Matrix::View(w) => return multiply(Operand::View(*w), y),
            Matrix::Packed(w) => return multiply(Operand::Packed(w), y),
        };
        simd::dispatch(
            #[inline(always)]
            || {
                let y = &mut y[..col.len];
                y.iter_mut().zip(col.row(0)).for_each(|(y, &c)| *y = row[0] * c);
                for (r, &w) in row.iter().enumerate().skip(1) {
                    y.iter_mut().zip(col.row(r)).for_each(|(y, &c)| *y += w * c);
                }
            },
        );
    }

    /// col = wᵀ · y, the rows of col adjacent.
    pub(super) fn input(&self, y: Rows<'_, T>, col: &mut [T]) {
        let multiply = |w, col| {
            let col = MatMut::new(col, self.rows, y.len);
            T::multiply(w, Operand::View(y.matrix(self.channels)), col, Write::Overwrite);
        };
        let row = match &self.matrix {
            Matrix::Row(row) => *row,
            Matrix::View(w) => return multiply(Operand::View(*w), col),
            Matrix::Packed(w) => return multiply(Operand::Packed(w), col),
        };
        simd::dispatch(
            #[inline(always)]
            || {
                for (col, &w) in col.chunks_exact_mut(y.len).zip(row) {
                    col.iter_mut().zip(y.row(0)).for_each(|(col, &y)| *col = w * y);
                }
            },
        );
    }
}

/// w = y · colᵀ, or w += y · colᵀ.
pub(super) fn weight<T: Float>(y: Rows<'_, T>, col: Rows<'_, T>, rows: usize, w: &mut [T], write: Write) {
    let channels = w.len() / rows;
    if channels > 1 {
        return T::gemm(y.matrix(channels), col.matrix(rows).t(), MatMut::new(w, channels, rows), write);
    }
    simd::dispatch(
        #[inline(always)]
        || {
            for (r, w) in w.iter_mut().enumerate() {
                let sum = dot(y.row(0), col.row(r));
                *w = if write == Write::Add { *w + sum } else { sum };
            }
        },
    );
}

/// Σ a·b, in lanes that the compiler can keep in vectors.
#[inline(always)]
fn dot<T: Float>(a: &[T], b: &[T]) -> T {
    const LANES: usize = 32;
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [T::ZERO; LANES];
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    let rest: T = a_rest.iter().zip(b_rest).map(|(&a, &b)| a * b).sum();
    lanes.into_iter().sum::<T>() + rest
}
