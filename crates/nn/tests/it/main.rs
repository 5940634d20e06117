//! What the crate promises, one module for each of its parts.

mod averages;
mod bilinear;
mod builders;
mod convolutions;
mod documentation;
mod embedding;
mod extremes;
mod gradients;
mod init;
mod interleaving;
mod layers;
mod losses;
mod missing;
mod modules;
mod naive;
mod normalization;
mod optim;
mod passing;
mod pins;
mod pooling;
mod schedulers;
mod summary;

use std::panic::Location;

use rand::SeedableRng;
use rand::rngs::StdRng;
use retrograd_nn::{Result, Shape, Tensor};

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Normally distributed numbers, the same ones for the same seed.
fn random(shape: impl Into<Shape>, seed: u64) -> Tensor<f64> {
    Tensor::randn(shape, &mut rng(seed)).unwrap()
}

/// The result is an error of this text that names the line on which this was called.
#[track_caller]
fn refuses<V>(result: Result<V>, text: &str) {
    let Err(error) = result else { panic!("expected an error: {text}") };
    let (here, at) = (Location::caller(), error.location().expect("a line of the program"));
    assert_eq!(error.to_string(), format!("{text}, at {at}"));
    assert!(at.file() == here.file() && at.line() == here.line(), "{text}: at {at}, called at {here}");
}

/// Equal shapes, and elements that differ by rounding only.
#[track_caller]
fn assert_close(found: &Tensor<f64>, expected: &Tensor<f64>, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    for (i, (found, expected)) in found.as_slice().iter().zip(expected.as_slice()).enumerate() {
        let close = (found - expected).abs() <= 1e-12 * (1.0 + expected.abs());
        assert!(close, "{what}: element {i} is {found}, expected {expected}");
    }
}
