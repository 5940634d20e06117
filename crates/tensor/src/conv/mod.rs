//! Convolution as one trilinear form, and the kernels that solve it.
//!
//! F(x, w, y) = Σ x`[n, c, o·stride + t·dilation − before]` · w`[k, c, t]` · y`[n, k, o]`, summed over images
//! n, the channels c and k of each group, positions o and taps t, is linear in each of its three slots. Each
//! kernel takes two of them and finds the third, r, with ⟨r, z⟩ = F(…, z, …) for all z: the output
//! (convolution), the input (transposed convolution, the input's gradient) or the weight (the weight's
//! gradient).

#[cfg(target_arch = "x86_64")]
mod batched;
#[cfg(target_arch = "x86_64")]
mod direct;
mod finish;
mod geometry;
mod multiply;
mod partial;
mod patches;
mod product;
#[cfg(target_arch = "x86_64")]
mod ragged;
#[cfg(target_arch = "x86_64")]
mod sight;
mod unfold;
#[cfg(target_arch = "x86_64")]
mod way;
#[cfg(target_arch = "x86_64")]
mod winograd;

#[cfg(test)]
mod tests;

pub use finish::Finish;
pub use geometry::{Geometry, Sliding, Slot};
pub use patches::Patches;

#[cfg(target_arch = "x86_64")]
use crate::simd;
use crate::{Element, Float};
use product::Product;
#[cfg(target_arch = "x86_64")]
use way::Way;

/// Multiplications and additions that take the time of one simple operation (see [`par::GRAIN`]).
const PER_OPERATION: usize = 8;

/// Solves the trilinear form for `slot`: overwrites `result` with what the tensors in [`Slot::operands`]
/// determine, finished.
///
/// # Panics
/// If a slice is not as long as its slot's shape says.
pub(crate) fn solve<T: Float>(
    geo: &Geometry,
    slot: Slot,
    operands: [&[T]; 2],
    finish: &Finish<T>,
    result: &mut [T],
) {
    let [a, b] = operands;
    let [slot_a, slot_b] = slot.operands();
    for (slot, len) in [(slot_a, a.len()), (slot_b, b.len()), (slot, result.len())] {
        assert_eq!(Some(len), geo.shape(slot).checked_numel(), "elements of the {slot:?} of {geo:?}");
    }
    if a.is_empty() || b.is_empty() || result.is_empty() {
        result.fill(T::ZERO);
        return finish.all(result, plane(geo, slot));
    }
    if T::solve_fast(geo, slot, operands, finish, result) {
        return;
    }
    match slot {
        Slot::Input => Product::new(geo).input(a, b, result),
        Slot::Weight => Product::new(geo).weight(a, b, result),
        Slot::Output => Product::new(geo).output(a, b, result),
    }
    finish.all(result, plane(geo, slot));
}

/// Elements of a plane of what is solved for, the input or the output.
fn plane(geo: &Geometry, slot: Slot) -> usize {
    if slot == Slot::Input { geo.in_plane() } else { geo.out_plane() }
}

/// Ways that an element type has besides those of all: to solve the form, which is else done by products with unfolded
/// images, and to bring images into the order that some of these want.
#[doc(hidden)]
pub trait Fast: Element {
    /// Solves the form as [`solve`] does, if there is a faster way; answers whether there was.
    fn solve_fast(
        geo: &Geometry,
        slot: Slot,
        operands: [&[Self]; 2],
        finish: &Finish<Self>,
        result: &mut [Self],
    ) -> bool {
        let _ = (geo, slot, operands, finish, result);
        false
    }

    /// Solves for the weight, and overwrites `bias` with Σ y of each channel, if there is a kernel that finds both; answers
    /// whether there was. There are elements of all operands and of the weight.
    fn solve_weight_and_bias(
        geo: &Geometry,
        operands: [&[Self]; 2],
        weight: &mut [Self],
        bias: &mut [Self],
    ) -> bool {
        let _ = (geo, operands, weight, bias);
        false
    }

    /// Writes the transpose of a matrix to rows of `width` elements.
    fn transpose(from: &[Self], to: &mut [Self], width: usize) {
        transpose(from, to, width);
    }

    /// See [`Geometry::lanes`].
    fn lanes(geo: &Geometry) -> Option<usize> {
        let _ = geo;
        None
    }
}

fn transpose<T: Copy>(from: &[T], to: &mut [T], width: usize) {
    for (c, to) in to.chunks_exact_mut(width).enumerate() {
        let from = from[c..].iter().step_by(from.len() / width);
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
    }
}

impl Fast for f64 {}

impl Fast for f32 {
    #[cfg(target_arch = "x86_64")]
    fn solve_fast(
        geo: &Geometry,
        slot: Slot,
        operands: [&[f32]; 2],
        finish: &Finish<f32>,
        result: &mut [f32],
    ) -> bool {
        match &*Way::of(geo, slot) {
            Way::Winograd(winograd) => winograd.solve(operands, finish, result),
            Way::Batched(batched) => {
                let (begin, rest) = finish.begun();
                batched.solve(operands, begin, result);
                rest.all(result, plane(geo, slot));
            }
            Way::Ragged(ragged) => ragged.solve(operands, finish, result),
            Way::Direct(direct) => direct.solve(operands, finish, result),
            Way::Product => return false,
        }
        true
    }

    #[cfg(target_arch = "x86_64")]
    fn solve_weight_and_bias(
        geo: &Geometry,
        [y, x]: [&[f32]; 2],
        weight: &mut [f32],
        bias: &mut [f32],
    ) -> bool {
        match &*Way::of(geo, Slot::Weight) {
            Way::Winograd(winograd) => winograd.weight(y, x, weight, Some(bias)),
            Way::Batched(batched) => batched.weight(y, x, weight, Some(bias)),
            _ => return false,
        }
        true
    }

    #[cfg(target_arch = "x86_64")]
    fn transpose(from: &[f32], to: &mut [f32], width: usize) {
        match simd::level() {
            simd::Level::Portable => transpose(from, to, width),
            level => simd::transpose_slice(level, from, to, width),
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn lanes(geo: &Geometry) -> Option<usize> {
        way::lanes(geo)
    }
}
