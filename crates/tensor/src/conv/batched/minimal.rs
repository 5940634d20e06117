//! Winograd's minimal filtering along lines: F(m, r) finds m results of r taps by m + r − 1 products in place of m·r.
//!
//! With matrices A, B and G, for a tile y of m results, its window x, and the taps w of a line:
//! y = Aᵀ·(Gw ⊙ Bᵀx), and w = Gᵀ·(Ay ⊙ Bᵀx). What is added up over channels and over the taps along the other axes are
//! the products, so that lines are transformed once on the way in, and results once on the way out.
//!
//! Interpolation is at 0, ±1, ±2, ±½ and ∞: eight products for four results of five taps, or for six of three. Against
//! sums in `f64`, results of random numbers are two to three times as far off as those of sums in `f32` (root of the mean
//! square; at the ends of a tile up to five times), and half as far as those of F(4×4, 3×3).
//!
//! Shmuel Winograd, "Arithmetic Complexity of Computations", 1980.

use super::{Run, Seen, Slot, even};
use crate::simd::{Vector, Vectorised};
use crate::window::Axis;

/// Elements of a window, and products of a tile.
const WINDOW: usize = 8;

/// The algorithm for lines of some extent: tiles side by side, m = 9 − r results in each.
///
/// A transformed line has the first products of all tiles, then the second ones, up to the eighth.
#[derive(Clone, Copy)]
pub(super) struct Minimal {
    taps: usize,
    pub(super) tiles: usize,
    /// Zeros before the first window.
    before: usize,
}

/// What a line is cut into.
#[derive(Clone, Copy)]
pub(super) enum Cut {
    /// What the tiles see.
    Windows,
    /// The gradients of results.
    Tiles,
}

/// Calls a function that is generic over a vector and the results of a tile, for those that `$minimal` has.
macro_rules! with_tile {
    ($minimal:expr, |$TILE:ident| $work:expr) => {
        match $minimal.taps {
            3 => {
                const $TILE: usize = WINDOW + 1 - 3;
                $work
            }
            _ => {
                const $TILE: usize = WINDOW + 1 - 5;
                $work
            }
        }
    };
}

impl Minimal {
    /// The products of a tile.
    pub(super) const PRODUCTS: usize = WINDOW;

    /// The algorithm for an axis, where there is one: three or five taps, side by side.
    pub(super) fn new(axis: Axis, slot: Slot) -> Option<Self> {
        let taps = axis.kernel;
        let fits = matches!(taps, 3 | 5)
            && (axis.stride, axis.dilation) == (1, 1)
            && axis.before.max(axis.after) < taps;
        fits.then(|| {
            let (written, before) = match slot {
                Slot::Input => (axis.input, taps - 1 - axis.before),
                Slot::Output | Slot::Weight => (axis.output, axis.before),
            };
            Self { taps, tiles: written.div_ceil(WINDOW + 1 - taps), before }
        })
    }

    /// Elements of a transformed line.
    pub(super) fn wide(self) -> usize {
        WINDOW * self.tiles
    }

    /// The elements of a line with the zeros around it that tiles see or have, and how many of them come before.
    pub(super) fn framed(self, cut: Cut) -> (usize, usize) {
        let written = self.tiles * (WINDOW + 1 - self.taps);
        match cut {
            Cut::Windows => (written + self.taps - 1, self.before),
            Cut::Tiles => (written, 0),
        }
    }

    /// What transforming a line costs for each channel read and written, in instructions.
    pub(super) fn cost(self) -> usize {
        16 * WINDOW * self.tiles
    }

    /// The products of a line in runs of at most `most` tiles: each sees the same product through the tap of the same
    /// number.
    pub(super) fn runs(self, most: usize) -> impl Iterator<Item = Run> {
        let each = even(self.tiles, most);
        (0..WINDOW).flat_map(move |product| {
            (0..self.tiles).step_by(each).map(move |tile| {
                let first = product * self.tiles + tile;
                let seen = Seen { tap: product, element: first as isize, count: 1 };
                Run { first, positions: each.min(self.tiles - tile), seen }
            })
        })
    }

    /// Transforms a line, [framed](Self::framed).
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    #[inline(always)]
    pub(super) unsafe fn transform<V: Vector>(self, cut: Cut, line: &[f32], to: &mut [f32]) {
        assert!(line.len() >= self.framed(cut).0 * V::LANES && to.len() >= self.wide() * V::LANES);
        let (line, to) = (line.as_ptr(), to.as_mut_ptr());
        with_tile!(self, |TILE| for at in 0..self.tiles {
            // SAFETY: the assertion: the line holds every tile's window, and there is room for their transforms.
            unsafe {
                let line = line.add(at * TILE * V::LANES);
                let products = match cut {
                    Cut::Windows => window::<V>(loaded(line, V::LANES)),
                    Cut::Tiles => tile::<V, TILE>(loaded(line, V::LANES)),
                };
                stored(products, to.add(at * V::LANES), self.tiles * V::LANES);
            }
        });
    }

    /// The results of a line from its products: as many as `to` has room for.
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    #[inline(always)]
    pub(super) unsafe fn results<V: Vector>(self, products: &[f32], bias: &f32, to: &mut [f32]) {
        let wide = to.len() / V::LANES;
        assert!(products.len() >= self.wide() * V::LANES && wide <= self.framed(Cut::Tiles).0);
        with_tile!(self, |TILE| for at in 0..self.tiles {
            // SAFETY: the assertion: there are all products of each tile, and `to` has the results that are written.
            unsafe {
                let from = products.as_ptr().add(at * V::LANES);
                let results = results::<V, TILE>(loaded(from, self.tiles * V::LANES));
                for (i, y) in results.into_iter().enumerate().take(wide - at * TILE) {
                    y.add(V::splat(bias)).store(to.as_mut_ptr().add((at * TILE + i) * V::LANES));
                }
            }
        });
    }
}

/// Bᵀ·x, of a window.
#[inline(always)]
unsafe fn window<V: Vector>(x: [V; WINDOW]) -> [V; WINDOW] {
    // SAFETY: the caller's promise, the instructions of the vector, is that of the callees; so below.
    unsafe {
        let (a, b) = (x[6].add(x[2]).plus(-4.25, x[4]), x[5].add(x[1]).plus(-4.25, x[3]));
        let (c, d) =
            (x[6].plus(0.25, x[2]).plus(-1.25, x[4]), x[5].scale(2.0).plus(0.5, x[1]).plus(-2.5, x[3]));
        let (e, f) =
            (x[6].plus(4.0, x[2]).plus(-5.0, x[4]), x[5].scale(0.5).plus(2.0, x[1]).plus(-2.5, x[3]));
        let first = x[0].sub(x[6]).plus(5.25, x[4].sub(x[2]));
        let last = x[7].sub(x[1]).plus(5.25, x[3].sub(x[5]));
        [first, a.add(b), a.sub(b), c.add(d), c.sub(d), e.add(f), e.sub(f), last]
    }
}

/// A·y, of results: the polynomial with these coefficients at each point.
#[inline(always)]
unsafe fn tile<V: Vector, const N: usize>(y: [V; N]) -> [V; WINDOW] {
    // SAFETY: as above.
    unsafe {
        // The even and the odd powers of 1, of 2 and of ½.
        let (a, b) = (every_second(y, 0, 1.0), every_second(y, 1, 1.0));
        let (c, d) = (every_second(y, 0, 4.0), every_second(y, 1, 4.0).scale(2.0));
        let (e, f) = (every_second(y, 0, 0.25), every_second(y, 1, 0.25).scale(0.5));
        [y[0], a.add(b), a.sub(b), c.add(d), c.sub(d), e.add(f), e.sub(f), y[N - 1]]
    }
}

/// y`[first]` + factor·y`[first + 2]` + factor²·y`[first + 4]` + …
#[inline(always)]
unsafe fn every_second<V: Vector, const N: usize>(y: [V; N], first: usize, factor: f32) -> V {
    let last = (N - 1 - first) / 2;
    let mut sum = y[first + 2 * last];
    for i in (0..last).rev() {
        // SAFETY: as above.
        sum = unsafe { y[first + 2 * i].plus(factor, sum) };
    }
    sum
}

/// Aᵀ·m, of products.
#[inline(always)]
unsafe fn results<V: Vector, const N: usize>(m: [V; WINDOW]) -> [V; N] {
    // SAFETY: as above.
    unsafe {
        let (a, b) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (c, d) = (m[3].add(m[4]), m[3].sub(m[4]));
        let (e, f) = (m[5].add(m[6]), m[5].sub(m[6]));
        let mut y = [m[0].add(a).add(c).add(e); N];
        for i in 1..N {
            let power = (1 << i) as f32;
            let (one, two, half) = if i % 2 == 0 { (a, c, e) } else { (b, d, f) };
            y[i] = one.plus(power, two).plus(1.0 / power, half);
        }
        y[N - 1] = y[N - 1].add(m[WINDOW - 1]);
        y
    }
}

/// What G has of the rows of A.
const SCALES: [f32; WINDOW] =
    [1.0, -2.0 / 9.0, -2.0 / 9.0, 1.0 / 90.0, 1.0 / 90.0, 32.0 / 45.0, 32.0 / 45.0, 1.0];

/// G·w, of taps.
#[inline(always)]
unsafe fn taps<V: Vector, const N: usize>(w: [V; N]) -> [V; WINDOW] {
    // SAFETY: as above.
    unsafe { scaled(tile(w)) }
}

/// Gᵀ·u, of products.
#[inline(always)]
unsafe fn gradient<V: Vector, const N: usize>(u: [V; WINDOW]) -> [V; N] {
    // SAFETY: as above.
    unsafe { results(scaled(u)) }
}

#[inline(always)]
unsafe fn scaled<V: Vector>(mut at: [V; WINDOW]) -> [V; WINDOW] {
    for (at, scale) in at.iter_mut().zip(SCALES) {
        // SAFETY: as above.
        *at = unsafe { at.scale(scale) };
    }
    at
}

/// Vectors that are `step` elements apart.
#[inline(always)]
unsafe fn loaded<V: Vector, const N: usize>(from: *const f32, step: usize) -> [V; N] {
    // SAFETY: the caller promises that they are there, and the instructions.
    unsafe {
        let mut vectors = [V::zero(); N];
        for (i, vector) in vectors.iter_mut().enumerate() {
            *vector = V::load(from.wrapping_add(i * step));
        }
        vectors
    }
}

/// Writes vectors `step` elements apart.
#[inline(always)]
unsafe fn stored<V: Vector, const N: usize>(vectors: [V; N], to: *mut f32, step: usize) {
    for (i, vector) in vectors.into_iter().enumerate() {
        // SAFETY: the caller promises that there is room, and the instructions.
        unsafe { vector.store(to.wrapping_add(i * step)) }
    }
}

/// The transforms of lines of taps, `channels` numbers for each tap: `[lines, taps, channels]` to
/// `[lines, products, channels]`.
pub(super) struct Taps<'a> {
    pub(super) minimal: Minimal,
    pub(super) channels: usize,
    /// Whether the last tap comes first.
    pub(super) reversed: bool,
    pub(super) from: &'a [f32],
    pub(super) to: &'a mut [f32],
}

impl Vectorised for Taps<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { minimal, channels, reversed, from, to } = self;
        let lines = from.chunks_exact(minimal.taps * channels);
        for (from, to) in lines.zip(to.chunks_exact_mut(WINDOW * channels)) {
            for channel in (0..channels).step_by(V::LANES) {
                with_tile!(minimal, |TILE| {
                    const TAPS: usize = WINDOW + 1 - TILE;
                    // SAFETY: a line has `TAPS` taps and `WINDOW` transforms; the mask leaves out what is beyond the
                    // channels.
                    unsafe {
                        let mask = V::mask(channels - channel);
                        let mut w = [V::zero(); TAPS];
                        for (tap, w) in w.iter_mut().enumerate() {
                            let tap = if reversed { TAPS - 1 - tap } else { tap };
                            *w = V::load_part(from[tap * channels + channel..].as_ptr(), mask);
                        }
                        for (product, u) in taps(w).into_iter().enumerate() {
                            u.store_part(to[product * channels + channel..].as_mut_ptr(), mask);
                        }
                    }
                });
            }
        }
    }
}

/// Lines of taps from what the products add up to: `[products, lines]` to `[lines, taps]`.
pub(super) struct Gradient<'a> {
    pub(super) minimal: Minimal,
    pub(super) from: &'a [f32],
    pub(super) to: &'a mut [f32],
}

impl Vectorised for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { minimal, from, to } = self;
        let lines = from.len() / WINDOW;
        assert!(to.len() == lines * minimal.taps);
        for (nth, to) in to.chunks_mut(V::LANES * minimal.taps).enumerate() {
            let first = nth * V::LANES;
            with_tile!(minimal, |TILE| {
                const TAPS: usize = WINDOW + 1 - TILE;
                // SAFETY: the assertion: there is a sum of each product for each line; the mask leaves out what is
                // beyond the last line.
                let taps = unsafe {
                    let mask = V::mask(lines - first);
                    let mut u = [V::zero(); WINDOW];
                    for (product, u) in u.iter_mut().enumerate() {
                        *u = V::load_part(from[product * lines + first..].as_ptr(), mask);
                    }
                    let mut taps = [[0.0f32; 16]; TAPS];
                    for (w, to) in gradient::<V, TAPS>(u).into_iter().zip(&mut taps) {
                        w.store(to.as_mut_ptr());
                    }
                    taps
                };
                for (i, to) in to.chunks_exact_mut(TAPS).enumerate() {
                    to.iter_mut().zip(&taps).for_each(|(to, taps)| *to = taps[i]);
                }
            });
        }
    }
}
