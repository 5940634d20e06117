//! The weight: the sums of a tile of channels and taps at a time.

use super::Batched;
use super::frame::Frame;
use crate::simd::{Vector, Vectorised};

/// Elements of the lines that are added up for all taps before the next ones: so few that they stay in the first-level
/// cache.
const NEAR: usize = 7 * 1024;

/// Σ y·x over the positions of the images of a vector, for some channels of results.
pub(super) struct Sums<'a> {
    pub(super) of: &'a Batched,
    /// Frames of the channels of the group.
    pub(super) x: &'a [f32],
    /// These channels of the results' gradient, in frames as well.
    pub(super) y: &'a [f32],
    pub(super) y_frame: Frame,
    /// Where in a line of either the first position is, and how many there are.
    pub(super) at: usize,
    pub(super) wide: usize,
    /// The offset of each tap.
    pub(super) taps: &'a [usize],
    /// Whether these are the first images.
    pub(super) begins: bool,
    /// A vector for each weight.
    pub(super) sums: &'a mut [f32],
}

/// Sums of `R` channels of results and `S` taps at a time.
pub(super) struct Correlate<'a, const R: usize, const S: usize>(pub(super) Sums<'a>);

impl<const R: usize, const S: usize> Vectorised for Correlate<'_, R, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Sums { of, x, y, y_frame, at, wide, taps, begins, sums } = self.0;
        let (len, steps) = (of.read.len(), of.read.steps());
        let axes = of.geo.axes;
        let steps: [usize; 3] = std::array::from_fn(|i| steps[i] * axes[i].stride * V::LANES);
        let [deep, high, y_line] = y_frame.extents;
        let (plane, row) = (y_frame.len() * V::LANES, of.geo.group_in() * taps.len());
        assert!(x.len() >= of.geo.group_in() * len * V::LANES && y.len() >= R * plane);
        assert!(at + wide <= y_line && sums.len() == R * row * V::LANES && of.lanes == V::LANES);
        // Neighbouring lines see much the same of x. How many decides the order of the sums, if there are planes, and so
        // must not depend on `R`, which the number of threads decides.
        let some = (NEAR / (deep * (of.channels + axes[1].stride) * wide * V::LANES)).max(1);
        for (start, c, tap) in (0..high).step_by(some).flat_map(|start| {
            let of_channel = move |c| (0..taps.len()).step_by(S).map(move |tap| (start, c, tap));
            (0..of.geo.group_in()).flat_map(of_channel)
        }) {
            let (mut offsets, mut places) = ([0; S], [0; S]);
            for s in 0..S {
                // A tap that is missing repeats the last.
                let tap = (tap + s).min(taps.len() - 1);
                (offsets[s], places[s]) = (taps[tap] * V::LANES, (c * taps.len() + tap) * V::LANES);
            }
            // SAFETY: the frame holds what each position sees through each tap, `y` the positions of `R` channels, and
            // `sums` a vector for each of their weights.
            unsafe {
                let x = x.as_ptr().add((c * len + at) * V::LANES);
                let y = y.as_ptr().add(at * V::LANES);
                let sums = sums.as_mut_ptr();
                let mut totals = [[V::zero(); S]; R];
                if !begins || start > 0 {
                    for r in 0..R {
                        for s in 0..S {
                            totals[r][s] = V::load(sums.wrapping_add(r * row * V::LANES + places[s]));
                        }
                    }
                }
                for d in 0..deep {
                    for h in start..high.min(start + some) {
                        let mut x = x.wrapping_add(d * steps[0] + h * steps[1]);
                        let mut y = y.wrapping_add((d * high + h) * y_line * V::LANES);
                        for _ in 0..wide {
                            let mut factors = [V::zero(); R];
                            for r in 0..R {
                                factors[r] = V::load(y.wrapping_add(r * plane));
                            }
                            for s in 0..S {
                                let x = V::load(x.wrapping_add(offsets[s]));
                                for r in 0..R {
                                    totals[r][s] = x.mul_add(factors[r], totals[r][s]);
                                }
                            }
                            x = x.wrapping_add(steps[2]);
                            y = y.wrapping_add(V::LANES);
                        }
                    }
                }
                for r in 0..R {
                    for s in 0..S {
                        totals[r][s].store(sums.wrapping_add(r * row * V::LANES + places[s]));
                    }
                }
            }
        }
    }
}
