//! Convolution of 3 × 3 taps with stride 1 by Winograd's algorithm F(4×4, 3×3): 36 products for 16 results
//! instead of 144.
//!
//! The results are cut into tiles of 4 × 4, each of which reads a window of 6 × 6. With the matrices A, B and G
//! below, for a tile of results y, its window x of each channel, and the taps w:
//!
//! - output: y = Aᵀ·(Σ GwGᵀ ⊙ BᵀxB)·A over the channels
//! - input: the same with the taps reversed and the channels' roles exchanged
//! - weight: w = Gᵀ·(Σ AyAᵀ ⊙ BᵀxB)·G over the tiles
//!
//! The sums are one matrix product for each of the 36 elements. Inside, channels are the innermost axis, so that
//! a vector is one element of as many channels, whatever the extents of the image.
//!
//! Andrew Lavin and Scott Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.

use std::ops::Range;

use super::unfold::even;
use super::{Geometry, Slot};
use crate::gemm::{self, MatMut, MatRef, Operand, Write};
use crate::par::{self, Shared};
use crate::simd::{self, Level, Vector, Vectorised};
use crate::storage::Storage;

/// Rows and columns of a tile of results, of the window that it reads, and of the taps.
const TILE: usize = 4;
const WINDOW: usize = 6;
const TAPS: usize = 3;
/// Elements of a window: the number of matrix products.
const ELEMENTS: usize = WINDOW * WINDOW;
/// Channels are rounded up to whole vectors of every kind.
const LANES: usize = 16;
/// Tiles below which the transformations cost more than they save, and those of the weight's gradient.
const FEWEST: usize = 4;
const FEWEST_OF_WEIGHT: usize = 16;
/// Tiles of a block: enough for a product, while what belongs to a block stays in a second-level cache.
const TILES: usize = 64;
/// Vectors of written channels that are worth transforming the windows for once more, and parts that there can be of
/// them.
const VECTORS: usize = 4;
const PARTS_OF_CHANNELS: usize = 4;
/// Tiles below which a partial sum of the weight costs more than it saves.
const TILES_OF_PART: usize = 128;
/// Partial sums of the weight that can be computed at the same time.
const PARTS: usize = 8;
/// Channels below which the transformations cost more than they save.
const CHANNELS: usize = 16;

/// The matrices of the algorithm, applied to one column or row of elements. Interpolation is at 0, ±1, ±2 and ∞.
mod transform {
    use super::{TAPS, TILE, Vector, WINDOW};

    /// Bᵀ·x, of a window.
    #[inline(always)]
    pub(super) unsafe fn window<V: Vector>(x: [V; WINDOW]) -> [V; WINDOW] {
        // SAFETY: the caller's promise, the instructions of the vector, is that of the callees; so below.
        unsafe {
            let (a, b) = (x[4].plus(-4.0, x[2]), x[3].plus(-4.0, x[1]));
            let (c, d) = (x[4].sub(x[2]), x[3].sub(x[1]).scale(2.0));
            let first = x[4].plus(-5.0, x[2]).plus(4.0, x[0]);
            let last = x[5].plus(-5.0, x[3]).plus(4.0, x[1]);
            [first, a.add(b), a.sub(b), c.add(d), c.sub(d), last]
        }
    }

    /// Aᵀ·m, of products.
    #[inline(always)]
    pub(super) unsafe fn results<V: Vector>(m: [V; WINDOW]) -> [V; TILE] {
        // SAFETY: as above.
        unsafe {
            let (a, b) = (m[1].add(m[2]), m[1].sub(m[2]));
            let (c, d) = (m[3].add(m[4]), m[3].sub(m[4]));
            [m[0].add(a).add(c), b.plus(2.0, d), a.plus(4.0, c), b.plus(8.0, d).add(m[5])]
        }
    }

    /// A·y, of results.
    #[inline(always)]
    pub(super) unsafe fn tile<V: Vector>(y: [V; TILE]) -> [V; WINDOW] {
        // SAFETY: as above.
        unsafe {
            let (a, b) = (y[0].add(y[2]), y[1].add(y[3]));
            let (c, d) = (y[0].plus(4.0, y[2]), y[1].plus(4.0, y[3]).scale(2.0));
            [y[0], a.add(b), a.sub(b), c.add(d), c.sub(d), y[3]]
        }
    }

    /// G·w, of taps.
    #[inline(always)]
    pub(super) unsafe fn taps<V: Vector>(w: [V; TAPS]) -> [V; WINDOW] {
        // SAFETY: as above.
        unsafe {
            let (a, b) = (w[0].add(w[2]).scale(-1.0 / 6.0), w[1].scale(-1.0 / 6.0));
            let (c, d) = (w[0].plus(4.0, w[2]).scale(1.0 / 24.0), w[1].scale(1.0 / 12.0));
            [w[0].scale(0.25), a.add(b), a.sub(b), c.add(d), c.sub(d), w[2]]
        }
    }

    /// Gᵀ·u, of products.
    #[inline(always)]
    pub(super) unsafe fn gradient<V: Vector>(u: [V; WINDOW]) -> [V; TAPS] {
        // SAFETY: as above.
        unsafe {
            let (a, b) = (u[1].add(u[2]).scale(-1.0 / 6.0), u[2].sub(u[1]).scale(1.0 / 6.0));
            let (c, d) = (u[3].add(u[4]), u[3].sub(u[4]).scale(1.0 / 12.0));
            [a.plus(1.0 / 24.0, c).plus(0.25, u[0]), b.add(d), a.plus(1.0 / 6.0, c).add(u[5])]
        }
    }
}

/// M·x·Mᵀ for the matrix M whose product with a column is `matrix`; element (i, j) of x is `load(i, j)`, one of
/// the result goes to `store(i, j, _)`.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "the loops run over registers, several arrays at a time")]
unsafe fn on_both_sides<V: Vector, const FROM: usize, const TO: usize>(
    matrix: impl Fn([V; FROM]) -> [V; TO],
    load: impl Fn(usize, usize) -> V,
    store: impl Fn(usize, usize, V),
) {
    // SAFETY: the caller promises the instructions of the vector.
    let mut half = [[unsafe { V::zero() }; FROM]; TO];
    for j in 0..FROM {
        // SAFETY: as above.
        let mut column = [unsafe { V::zero() }; FROM];
        for i in 0..FROM {
            column[i] = load(i, j);
        }
        let column = matrix(column);
        for i in 0..TO {
            half[i][j] = column[i];
        }
    }
    for i in 0..TO {
        let row = matrix(half[i]);
        for j in 0..TO {
            store(i, j, row[j]);
        }
    }
}

/// A convolution, or the gradient of its input, which is one as well: planes that are read and planes that are
/// written.
pub(super) struct Winograd {
    level: Level,
    /// What is solved for.
    slot: Slot,
    batch: usize,
    read: Planes,
    written: Planes,
    /// Zeros imagined above and to the left of what is read.
    before: [usize; 2],
    /// Tiles below each other and side by side in an image.
    tiles: [usize; 2],
    /// Rows of tiles of a block.
    rows: usize,
    /// Written channels of a part, where there are too few tiles to make blocks of.
    part: Option<usize>,
}

/// The channels of an image.
#[derive(Clone, Copy)]
struct Planes {
    channels: usize,
    height: usize,
    width: usize,
}

impl Planes {
    fn len(&self) -> usize {
        self.height * self.width
    }

    /// The channels, rounded up to whole vectors.
    fn lanes(&self) -> usize {
        self.channels.next_multiple_of(LANES)
    }
}

/// Some rows of tiles of one image.
struct Segment {
    image: usize,
    /// The first row of tiles.
    row: usize,
    rows: usize,
    /// The number of its first tile in its block.
    tile: usize,
}

impl Winograd {
    /// The algorithm for a slot, where it is worth it: 3 × 3 taps, stride 1, no dilation, enough channels, and
    /// tiles that are not mostly padding.
    pub(super) fn new(geo: &Geometry, slot: Slot, level: Level) -> Option<Self> {
        let [depth, height, width] = geo.axes;
        let plane = |side: fn(&crate::window::Axis) -> usize, channels| Planes {
            channels,
            height: side(&height),
            width: side(&width),
        };
        let input = plane(|axis| axis.input, geo.in_channels);
        let output = plane(|axis| axis.output, geo.out_channels);
        let before = [height.before, width.before];
        let fits = level >= Level::Avx2
            && geo.groups == 1
            && input.channels.min(output.channels) >= CHANNELS
            && depth.kernel == 1
            && (depth.input, depth.output) == (1, 1)
            && [height, width].iter().all(|axis| (axis.kernel, axis.stride, axis.dilation) == (TAPS, 1, 1))
            && [height, width].iter().all(|axis| axis.before.max(axis.after) < TAPS);
        let (read, written, before) = match slot {
            Slot::Input => (output, input, before.map(|before| (TAPS - 1).wrapping_sub(before))),
            Slot::Output | Slot::Weight => (input, output, before),
        };
        let tiles = [written.height, written.width].map(|extent| extent.div_ceil(TILE));
        let count = geo.batch * tiles[0] * tiles[1];
        let fewest = if slot == Slot::Weight { FEWEST_OF_WEIGHT } else { FEWEST };
        if !fits || count < fewest || 2 * written.len() < tiles[0] * tiles[1] * TILE * TILE {
            return None;
        }
        let all = geo.batch * tiles[0];
        let vectors = written.lanes() / LANES;
        let (rows, part) = if count <= TILES && vectors > 1 && slot != Slot::Weight {
            let parts = vectors.div_ceil(VECTORS).clamp(2, PARTS_OF_CHANNELS);
            (all, Some(vectors.div_ceil(parts) * LANES))
        } else {
            // At most a quarter of the batch, which leaves something for other threads; whole images if possible.
            let rows = (TILES / tiles[1]).min(all.div_ceil(4)).max(1);
            (if rows >= tiles[0] { rows - rows % tiles[0] } else { even(tiles[0], rows) }, None)
        };
        Some(Self { level, slot, batch: geo.batch, read, written, before, tiles, rows, part })
    }

    /// What the operands determine of the slot.
    pub(super) fn solve(&self, [a, b]: [&[f32]; 2], bias: Option<&[f32]>, result: &mut [f32]) {
        match self.slot {
            Slot::Input => self.convolve(b, a, bias, result),
            Slot::Weight => self.weight(a, b, result),
            Slot::Output => self.convolve(a, b, bias, result),
        }
    }

    /// y from x and w, or x from w and y.
    fn convolve(&self, from: &[f32], w: &[f32], bias: Option<&[f32]>, to: &mut [f32]) {
        let mut lanes = Storage::filled(self.written.lanes(), 0.0);
        if let Some(bias) = bias {
            lanes.make_mut()[..bias.len()].copy_from_slice(bias);
        }
        let (bias, to) = (&lanes[..], &Shared::new(to));
        match self.part {
            Some(part) => self.convolve_parts(part, from, w, bias, to),
            None => self.convolve_blocks(from, w, bias, to),
        }
    }

    /// Block by block of tiles: the weight is transformed once for all.
    fn convolve_blocks(&self, from: &[f32], w: &[f32], bias: &[f32], to: &Shared<'_, f32>) {
        let (read, lanes) = (self.read.channels, self.written.lanes());
        let mut weight = Storage::unspecified(Matrices::len(read, lanes));
        let weight = Matrices::apart(&mut weight.make_mut(), read, lanes);
        let shared = Shared::new(&mut *weight.values);
        par::tasks(lanes / LANES, ELEMENTS * read * LANES, |vector| {
            let written = vector * LANES..self.written.channels.min((vector + 1) * LANES);
            let at = (vector * LANES, weight.row, weight.step);
            simd::vectorised(self.level, Weights { of: self, read: 0..read, written, w, to: &shared, at });
        });
        par::tasks(self.blocks(), par::GRAIN, |block| {
            simd::vectorised(self.level, Block { of: self, block, from, weight: &weight, bias, to });
        });
    }

    /// Part by part of the written channels. A core reads its part of the weight only, and what it writes is where
    /// it wrote before, in the results as in its memory: little goes from core to core.
    fn convolve_parts(&self, part: usize, from: &[f32], w: &[f32], bias: &[f32], to: &Shared<'_, f32>) {
        let tiles = self.tiles_of(0);
        // Rows of the weight at a time: they take no more of the cache than the sums that they are added to.
        let depth = tiles.min(self.read.channels).next_multiple_of(LANES);
        let len = self.memory(tiles, LANES).iter().sum::<usize>() + Matrices::len(depth, LANES);
        let mut memory = Storage::unspecified(self.written.channels.div_ceil(part) * len);
        par::chunks(memory.make_mut(), len, |nth, memory| {
            let channels = nth * part..self.written.channels.min((nth + 1) * part);
            simd::vectorised(self.level, Part { of: self, channels, depth, from, w, bias, to, memory });
        });
    }

    /// Elements of memory that a block of so many tiles takes: its windows, their products with so many lanes of the
    /// weight, and one strip at a time.
    fn memory(&self, tiles: usize, lanes: usize) -> [usize; 3] {
        let [down, across] = [self.rows.min(self.tiles[0]) * TILE, self.tiles[1] * TILE];
        let windows = (down + WINDOW - TILE) * (across + WINDOW - TILE) * self.read.lanes();
        let strip = windows.max(down * across * lanes);
        [Matrices::len(tiles, self.read.lanes()), Matrices::len(tiles, lanes), strip]
    }

    /// w from y and x: its sums over parts of the tiles, added in order.
    fn weight(&self, y: &[f32], x: &[f32], w: &mut [f32]) {
        let blocks = self.blocks();
        let parts = (self.batch * self.tiles[0] * self.tiles[1] / TILES_OF_PART).clamp(1, PARTS.min(blocks));
        let each = blocks.div_ceil(parts);
        let parts = blocks.div_ceil(each);
        let len = ELEMENTS * self.written.channels * self.read.lanes();
        let mut sums = Storage::unspecified(parts * len);
        par::chunks(sums.make_mut(), len, |part, sum| {
            let blocks = part * each..blocks.min((part + 1) * each);
            simd::vectorised(self.level, Correlate { of: self, blocks, x, y, sum });
        });
        let row = self.read.channels * TAPS * TAPS;
        par::rows(w, row, row * ELEMENTS / LANES * parts, |first, w| {
            for (k, w) in w.chunks_exact_mut(row).enumerate() {
                simd::vectorised(self.level, Taps { of: self, channel: first + k, sums: &sums, parts, w });
            }
        });
    }

    fn blocks(&self) -> usize {
        (self.batch * self.tiles[0]).div_ceil(self.rows)
    }

    /// The parts of a block, one of each image that it has rows of.
    fn segments(&self, block: usize) -> impl Iterator<Item = Segment> + use<> {
        let [down, across] = self.tiles;
        let start = block * self.rows;
        let (mut row, end) = (start, (start + self.rows).min(self.batch * down));
        std::iter::from_fn(move || {
            let rows = (down - row % down).min(end - row);
            let segment = Segment { image: row / down, row: row % down, rows, tile: (row - start) * across };
            row += rows;
            (rows > 0).then_some(segment)
        })
    }

    /// How many tiles a block has.
    fn tiles_of(&self, block: usize) -> usize {
        self.rows.min(self.batch * self.tiles[0] - block * self.rows) * self.tiles[1]
    }
}

/// One matrix `[rows, lanes]` for each element of a window: one after the other, as matrix products like them, or
/// woven, a row of each and then the next, as transformations write them.
struct Matrices<'a> {
    values: &'a mut [f32],
    rows: usize,
    lanes: usize,
    /// From one row to the next, and from one matrix to the next: a vector more than there is, lest all fall on the
    /// same lines of the cache.
    row: usize,
    step: usize,
}

impl<'a> Matrices<'a> {
    /// One after the other in the first elements of `memory`, which lasts for the others.
    fn apart(memory: &mut &'a mut [f32], rows: usize, lanes: usize) -> Self {
        let values = memory.split_off_mut(..Self::len(rows, lanes)).expect("memory for the matrices");
        Self { values, rows, lanes, row: lanes, step: rows * lanes + LANES }
    }

    /// Woven in the first elements of `memory`.
    fn woven(memory: &mut &'a mut [f32], rows: usize, lanes: usize) -> Self {
        Self { row: ELEMENTS * lanes + LANES, step: lanes, ..Self::apart(memory, rows, lanes) }
    }

    /// Elements of memory, either way.
    fn len(rows: usize, lanes: usize) -> usize {
        ELEMENTS * rows * lanes + ELEMENTS.max(rows) * LANES
    }

    /// The matrix of an element and those after it, and how far apart their rows are.
    fn from(&mut self, element: usize) -> (&mut [f32], usize) {
        (&mut self.values[element * self.step..], self.row)
    }

    /// The first rows and columns of the matrix of an element.
    fn matrix(&self, element: usize, rows: usize, cols: usize) -> MatRef<'_, f32> {
        let all = &self.values[element * self.step..];
        MatRef::with_strides(all, rows, self.lanes, self.row, 1).cols_below(cols)
    }
}

/// Part of an image with the channels innermost: `height` × `width` positions of `lanes` elements.
struct Strip<'a> {
    values: &'a mut [f32],
    width: usize,
    lanes: usize,
}

impl<'a> Strip<'a> {
    /// In the first elements of `memory`.
    fn within(memory: &'a mut [f32], height: usize, width: usize, lanes: usize) -> Self {
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
    fn at(&self, row: usize, column: usize) -> usize {
        (row * self.width + column) * self.lanes
    }
}

/// A block of tiles of a convolution, all channels of it.
struct Block<'a> {
    of: &'a Winograd,
    block: usize,
    from: &'a [f32],
    weight: &'a Matrices<'a>,
    /// What is added to every result, a number for each lane.
    bias: &'a [f32],
    to: &'a Shared<'a, f32>,
}

impl Vectorised for Block<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { of, block, from, weight, bias, to } = self;
        let (tiles, channels) = (of.tiles_of(block), of.written.channels);
        let [mut a, mut c, mut strip] = of.memory(tiles, of.written.lanes()).map(Storage::unspecified);
        let mut windows = Matrices::apart(&mut a.make_mut(), tiles, of.read.lanes());
        let mut products = Matrices::apart(&mut c.make_mut(), tiles, of.written.lanes());
        let memory = strip.make_mut();
        // SAFETY: the caller promises the instructions.
        unsafe { of.windows::<V>(block, from, &mut windows, memory) };
        for element in 0..ELEMENTS {
            let a = windows.matrix(element, tiles, of.read.channels).t();
            let b = weight.matrix(element, of.read.channels, channels);
            let (c, step) = products.from(element);
            let c = MatMut::with_stride(c, tiles, channels, step);
            gemm::multiply_at(of.level, Operand::View(a), Operand::View(b), c, Write::Overwrite);
        }
        // SAFETY: as above; no other block has these tiles.
        unsafe { of.results::<V>(block, &products, 0..channels, bias, to, memory) };
    }
}

/// Some written channels of a convolution, all tiles of them. Their weight is transformed a vector of written
/// channels and `depth` read ones at a time, used and forgotten, before it leaves the nearest cache.
struct Part<'a> {
    of: &'a Winograd,
    channels: Range<usize>,
    depth: usize,
    from: &'a [f32],
    w: &'a [f32],
    bias: &'a [f32],
    to: &'a Shared<'a, f32>,
    memory: &'a mut [f32],
}

impl Vectorised for Part<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { of, channels, depth, from, w, bias, to, mut memory } = self;
        let (tiles, all) = (of.tiles_of(0), of.read.channels);
        let mut windows = Matrices::woven(&mut memory, tiles, of.read.lanes());
        let mut products = Matrices::woven(&mut memory, tiles, LANES);
        let weight = Matrices::woven(&mut memory, depth, LANES);
        // SAFETY: the caller promises the instructions.
        unsafe { of.windows::<V>(0, from, &mut windows, memory) };
        for first in channels.clone().step_by(LANES) {
            let written = first..channels.end.min(first + LANES);
            for begin in (0..all).step_by(depth) {
                let read = begin..all.min(begin + depth);
                let (shared, at) = (Shared::new(&mut *weight.values), (0, weight.row, weight.step));
                let (read_again, written) = (read.clone(), written.clone());
                let transform = Weights { of, read: read_again, written, w, to: &shared, at };
                // SAFETY: as above; the matrices hold these channels.
                unsafe {
                    transform.run::<V>();
                    add_products::<V>(&windows, read, &weight, &mut products);
                }
            }
            // SAFETY: as above; no other part has these channels.
            unsafe { of.results::<V>(0, &products, written, bias, to, memory) };
        }
    }
}

/// The sums over some read channels, which the rows of `weight` are, of the products of every element and tile;
/// added to those of the channels before them.
///
/// # Safety
/// The processor has the vector's instructions; the windows have these channels and the weight as many rows, of
/// [`LANES`] as the products.
#[inline(always)]
unsafe fn add_products<V: Vector>(
    windows: &Matrices<'_>,
    read: Range<usize>,
    weight: &Matrices<'_>,
    products: &mut Matrices<'_>,
) {
    let (tiles, products_row) = (products.rows, products.row);
    assert!(windows.rows == tiles && read.end <= windows.lanes && read.len() <= weight.rows);
    assert!(weight.lanes == LANES && products.lanes == LANES);
    for lane in (0..LANES).step_by(V::LANES) {
        for element in 0..ELEMENTS {
            let at = element * products.step + lane;
            let mut tile = 0;
            while tile < tiles {
                let a = windows.values[tile * windows.row + element * windows.step + read.start..].as_ptr();
                let c = products.values[tile * products_row + at..].as_mut_ptr();
                let (a, b, c) = (
                    (a, windows.row),
                    (weight.values[element * weight.step + lane..].as_ptr(), weight.row),
                    (c, products_row),
                );
                let (depth, begins) = (read.len(), read.start == 0);
                // SAFETY: the caller's promise: there are as many tiles from this one on, and as many rows.
                tile += unsafe {
                    match tiles - tile {
                        8.. => add_tiles::<V, 8>(a, b, c, depth, begins),
                        4.. => add_tiles::<V, 4>(a, b, c, depth, begins),
                        2.. => add_tiles::<V, 2>(a, b, c, depth, begins),
                        _ => add_tiles::<V, 1>(a, b, c, depth, begins),
                    }
                };
            }
        }
    }
}

/// C = A·B, or C += A·B, for `R` tiles and a vector of columns; each matrix is given by its first element and how
/// far apart its rows are. Answers `R`.
///
/// # Safety
/// The processor has the vector's instructions; A is R×depth, B depth × a vector, C R × a vector.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "the loops run over registers, several arrays at a time")]
unsafe fn add_tiles<V: Vector, const R: usize>(
    (a, a_row): (*const f32, usize),
    (b, b_row): (*const f32, usize),
    (c, c_row): (*mut f32, usize),
    depth: usize,
    begins: bool,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [V::zero(); R];
        if !begins {
            for r in 0..R {
                sums[r] = V::load(c.add(r * c_row));
            }
        }
        for p in 0..depth {
            let vector = V::load(b.add(p * b_row));
            for r in 0..R {
                sums[r] = V::splat(a.add(r * a_row + p)).mul_add(vector, sums[r]);
            }
        }
        for r in 0..R {
            sums[r].store(c.add(r * c_row));
        }
    }
    R
}

impl Winograd {
    /// Writes the tiles of results of some channels.
    ///
    /// # Safety
    /// The processor has the vector's instructions, and nobody else writes these tiles.
    #[inline(always)]
    unsafe fn results<V: Vector>(
        &self,
        block: usize,
        products: &Matrices<'_>,
        channels: Range<usize>,
        bias: &[f32],
        to: &Shared<'_, f32>,
        memory: &mut [f32],
    ) {
        let (across, planes) = (self.tiles[1], self.written);
        let height = self.rows.min(self.tiles[0]) * TILE;
        let strip = Strip::within(memory, height, across * TILE, products.lanes);
        let (row_step, col_step) = (strip.at(1, 0), strip.at(0, 1));
        for Segment { image, row, rows, tile } in self.segments(block) {
            for t in 0..rows * across {
                let at = strip.at(t / across * TILE, t % across * TILE);
                for lane in (0..channels.len()).step_by(V::LANES) {
                    // SAFETY: tile `tile + t` is of this block, whose products the matrices hold, and the strip
                    // has room for the tiles of a segment.
                    unsafe {
                        let from = products.values.as_ptr().add((tile + t) * products.row + lane);
                        let to = strip.values.as_mut_ptr().add(at + lane);
                        let bias = V::load(bias[channels.start + lane..][..V::LANES].as_ptr());
                        on_both_sides(
                            #[inline(always)]
                            |m| transform::results::<V>(m),
                            #[inline(always)]
                            |i, j| V::load(from.add((i * WINDOW + j) * products.step)),
                            #[inline(always)]
                            |i, j, y| y.add(bias).store(to.add(i * row_step + j * col_step)),
                        );
                    }
                }
            }
            let height = (rows * TILE).min(planes.height - row * TILE);
            // Where tiles fill a line, lines are adjacent, and many are as good as one.
            let (lines, width) = match planes.width == strip.width {
                true => (1, height * planes.width),
                false => (height, planes.width),
            };
            for line in 0..lines {
                let plane = (image * planes.channels + channels.start) * planes.len();
                let first = plane + row * TILE * planes.width + line * width;
                // SAFETY: the positions are results of this segment, in every plane of its image.
                unsafe {
                    let to = to.pointer(first, (channels.len() - 1) * planes.len() + width);
                    let from = strip.values.as_ptr().add(strip.at(line, 0));
                    simd::transpose::<V>((from, strip.lanes), (to, planes.len()), width, channels.len());
                }
            }
        }
    }
}

impl Winograd {
    /// Writes BᵀxB of every tile of a block.
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    #[inline(always)]
    unsafe fn windows<V: Vector>(
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
    unsafe fn gradients<V: Vector>(
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

/// A partial sum of the weight's gradient: Σ AyAᵀ ⊙ BᵀxB over some blocks, `[written channels, lanes of the read
/// ones]` for each element.
struct Correlate<'a> {
    of: &'a Winograd,
    blocks: Range<usize>,
    x: &'a [f32],
    y: &'a [f32],
    sum: &'a mut [f32],
}

impl Vectorised for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { of: &Winograd { level, read, written, .. }, blocks, x, y, sum } = self;
        let most = self.of.tiles_of(blocks.start);
        let [mut a, mut b, mut strip] = self.of.memory(most, written.lanes()).map(Storage::unspecified);
        let mut windows = Matrices::apart(&mut a.make_mut(), most, read.lanes());
        let mut gradients = Matrices::apart(&mut b.make_mut(), most, written.lanes());
        let memory = strip.make_mut();
        let each = written.channels * read.lanes();
        for block in blocks.clone() {
            // SAFETY: the caller promises the instructions.
            unsafe {
                self.of.windows::<V>(block, x, &mut windows, memory);
                self.of.gradients::<V>(block, y, &mut gradients, memory);
            }
            let tiles = self.of.tiles_of(block);
            let write = if block == blocks.start { Write::Overwrite } else { Write::Add };
            for (element, sum) in sum.chunks_exact_mut(each).enumerate() {
                let a = gradients.matrix(element, tiles, written.channels);
                let b = windows.matrix(element, tiles, read.channels);
                let c = MatMut::with_stride(sum, written.channels, read.channels, read.lanes());
                gemm::multiply_at(level, Operand::View(a), Operand::View(b), c, write);
            }
        }
    }
}

/// The gradient of one written channel's taps: Gᵀ·(the partial sums, added)·G.
struct Taps<'a> {
    of: &'a Winograd,
    channel: usize,
    sums: &'a [f32],
    parts: usize,
    w: &'a mut [f32],
}

impl Vectorised for Taps<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let (from, lanes) = (self.of.read.channels, self.of.read.lanes());
        let each = self.of.written.channels * lanes;
        assert!(self.sums.len() == self.parts * ELEMENTS * each && self.channel < self.of.written.channels);
        for lane in (0..lanes).step_by(V::LANES) {
            let mut taps = [[0.0; LANES]; TAPS * TAPS];
            let to = taps.as_mut_ptr();
            // SAFETY: the assertion: the sums hold the lanes of this channel for every part and element.
            unsafe {
                let first = self.sums.as_ptr().add(self.channel * lanes + lane);
                on_both_sides(
                    #[inline(always)]
                    |u| transform::gradient::<V>(u),
                    #[inline(always)]
                    |i, j| {
                        let mut sum = V::load(first.add((i * WINDOW + j) * each));
                        for part in 1..self.parts {
                            sum = sum.add(V::load(first.add((part * ELEMENTS + i * WINDOW + j) * each)));
                        }
                        sum
                    },
                    #[inline(always)]
                    |i, j, tap| tap.store((*to.add(i * TAPS + j)).as_mut_ptr()),
                );
            }
            for channel in lane..from.min(lane + V::LANES) {
                for (tap, lanes) in taps.iter().enumerate() {
                    self.w[channel * TAPS * TAPS + tap] = lanes[channel - lane];
                }
            }
        }
    }
}

/// GwGᵀ of the taps between some read channels and some written ones.
struct Weights<'a> {
    of: &'a Winograd,
    read: Range<usize>,
    written: Range<usize>,
    w: &'a [f32],
    to: &'a Shared<'a, f32>,
    /// Where those of the first channels go among [`Matrices`], and how far apart their rows, one for each of the read
    /// channels, and the matrices are.
    at: (usize, usize, usize),
}

impl Vectorised for Weights<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { of, read, written, w, to, at: (at, row, element) } = self;
        let (all_read, all_written) = (of.read.channels, of.written.channels);
        let reversed = of.slot == Slot::Input;
        assert!(w.len() == all_read * all_written * TAPS * TAPS);
        assert!(read.end <= all_read && written.end <= all_written);
        for lane in (0..written.len()).step_by(V::LANES) {
            let rows = (written.len() - lane).min(V::LANES);
            for (nth, channel) in read.clone().enumerate() {
                // Where the taps of the first of these written channels begin, and those of the next.
                let (first, step) = match of.slot {
                    Slot::Input => (channel * all_written + written.start + lane, 1),
                    Slot::Output | Slot::Weight => ((written.start + lane) * all_read + channel, all_read),
                };
                let mut taps = [[0.0f32; LANES]; TAPS * TAPS];
                // SAFETY: the assertions: `w` has the taps of each pair of channels. Nobody else has these channels;
                // their lanes lie in the matrices.
                unsafe {
                    let w = (w.as_ptr().add(first * TAPS * TAPS), step * TAPS * TAPS);
                    simd::transpose::<V>(w, (taps.as_mut_ptr().cast(), LANES), rows, TAPS * TAPS);
                    on_both_sides(
                        #[inline(always)]
                        |w| transform::taps::<V>(w),
                        // Backwards for the input.
                        #[inline(always)]
                        |i, j| {
                            let tap = i * TAPS + j;
                            V::load(taps[if reversed { TAPS * TAPS - 1 - tap } else { tap }].as_ptr())
                        },
                        #[inline(always)]
                        |i, j, u| {
                            let at = at + nth * row + (i * WINDOW + j) * element + lane;
                            u.store(to.pointer(at, V::LANES));
                        },
                    );
                }
            }
        }
    }
}
