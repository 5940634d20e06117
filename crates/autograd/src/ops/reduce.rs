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

impl<T: Float> Var<T> {
    /// The deviation over `axes`, the square root of [`var`](Self::var), ‖x − mean‖/√(n − `correction`);
    /// where it is 0, so is the gradient.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.std.html)
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn std(&self, axes: impl Into<Axes>, correction: f64) -> Result<Var<T>> {
        let axes = axes.into();
        let count = self.numel() as f64 / axes.reduce("std", self.shape())?.kept.numel() as f64;
        let centred = self.sub(&self.mean(keepdim(axes.clone()))?)?;
        Ok(centred.norm(axes, 2.0)?.divide((count - correction).max(0.0).sqrt()))
    }

    /// ln Σ eˣ over `axes`, which never overflows; −∞ over none.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.logsumexp.html)
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn logsumexp(&self, axes: impl Into<Axes>) -> Result<Var<T>> {
        let axes = axes.into();
        let shape = axes.reduce("logsumexp", self.shape())?.shape;
        LogSumExp { axes }.apply([self])?.reshaped(shape)
    }

    /// The p-norm over `axes`, (Σ|x|ᵖ)^(1/p); for p = ∞ the largest |x|, for p = −∞ the smallest, for p = 0
    /// how many x are not 0. Where the norm is 0, so is the gradient; where x is 0, too.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html)
    ///
    /// # Errors
    /// If an axis does not exist or is named twice, or p is infinite and there is no element to choose.
    #[track_caller]
    pub fn norm(&self, axes: impl Into<Axes>, p: f64) -> Result<Var<T>> {
        let axes = axes.into();
        let shape = axes.reduce("norm", self.shape())?.shape;
        match p {
            f64::INFINITY => self.abs().amax(axes),
            f64::NEG_INFINITY => self.abs().amin(axes),
            0.0 => Ok(Var::from(self.value().norm(axes, p)?)),
            1.0 => self.abs().sum(axes),
            _ => Norm { axes, p }.apply([self])?.reshaped(shape),
        }
    }

    /// The product over `axes`; 1 over none. A tree of products, halves with halves, so that no gradient
    /// divides by an element that may be 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.prod.html)
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn prod(&self, axes: impl Into<Axes>) -> Result<Var<T>> {
        let reduced = axes.into().reduce("prod", self.shape())?;
        if self.numel() == 0 {
            return Ok(Var::from(Tensor::ones(reduced.shape)?));
        }
        let mut y = self.clone();
        for axis in (0..self.rank()).filter(|&axis| reduced.kept[axis] != self.shape()[axis]) {
            while y.shape()[axis] > 1 {
                let half = y.shape()[axis] / 2;
                let mut pieces = y.split(half, axis as isize)?.into_iter();
                let (Some(first), Some(second)) = (pieces.next(), pieces.next()) else { break };
                let product = first.mul(&second)?;
                // One is left over where the extent is odd.
                y = match pieces.next() {
                    Some(rest) => Var::concat(&[&product, &rest], axis as isize)?,
                    None => product,
                };
            }
        }
        y.reshaped(reduced.shape)
    }
}

/// A number that broadcasts.
fn number<T: Float>(value: f64) -> Var<T> {
    Var::from(Tensor::scalar(T::from_f64(value)))
}

/// ln Σ eˣ over some axes, kept with extent 1.
#[derive(Clone, Debug)]
struct LogSumExp {
    axes: Axes,
}

impl<T: Float> Op<T, 1> for LogSumExp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        x.logsumexp(keepdim(self.axes.clone()))
    }

    /// gx = g·e^(x − y).
    fn vjp(&self, [x]: [&Var<T>; 1], y: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        Ok([Some(g.mul(&x.sub(y)?.exp())?)])
    }
}

/// The p-norm over some axes, kept with extent 1, for finite p other than 0 and 1.
#[derive(Clone, Debug)]
struct Norm {
    axes: Axes,
    p: f64,
}

impl<T: Float> Op<T, 1> for Norm {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        x.norm(keepdim(self.axes.clone()), self.p)
    }

    /// gx = g·sign x·(|x|/y)ᵖ⁻¹, and 0 where x or y is 0.
    fn vjp(&self, [x]: [&Var<T>; 1], y: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        let without_zeros = |x: &Var<T>| Var::where_(&x.value().map(|x| x == T::ZERO), &number(1.0), x);
        let sign = Var::from(x.value().sign());
        let power = match self.p {
            2.0 => x.clone(),
            p => without_zeros(x)?.abs().powf(p - 1.0).mul(&sign)?,
        };
        let scale = g.div(&without_zeros(y)?.powf(self.p - 1.0))?;
        let flat = y.value().map(|y| y == T::ZERO);
        Ok([Some(power.mul(&Var::where_(&flat, &number(0.0), &scale)?)?)])
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
        if self.rank() == 0 {
            return self.reshape(&[1])?.log_softmax(axis)?.reshape(&[]);
        }
        LogSoftmax { axis }.apply([self])
    }

    /// eˣ/Σ eˣ along `axis`: positive numbers that sum to 1.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html)
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Result<Var<T>> {
        if self.rank() == 0 {
            return self.reshape(&[1])?.softmax(axis)?.reshape(&[]);
        }
        Softmax { axis }.apply([self])
    }
}
