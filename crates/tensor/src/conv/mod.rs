//! Convolution as one trilinear form, and the three kernels that solve it.
//!
//! F(x, w, y) = Σ x`[n, c, o·stride + t·dilation − before]` · w`[k, c, t]` · y`[n, k, o]`, summed over images
//! n, the channels c and k of each group, positions o and taps t, is linear in each of its three slots. Each
//! kernel takes two of them and finds the third, r, with ⟨r, z⟩ = F(…, z, …) for all z: the output
//! (convolution), the input (transposed convolution, the input's gradient) or the weight (the weight's
//! gradient).

mod geometry;
mod multiply;
mod patches;
mod product;
mod unfold;

#[cfg(test)]
mod tests;

pub use geometry::{Geometry, Sliding, Slot};
pub use patches::Patches;

use crate::Float;
use product::Product;

/// Solves the trilinear form for `slot`: overwrites `result` with what the tensors in [`Slot::operands`]
/// determine.
///
/// # Panics
/// If a slice is not as long as its slot's shape says.
pub(crate) fn solve<T: Float>(geo: &Geometry, slot: Slot, operands: [&[T]; 2], result: &mut [T]) {
    let [a, b] = operands;
    let [slot_a, slot_b] = slot.operands();
    for (slot, len) in [(slot_a, a.len()), (slot_b, b.len()), (slot, result.len())] {
        assert_eq!(Some(len), geo.shape(slot).checked_numel(), "elements of the {slot:?} of {geo:?}");
    }
    if a.is_empty() || b.is_empty() || result.is_empty() {
        return result.fill(T::ZERO);
    }
    match slot {
        Slot::Input => Product::new(geo).input(a, b, result),
        Slot::Weight => Product::new(geo).weight(a, b, result),
        Slot::Output => Product::new(geo).output(a, b, result),
    }
}
