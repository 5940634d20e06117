//! The output, or the gradient of the input, which is a convolution as well: block by block of tiles where there are
//! many, part by part of the channels where there are few.

use std::ops::Range;

use super::layout::{Matrices, Strip};
use super::transform::{self, on_both_sides};
use super::weight::{TOGETHER, Weights};
use super::{ELEMENTS, LANES, Segment, TILE, WINDOW, Winograd};
use crate::conv::Finish;
use crate::gemm::{self, MatMut, Operand, Write};
use crate::par::{self, Shared};
use crate::simd::{self, Vector, Vectorised};
use crate::storage::Storage;

impl Winograd {
    /// y from x and w, or x from w and y.
    pub(super) fn convolve(&self, from: &[f32], w: &[f32], finish: &Finish<f32>, to: &mut [f32]) {
        let lanes = |of_channels: Option<&[f32]>, otherwise| {
            let mut lanes = Storage::filled(self.written.lanes(), otherwise);
            if let Some(values) = of_channels {
                lanes.make_mut()[..values.len()].copy_from_slice(values);
            }
            lanes
        };
        let ([scale, shift], floor) = finish.parts();
        let (scale, shift) = (lanes(scale, 1.0), lanes(shift, 0.0));
        let (finish, to) = (Lanes { scale: &scale, shift: &shift, floor }, &Shared::new(to));
        match self.part {
            Some(part) => self.convolve_parts(part, from, w, finish, to),
            None => self.convolve_blocks(from, w, finish, to),
        }
    }

    /// Block by block of tiles: the weight is transformed once for all.
    fn convolve_blocks(&self, from: &[f32], w: &[f32], finish: Lanes<'_>, to: &Shared<'_, f32>) {
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
            simd::vectorised(self.level, Block { of: self, block, from, weight: &weight, finish, to });
        });
    }

    /// Part by part of the written channels, or of the tiles. Of channels, a core reads its part of the weight only, and
    /// what it writes is where it wrote before, in the results as in its memory: little goes from core to core.
    fn convolve_parts(&self, part: usize, from: &[f32], w: &[f32], finish: Lanes<'_>, to: &Shared<'_, f32>) {
        let (tiles, blocks) = (self.tiles_of(0), self.blocks());
        // Rows of the weight at a time: they take no more of the cache than the sums that they are added to.
        let depth = tiles.min(self.read.channels).next_multiple_of(TOGETHER);
        let len = self.memory(tiles, LANES).iter().sum::<usize>() + Matrices::len(depth, LANES);
        let mut memory = Storage::unspecified(self.written.channels.div_ceil(part) * blocks * len);
        par::chunks(memory.make_mut(), len, |nth, memory| {
            let (block, first) = (nth % blocks, nth / blocks * part);
            let channels = first..self.written.channels.min(first + part);
            simd::vectorised(
                self.level,
                Part { of: self, block, channels, depth, from, w, finish, to, memory },
            );
        });
    }
}

/// What is done to every result: a [`Finish`] in vectors of channels.
#[derive(Clone, Copy)]
struct Lanes<'a> {
    scale: &'a [f32],
    shift: &'a [f32],
    floor: f32,
}

/// A block of tiles of a convolution, all channels of it.
struct Block<'a> {
    of: &'a Winograd,
    block: usize,
    from: &'a [f32],
    weight: &'a Matrices<'a>,
    finish: Lanes<'a>,
    to: &'a Shared<'a, f32>,
}

impl Vectorised for Block<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { of, block, from, weight, finish, to } = self;
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
        unsafe { of.results::<V>(block, &products, 0..channels, finish, to, memory) };
    }
}

/// Some written channels of a convolution, a block of tiles of them. Their weight is transformed a vector of written
/// channels and `depth` read ones at a time, used and forgotten, before it leaves the nearest cache.
struct Part<'a> {
    of: &'a Winograd,
    block: usize,
    channels: Range<usize>,
    depth: usize,
    from: &'a [f32],
    w: &'a [f32],
    finish: Lanes<'a>,
    to: &'a Shared<'a, f32>,
    memory: &'a mut [f32],
}

impl Vectorised for Part<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { of, block, channels, depth, from, w, finish, to, mut memory } = self;
        let (tiles, all) = (of.tiles_of(block), of.read.channels);
        let mut windows = Matrices::woven(&mut memory, tiles, of.read.lanes());
        let mut products = Matrices::woven(&mut memory, tiles, LANES);
        let weight = Matrices::woven(&mut memory, depth, LANES);
        // SAFETY: the caller promises the instructions.
        unsafe { of.windows::<V>(block, from, &mut windows, memory) };
        for first in channels.clone().step_by(LANES) {
            let written = first..channels.end.min(first + LANES);
            for begin in (0..all).step_by(depth) {
                let read = begin..all.min(begin + depth);
                let (shared, at) = (Shared::new(&mut *weight.values), (0, weight.row, weight.step));
                let transform =
                    Weights { of, read: read.clone(), written: written.clone(), w, to: &shared, at };
                // SAFETY: as above; the matrices hold these channels.
                unsafe {
                    transform.run::<V>();
                    add_products::<V>(&windows, read, &weight, &mut products);
                }
            }
            // SAFETY: as above; no other part has these channels of these tiles.
            unsafe { of.results::<V>(block, &products, written, finish, to, memory) };
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
    let tiles = products.rows;
    assert!(windows.rows == tiles && read.end <= windows.lanes && read.len() <= weight.rows);
    assert!(weight.lanes == LANES && products.lanes == LANES);
    for lane in (0..LANES).step_by(V::LANES) {
        let mut tile = 0;
        while tile < tiles {
            let of_tiles = Products {
                a: windows.pointer(tile, read.start),
                b: weight.pointer(0, lane),
                c: products.pointer_mut(tile, lane),
                depth: read.len(),
                begins: read.start == 0,
            };
            // SAFETY: the caller's promise: there are as many tiles from this one on, and as many rows, of all elements.
            tile += unsafe {
                match tiles - tile {
                    8.. => of_tiles.add::<V, 8, 1>(),
                    4.. => of_tiles.add::<V, 4, 2>(),
                    2.. => of_tiles.add::<V, 2, 4>(),
                    _ => of_tiles.add::<V, 1, 4>(),
                }
            };
        }
    }
}

/// C = A·B, or C += A·B, of all elements, for some tiles and a vector of columns. Each matrix is given by a pointer into that
/// of the first element, and how far apart rows, and matrices, are.
struct Products {
    a: (*const f32, usize, usize),
    b: (*const f32, usize, usize),
    c: (*mut f32, usize, usize),
    depth: usize,
    begins: bool,
}

impl Products {
    /// Those of `R` tiles, of `E` elements at a time, so that sums of few tiles wait less for the one before. Answers `R`.
    ///
    /// # Safety
    /// The processor has the vector's instructions; A is R×depth, B depth × a vector, C R × a vector, for each of the
    /// [`ELEMENTS`].
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "the loops run over registers, several arrays at a time")]
    unsafe fn add<V: Vector, const R: usize, const E: usize>(self) -> usize {
        const { assert!(ELEMENTS.is_multiple_of(E)) };
        let ((a, a_row, a_step), (b, b_row, b_step), (c, c_row, c_step)) = (self.a, self.b, self.c);
        for first in (0..ELEMENTS).step_by(E) {
            // SAFETY: the caller's promise.
            unsafe {
                let (a, b, c) = (a.add(first * a_step), b.add(first * b_step), c.add(first * c_step));
                let mut sums = [[V::zero(); R]; E];
                if !self.begins {
                    for e in 0..E {
                        for r in 0..R {
                            sums[e][r] = V::load(c.add(e * c_step + r * c_row));
                        }
                    }
                }
                for p in 0..self.depth {
                    for e in 0..E {
                        let vector = V::load(b.add(e * b_step + p * b_row));
                        for r in 0..R {
                            let factor = V::splat(a.add(e * a_step + r * a_row + p));
                            sums[e][r] = factor.mul_add(vector, sums[e][r]);
                        }
                    }
                }
                for e in 0..E {
                    for r in 0..R {
                        sums[e][r].store(c.add(e * c_step + r * c_row));
                    }
                }
            }
        }
        R
    }
}

impl Winograd {
    /// Writes the tiles of results of some channels.
    ///
    /// # Safety
    /// The processor has the vector's instructions, and nobody else writes these channels of these tiles.
    #[inline(always)]
    unsafe fn results<V: Vector>(
        &self,
        block: usize,
        products: &Matrices<'_>,
        channels: Range<usize>,
        finish: Lanes<'_>,
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
                        let of_lanes =
                            |values: &[f32]| V::load(values[channels.start + lane..][..V::LANES].as_ptr());
                        let (scale, shift) = (of_lanes(finish.scale), of_lanes(finish.shift));
                        let floor = V::splat(&finish.floor);
                        on_both_sides(
                            #[inline(always)]
                            |m| transform::results::<V>(m),
                            #[inline(always)]
                            |i, j| V::load(from.add((i * WINDOW + j) * products.step)),
                            #[inline(always)]
                            |i, j, y| {
                                let y = y.mul_add(scale, shift).at_least(floor);
                                y.store(to.add(i * row_step + j * col_step));
                            },
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
