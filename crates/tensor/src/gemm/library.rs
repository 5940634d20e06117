//! The kernels of the library matrixmultiply: for `f64`, and for `f32` where there is no kernel of our own.

use super::Write;
use super::nest::Kernel;
use super::view::{MatMut, MatRef};

/// No bound, and no overflow when rounded up to itself.
const ANY: usize = usize::MAX / 2;

macro_rules! library {
    ($name:ident, $t:ty, $gemm:path) => {
        /// A kernel whose tiles have any number of rows and columns, and its B any strides: the library
        /// blocks, packs and chooses instructions itself. What must be packed because it is no matrix in
        /// memory becomes one, a panel as wide as it is.
        #[derive(Clone, Copy)]
        pub(super) struct $name;

        impl Kernel for $name {
            type Scalar = $t;
            const MR: usize = ANY;
            const NR: usize = ANY;
            const MC: usize = ANY;
            const KC: usize = 1024;
            const NC: usize = ANY;

            fn columns(_rows: usize) -> usize {
                ANY
            }

            fn tile(self, a: MatRef<'_, $t>, b: MatRef<'_, $t>, mut c: MatMut<'_, $t>, write: Write) {
                assert!(a.rows() == c.rows() && b.cols() == c.cols() && a.cols() == b.rows());
                let beta = if write == Write::Add { 1.0 } else { 0.0 };
                // SAFETY: by the assertion above and the invariant of the views, every element that is read
                // or written lies within its slice; those of C are distinct and exclusively borrowed.
                unsafe {
                    $gemm(
                        a.rows(),
                        a.cols(),
                        b.cols(),
                        1.0,
                        a.data().as_ptr(),
                        a.row_stride() as isize,
                        a.col_stride() as isize,
                        b.data().as_ptr(),
                        b.row_stride() as isize,
                        b.col_stride() as isize,
                        beta,
                        c.as_mut_ptr(),
                        c.row_stride() as isize,
                        1,
                    )
                }
            }
        }
    };
}

library!(Sgemm, f32, matrixmultiply::sgemm);
library!(Dgemm, f64, matrixmultiply::dgemm);
