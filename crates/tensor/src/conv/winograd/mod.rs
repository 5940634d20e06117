//! Convolution of 3 × 3 taps with stride 1 by Winograd's algorithm F(4×4, 3×3): 36 products for 16 results
//! instead of 144.
//!
//! The results are cut into tiles of 4 × 4, each of which reads a window of 6 × 6. With the matrices A, B and G
//! of `transform.rs`, for a tile of results y, its window x of each channel, and the taps w:
//!
//! - output: y = Aᵀ·(Σ GwGᵀ ⊙ BᵀxB)·A over the channels
//! - input: the same with the taps reversed and the channels' roles exchanged
//! - weight: w = Gᵀ·(Σ AyAᵀ ⊙ BᵀxB)·G over the tiles, and the bias's gradient, Σ y
//!
//! The sums are one matrix product for each of the 36 elements. Inside, channels are the innermost axis, so that
//! a vector is one element of as many channels, whatever the extents of the image.
//!
//! Andrew Lavin and Scott Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.

mod convolve;
mod layout;
mod transform;
mod weight;

use super::unfold::even;
use super::{Finish, Geometry, Slot};
use crate::simd::Level;
use layout::Matrices;

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
/// Channels below which the transformations cost more than they save.
const CHANNELS: usize = 16;

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
            // The windows are transformed for each part of the channels, the weight for each part of the tiles: what
            // there is more of is divided.
            if count * (read.lanes() / LANES) > read.channels * vectors {
                (all.div_ceil(2), Some(written.lanes()))
            } else {
                let parts = vectors.div_ceil(VECTORS).clamp(2, PARTS_OF_CHANNELS);
                (all, Some(vectors.div_ceil(parts) * LANES))
            }
        } else {
            // At most a quarter of the batch, which leaves something for other threads; whole images if possible.
            let rows = (TILES / tiles[1]).min(all.div_ceil(4)).max(1);
            (if rows >= tiles[0] { rows - rows % tiles[0] } else { even(tiles[0], rows) }, None)
        };
        Some(Self { level, slot, batch: geo.batch, read, written, before, tiles, rows, part })
    }

    /// What the operands determine of the slot.
    pub(super) fn solve(&self, [a, b]: [&[f32]; 2], finish: &Finish<f32>, result: &mut [f32]) {
        match self.slot {
            Slot::Input => self.convolve(b, a, finish, result),
            Slot::Weight => self.weight(a, b, result, None),
            Slot::Output => self.convolve(a, b, finish, result),
        }
    }

    /// Elements of memory that a block of so many tiles takes: its windows, their products with so many lanes of the
    /// weight, and one strip at a time.
    fn memory(&self, tiles: usize, lanes: usize) -> [usize; 3] {
        let [down, across] = [self.rows.min(self.tiles[0]) * TILE, self.tiles[1] * TILE];
        let windows = (down + WINDOW - TILE) * (across + WINDOW - TILE) * self.read.lanes();
        let strip = windows.max(down * across * lanes);
        [Matrices::len(tiles, self.read.lanes()), Matrices::len(tiles, lanes), strip]
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
