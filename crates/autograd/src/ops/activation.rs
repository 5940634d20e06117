//! Activation functions: rows of the table of element-wise functions, and what is made of them.
//!
//! None overflows on the way to a finite result, in the slope neither: where a branch is not taken, its
//! operand is bounded first, because ∞·0 would reach the gradient as NaN. NaN passes.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use retrograd_tensor::{Error, Float, Result, Slice, Tensor};
use smallvec::SmallVec;

use super::unary::{Elementwise, Needs, c, elementwise, sign};
use crate::Var;
use crate::number::Number;

/// The constants of SELU: α and λ for which activations tend to mean 0 and variance 1.
/// [Klambauer et al. 2017](https://arxiv.org/abs/1706.02515)
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// GELU's approximation is ½x(1 + tanh(k(x + 0.044715·x³))) with k = √(2/π).
const GELU_K: f64 = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
const GELU_CUBIC: f64 = 0.044_715;

elementwise! {
    /// y = x/(1 + |x|), in (−1, 1); y' = (1 − |y|)².
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softsign.html)
    Softsign softsign() Y:
        |x| x / (T::ONE + x.abs());
        |_, y| {
            let rest = -(y.clone() * sign(y)) + 1.0;
            rest.clone() * rest
        };

    /// y = max(0, x); NaN stays NaN. The slope at 0 is 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU.html)
    Relu relu() Y:
        |x| if x <= T::ZERO { T::ZERO } else { x };
        |_, y| N::select(y.test(|y| y <= c(0.0)), N::constant(0.0), N::constant(1.0));

    /// y = x where x > 0, else `negative_slope`·x; the slope at 0 is `negative_slope`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.LeakyReLU.html)
    LeakyRelu leaky_relu(negative_slope) X:
        |x| if x > T::ZERO { x } else { x * negative_slope };
        |x, _| N::select(x.test(|x| x > c(0.0)), N::constant(1.0), N::constant(negative_slope));

    /// y = min(max(0, x), 6). The slope is 1 strictly between the bounds, else 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU6.html)
    Relu6 relu6() X: |x| limit(x, T::ZERO, c(6.0)); |x, _| between(x, 0.0, 6.0);

    /// y = x limited to [`min_val`, `max_val`]. The slope is 1 strictly between the bounds, else 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardtanh.html)
    Hardtanh hardtanh(min_val, max_val) X: |x| limit(x, min_val, max_val); |x, _| between(x, min_val, max_val);

    /// y = x where x > 0, else `alpha`·(eˣ − 1); the slope at 0 is `alpha`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ELU.html)
    Elu elu(alpha) X:
        |x| if x <= T::ZERO { alpha * x.exp_m1() } else { x };
        |x, _| where_negative(x.clone(), at_most(x, 0.0).exp() * alpha, N::constant(1.0));

    /// y = λx where x > 0, else λα(eˣ − 1), with λ = 1.0507… and α = 1.6732…; the slope at 0 is λα.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.SELU.html)
    Selu selu() X:
        |x| if x <= T::ZERO { c::<T>(SELU_SCALE * SELU_ALPHA) * x.exp_m1() } else { c::<T>(SELU_SCALE) * x };
        |x, _| {
            let below = at_most(x.clone(), 0.0).exp() * (SELU_SCALE * SELU_ALPHA);
            where_negative(x, below, N::constant(SELU_SCALE))
        };

    /// y = x where x > 0, else `alpha`·(e^(x/`alpha`) − 1), for `alpha` other than 0; the slope at 0 is 1.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.CELU.html)
    Celu celu(alpha) X:
        |x| if x <= T::ZERO { alpha * (x / alpha).exp_m1() } else { x };
        |x, _| where_negative(x.clone(), (at_most(x, 0.0) / alpha).exp(), N::constant(1.0));

    /// y = x·Φ(x) with Φ(x) = ½(1 + erf(x/√2)), the normal distribution's; y' = Φ(x) + x·e^(−x²/2)/√(2π).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.GELU.html)
    Gelu gelu() X:
        |x| c::<T>(0.5) * x * (T::ONE + (x * c(FRAC_1_SQRT_2)).erf());
        |x, _| {
            let density = (x.clone() * x.clone() * -0.5).exp() * (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
            ((x.clone() * FRAC_1_SQRT_2).erf() + 1.0) * 0.5 + x * density
        };

    /// The approximation y = ½x(1 + tanh(√(2/π)·(x + 0.044715·x³))) of [`gelu`](Self::gelu).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.GELU.html)
    GeluTanh gelu_tanh() X:
        |x| {
            let inner = c::<T>(GELU_K) * (x + c::<T>(GELU_CUBIC) * x * x * x);
            c::<T>(0.5) * x * (T::ONE + inner.tanh())
        };
        |x, _| {
            // Beyond ±100 the tanh is ±1 and flat, while x³ may overflow.
            let x = at_least(at_most(x, 100.0), -100.0);
            let square = x.clone() * x.clone();
            let tanh = (x.clone() * (square.clone() * GELU_CUBIC + 1.0) * GELU_K).tanh();
            let flat = -(tanh.clone() * tanh.clone()) + 1.0;
            let inner = (square * (3.0 * GELU_CUBIC) + 1.0) * GELU_K;
            ((tanh + 1.0) + x * flat * inner) * 0.5
        };

    /// y = x·σ(x) with the logistic function σ; y' = σ(x)·(1 + x·(1 − σ(x))).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.SiLU.html)
    Silu silu() X:
        |x| x * x.sigmoid();
        |x, _| {
            let s = x.clone().sigmoid();
            s.clone() * (x * (-s + 1.0) + 1.0)
        };

    /// y = x·tanh(ln(1 + eˣ)).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Mish.html)
    Mish mish() X:
        |x| {
            // tanh(ln(1 + e)) = n/(n + 2) with n = e(e + 2), which from e²⁰ on is 1.
            let bounded = if x > c(20.0) { c(20.0) } else { x };
            let e = bounded.exp();
            let n = e * (e + c(2.0));
            x * (n / (n + c(2.0)))
        };
        |x, _| {
            let x = at_most(x, 20.0);
            let e = x.clone().exp();
            let n = e.clone() * (e.clone() + 2.0);
            let all = (n.clone() + 2.0).reciprocal();
            n * all.clone() + x * e.clone() * (e + 1.0) * all.clone() * all * 4.0
        };

    /// y = ln(1 + e^(`beta`·x))/`beta`, and y = x where `beta`·x > `threshold`; y' = σ(`beta`·x), and 1 there.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softplus.html)
    Softplus softplus(beta, threshold) X:
        |x| {
            let scaled = beta * x;
            let above = if scaled > T::ZERO { scaled } else { T::ZERO };
            let soft = (above + (-scaled.abs()).exp().ln_1p()) / beta;
            if scaled > threshold { x } else { soft }
        };
        |x, _| {
            let scaled = x * beta;
            let linear = scaled.test(|x| x > c(threshold));
            N::select(linear, N::constant(1.0), scaled.sigmoid())
        };

    /// y = ln σ(x) = min(x, 0) − ln(1 + e^(−|x|)) with the logistic function σ; y' = σ(−x).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSigmoid.html)
    LogSigmoid logsigmoid() X:
        |x| {
            let below = if x > T::ZERO { T::ZERO } else { x };
            below - (-x.abs()).exp().ln_1p()
        };
        |x, _| (-x).sigmoid();

    /// y = min(max(0, x + 3), 6)/6; the slope is 1/6 strictly between −3 and 3, else 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardsigmoid.html)
    Hardsigmoid hardsigmoid() X:
        |x| limit(x + c(3.0), T::ZERO, c(6.0)) / c(6.0);
        // PyTorch has this constant in single precision, in double precision, too.
        |x, _| {
            let inside = x.test(|x| x > c(-3.0) && x < c(3.0));
            N::select(inside, N::constant(f64::from(1.0f32 / 6.0)), N::constant(0.0))
        };

    /// y = x·min(max(0, x + 3), 6)/6; y' = 0 for x ≤ −3, 1 for x ≥ 3, else (2x + 3)/6.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardswish.html)
    Hardswish hardswish() X:
        |x| x * (limit(x + c(3.0), T::ZERO, c(6.0)) / c(6.0));
        |x, _| {
            let (off, linear) = (x.test(|x| x <= c(-3.0)), x.test(|x| x >= c(3.0)));
            let curved = x * (1.0 / 3.0) + 0.5;
            N::select(off, N::constant(0.0), N::select(linear, N::constant(1.0), curved))
        };

    /// y = x where x > `threshold`, else `value`; the slope is 1 there, else 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Threshold.html)
    Threshold threshold(threshold, value) X:
        |x| if x <= threshold { value } else { x };
        |x, _| N::select(x.test(|x| x <= c(threshold)), N::constant(0.0), N::constant(1.0));

    /// y = x − tanh x; y' = tanh² x.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Tanhshrink.html)
    Tanhshrink tanhshrink() X:
        |x| x - x.tanh();
        |x, _| {
            let tanh = x.tanh();
            tanh.clone() * tanh
        };

    /// y = x − `lambda` for x > `lambda`, x + `lambda` for x < −`lambda`, else 0, for `lambda` ≥ 0; the slope
    /// is 1 outside of [−`lambda`, `lambda`], else 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softshrink.html)
    Softshrink softshrink(lambda) X:
        |x| {
            let below = if x < -lambda { x + lambda } else { x * T::ZERO };
            if x > lambda { x - lambda } else { below }
        };
        |x, _| outside(x, lambda);

    /// y = x outside of [−`lambda`, `lambda`], else 0; the slope is 1 there, else 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardshrink.html)
    Hardshrink hardshrink(lambda) X:
        |x| if x >= -lambda && x <= lambda { T::ZERO } else { x };
        |x, _| outside(x, lambda);
}

/// x limited to [low, high]; NaN stays NaN.
#[inline(always)]
fn limit<T: Float>(x: T, low: T, high: T) -> T {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// 1 strictly between the bounds and for NaN, else 0.
fn between<N: Number>(x: N, low: f64, high: f64) -> N {
    let outside = x.test(|x| x <= c(low) || x >= c(high));
    N::select(outside, N::constant(0.0), N::constant(1.0))
}

/// 0 within [−bound, bound], else 1.
fn outside<N: Number>(x: N, bound: f64) -> N {
    let inside = x.test(|x| x >= c(-bound) && x <= c(bound));
    N::select(inside, N::constant(0.0), N::constant(1.0))
}

/// `yes` where x ≤ 0, else `no`.
fn where_negative<N: Number>(x: N, yes: N, no: N) -> N {
    N::select(x.test(|x| x <= c(0.0)), yes, no)
}

/// x, but no more than the bound, at which the slope is 0; NaN stays NaN.
fn at_most<N: Number>(x: N, bound: f64) -> N {
    N::select(x.test(|x| x >= c(bound)), N::constant(bound), x)
}

/// x, but no less than the bound; NaN stays NaN.
fn at_least<N: Number>(x: N, bound: f64) -> N {
    N::select(x.test(|x| x < c(bound)), N::constant(bound), x)
}

impl<T: Float> Var<T> {
    /// e⁻ˣ/Σ e⁻ˣ along `axis`: the softmax of −x.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmin.html)
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn softmin(&self, axis: isize) -> Result<Var<T>> {
        self.neg().softmax(axis)
    }

    /// y = a·σ(b), a and b being the first and the second half along `axis` and σ the logistic function.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.GLU.html),
    /// [Dauphin et al. 2017](https://arxiv.org/abs/1612.08083)
    ///
    /// # Errors
    /// If the axis does not exist or its extent is odd.
    #[track_caller]
    pub fn glu(&self, axis: isize) -> Result<Var<T>> {
        let axis = self.shape().axis("glu", axis)?;
        let extent = self.shape()[axis];
        if !extent.is_multiple_of(2) {
            let fact = format!("expected two halves of axis {axis} of {}, found {extent}", self.shape());
            return Err(Error::new("glu", fact));
        }
        let half = |range: Slice| {
            let mut ranges: SmallVec<[Slice; 5]> = SmallVec::from_elem((..).into(), axis);
            ranges.push(range);
            self.slice(&ranges)
        };
        let middle = (extent / 2) as isize;
        half((..middle).into())?.mul(&half((middle..).into())?.sigmoid())
    }

    /// The randomised rectifier with given slopes, y = `noise`·x: what the layer computes in training, where
    /// `noise` is drawn where x ≤ 0 and 1 elsewhere.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.RReLU.html)
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn rrelu_with_noise(&self, noise: &Tensor<T>) -> Result<Var<T>> {
        if noise.shape() != self.shape() {
            let fact =
                format!("expected a slope for each element of {}, found {}", self.shape(), noise.shape());
            return Err(Error::new("rrelu", fact));
        }
        self.mul(&Var::from(noise))
    }
}
