//! What is transformed, and what transformations give: vectors of channels, in strips of images and in matrices.

use super::transform::{self, on_both_sides};
use super::{ELEMENTS, LANES, Planes, Segment, TILE, WINDOW, Winograd};
use crate::gemm::MatRef;
use crate::simd::{self, Vector};

/// One matrix `[rows, lanes]` for each element of a window: one after the other, as matrix products like them, or
/// woven, a row of each and then the next, as transformations write them.
pub(super) struct Matrices<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) rows: usize,
    pub(super) lanes: usize,
    /// From one row to the next, and from one matrix to the next: a vector more than there is, lest all fall on the
    /// same lines of the cache.
    pub(super) row: usize,
    pub(super) step: usize,
}

impl<'a> Matrices<'a> {
    /// One after the other in the first elements of `memory`, which lasts for the others.
    pub(super) fn apart(memory: &mut &'a mut [f32], rows: usize, lanes: usize) -> Self {
        let values = memory.split_off_mut(..Self::len(rows, lanes)).expect("memory for the matrices");
        Self { values, rows, lanes, row: lanes, step: rows * lanes + LANES }
    }

    /// Woven in the first elements of `memory`.
    pub(super) fn woven(memory: &mut &'a mut [f32], rows: usize, lanes: usize) -> Self {
        Self { row: ELEMENTS * lanes + LANES, step: lanes, ..Self::apart(memory, rows, lanes) }
    }

    /// Elements of memory, either way.
    pub(super) fn len(rows: usize, lanes: usize) -> usize {
        ELEMENTS * rows * lanes + ELEMENTS.max(rows) * LANES
    }

    /// The matrix of an element and those after it, and how far apart their rows are.
    pub(super) fn from(&mut self, element: usize) -> (&mut [f32], usize) {
        (&mut self.values[element * self.step..], self.row)
    }

    /// A pointer into the first matrix, and how far apart rows, and matrices, are.
    pub(super) fn pointer(&self, row: usize, lane: usize) -> (*const f32, usize, usize) {
        (self.values[row * self.row + lane..].as_ptr(), self.row, self.step)
    }

    /// As [`pointer`](Self::pointer), to be written through.
    pub(super) fn pointer_mut(&mut self, row: usize, lane: usize) -> (*mut f32, usize, usize) {
        (self.values[row * self.row + lane..].as_mut_ptr(), self.row, self.step)
    }

    /// A row of the matrix of an element.
    pub(super) fn lanes_of(&self, element: usize, row: usize) -> &[f32] {
        &self.values[element * self.step + row * self.row..][..self.lanes]
    }

    /// The first rows and columns of the matrix of an element.
    pub(super) fn matrix(&self, element: usize, rows: usize, cols: usize) -> MatRef<'_, f32> {
        let all = &self.values[element * self.step..];
        MatRef::with_strides(all, rows, self.lanes, self.row, 1).cols_below(cols)
    }
}

/// Part of an image with the channels innermost: `height` × `width` positions of `lanes` elements.
pub(super) struct Strip<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) width: usize,
    pub(super) lanes: usize,
}

impl<'a> Strip<'a> {
    /// In the first elements of `memory`.
    pub(super) fn within(memory: &'a mut [f32], height: usize, width: usize, lanes: usize) -> Self {
        Self { values: &mut memory[..height * width * lanes], width, lanes }
    }

    fn row(&mut self, row: usize) -> &mut [f32] {
        let len = self.width * self.lanes;
        &mut self.values[row * len..][..len]
    }

    /// Takes `height` rows of an image's planes, from row `top` and column `left` on, zeros where there are
    /// none. Of lanes without a channel nothing is said.
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    #[inline(always)]
    unsafe fn take<V: Vector>(
        &mut self,
        image: &[f32],
        planes: Planes,
        height: usize,
        top: isize,
        left: usize,
    ) {
        assert!(image.len() == planes.channels * planes.len() && left + planes.width <= self.width);
        let (lanes, width) = (self.lanes, planes.width);
        for row in 0..height {
            let to = self.row(row);
            let from = match usize::try_from(top + row as isize) {
                Ok(from) if from < planes.height => from,
                _ => {
                    to.fill(0.0);
                    continue;
                }
            };
            to[..left * lanes].fill(0.0);
            to[(left + width) * lanes..].fill(0.0);
            let to = &mut to[left * lanes..];
            // SAFETY: row `from` of every plane lies in the image; the strip's row holds as many positions, of
            // at least as many lanes as there are channels.
            unsafe {
                let from = (image.as_ptr().add(from * width), planes.len());
                simd::transpose::<V>(from, (to.as_mut_ptr(), lanes), planes.channels, width);
            }
        }
    }

    /// Where position (row, column) begins.
    pub(super) fn at(&self, row: usize, column: usize) -> usize {
        (row * self.width + column) * self.lanes
    }
}

impl Winograd {
    /// Writes BᵀxB of every tile of a block.
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    #[inline(always)]
    pub(super) unsafe fn windows<V: Vector>(
        &self,
        block: usize,
        x: &[f32],
        windows: &mut Matrices<'_>,
        memory: &mut [f32],
    ) {
        let (across, planes) = (self.tiles[1], self.read);
        let height = self.rows.min(self.tiles[0]) * TILE + WINDOW - TILE;
        let mut strip = Strip::within(memory, height, across * TILE + WINDOW - TILE, planes.lanes());
        for Segment { image, row, rows, tile } in self.segments(block) {
            let image = &x[image * planes.channels * planes.len()..][..planes.channels * planes.len()];
            let top = (row * TILE) as isize - self.before[0] as isize;
            // SAFETY: the caller promises the instructions.
            unsafe { strip.take::<V>(image, planes, rows * TILE + WINDOW - TILE, top, self.before[1]) };
            let first = (rows, across, tile);
            // SAFETY: the strip holds the windows of the segment's tiles, and the matrices have its block's.
            unsafe {
                transformed::<V, WINDOW>(
                    &strip,
                    first,
                    windows,
                    #[inline(always)]
                    |x| transform::window(x),
                );
            }
        }
    }

    /// Writes AyAᵀ of every tile of a block.
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    #[inline(always)]
    pub(super) unsafe fn gradients<V: Vector>(
        &self,
        block: usize,
        y: &[f32],
        gradients: &mut Matrices<'_>,
        memory: &mut [f32],
    ) {
        let (across, planes) = (self.tiles[1], self.written);
        let height = self.rows.min(self.tiles[0]) * TILE;
        let mut strip = Strip::within(memory, height, across * TILE, planes.lanes());
        for Segment { image, row, rows, tile } in self.segments(block) {
            let image = &y[image * planes.channels * planes.len()..][..planes.channels * planes.len()];
            // SAFETY: the caller promises the instructions.
            unsafe { strip.take::<V>(image, planes, rows * TILE, (row * TILE) as isize, 0) };
            let first = (rows, across, tile);
            // SAFETY: the strip holds the segment's tiles, and the matrices have its block's.
            unsafe {
                transformed::<V, TILE>(
                    &strip,
                    first,
                    gradients,
                    #[inline(always)]
                    |y| transform::tile(y),
                );
            }
        }
    }
}

/// Transforms `FROM` × `FROM` positions of a strip for each of `rows` × `across` tiles, the first of which is
/// tile `tile` of the matrices.
///
/// # Safety
/// The processor has the vector's instructions; the strip has these positions and the matrices these tiles.
#[inline(always)]
unsafe fn transformed<V: Vector, const FROM: usize>(
    strip: &Strip<'_>,
    (rows, across, tile): (usize, usize, usize),
    to: &mut Matrices<'_>,
    matrix: impl Fn([V; FROM]) -> [V; WINDOW] + Copy,
) {
    let (row_step, col_step, step, row) = (strip.at(1, 0), strip.at(0, 1), to.step, to.row);
    let first = to.values.as_mut_ptr();
    for t in 0..rows * across {
        let at = strip.at(t / across * TILE, t % across * TILE);
        for lane in (0..strip.lanes).step_by(V::LANES) {
            // SAFETY: the caller's promise.
            unsafe {
                let from = strip.values.as_ptr().add(at + lane);
                let to = first.add((tile + t) * row + lane);
                on_both_sides(
                    matrix,
                    #[inline(always)]
                    |i, j| V::load(from.add(i * row_step + j * col_step)),
                    #[inline(always)]
                    |i, j, value: V| value.store(to.add((i * WINDOW + j) * step)),
                );
            }
        }
    }
}
