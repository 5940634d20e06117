//! Matrix views: memory with strides, whose constructors check once that every element lies within it.
//!
//! Kernels read and write through the views' pointers and rely on this invariant of [`MatRef`] and
//! [`MatMut`]: each (row, column) of the view addresses an element of the borrowed slice, and in a `MatMut`
//! different ones address different elements, which no other live view addresses.

use std::marker::PhantomData;
use std::ops::Range;

/// A read-only matrix: element (r, c) is `data[r·row_stride + c·col_stride]`. Strides may be 0.
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
            assert!(
                reach(rows, row_stride, cols, col_stride).is_some_and(|last| last < data.len()),
                "a matrix view reaches beyond its data"
            );
        }
        Self { data, rows, cols, row_stride, col_stride }
    }

    /// The transposed view.
    #[inline]
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// The columns before `col`.
    ///
    /// # Panics
    /// If there are fewer.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn cols_below(self, col: usize) -> Self {
        assert!(col <= self.cols, "a block reaches beyond its matrix");
        Self { cols: col, ..self }
    }

    /// The part at these rows and columns.
    ///
    /// # Panics
    /// If it is not within the matrix.
    #[inline]
    pub(super) fn block(self, rows: Range<usize>, cols: Range<usize>) -> Self {
        check_block(&rows, &cols, self.rows, self.cols);
        let data = if rows.is_empty() || cols.is_empty() {
            &[]
        } else {
            &self.data[rows.start * self.row_stride + cols.start * self.col_stride..]
        };
        Self { data, rows: rows.len(), cols: cols.len(), ..self }
    }

    #[inline]
    pub(super) fn rows(self) -> usize {
        self.rows
    }

    #[inline]
    pub(super) fn cols(self) -> usize {
        self.cols
    }

    #[inline]
    pub(super) fn row_stride(self) -> usize {
        self.row_stride
    }

    #[inline]
    pub(super) fn col_stride(self) -> usize {
        self.col_stride
    }

    /// The memory from element (0, 0) on.
    #[inline]
    pub(super) fn data(self) -> &'a [T] {
        self.data
    }

    /// Whether the elements of a row are adjacent.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(super) fn has_adjacent_cols(self) -> bool {
        self.col_stride == 1 || self.cols <= 1
    }
}

/// A matrix to write: rows of `cols` adjacent elements, `row_stride` apart.
#[derive(Debug)]
pub(crate) struct MatMut<'a, T> {
    // A pointer, because parts side by side interleave in memory and could not each borrow a slice.
    data: *mut T,
    rows: usize,
    cols: usize,
    row_stride: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: a `MatMut` is an exclusive borrow of its elements, as `&mut [T]` is.
unsafe impl<T: Send> Send for MatMut<'_, T> {}

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
            assert!(
                reach(rows, row_stride, cols, 1).is_some_and(|last| last < data.len()),
                "a matrix view reaches beyond its data"
            );
        }
        Self { data: data.as_mut_ptr(), rows, cols, row_stride, borrow: PhantomData }
    }

    /// All of it, while `self` rests.
    pub(super) fn whole(&mut self) -> MatMut<'_, T> {
        self.block(0..self.rows, 0..self.cols)
    }

    /// The part at these rows and columns, while `self` rests.
    ///
    /// # Panics
    /// If it is not within the matrix.
    #[inline]
    pub(super) fn block(&mut self, rows: Range<usize>, cols: Range<usize>) -> MatMut<'_, T> {
        check_block(&rows, &cols, self.rows, self.cols);
        MatMut {
            data: self.data.wrapping_add(rows.start.wrapping_mul(self.row_stride).wrapping_add(cols.start)),
            rows: rows.len(),
            cols: cols.len(),
            row_stride: self.row_stride,
            borrow: PhantomData,
        }
    }

    /// The rows before `row`, and those from `row` on.
    pub(super) fn split_at_row(self, row: usize) -> (Self, Self) {
        assert!(row <= self.rows);
        let data = self.data.wrapping_add(row.wrapping_mul(self.row_stride));
        (Self { rows: row, ..self }, Self { data, rows: self.rows - row, ..self })
    }

    /// The columns before `col`, and those from `col` on.
    pub(super) fn split_at_col(self, col: usize) -> (Self, Self) {
        assert!(col <= self.cols);
        let data = self.data.wrapping_add(col);
        (Self { cols: col, ..self }, Self { data, cols: self.cols - col, ..self })
    }

    /// A single column of adjacent elements as a single row: the transposed matrix.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn as_row(&mut self) -> Option<MatMut<'_, T>> {
        let adjacent = self.cols == 1 && (self.row_stride == 1 || self.rows <= 1);
        adjacent.then_some(MatMut {
            data: self.data,
            rows: 1,
            cols: self.rows,
            row_stride: self.rows,
            borrow: PhantomData,
        })
    }

    /// The elements of a row.
    #[inline]
    pub(super) fn row(&mut self, row: usize) -> &mut [T] {
        assert!(row < self.rows);
        // SAFETY: by the invariant the row's elements lie in the slice that `self` borrows exclusively. A row
        // without elements is no access.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.data.wrapping_add(row.wrapping_mul(self.row_stride)),
                self.cols,
            )
        }
    }

    #[inline]
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    pub(super) fn cols(&self) -> usize {
        self.cols
    }

    #[inline]
    pub(super) fn row_stride(&self) -> usize {
        self.row_stride
    }

    #[inline]
    pub(super) fn as_mut_ptr(&mut self) -> *mut T {
        self.data
    }
}

/// The offset of the last element of a matrix that has any.
fn reach(rows: usize, row_stride: usize, cols: usize, col_stride: usize) -> Option<usize> {
    (rows - 1).checked_mul(row_stride)?.checked_add((cols - 1).checked_mul(col_stride)?)
}

#[inline]
fn check_block(at_rows: &Range<usize>, at_cols: &Range<usize>, rows: usize, cols: usize) {
    let within = |part: &Range<usize>, whole: usize| part.start <= part.end && part.end <= whole;
    assert!(within(at_rows, rows) && within(at_cols, cols), "a block reaches beyond its matrix");
}
