//! The transposition of a matrix of `f32`.

use super::{Level, MOST_LANES, Vector, Vectorised, vectorised};

/// Writes the transpose of `from` to rows of `width` elements, of which it may have fewer rows.
pub(crate) fn transpose_slice(level: Level, from: &[f32], to: &mut [f32], width: usize) {
    vectorised(level, Transpose { from, to, width });
}

struct Transpose<'a> {
    from: &'a [f32],
    to: &'a mut [f32],
    width: usize,
}

impl Vectorised for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { from, to, width } = self;
        let depth = to.len() / width;
        assert!(from.len().is_multiple_of(depth) && from.len() / depth <= width);
        let (from, rows) = ((from.as_ptr(), depth), from.len() / depth);
        // SAFETY: the assertion: as many rows as there are, no more than the width, each of `depth` elements.
        unsafe { transpose::<V>(from, (to.as_mut_ptr(), width), rows, depth) }
    }
}

/// Writes element (r, c) of the `rows` × `cols` matrix at `from` to `to[c·to_step + r]`; rows of the source are
/// `from_step` elements apart.
///
/// Four columns at a time of as many rows as a vector has lanes: a vector takes four elements each of every
/// fourth row, so that the columns are found by exchanges within the vectors' quarters, which are cheap.
///
/// # Safety
/// The processor has the vector's instructions. The elements at `from` may be read, those at `to` written, and
/// no other thread does.
#[inline(always)]
pub(crate) unsafe fn transpose<V: Vector>(
    (from, from_step): (*const f32, usize),
    (to, to_step): (*mut f32, usize),
    rows: usize,
    cols: usize,
) {
    // SAFETY: every (r, c) below lies within the matrix, and masks leave out the lanes beyond it.
    unsafe {
        for r in (0..rows).step_by(V::LANES) {
            let (height, mask) = ((rows - r).min(V::LANES), V::mask(rows - r));
            for c in (0..cols).step_by(4) {
                // The last four columns, of which some may be done, rather than fewer.
                let c = c.min(cols.saturating_sub(4));
                let width = (cols - c).min(4);
                let (from, to) = (from.add(r * from_step + c), to.add(c * to_step + r));
                let columns = if (height, width) == (V::LANES, 4) {
                    V::columns(from, from_step)
                } else {
                    let mut part = [[0.0f32; 4]; MOST_LANES];
                    for (i, part) in part.iter_mut().take(height).enumerate() {
                        let row = from.add(i * from_step);
                        match width {
                            4 => *part = row.cast::<[f32; 4]>().read(),
                            _ => (0..width).for_each(|j| part[j] = *row.add(j)),
                        }
                    }
                    V::columns(part.as_ptr().cast(), 4)
                };
                for (j, column) in columns.into_iter().enumerate() {
                    if j < width && height == V::LANES {
                        column.store(to.add(j * to_step));
                    } else if j < width {
                        column.store_part(to.add(j * to_step), mask);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case<'a> {
        from: (&'a [f32], usize),
        to: (&'a mut [f32], usize),
        rows: usize,
        cols: usize,
    }

    impl Vectorised for Case<'_> {
        type Output = ();

        #[inline(always)]
        unsafe fn run<V: Vector>(self) {
            let (from, to) = ((self.from.0.as_ptr(), self.from.1), (self.to.0.as_mut_ptr(), self.to.1));
            // SAFETY: the two matrices lie in their slices, whose lengths the test chooses.
            unsafe { transpose::<V>(from, to, self.rows, self.cols) }
        }
    }

    #[test]
    fn every_element_goes_to_its_place_and_nothing_else_is_touched() {
        for &level in Level::available().iter().filter(|&&level| level > Level::Portable) {
            for rows in [1, 3, 7, 8, 9, 14, 16, 21, 32] {
                for cols in [1, 2, 4, 7, 8, 15, 16, 17] {
                    let (from_step, to_step) = (cols + 3, rows + 2);
                    let from: Vec<f32> = (0..rows * from_step).map(|i| i as f32).collect();
                    let mut to = vec![-1.0; cols * to_step];
                    let (from, to_part) = ((&from[..], from_step), (&mut to[..], to_step));
                    vectorised(level, Case { from, to: to_part, rows, cols });
                    for (i, &value) in to.iter().enumerate() {
                        let (c, r) = (i / to_step, i % to_step);
                        let expected = if r < rows { (r * from_step + c) as f32 } else { -1.0 };
                        assert_eq!(value, expected, "element ({r}, {c}) of {rows} × {cols}");
                    }
                }
            }
        }
    }
}
