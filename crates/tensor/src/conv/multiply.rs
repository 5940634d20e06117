//! The three matrix products between a group's weight w `[channels, rows]`, its unfolded images col `[rows, n]` and its
//! outputs y `[channels, n]`: a GEMM, or, for a group of one output channel (depthwise convolution), plain loops.

use crate::gemm::{MatMut, MatRef, Write};
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

/// y = w · col, the rows of y `stride` apart.
pub(super) fn output<T: Float>(w: &[T], rows: usize, col: Rows<'_, T>, y: &mut [T], stride: usize) {
    let channels = w.len() / rows;
    if channels > 1 {
        let y = MatMut::with_stride(y, channels, col.len, stride);
        return T::gemm(MatRef::new(w, channels, rows), col.matrix(rows), y, Write::Overwrite);
    }
    simd::dispatch(
        #[inline(always)]
        || {
            let y = &mut y[..col.len];
            y.iter_mut().zip(col.row(0)).for_each(|(y, &c)| *y = w[0] * c);
            for (r, &w) in w.iter().enumerate().skip(1) {
                y.iter_mut().zip(col.row(r)).for_each(|(y, &c)| *y += w * c);
            }
        },
    );
}

/// col = wᵀ · y, the rows of col adjacent.
pub(super) fn input<T: Float>(w: &[T], rows: usize, y: Rows<'_, T>, col: &mut [T]) {
    let channels = w.len() / rows;
    if channels > 1 {
        let col = MatMut::new(col, rows, y.len);
        return T::gemm(MatRef::new(w, channels, rows).t(), y.matrix(channels), col, Write::Overwrite);
    }
    simd::dispatch(
        #[inline(always)]
        || {
            for (col, &w) in col.chunks_exact_mut(y.len).zip(w) {
                col.iter_mut().zip(y.row(0)).for_each(|(col, &y)| *col = w * y);
            }
        },
    );
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
