//! Which kernel solves a convolution: found once for each, and remembered.

use std::cell::RefCell;
use std::rc::Rc;

use super::batched::{self, Batched};
use super::direct::Direct;
use super::ragged::Ragged;
use super::winograd::Winograd;
use super::{Geometry, Slot};
use crate::simd::{self, Level};

/// A kernel, planned for a convolution and what is solved for.
#[expect(clippy::large_enum_variant, reason = "there are a few, each in memory of its own")]
pub(super) enum Way {
    Winograd(Winograd),
    Batched(Batched),
    Ragged(Ragged),
    Direct(Direct),
    /// None that is faster than products with unfolded images.
    Product,
}

/// What a thread remembers: the convolutions of a training step, and more; a ragged one is three.
const KNOWN: usize = 256;

thread_local! {
    /// The ways, those asked for last at the end.
    static WAYS: RefCell<Vec<(Geometry, Slot, Rc<Way>)>> = const { RefCell::new(Vec::new()) };
}

impl Way {
    /// The fastest way. A step is made of a few convolutions again and again, and to weigh the ways of a small one takes a
    /// good part of the time that it takes itself.
    pub(super) fn of(geo: &Geometry, slot: Slot) -> Rc<Self> {
        let remembered = WAYS.try_with(|ways| {
            let ways = &mut *ways.borrow_mut();
            let known = ways.iter().position(|(known, of, _)| *of == slot && known == geo);
            let (.., way) = match known {
                Some(at) if at + 1 == ways.len() => &ways[at],
                Some(at) => {
                    ways[at..].rotate_left(1);
                    &ways[ways.len() - 1]
                }
                None => {
                    if ways.len() == KNOWN {
                        ways.remove(0);
                    }
                    ways.push((*geo, slot, Rc::new(Self::find(geo, slot))));
                    &ways[ways.len() - 1]
                }
            };
            Rc::clone(way)
        });
        // A thread that is about to end remembers nothing any more.
        remembered.unwrap_or_else(|_| Rc::new(Self::find(geo, slot)))
    }

    fn find(geo: &Geometry, slot: Slot) -> Self {
        let level = simd::level();
        None.or_else(|| Winograd::new(geo, slot, level).map(Self::Winograd))
            .or_else(|| Self::by_vectors(geo, slot, level))
            .or_else(|| Direct::new(geo, slot, level).map(Self::Direct))
            .unwrap_or(Self::Product)
    }

    /// Vectors of images at a time, all of them or those that are full; None, if there is but one, and it is not worth it.
    fn by_vectors(geo: &Geometry, slot: Slot, level: Level) -> Option<Self> {
        let all = Batched::new(geo, slot, level)?;
        // A vector that is not full costs as much as one that is: as ten of sixteen images alone, straight from the image,
        // or as six that are unfolded.
        let eighths = if Direct::new(geo, slot, level).is_some() { 5 } else { 3 };
        match all.rest() {
            rest if rest == 0 || rest * 8 >= all.lanes * eighths => Some(Self::Batched(all)),
            rest if rest < geo.batch => Some(Self::Ragged(Ragged::new(geo, slot, rest))),
            _ => None,
        }
    }
}

/// See [`Geometry::lanes`]: where all three kernels convolve a vector of images at a time, and would not be Winograd's of
/// single images.
pub(super) fn lanes(geo: &Geometry) -> Option<usize> {
    let lanes = batched::lanes(simd::level())?;
    if [geo.batch, geo.in_channels, geo.out_channels].contains(&0) {
        return None;
    }
    let interleaved = geo.interleaved(lanes)?;
    let fits = |slot| {
        let of_single_images = matches!(*Way::of(geo, slot), Way::Winograd(_));
        !of_single_images && matches!(*Way::of(&interleaved, slot), Way::Batched(_))
    };
    [Slot::Output, Slot::Weight, Slot::Input].into_iter().all(fits).then_some(lanes)
}
