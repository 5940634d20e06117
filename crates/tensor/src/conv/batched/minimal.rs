//! Winograd's minimal filtering along lines: F(m, r) finds m results of r taps by m + r − 1 products in place of m·r.
//!
//! With matrices A, B and G, for a tile y of m results, its window x, and the taps w of a line:
//! y = Aᵀ·(Gw ⊙ Bᵀx), and w = Gᵀ·(Ay ⊙ Bᵀx). What is added up over channels and over the taps along the other axes are
//! the products, so that lines are transformed once on the way in, and results once on the way out.
//!
//! Interpolation is at 0, ±1, ±3/2, ±½ and ∞: eight products for four results of five taps, or for six of three; or at 4,
//! too: nine products for one result more, where that covers a line by less. Against sums in `f64`, results of random
//! numbers are three to four times as far off as those of sums in `f32` with eight products, five to seven times with
//! nine (root of the mean square; more at the ends of a tile), which is about as far as those of F(4×4, 3×3).
//!
//! Tiles of planes, F(4×4, 5×5), take two thirds of the products of lines and are twice as far off; but what is
//! transformed and added up is so much more, and so far from the processor, that it takes as long or longer.
//!
//! Shmuel Winograd, "Arithmetic Complexity of Computations", 1980.

use super::super::sight::Seen;
use super::{Run, Slot, even};
use crate::simd::{Vector, Vectorised};
use crate::window::Axis;

/// Elements of a window, and products of a tile, without the point 4.
const EIGHT: usize = 8;

/// The algorithm for lines of some extent: tiles side by side, m = n + 1 − r results by n products in each.
///
/// A transformed line has the first products of all tiles, then the second ones, up to the last.
#[derive(Clone, Copy)]
pub(super) struct Minimal {
    taps: usize,
    /// Elements of a window, and products of a tile.
    pub(super) products: usize,
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

/// Calls a function that is generic over a vector and the results and products of a tile, for those that `$minimal`
/// has.
macro_rules! with_tile {
    ($minimal:expr, |$TILE:ident, $PRODUCTS:ident| $work:expr) => {
        with_tile!($minimal, |$TILE, $PRODUCTS| $work, (3, 8), (3, 9), (5, 8), (5, 9))
    };
    ($minimal:expr, |$TILE:ident, $PRODUCTS:ident| $work:expr, $(($taps:literal, $products:literal)),*) => {
        match ($minimal.taps, $minimal.products) {
            $(($taps, $products) => {
                const $PRODUCTS: usize = $products;
                const $TILE: usize = $PRODUCTS + 1 - $taps;
                $work
            })*
            _ => unreachable!("tiles of other taps or products"),
        }
    };
}

impl Minimal {
    /// The product at the point 1: of the gradients of results, its factor is their sum.
    pub(super) const ONES: usize = 1;

    /// The algorithms for an axis, where there are any: for three or five taps, side by side.
    pub(super) fn all(axis: Axis, slot: Slot) -> impl Iterator<Item = Self> + Clone {
        [EIGHT, EIGHT + 1].into_iter().filter_map(move |products| Self::new(axis, slot, products))
    }

    fn new(axis: Axis, slot: Slot, products: usize) -> Option<Self> {
        let taps = axis.kernel;
        let fits = matches!(taps, 3 | 5)
            && (axis.stride, axis.dilation) == (1, 1)
            && axis.before.max(axis.after) < taps;
        fits.then(|| {
            let (written, before) = match slot {
                Slot::Input => (axis.input, taps - 1 - axis.before),
                Slot::Output | Slot::Weight => (axis.output, axis.before),
            };
            Self { taps, products, tiles: written.div_ceil(products + 1 - taps), before }
        })
    }

    /// Elements of a transformed line.
    pub(super) fn wide(self) -> usize {
        self.products * self.tiles
    }

    /// The elements of a line with the zeros around it that tiles see or have, and how many of them come before.
    pub(super) fn framed(self, cut: Cut) -> (usize, usize) {
        let written = self.tiles * (self.products + 1 - self.taps);
        match cut {
            Cut::Windows => (written + self.taps - 1, self.before),
            Cut::Tiles => (written, 0),
        }
    }

    /// What transforming a line costs for each channel read and written, in instructions.
    pub(super) fn cost(self) -> usize {
        2 * self.products * self.products * self.tiles
    }

    /// The products of a line in runs of at most `most` tiles: each sees the same product through the tap of the same
    /// number.
    pub(super) fn runs(self, most: usize) -> impl Iterator<Item = Run> {
        let each = even(self.tiles, most);
        (0..self.products).flat_map(move |product| {
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
        with_tile!(self, |TILE, PRODUCTS| for at in 0..self.tiles {
            // SAFETY: the assertion: the line holds every tile's window, and there is room for their transforms.
            unsafe {
                let line = line.add(at * TILE * V::LANES);
                let products = match cut {
                    Cut::Windows => window::<V, PRODUCTS>(loaded(line, V::LANES)),
                    Cut::Tiles => tile::<V, TILE, PRODUCTS>(loaded(line, V::LANES)),
                };
                stored(products, to.add(at * V::LANES), self.tiles * V::LANES);
            }
        });
    }
}

/// The results of lines from their products.
pub(super) struct Results<'a> {
    pub(super) minimal: Minimal,
    /// Results of a line: as many as are wanted.
    pub(super) wide: usize,
    pub(super) products: &'a [f32],
    pub(super) bias: f32,
    pub(super) to: &'a mut [f32],
}

impl Vectorised for Results<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { minimal, wide, products, bias, to } = self;
        assert!(wide <= minimal.framed(Cut::Tiles).0);
        let lines = products.chunks_exact(minimal.wide() * V::LANES);
        for (products, to) in lines.zip(to.chunks_exact_mut(wide * V::LANES)) {
            with_tile!(minimal, |TILE, PRODUCTS| for at in 0..minimal.tiles {
                // SAFETY: there are all products of each tile, and `to` has the results that are written.
                unsafe {
                    let from = products.as_ptr().add(at * V::LANES);
                    let results = results::<V, TILE, PRODUCTS>(loaded(from, minimal.tiles * V::LANES));
                    for (i, y) in results.into_iter().enumerate().take(wide - at * TILE) {
                        y.add(V::splat(&bias)).store(to.as_mut_ptr().add((at * TILE + i) * V::LANES));
                    }
                }
            });
        }
    }
}

/// Bᵀ·x, of a window: the polynomials that are zero at all points but one.
#[inline(always)]
unsafe fn window<V: Vector, const P: usize>(x: [V; P]) -> [V; P] {
    // SAFETY: the caller's promise, the instructions of the vector, is that of the callees; so below.
    unsafe {
        let mut products = [V::zero(); P];
        let mut y = [V::zero(); EIGHT];
        y.copy_from_slice(&x[..EIGHT]);
        if P > EIGHT {
            products[EIGHT - 1] = cubic(y, 1);
            // All others have a factor more, which is zero at 4.
            for i in 0..EIGHT {
                y[i] = x[i + 1].plus(-4.0, x[i]);
            }
        }
        let (a, b) = (quadratic(y, 2, [0.5625, -2.5]), quadratic(y, 1, [0.5625, -2.5]));
        let (c, d) = (quadratic(y, 2, [0.25, -1.25]), quadratic(y, 1, [0.25, -1.25]));
        let (e, f) = (quadratic(y, 2, [2.25, -3.25]), quadratic(y, 1, [2.25, -3.25]));
        products[0] = cubic(y, 0);
        (products[1], products[2]) = (a.add(b), a.sub(b));
        (products[3], products[4]) = (c.plus(1.5, d), c.plus(-1.5, d));
        (products[5], products[6]) = (e.plus(0.5, f), e.plus(-0.5, f));
        products[P - 1] = cubic(y, 1);
        products
    }
}

/// Two of the factors t² − 1, t² − 9/4 and t² − 1/4, by the coefficients of their product below the highest, 1.
#[inline(always)]
unsafe fn quadratic<V: Vector>(y: [V; EIGHT], first: usize, [a, b]: [f32; 2]) -> V {
    // SAFETY: as above.
    unsafe { y[first + 4].plus(b, y[first + 2]).plus(a, y[first]) }
}

/// All three factors.
#[inline(always)]
unsafe fn cubic<V: Vector>(y: [V; EIGHT], first: usize) -> V {
    // SAFETY: as above.
    unsafe { quadratic(y, first + 2, [3.0625, -3.5]).plus(-0.5625, y[first]) }
}

/// A·y, of results: the polynomial with these coefficients at each point.
#[inline(always)]
unsafe fn tile<V: Vector, const N: usize, const P: usize>(y: [V; N]) -> [V; P] {
    // SAFETY: as above.
    unsafe {
        let mut at = [y[N - 1]; P];
        at[0] = y[0];
        for (i, point) in [1.0, 1.5, 0.5, 4.0].into_iter().enumerate() {
            let (even, odd) = (every_second(y, 0, point * point), every_second(y, 1, point * point));
            if i < 3 {
                (at[2 * i + 1], at[2 * i + 2]) = (even.plus(point, odd), even.plus(-point, odd));
            } else if P > EIGHT {
                at[EIGHT - 1] = even.plus(point, odd);
            }
        }
        at
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
unsafe fn results<V: Vector, const N: usize, const P: usize>(m: [V; P]) -> [V; N] {
    // SAFETY: as above.
    unsafe {
        let (a, b) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (c, d) = (m[3].add(m[4]), m[3].sub(m[4]));
        let (e, f) = (m[5].add(m[6]), m[5].sub(m[6]));
        let mut y = [m[0].add(a).add(c).add(e); N];
        let mut powers = [1.0; 3];
        for i in 0..N {
            if i > 0 {
                let (one, more, half) = if i % 2 == 0 { (a, c, e) } else { (b, d, f) };
                y[i] = one.plus(powers[0], more).plus(powers[1], half);
            }
            if P > EIGHT {
                y[i] = y[i].plus(powers[2], m[EIGHT - 1]);
            }
            powers = [powers[0] * 1.5, powers[1] * 0.5, powers[2] * 4.0];
        }
        y[N - 1] = y[N - 1].add(m[P - 1]);
        y
    }
}

/// What G has of the rows of A, one by the product of the differences of a point and the others.
const SCALES: [f32; EIGHT] =
    [-16.0 / 9.0, -8.0 / 15.0, -8.0 / 15.0, 4.0 / 45.0, 4.0 / 45.0, 4.0 / 3.0, 4.0 / 3.0, 1.0];
/// The same where 4 is one of them.
const SCALES_OF_NINE: [f32; EIGHT + 1] = [
    4.0 / 9.0,
    8.0 / 45.0,
    8.0 / 75.0,
    -8.0 / 225.0,
    -8.0 / 495.0,
    -8.0 / 21.0,
    -8.0 / 27.0,
    4.0 / 51975.0,
    1.0,
];

/// G·w, of taps.
#[inline(always)]
unsafe fn taps<V: Vector, const N: usize, const P: usize>(w: [V; N]) -> [V; P] {
    // SAFETY: as above.
    unsafe { scaled(tile(w)) }
}

/// Gᵀ·u, of products.
#[inline(always)]
unsafe fn gradient<V: Vector, const N: usize, const P: usize>(u: [V; P]) -> [V; N] {
    // SAFETY: as above.
    unsafe { results(scaled(u)) }
}

#[inline(always)]
unsafe fn scaled<V: Vector, const P: usize>(mut at: [V; P]) -> [V; P] {
    let scales: &[f32] = if P > EIGHT { &SCALES_OF_NINE } else { &SCALES };
    for (at, &scale) in at.iter_mut().zip(scales) {
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
        for (from, to) in lines.zip(to.chunks_exact_mut(minimal.products * channels)) {
            for channel in (0..channels).step_by(V::LANES) {
                with_tile!(minimal, |TILE, PRODUCTS| {
                    const TAPS: usize = PRODUCTS + 1 - TILE;
                    // SAFETY: a line has `TAPS` taps and `PRODUCTS` transforms; the mask leaves out what is beyond the
                    // channels.
                    unsafe {
                        let mask = V::mask(channels - channel);
                        let mut w = [V::zero(); TAPS];
                        for (tap, w) in w.iter_mut().enumerate() {
                            let tap = if reversed { TAPS - 1 - tap } else { tap };
                            *w = V::load_part(from[tap * channels + channel..].as_ptr(), mask);
                        }
                        for (product, u) in taps::<V, TAPS, PRODUCTS>(w).into_iter().enumerate() {
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
        let lines = from.len() / minimal.products;
        assert!(to.len() == lines * minimal.taps);
        for (nth, to) in to.chunks_mut(V::LANES * minimal.taps).enumerate() {
            let first = nth * V::LANES;
            with_tile!(minimal, |TILE, PRODUCTS| {
                const TAPS: usize = PRODUCTS + 1 - TILE;
                // SAFETY: the assertion: there is a sum of each product for each line; the mask leaves out what is
                // beyond the last line.
                let taps = unsafe {
                    let mask = V::mask(lines - first);
                    let mut u = [V::zero(); PRODUCTS];
                    for (product, u) in u.iter_mut().enumerate() {
                        *u = V::load_part(from[product * lines + first..].as_ptr(), mask);
                    }
                    let mut taps = [[0.0f32; 16]; TAPS];
                    for (w, to) in gradient::<V, TAPS, PRODUCTS>(u).into_iter().zip(&mut taps) {
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
