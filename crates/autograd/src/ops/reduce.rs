//! Reductions that are not linear.

use retrograd_tensor::{Axes, Float, Result, Tensor, keepdim};

use crate::Var;
use crate::op::{Op, Reads};

/// The largest or the smallest element over some axes, kept with extent 1; equal ones share the gradient
/// evenly.
#[derive(Clone, Debug)]
struct Extreme {
    axes: Axes,
    largest: bool,
}

impl<T: Float> Op<T, 1> for Extreme {
    fn name(&self) -> &'static str {
        if self.largest { "amax" } else { "amin" }
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        let axes = keepdim(self.axes.clone());
        if self.largest { x.amax(axes) } else { x.amin(axes) }
    }

    fn vjp(&self, [x]: [&Var<T>; 1], y: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        let wins = x.value().zip(y.value(), |x, y| if x == y { T::ONE } else { T::ZERO })?;
        let winners = wins.sum_to(y.shape())?;
        Ok([Some(g.mul(&Var::from(wins.div(&winners)?))?)])
    }
}

impl<T: Float> Var<T> {
    /// The largest element over `axes`; NaN if one is. Equal ones share the gradient evenly.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice, or there is no element to choose.
    #[track_caller]
    pub fn amax(&self, axes: impl Into<Axes>) -> Result<Var<T>> {
        let axes = axes.into();
        let shape = axes.reduce("amax", self.shape())?.shape;
        Extreme { axes, largest: true }.apply([self])?.reshaped(shape)
    }

    /// The smallest element over `axes`; NaN if one is. Equal ones share the gradient evenly.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice, or there is no element to choose.
    #[track_caller]
    pub fn amin(&self, axes: impl Into<Axes>) -> Result<Var<T>> {
        let axes = axes.into();
        let shape = axes.reduce("amin", self.shape())?.shape;
        Extreme { axes, largest: false }.apply([self])?.reshaped(shape)
    }

    /// The variance over `axes`, Σ(x − mean)²/(n − `correction`): 1 gives the unbiased estimate, 0 the biased
    /// one.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn var(&self, axes: impl Into<Axes>, correction: f64) -> Result<Var<T>> {
        let axes = axes.into();
        let count = self.numel() as f64 / axes.reduce("var", self.shape())?.kept.numel() as f64;
        let centred = self.sub(&self.mean(keepdim(axes.clone()))?)?;
        Ok(centred.square().sum(axes)?.divide((count - correction).max(0.0)))
    }
}

/// log softmax: y = x − ln Σ eˣ along an axis.
#[derive(Clone, Copy, Debug)]
struct LogSoftmax {
    axis: isize,
}

impl<T: Float> Op<T, 1> for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        x.log_softmax(self.axis)
    }

    /// gx = g − eʸ·Σg.
    fn vjp(&self, _: [&Var<T>; 1], y: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        Ok([Some(g.sub(&y.exp().mul(&g.sum(keepdim(self.axis))?)?)?)])
    }

    fn reads(&self, _: [bool; 1]) -> Reads<1> {
        Reads::OUTPUT
    }
}

/// Softmax: y = eˣ/Σ eˣ along an axis.
#[derive(Clone, Copy, Debug)]
struct Softmax {
    axis: isize,
}

impl<T: Float> Op<T, 1> for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        x.softmax(self.axis)
    }

    /// gx = y·(g − Σ g·y).
    fn vjp(&self, _: [&Var<T>; 1], y: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        Ok([Some(y.mul(&g.sub(&g.mul(y)?.sum(keepdim(self.axis))?)?)?)])
    }

    fn reads(&self, _: [bool; 1]) -> Reads<1> {
        Reads::OUTPUT
    }
}

impl<T: Float> Var<T> {
    /// ln of [`softmax`](Self::softmax), without its rounding: x − max − ln Σ e^(x − max) along `axis`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html)
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Result<Var<T>> {
        LogSoftmax { axis }.apply([self])
    }

    /// eˣ/Σ eˣ along `axis`: positive numbers that sum to 1.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html)
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Result<Var<T>> {
        Softmax { axis }.apply([self])
    }
}
