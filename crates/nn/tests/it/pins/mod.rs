//! PyTorch's behaviour where it is easily got wrong: a named test for each rule, on numbers easily followed.

mod activations;
mod averages;
mod borders;
mod convolutions;
mod dropout;
mod initialisers;
mod losses;
mod maxima;
mod normalization;
mod optimizers;
mod rectifiers;
mod unpooling;
mod upsampling;
mod windows;

use std::num::NonZeroI64;

use retrograd_nn::{
    AdaptiveAvgPool1d, AdaptiveMaxPool1d, AvgPool1d, AvgPool2d, AvgPool3d, CircularPad1d, Conv1d, Conv2d,
    ConvTranspose1d, ConvTranspose2d, Float, Fold, Interpolation, LPPool1d, Layer, LeakyReLU, MaxPool1d,
    MaxPool2d, MaxUnpool1d, MaxUnpool2d, PReLU, Padding, PaddingMode, Parameter, RReLU, ReLU,
    ReflectionPad1d, ReflectionPad2d, ReplicationPad1d, ReplicationPad2d, Shape, Tape, Tensor, Unfold,
    Upsample1d, Upsample2d, Var, init,
};

use crate::{random, refuses, rng};

const NAN: f64 = f64::NAN;
const LOWEST: f64 = f64::NEG_INFINITY;

/// The output for `x`, and the gradient of the sum of the outputs.
fn run(layer: &impl Layer<f64>, x: Tensor<f64>) -> (Tensor<f64>, Tensor<f64>) {
    let x = Tape::new().leaf(x);
    let y = layer.forward(&x).unwrap();
    let gradients = y.sum(..).unwrap().backward().unwrap();
    (y.into_value(), gradients.wrt(&x).unwrap().clone())
}

/// As [`run`], of numbers along one axis of one channel.
fn along<const N: usize>(layer: &impl Layer<f64>, x: [f64; N]) -> (Vec<f64>, Vec<f64>) {
    let (y, gradient) = run(layer, Tensor::from([x]));
    (y.to_vec(), gradient.to_vec())
}

/// Equal bits but for the payload of NaN.
#[track_caller]
fn assert_same(found: &[f64], expected: &[f64]) {
    let same = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
    let equal = found.len() == expected.len() && std::iter::zip(found, expected).all(same);
    assert!(equal, "{found:?}, expected {expected:?}");
}
