//! What the results of a convolution see of its operand along an axis, and through which taps.

use super::Slot;
use crate::window::Axis;

/// The taps through which a run of positions sees elements, every [`Sight::tap`]-th.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) tap: usize,
    pub(super) count: usize,
    /// The element that the first position sees through the first tap; within the border, if the position sees
    /// none, but a later one does.
    pub(super) element: isize,
}

/// How results see elements along an axis: those of the output inputs, those of the input outputs.
#[derive(Clone, Copy)]
pub(super) struct Sight {
    axis: Axis,
    slot: Slot,
    /// Neighbouring positions of a tile: these see through the same taps.
    pub(super) position: usize,
    /// How far apart what they see is.
    pub(super) element: usize,
    /// From one tap of a position to the next, and from what it sees to what that sees.
    pub(super) tap: usize,
    pub(super) tap_element: isize,
}

impl Sight {
    pub(super) fn new(axis: Axis, slot: Slot) -> Self {
        let (stride, dilation) = (axis.stride, axis.dilation);
        let (position, element, tap, tap_element) = match slot {
            Slot::Input => {
                let common = gcd(stride, dilation);
                (stride, 1, stride / common, -((dilation / common) as isize))
            }
            Slot::Output | Slot::Weight => (1, stride, 1, dilation as isize),
        };
        Self { axis, slot, position, element, tap, tap_element }
    }

    /// Results along the axis, and what they see.
    pub(super) fn extents(&self) -> [usize; 2] {
        match self.slot {
            Slot::Input => [self.axis.input, self.axis.output],
            Slot::Output | Slot::Weight => [self.axis.output, self.axis.input],
        }
    }

    /// What a run of so many positions sees.
    pub(super) fn seen(&self, first: usize, positions: usize) -> Seen {
        let axis = &self.axis;
        let none = Seen { tap: 0, element: 0, count: 0 };
        // The first position's first tap, whether there is an element or not.
        let (tap, element) = match self.slot {
            Slot::Input => {
                let ahead = |tap: usize| (first + axis.before) as isize - (tap * axis.dilation) as isize;
                let meets = |&tap: &usize| ahead(tap) % axis.stride as isize == 0;
                let Some(tap) = (0..self.tap.min(axis.kernel)).find(meets) else { return none };
                (tap, ahead(tap) / axis.stride as isize)
            }
            Slot::Output | Slot::Weight => (0, (first * axis.stride) as isize - axis.before as isize),
        };
        // Of every tap after it, those through which any of the positions sees an element.
        let reach = ((positions - 1) * self.element) as isize;
        let (lowest, highest) = (-reach - element, self.extents()[1] as isize - 1 - element);
        let (from, to) = if self.tap_element > 0 { (lowest, highest) } else { (-highest, -lowest) };
        let step = self.tap_element.abs();
        let skipped = (-(-from).div_euclid(step)).max(0);
        let last = to.div_euclid(step).min(((axis.kernel - 1 - tap) / self.tap) as isize);
        if last < skipped {
            return none;
        }
        Seen {
            tap: tap + skipped as usize * self.tap,
            element: element + skipped * self.tap_element,
            count: (last - skipped + 1) as usize,
        }
    }

    /// The positions of a line in the fewest runs of at most `most` that see through the same taps, as equal as can
    /// be; the shorter ones at the ends, where neighbours see through fewer taps in common.
    pub(super) fn runs(self, most: usize) -> impl Iterator<Item = Run> {
        let extent = self.extents()[0];
        (0..self.position.min(extent)).flat_map(move |phase| {
            let all = (extent - phase).div_ceil(self.position);
            let runs = all.div_ceil(most);
            let longest = all.div_ceil(runs);
            let shorter = runs * longest - all;
            let (left, right) = (shorter.div_ceil(2), shorter / 2);
            let before = move |run: usize| run * longest - run.min(left) - run.saturating_sub(runs - right);
            (0..runs).map(move |run| {
                let (first, positions) = (phase + before(run) * self.position, before(run + 1) - before(run));
                Run { first, positions, seen: self.seen(first, positions) }
            })
        })
    }

    /// How far beyond a line a run reads.
    pub(super) fn overhang(&self, run: &Run) -> usize {
        let Seen { element, count, .. } = run.seen;
        if count == 0 {
            return 0;
        }
        let last = element + self.tap_element * (count - 1) as isize;
        let reach = ((run.positions - 1) * self.element) as isize;
        let after = element.max(last) + reach - (self.extents()[1] as isize - 1);
        after.max(-element.min(last)).max(0) as usize
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Positions of a line that are found together.
pub(super) struct Run {
    pub(super) first: usize,
    pub(super) positions: usize,
    pub(super) seen: Seen,
}
