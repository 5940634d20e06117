//! Random configurations of everything that takes settings or shapes: `Ok` with the shape that the formula gives, or
//! `Err` with the caller's line; never a panic, an overflow, a hang or an absurd allocation.
//!
//! A family draws settings and inputs from a mixture of ordinary and absurd ones, computes the shape from PyTorch's
//! documentation in numbers too wide to overflow (none: to be refused), and runs the library. What was drawn is
//! written down, and printed where the two differ. A new layer is a function of a few lines and a name in its
//! module's list.

mod activations;
mod arrangement;
mod borders;
mod draw;
mod features;
mod losses;
mod normalization;
mod windows;

#[test]
fn windows_give_the_shape_of_the_formula_or_an_error() {
    draw::check(windows::FAMILIES);
}

#[test]
fn borders_and_images_give_the_shape_of_the_formula_or_an_error() {
    draw::check(borders::FAMILIES);
}

#[test]
fn features_give_the_shape_of_the_formula_or_an_error() {
    draw::check(features::FAMILIES);
}

#[test]
fn normalizations_keep_the_shape_or_give_an_error() {
    draw::check(normalization::FAMILIES);
}

#[test]
fn activations_keep_the_shape_or_give_an_error() {
    draw::check(activations::FAMILIES);
}

#[test]
fn losses_give_the_shape_of_their_reduction_or_an_error() {
    draw::check(losses::FAMILIES);
}

#[test]
fn arrangements_give_the_shape_of_the_formula_or_an_error() {
    draw::check(arrangement::FAMILIES);
}
