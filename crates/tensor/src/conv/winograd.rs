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
/// Tiles that make a single block, lest each part of them fetch the whole weight.
const FEW: usize = 16;
/// Tiles of a block: enough for a product, while what belongs to a block stays in a second-level cache.
const TILES: usize = 64;
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
        let rows = match slot {
            // A single block, whose products are shared out: the weight is read once.
            Slot::Input | Slot::Output if count <= FEW => all,
            // At most a quarter of the batch, which leaves something for other threads; whole images if possible.
            _ => {
                let rows = (TILES / tiles[1]).min(all.div_ceil(4)).max(1);
                if rows >= tiles[0] { rows - rows % tiles[0] } else { even(tiles[0], rows) }
            }
        };
        Some(Self { level, slot, batch: geo.batch, read, written, before, tiles, rows })
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
        let weight = self.weights(w);
        let mut lanes = Storage::filled(self.written.lanes(), 0.0);
        if let Some(bias) = bias {
            lanes.make_mut()[..bias.len()].copy_from_slice(bias);
        }
        let to = Shared::new(to);
        par::tasks(self.blocks(), par::GRAIN, |block| {
            let of = Convolve { of: self, block, from, weight: &weight, bias: &lanes, to: &to };
            simd::vectorised(self.level, of);
        });
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

    /// GwGᵀ as a matrix `[read channels, lanes of the written ones]` for each element of a window.
    fn weights(&self, w: &[f32]) -> Storage<f32> {
        let (from, to) = (self.read.channels, self.written.lanes());
        let mut weight = Storage::unspecified(ELEMENTS * self.weight_step());
        let shared = Shared::new(weight.make_mut());
        par::tasks(from, ELEMENTS * to, |channel| {
            simd::vectorised(self.level, Weights { of: self, channel, w, weight: &shared });
        });
        weight
    }

    /// From the matrix of one element of the transformed weight to the next: a vector more than it has, lest all
    /// fall on the same lines of the cache.
    fn weight_step(&self) -> usize {
        self.read.channels * self.written.lanes() + LANES
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

/// One matrix `[tiles, lanes]` for each element of a window.
struct Matrices {
    values: Storage<f32>,
    lanes: usize,
    /// From one matrix to the next.
    step: usize,
}

impl Matrices {
    fn new(tiles: usize, lanes: usize) -> Self {
        // A vector more, lest all matrices fall on the same lines of the cache.
        let step = tiles * lanes + LANES;
        Self { values: Storage::unspecified(ELEMENTS * step), lanes, step }
    }

    fn matrix(&self, element: usize, tiles: usize) -> MatRef<'_, f32> {
        MatRef::new(&self.values[element * self.step..], tiles, self.lanes)
    }
}

/// Part of an image with the channels innermost: `height` × `width` positions of `lanes` elements.
struct Strip {
    values: Storage<f32>,
    width: usize,
    lanes: usize,
}

impl Strip {
    fn new(height: usize, width: usize, lanes: usize) -> Self {
        Self { values: Storage::unspecified(height * width * lanes), width, lanes }
    }

    fn row(&mut self, row: usize) -> &mut [f32] {
        let len = self.width * self.lanes;
        &mut self.values.make_mut()[row * len..][..len]
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

/// The block of a convolution.
struct Convolve<'a> {
    of: &'a Winograd,
    block: usize,
    from: &'a [f32],
    weight: &'a [f32],
    /// What is added to every result, a number for each lane.
    bias: &'a [f32],
    to: &'a Shared<'a, f32>,
}

impl Vectorised for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { of: &Winograd { level, read, written, .. }, weight, .. } = self;
        let tiles = self.of.tiles_of(self.block);
        let mut windows = Matrices::new(tiles, read.lanes());
        // SAFETY: the caller promises the instructions.
        unsafe { self.of.windows::<V>(self.block, self.from, &mut windows) };
        let mut products = Matrices::new(tiles, written.lanes());
        let (rows, cols) = (read.channels, written.channels);
        let (step, lanes) = (products.step, products.lanes);
        par::rows(products.values.make_mut(), step, tiles * rows * cols / LANES, |first, products| {
            for (nth, c) in products.chunks_exact_mut(step).enumerate() {
                let element = first + nth;
                let a = windows.matrix(element, tiles).cols_below(rows).t();
                let b = &weight[element * self.of.weight_step()..];
                let b = MatRef::with_strides(b, rows, cols, written.lanes(), 1);
                let c = MatMut::with_stride(c, tiles, cols, lanes);
                gemm::multiply_at(level, Operand::View(a), Operand::View(b), c, Write::Overwrite);
            }
        });
        // SAFETY: the caller promises the instructions; no other block has these tiles.
        unsafe { self.results::<V>(&products) };
    }
}

impl Convolve<'_> {
    /// Writes the tiles of results.
    ///
    /// # Safety
    /// The processor has the vector's instructions, and nobody else writes these tiles.
    #[inline(always)]
    unsafe fn results<V: Vector>(&self, products: &Matrices) {
        let (across, planes) = (self.of.tiles[1], self.of.written);
        let mut strip = Strip::new(self.of.rows.min(self.of.tiles[0]) * TILE, across * TILE, planes.lanes());
        let (row_step, col_step) = (strip.at(1, 0), strip.at(0, 1));
        for Segment { image, row, rows, tile } in self.of.segments(self.block) {
            for t in 0..rows * across {
                let at = strip.at(t / across * TILE, t % across * TILE);
                for lane in (0..planes.lanes()).step_by(V::LANES) {
                    // SAFETY: tile `tile + t` is of this block, whose products the matrices hold, and the strip
                    // has room for the tiles of a segment.
                    unsafe {
                        let from = products.values.as_ptr().add((tile + t) * products.lanes + lane);
                        let to = strip.values.make_mut().as_mut_ptr().add(at + lane);
                        let bias = V::load(self.bias[lane..][..V::LANES].as_ptr());
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
                let first = image * planes.channels * planes.len() + row * TILE * planes.width + line * width;
                // SAFETY: the positions are results of this segment, in every plane of its image.
                unsafe {
                    let to = self.to.pointer(first, (planes.channels - 1) * planes.len() + width);
                    let from = strip.values.as_ptr().add(strip.at(line, 0));
                    simd::transpose::<V>((from, strip.lanes), (to, planes.len()), width, planes.channels);
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
    unsafe fn windows<V: Vector>(&self, block: usize, x: &[f32], windows: &mut Matrices) {
        let (across, planes) = (self.tiles[1], self.read);
        let height = self.rows.min(self.tiles[0]) * TILE + WINDOW - TILE;
        let mut strip = Strip::new(height, across * TILE + WINDOW - TILE, planes.lanes());
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
    unsafe fn gradients<V: Vector>(&self, block: usize, y: &[f32], gradients: &mut Matrices) {
        let (across, planes) = (self.tiles[1], self.written);
        let mut strip = Strip::new(self.rows.min(self.tiles[0]) * TILE, across * TILE, planes.lanes());
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
    strip: &Strip,
    (rows, across, tile): (usize, usize, usize),
    to: &mut Matrices,
    matrix: impl Fn([V; FROM]) -> [V; WINDOW] + Copy,
) {
    let (row_step, col_step, step) = (strip.at(1, 0), strip.at(0, 1), to.step);
    let first = to.values.make_mut().as_mut_ptr();
    for t in 0..rows * across {
        let at = strip.at(t / across * TILE, t % across * TILE);
        for lane in (0..strip.lanes).step_by(V::LANES) {
            // SAFETY: the caller's promise.
            unsafe {
                let from = strip.values.as_ptr().add(at + lane);
                let to = first.add((tile + t) * strip.lanes + lane);
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
    blocks: std::ops::Range<usize>,
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
        let mut windows = Matrices::new(most, read.lanes());
        let mut gradients = Matrices::new(most, written.lanes());
        let each = written.channels * read.lanes();
        for block in blocks.clone() {
            // SAFETY: the caller promises the instructions.
            unsafe {
                self.of.windows::<V>(block, x, &mut windows);
                self.of.gradients::<V>(block, y, &mut gradients);
            }
            let tiles = self.of.tiles_of(block);
            let write = if block == blocks.start { Write::Overwrite } else { Write::Add };
            for (element, sum) in sum.chunks_exact_mut(each).enumerate() {
                let a = gradients.matrix(element, tiles).cols_below(written.channels);
                let b = windows.matrix(element, tiles).cols_below(read.channels);
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

/// GwGᵀ of the taps between one read channel and all written ones.
struct Weights<'a> {
    of: &'a Winograd,
    channel: usize,
    w: &'a [f32],
    weight: &'a Shared<'a, f32>,
}

impl Vectorised for Weights<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let (from, to, lanes) = (self.of.read.channels, self.of.written.channels, self.of.written.lanes());
        // Where the taps of a written channel begin, and how tap `t` is counted: backwards for the input.
        let (first, step) = match self.of.slot {
            Slot::Input => (self.channel * to, 1),
            Slot::Output | Slot::Weight => (self.channel, from),
        };
        let reversed = self.of.slot == Slot::Input;
        assert!(self.w.len() == from * to * TAPS * TAPS);
        for lane in (0..to).step_by(V::LANES) {
            let mut taps = [[0.0f32; LANES]; TAPS * TAPS];
            // SAFETY: the assertion: `w` has the taps of each pair of channels. No other task has this channel; of
            // each element, its lanes lie in the matrix.
            unsafe {
                let w = self.w.as_ptr().add((first + lane * step) * TAPS * TAPS);
                let rows = (to - lane).min(V::LANES);
                let to = (taps.as_mut_ptr().cast(), LANES);
                simd::transpose::<V>((w, step * TAPS * TAPS), to, rows, TAPS * TAPS);
                on_both_sides(
                    #[inline(always)]
                    |w| transform::taps::<V>(w),
                    #[inline(always)]
                    |i, j| {
                        let tap = i * TAPS + j;
                        V::load(taps[if reversed { TAPS * TAPS - 1 - tap } else { tap }].as_ptr())
                    },
                    #[inline(always)]
                    |i, j, u| {
                        let at = (i * WINDOW + j) * self.of.weight_step() + self.channel * lanes + lane;
                        u.store(self.weight.pointer(at, V::LANES));
                    },
                );
            }
        }
    }
}
