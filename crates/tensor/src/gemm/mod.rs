//! General matrix multiplication, C = A·B or C += A·B, on strided views.
//!
//! A view carries its row and column strides, so a transposed operand is a view and never a copy.

/// A read-only matrix: element (r, c) is `data[r·row_stride + c·col_stride]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MatRef<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> MatRef<'a, T> {
    /// A row-major matrix that fills the beginning of `data`.
    pub(crate) fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::with_strides(data, rows, cols, cols, 1)
    }

    /// # Panics
    /// If an element would lie outside `data`.
    pub(crate) fn with_strides(
        data: &'a [T],
        rows: usize,
        cols: usize,
        row_stride: usize,
        col_stride: usize,
    ) -> Self {
        if rows > 0 && cols > 0 {
            let last = (rows - 1) * row_stride + (cols - 1) * col_stride;
            assert!(last < data.len(), "a matrix view reaches beyond its data");
        }
        Self { data, rows, cols, row_stride, col_stride }
    }

    /// The transposed view.
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// A matrix to write: rows of `cols` adjacent elements, `row_stride` apart.
#[derive(Debug)]
pub(crate) struct MatMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

impl<'a, T> MatMut<'a, T> {
    /// A row-major matrix that fills the beginning of `data`.
    pub(crate) fn new(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        Self::with_stride(data, rows, cols, cols)
    }

    /// # Panics
    /// If an element would lie outside `data`, or rows would overlap.
    pub(crate) fn with_stride(data: &'a mut [T], rows: usize, cols: usize, row_stride: usize) -> Self {
        assert!(rows <= 1 || row_stride >= cols, "rows of a matrix to write overlap");
        if rows > 0 && cols > 0 {
            assert!((rows - 1) * row_stride + cols <= data.len(), "a matrix view reaches beyond its data");
        }
        Self { data, rows, cols, row_stride }
    }
}

/// What becomes of C's old value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// C = A·B; the old value is not read.
    Overwrite,
    /// C += A·B.
    Add,
}

/// C = A·B or C += A·B for an element type.
pub trait Gemm: Sized {
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn gemm(a: MatRef<'_, Self>, b: MatRef<'_, Self>, c: MatMut<'_, Self>, write: Write);
}

macro_rules! portable {
    ($t:ty, $gemm:path) => {
        impl Gemm for $t {
            #[allow(private_interfaces)]
            fn gemm(a: MatRef<'_, $t>, b: MatRef<'_, $t>, c: MatMut<'_, $t>, write: Write) {
                assert!(
                    a.cols == b.rows && a.rows == c.rows && b.cols == c.cols,
                    "gemm: [{}, {}] · [{}, {}] into [{}, {}]",
                    a.rows, a.cols, b.rows, b.cols, c.rows, c.cols
                );
                let beta = if write == Write::Add { 1.0 } else { 0.0 };
                // SAFETY: the views' constructors checked that every element lies within its slice, and `c`'s rows
                // do not overlap each other or, being exclusively borrowed, the operands.
                unsafe {
                    $gemm(
                        a.rows, a.cols, b.cols, 1.0,
                        a.data.as_ptr(), a.row_stride as isize, a.col_stride as isize,
                        b.data.as_ptr(), b.row_stride as isize, b.col_stride as isize,
                        beta,
                        c.data.as_mut_ptr(), c.row_stride as isize, 1,
                    )
                }
            }
        }
    };
}

portable!(f32, matrixmultiply::sgemm);
portable!(f64, matrixmultiply::dgemm);
