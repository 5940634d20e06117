//! Losses: functions of an output and a target, with every argument of PyTorch's functional form. The methods
//! of [`Var`] are these with the arguments' defaults.
//!
//! Most are functions of an element and its target, followed by a weight and a reduction. Such a one is a
//! `Pairwise`: its value and its slope, each of one pass over the elements.

use retrograd_tensor::{Error, Float, Result, Tensor};

pub use super::cross_entropy::{Target, cross_entropy, nll};
use super::unary::sign;
use crate::Var;
use crate::number::{Number, Scalar};
use crate::op::{Op, Reads};

/// What becomes of the losses of a batch's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reduction {
    /// They stay as they are.
    None,
    /// Their mean; NaN if there are none.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    /// The losses, reduced.
    ///
    /// # Errors
    /// If the losses' tape was cleared.
    #[track_caller]
    pub fn of<T: Float>(self, losses: &Var<T>) -> Result<Var<T>> {
        match self {
            Reduction::None => Ok(losses.clone()),
            Reduction::Mean => losses.mean(..),
            Reduction::Sum => losses.sum(..),
        }
    }
}

/// The loss of an element x and its target t.
trait Pairwise: Copy + Send + Sync + 'static {
    /// The name that messages and drawings use.
    const NAME: &'static str;
    /// The loss.
    fn value<T: Float>(self, x: T, t: T) -> T;
    /// Its derivative in x.
    fn slope<N: Number>(self, x: N, t: N) -> N;
    /// Its derivative in t; that of a function of x − t unless it says otherwise.
    #[track_caller]
    fn target_slope<T: Float>(self, x: &Var<T>, t: &Var<T>) -> Result<Var<T>> {
        Ok(self.slope(x.clone(), t.clone()).neg())
    }
}

/// A [`Pairwise`] function as an operation.
struct Pair<F>(F);

impl<T: Float, F: Pairwise> Op<T, 2> for Pair<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn forward(&self, [x, t]: [&Tensor<T>; 2]) -> Result<Tensor<T>> {
        let f = self.0;
        x.zip(
            t,
            #[inline(always)]
            move |x, t| f.value(x, t),
        )
    }

    fn vjp(
        &self,
        [x, t]: [&Var<T>; 2],
        _: &Var<T>,
        g: &Var<T>,
        [wants_x, wants_t]: [bool; 2],
    ) -> Result<[Option<Var<T>>; 2]> {
        let f = self.0;
        let recorded = x.tape().is_some() || t.tape().is_some() || g.tape().is_some();
        let to_x = || match recorded {
            true => g.mul(&f.slope(x.clone(), t.clone())),
            false => Ok(Var::from(g.value().zip3(
                x.value(),
                t.value(),
                #[inline(always)]
                move |g, x, t| g * f.slope(Scalar(x), Scalar(t)).0,
            ))),
        };
        // Targets that want a gradient are rare.
        let to_t = || g.mul(&f.target_slope(x, t)?);
        Ok([wants_x.then(to_x).transpose()?, wants_t.then(to_t).transpose()?])
    }

    fn reads(&self, _: [bool; 2]) -> Reads<2> {
        Reads::inputs([true; 2])
    }
}

/// A row: documentation, type with its settings, name, value, slope in x, and where the loss is no function
/// of x − t, the slope in t.
macro_rules! pairwise {
    ($($(#[$doc:meta])* $Type:ident { $($setting:ident),* } $name:literal:
        |$x:ident, $t:ident| $value:expr; |$sx:ident, $st:pat_param| $slope:expr;
        $([target |$tx:ident, $tt:pat_param| $target_slope:expr])?)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        struct $Type { $($setting: f64),* }

        impl Pairwise for $Type {
            const NAME: &'static str = $name;

            #[inline(always)]
            fn value<T: Float>(self, $x: T, $t: T) -> T {
                let Self { $($setting),* } = self;
                $(let $setting = T::from_f64($setting);)*
                $value
            }

            #[inline(always)]
            fn slope<N: Number>(self, $sx: N, $st: N) -> N {
                let Self { $($setting),* } = self;
                $slope
            }

            $(fn target_slope<T: Float>(self, $tx: &Var<T>, $tt: &Var<T>) -> Result<Var<T>> {
                Ok($target_slope)
            })?
        }
    )*};
}

/// `value` in the precision of `T`.
#[inline(always)]
fn c<T: Float>(value: f64) -> T {
    T::from_f64(value)
}

pairwise! {
    /// (x − t)².
    Squared {} "mse_loss":
        |x, t| (x - t) * (x - t);
        |x, t| (x - t) * 2.0;

    /// |x − t|; the slope at 0 is 0.
    Absolute {} "l1_loss":
        |x, t| (x - t).abs();
        |x, t| sign(x - t);

    /// d²/(2β) where |d| < β, else |d| − β/2, of d = x − t.
    SmoothAbsolute { beta } "smooth_l1_loss":
        |x, t| {
            let d = (x - t).abs();
            if d < beta { c::<T>(0.5) * d * d / beta } else { d - c::<T>(0.5) * beta }
        };
        |x, t| {
            let d = x - t;
            bounded(d.clone(), beta, 1.0, d / N::constant(beta))
        };

    /// d²/2 where |d| ≤ δ, else δ·(|d| − δ/2), of d = x − t.
    Huber { delta } "huber_loss":
        |x, t| {
            let d = (x - t).abs();
            if d <= delta { c::<T>(0.5) * d * d } else { delta * (d - c::<T>(0.5) * delta) }
        };
        |x, t| {
            let d = x - t;
            bounded(d.clone(), delta, delta, d)
        };

    /// −t·ln x − (1 − t)·ln(1 − x), the logarithms no lower than −100. The slope's divisor is no less than
    /// 10⁻¹².
    Probability {} "binary_cross_entropy":
        |x, t| {
            let at_least = |ln: T| if ln < c(-100.0) { c(-100.0) } else { ln };
            (t - T::ONE) * at_least((-x).ln_1p()) - t * at_least(x.ln())
        };
        |x, t| {
            let spread = (-x.clone() + 1.0) * x.clone();
            let tiny = spread.test(|spread| spread < c(LEAST_SPREAD));
            (x - t) / N::select(tiny, N::constant(LEAST_SPREAD), spread)
        };
        [target |x, _| x.neg().ln_1p().sub(&x.ln())?]

    /// The same of σ(x): (1 − t)·x + ln(1 + e⁻ˣ), which never overflows.
    Logit {} "binary_cross_entropy_with_logits":
        |x, t| {
            let negative = if x < T::ZERO { -x } else { T::ZERO };
            (T::ONE - t) * x + negative + (-x.abs()).exp().ln_1p()
        };
        |x, t| x.sigmoid() - t;
        [target |x, _| x.neg()]

    /// t·(ln t − x), and 0 where t is 0.
    Divergence {} "kl_div":
        |x, t| {
            let entropy = if t == T::ZERO { T::ZERO } else { t * t.ln() };
            entropy - t * x
        };
        |_x, t| -t;
        [target |x, t| t.ln().sub(x)?.shift(1.0)]

    /// eᵗ·(t − x), of a target that is a logarithm itself.
    LogDivergence {} "kl_div":
        |x, t| t.exp() * (t - x);
        |_x, t| -t.exp();
        [target |x, t| t.exp().mul(&t.sub(x)?.shift(1.0))?]
}

/// PyTorch's 10⁻¹², which is one of single precision also for doubles.
const LEAST_SPREAD: f64 = 1e-12f32 as f64;

/// ±`outer` where d is `bound` or more away from 0, elsewhere `inner`.
#[inline(always)]
fn bounded<N: Number>(d: N, bound: f64, outer: f64, inner: N) -> N {
    let (above, below) = (d.test(|d| d >= c(bound)), d.test(|d| d <= c(-bound)));
    N::select(above, N::constant(outer), N::select(below, N::constant(-outer), inner))
}

/// Checks that an output and its target have one shape. PyTorch broadcasts some losses and warns that the
/// result is likely to be wrong: `[n, 1]` and `[n]` would give n² losses.
#[track_caller]
pub(super) fn same_shape<T: Float>(op: &'static str, x: &Var<T>, target: &Var<T>) -> Result<()> {
    if x.shape() != target.shape() {
        return Err(Error::new(op, format!("shapes differ: {} and {}", x.shape(), target.shape())));
    }
    Ok(())
}

#[track_caller]
fn losses<T: Float, F: Pairwise>(f: F, x: &Var<T>, target: &Var<T>) -> Result<Var<T>> {
    same_shape(F::NAME, x, target)?;
    Pair(f).apply([x, target])
}

/// Losses times weights that broadcast to them.
#[track_caller]
fn weighed<T: Float>(op: &'static str, losses: Var<T>, weight: Option<&Tensor<T>>) -> Result<Var<T>> {
    match weight {
        None => Ok(losses),
        Some(weight) => losses.mul(&fitting(op, weight, &losses)?),
    }
}

/// A weight that broadcasts to the shape of `x`.
#[track_caller]
fn fitting<T: Float>(op: &'static str, weight: &Tensor<T>, x: &Var<T>) -> Result<Var<T>> {
    match weight.shape().broadcast(op, x.shape())? == *x.shape() {
        true => Ok(Var::from(weight)),
        false => Err(Error::new(op, format!("weights {} do not broadcast to {}", weight.shape(), x.shape()))),
    }
}

/// Reduced (x − t)². `target` has the shape of `x`, as in all losses of elements.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html)
///
/// # Errors
/// If the shapes differ.
#[track_caller]
pub fn mse<T: Float>(x: &Var<T>, target: &Var<T>, reduction: Reduction) -> Result<Var<T>> {
    reduction.of(&losses(Squared {}, x, target)?)
}

/// Reduced |x − t|, whose slope at 0 is 0.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.l1_loss.html)
///
/// # Errors
/// If the shapes differ.
#[track_caller]
pub fn l1<T: Float>(x: &Var<T>, target: &Var<T>, reduction: Reduction) -> Result<Var<T>> {
    reduction.of(&losses(Absolute {}, x, target)?)
}

/// Reduced d²/(2β) where |d| < β, else |d| − β/2, of d = x − t; with β = 0 it is [`l1`].
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.smooth_l1_loss.html)
///
/// # Errors
/// If the shapes differ, or `beta` is negative or NaN.
#[track_caller]
pub fn smooth_l1<T: Float>(x: &Var<T>, target: &Var<T>, beta: f64, reduction: Reduction) -> Result<Var<T>> {
    if beta == 0.0 {
        return l1(x, target, reduction);
    }
    if beta.is_nan() || beta < 0.0 {
        return Err(Error::new("smooth_l1_loss", format!("expected beta ≥ 0, found {beta}")));
    }
    reduction.of(&losses(SmoothAbsolute { beta }, x, target)?)
}

/// Reduced d²/2 where |d| ≤ δ, else δ·(|d| − δ/2), of d = x − t.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.huber_loss.html)
///
/// # Errors
/// If the shapes differ, or `delta` is not above 0.
#[track_caller]
pub fn huber<T: Float>(x: &Var<T>, target: &Var<T>, delta: f64, reduction: Reduction) -> Result<Var<T>> {
    if delta.is_nan() || delta <= 0.0 {
        return Err(Error::new("huber_loss", format!("expected delta > 0, found {delta}")));
    }
    reduction.of(&losses(Huber { delta }, x, target)?)
}

/// Reduced −w·(t·ln x + (1 − t)·ln(1 − x)) of probabilities x; the logarithms are no lower than −100. `weight`
/// broadcasts to `x`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy.html)
///
/// # Errors
/// If the shapes do not fit, or an element of `x` or of `target` is not within `[0, 1]`.
#[track_caller]
pub fn binary_cross_entropy<T: Float>(
    x: &Var<T>,
    target: &Var<T>,
    weight: Option<&Tensor<T>>,
    reduction: Reduction,
) -> Result<Var<T>> {
    let op = Probability::NAME;
    for (what, probabilities) in [("x", x), ("target", target)] {
        let outside = |p: &&T| !(T::ZERO <= **p && **p <= T::ONE);
        if let Some(p) = probabilities.value().as_slice().iter().find(outside) {
            return Err(Error::new(op, format!("expected {what} within [0, 1], found {p}")));
        }
    }
    reduction.of(&weighed(op, losses(Probability {}, x, target)?, weight)?)
}

/// [`binary_cross_entropy`] of σ(x), without its rounding: reduced w·((1 − t)·x + (1 + (w₊ − 1)·t)·ln(1 +
/// e⁻ˣ)). `weight` w and `pos_weight` w₊, which is the weight of what the target has, broadcast to `x`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy_with_logits.html)
///
/// # Errors
/// If the shapes do not fit.
#[track_caller]
pub fn binary_cross_entropy_with_logits<T: Float>(
    x: &Var<T>,
    target: &Var<T>,
    weight: Option<&Tensor<T>>,
    pos_weight: Option<&Tensor<T>>,
    reduction: Reduction,
) -> Result<Var<T>> {
    let op = Logit::NAME;
    let mut losses = losses(Logit {}, x, target)?;
    if let Some(pos_weight) = pos_weight {
        // The loss for t = 1 is ln(1 + e⁻ˣ).
        let positive = Pair(Logit {}).apply([x, &Var::from(target.value().ones_like())])?;
        let more = fitting(op, &pos_weight.map(|w| w - T::ONE), x)?;
        losses = losses.add(&target.mul(&more)?.mul(&positive)?)?;
    }
    reduction.of(&weighed(op, losses, weight)?)
}

/// Reduced t·(ln t − x): the divergence of the distribution whose logarithm is `x` from the target. With
/// `log_target` the target is a logarithm too, and it is eᵗ·(t − x).
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
///
/// # Errors
/// If the shapes differ.
#[track_caller]
pub fn kl_div<T: Float>(
    x: &Var<T>,
    target: &Var<T>,
    log_target: bool,
    reduction: Reduction,
) -> Result<Var<T>> {
    reduction.of(&match log_target {
        true => losses(LogDivergence {}, x, target)?,
        false => losses(Divergence {}, x, target)?,
    })
}

impl<T: Float> Var<T> {
    /// The mean over the batch of −ln softmax(x)\[target\]: `self` holds logits `[n, classes]` or `[n, classes,
    /// d₁, …]`, or `[classes]` of one example; `target` the class numbers, `[n]`, `[n, d₁, …]` or a scalar, or
    /// probabilities of the logits' shape. A class of −100 is ignored. NaN for an empty batch. See
    /// [`loss::cross_entropy`](cross_entropy) for weights, smoothing and other reductions.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
    ///
    /// # Errors
    /// If the shapes do not fit, or a target is no class.
    #[track_caller]
    pub fn cross_entropy<'a>(&self, target: impl Into<Target<'a, T>>) -> Result<Var<T>> {
        cross_entropy(self, target, None, IGNORE_INDEX, 0.0, Reduction::Mean)
    }

    /// The mean of −x\[target\] of log-probabilities; shapes as in [`cross_entropy`](Self::cross_entropy).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.nll_loss.html)
    ///
    /// # Errors
    /// If the shapes do not fit, or a target is no class.
    #[track_caller]
    pub fn nll_loss(&self, target: &Tensor<i64>) -> Result<Var<T>> {
        nll(self, target, None, IGNORE_INDEX, Reduction::Mean)
    }

    /// The mean of (x − target)² over all elements.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html)
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn mse_loss(&self, target: &Var<T>) -> Result<Var<T>> {
        mse(self, target, Reduction::Mean)
    }

    /// The mean of |x − target| over all elements.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.l1_loss.html)
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn l1_loss(&self, target: &Var<T>) -> Result<Var<T>> {
        l1(self, target, Reduction::Mean)
    }

    /// The mean of [`loss::smooth_l1`](smooth_l1) with β = 1.
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn smooth_l1_loss(&self, target: &Var<T>) -> Result<Var<T>> {
        smooth_l1(self, target, 1.0, Reduction::Mean)
    }

    /// The mean of [`loss::huber`](huber) with δ = 1.
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn huber_loss(&self, target: &Var<T>) -> Result<Var<T>> {
        huber(self, target, 1.0, Reduction::Mean)
    }

    /// The mean of [`loss::binary_cross_entropy`](binary_cross_entropy) of probabilities.
    ///
    /// # Errors
    /// If the shapes differ, or an element of `self` or of `target` is not within `[0, 1]`.
    #[track_caller]
    pub fn binary_cross_entropy(&self, target: &Var<T>) -> Result<Var<T>> {
        binary_cross_entropy(self, target, None, Reduction::Mean)
    }

    /// The mean of [`loss::binary_cross_entropy_with_logits`](binary_cross_entropy_with_logits).
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn binary_cross_entropy_with_logits(&self, target: &Var<T>) -> Result<Var<T>> {
        binary_cross_entropy_with_logits(self, target, None, None, Reduction::Mean)
    }

    /// The mean of [`loss::kl_div`](kl_div) of logarithms with a target of probabilities.
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn kl_div(&self, target: &Var<T>) -> Result<Var<T>> {
        kl_div(self, target, false, Reduction::Mean)
    }
}

/// The class number that PyTorch ignores by default.
pub const IGNORE_INDEX: i64 = -100;
