//! Planes of elements side by side, each seen by an output at its place among as many: an element of a plane is a block.
//!
//! So lie [interleaved](crate::Tensor::interleaved) images. What is done to a window is done to all of a block at once,
//! so that there is one loop for windows of every kind, and one for squares of four.

use super::geometry::Reach;
use super::maximum::take;
use super::{Divisors, Planes, Shape};
use crate::Float;

impl Planes {
    /// For each output, in order, what it sees along the axes.
    #[inline(always)]
    fn windows(&self) -> impl Iterator<Item = [Reach; 3]> {
        self.lines()
            .flat_map(|[depth, height]| self.reaches[2].iter().map(move |&width| [depth, height, width]))
    }

    /// Where the blocks of a window stand.
    #[inline(always)]
    fn window(&self, [depth, height, width]: [Reach; 3]) -> impl Iterator<Item = usize> {
        let step = self.steps[2];
        let lines = self.lines_seen([depth, height]);
        lines.flat_map(move |line| (line + width.start..line + width.end).step_by(step))
    }

    /// For each output of [`Shape::Squares`], in order, where the first of its blocks stands.
    #[inline(always)]
    fn squares(&self) -> impl Iterator<Item = usize> {
        let (wide, out) = (self.input[2], self.reaches[2].len());
        (0..self.reaches[1].len()).flat_map(move |line| (0..out).map(move |o| 2 * (line * wide + o)))
    }

    /// As [`average`](Self::average).
    #[inline(always)]
    pub(super) fn average_interleaved<T: Float>(
        &self,
        x: &[T],
        y: &mut [T],
        divisors: &Divisors<T>,
        factor: Option<T>,
    ) {
        let (lanes, wide) = (self.lanes, self.input[2]);
        for (x, y) in x.chunks_exact(self.in_len).zip(y.chunks_exact_mut(self.out_len)) {
            in_whole_blocks!(lanes, |at, LEN| {
                if let (Shape::Squares, Some(factor)) = (self.shape, factor) {
                    for (from, y) in self.squares().zip(y.chunks_exact_mut(lanes)) {
                        let (top, bottom) = (&x[from * lanes..], &x[(from + wide) * lanes..]);
                        let (a, b) = (&top[at..][..LEN], &bottom[at..][..LEN]);
                        let (c, d) = (&top[lanes + at..][..LEN], &bottom[lanes + at..][..LEN]);
                        let mut averages = [T::ZERO; LEN];
                        for i in 0..LEN {
                            averages[i] = ((a[i] + b[i]) + (c[i] + d[i])) * factor;
                        }
                        y[at..][..LEN].copy_from_slice(&averages);
                    }
                } else {
                    let divisors = self.lines().flat_map(|line| divisors.of_line(line));
                    for ((window, divisor), y) in self.windows().zip(divisors).zip(y.chunks_exact_mut(lanes))
                    {
                        let mut sums = [T::ZERO; LEN];
                        for from in self.window(window) {
                            sums.iter_mut()
                                .zip(&x[from * lanes + at..][..LEN])
                                .for_each(|(sum, &x)| *sum += x);
                        }
                        sums.iter_mut().for_each(|sum| *sum /= divisor);
                        y[at..][..LEN].copy_from_slice(&sums);
                    }
                }
            });
        }
    }

    /// As [`spread`](Self::spread).
    #[inline(always)]
    pub(super) fn spread_interleaved<T: Float>(
        &self,
        g: &[T],
        gx: &mut [T],
        divisors: &Divisors<T>,
        factor: Option<T>,
    ) {
        let (lanes, [_, high, wide]) = (self.lanes, self.input);
        let squares = factor.filter(|_| self.shape == Shape::Squares);
        if squares.is_none() || high % 2 + wide % 2 > 0 {
            gx.fill(T::ZERO);
        }
        for (gx, g) in gx.chunks_exact_mut(self.in_len).zip(g.chunks_exact(self.out_len)) {
            in_whole_blocks!(lanes, |at, LEN| {
                if let Some(factor) = squares {
                    for (to, g) in self.squares().zip(g.chunks_exact(lanes)) {
                        let mut shares = [T::ZERO; LEN];
                        shares.iter_mut().zip(&g[at..][..LEN]).for_each(|(share, &g)| *share = g * factor);
                        for to in [to, to + 1, to + wide, to + wide + 1] {
                            gx[to * lanes + at..][..LEN].copy_from_slice(&shares);
                        }
                    }
                } else {
                    let divisors = self.lines().flat_map(|line| divisors.of_line(line));
                    for ((window, divisor), g) in self.windows().zip(divisors).zip(g.chunks_exact(lanes)) {
                        let mut shares = [T::ZERO; LEN];
                        shares.iter_mut().zip(&g[at..][..LEN]).for_each(|(share, &g)| *share = g / divisor);
                        for to in self.window(window) {
                            let gx = &mut gx[to * lanes + at..][..LEN];
                            let mut sums = shares;
                            sums.iter_mut().zip(&*gx).for_each(|(sum, &gx)| *sum += gx);
                            gx.copy_from_slice(&sums);
                        }
                    }
                }
            });
        }
    }

    /// The maxima of a plane, and their places if `PLACES`.
    #[inline(always)]
    pub(super) fn max_interleaved<T: Float, const PLACES: bool>(
        &self,
        x: &[T],
        y: &mut [T],
        places: &mut [u32],
    ) {
        let lanes = self.lanes;
        in_whole_blocks!(lanes, |at, LEN| {
            for (nth, (window, y)) in self.windows().zip(y.chunks_exact_mut(lanes)).enumerate() {
                let (mut max, mut found) = ([T::NEG_INFINITY; LEN], [0; LEN]);
                for (tap, from) in self.window(window).enumerate() {
                    let from = from * lanes + at;
                    let x = &x[from..][..LEN];
                    for i in 0..LEN {
                        let place = (from + i) as u32;
                        found[i] = if tap == 0 { place } else { found[i] };
                        take(&mut max[i], &mut found[i], x[i], place);
                    }
                }
                y[at..][..LEN].copy_from_slice(&max);
                if PLACES {
                    places[nth * lanes + at..][..LEN].copy_from_slice(&found);
                }
            }
        });
    }
}
