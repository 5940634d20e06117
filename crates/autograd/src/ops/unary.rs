//! Element-wise functions of one variable. Each is a row in a table: its value, and its slope dy/dx in terms of
//! x and y.
//!
//! The slope is written once, for [`Number`]s. Where nothing is recorded it runs in one pass over the elements,
//! g·slope; where the pullback is recorded the same formula builds variables, so that every order of derivative
//! follows.

use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, LN_10};

use retrograd_tensor::{Float, Result, Tensor};

use super::activation::Relu;
use crate::number::{Number, Scalar};
use crate::op::{Fixed, Op, Reads, apply_unchecked, record};
use crate::{Tape, Var};

/// What a slope is computed from; the tape keeps nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it is a constant.
    Nothing,
    /// The input.
    X,
    /// The output.
    Y,
    /// Both.
    Both,
}

/// An element-wise function.
pub trait Elementwise: Copy + Send + Sync + 'static {
    /// The name that messages and drawings use.
    const NAME: &'static str;
    /// What [`slope`](Self::slope) looks at.
    const NEEDS: Needs;
    /// y = f(x).
    fn value<T: Float>(self, x: T) -> T;
    /// dy/dx in terms of x and y = f(x).
    fn slope<N: Number>(self, x: N, y: N) -> N;

    /// g·dy/dx for single elements.
    #[inline(always)]
    fn pull<T: Float>(self, g: T, x: T, y: T) -> T {
        g * self.slope(Scalar(x), Scalar(y)).0
    }
}

/// An [`Elementwise`] function as an operation.
#[derive(Clone, Copy, Debug)]
pub struct Unary<F>(pub F);

impl<T: Float, F: Elementwise> Op<T, 1> for Unary<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        let f = self.0;
        Ok(x.map(
            #[inline(always)]
            move |x| f.value(x),
        ))
    }

    fn vjp(&self, x: [&Var<T>; 1], y: &Var<T>, g: &Var<T>, wants: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        self.vjp_owned(x, y, g.clone(), wants)
    }

    fn vjp_owned(
        &self,
        [x]: [&Var<T>; 1],
        y: &Var<T>,
        g: Var<T>,
        _: [bool; 1],
    ) -> Result<[Option<Var<T>>; 1]> {
        let f = self.0;
        if x.tape().is_some() || g.tape().is_some() {
            return Ok([Some(g.mul(&f.slope(x.clone(), y.clone()))?)]);
        }
        let g = g.into_value();
        // What the slope does not need is NaN, so that a function that needs more than it says is found out.
        let gx = match F::NEEDS {
            Needs::Nothing => g.into_map(
                #[inline(always)]
                |g| f.pull(g, T::NAN, T::NAN),
            ),
            Needs::X => g.into_zip(
                x.value(),
                #[inline(always)]
                |g, x| f.pull(g, x, T::NAN),
            )?,
            Needs::Y => g.into_zip(
                y.value(),
                #[inline(always)]
                |g, y| f.pull(g, T::NAN, y),
            )?,
            Needs::Both => g.zip3(
                x.value(),
                y.value(),
                #[inline(always)]
                |g, x, y| f.pull(g, x, y),
            ),
        };
        Ok([Some(Var::from(gx))])
    }

    fn vjp_element(&self, [x]: [T; 1], y: T, g: T) -> Option<[T; 1]> {
        Some([self.0.pull(g, x, y)])
    }

    fn reads(&self, _: [bool; 1]) -> Reads<1> {
        match F::NEEDS {
            Needs::Nothing => Reads::NOTHING,
            Needs::X => Reads::inputs([true]),
            Needs::Y => Reads::OUTPUT,
            Needs::Both => Reads { inputs: [true], output: true },
        }
    }
}

/// The table. A row: documentation, type, method with its settings, what the slope looks at, value, slope.
macro_rules! elementwise {
    ($($(#[$doc:meta])* $Type:ident $name:ident ($($setting:ident),*) $from:ident:
        |$x:ident| $value:expr; |$sx:pat_param, $sy:pat_param| $slope:expr;)*) => {
        $(
            #[doc = concat!("See [`Var::", stringify!($name), "`].")]
            #[derive(Clone, Copy, Debug)]
            pub(crate) struct $Type {
                $(
                    #[doc = concat!("The setting `", stringify!($setting), "`.")]
                    $setting: f64,
                )*
            }

            impl Elementwise for $Type {
                const NAME: &'static str = stringify!($name);
                const NEEDS: Needs = Needs::$from;

                #[inline(always)]
                fn value<T: Float>(self, $x: T) -> T {
                    let Self { $($setting),* } = self;
                    $(let $setting = T::from_f64($setting);)*
                    $value
                }

                #[inline(always)]
                #[allow(unused_variables)]
                fn slope<N: Number>(self, x: N, y: N) -> N {
                    let Self { $($setting),* } = self;
                    let ($sx, $sy) = (x, y);
                    $slope
                }
            }
        )*

        impl<T: Float> Var<T> {$(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&self $(, $setting: f64)*) -> Var<T> {
                self.elementwise($Type { $($setting),* })
            }
        )*}
    };
}

pub(super) use elementwise;

impl<T: Float> Var<T> {
    /// An element-wise function of this variable.
    ///
    /// It cannot fail: where the tape was cleared since the variable was recorded, the result belongs to that
    /// pass as well, and the next operation that can fail, or `backward`, says so.
    #[track_caller]
    pub fn elementwise<F: Elementwise>(&self, f: F) -> Var<T> {
        if self.is_stale() {
            return self.of_the_same_pass(self.value().map(
                #[inline(always)]
                move |x| f.value(x),
            ));
        }
        crate::var::or_panic(apply_unchecked(Unary(f), [self]))
    }

    /// As [`elementwise`](Self::elementwise), in this variable's memory where nothing else needs its value: not the
    /// pullback, nor whoever shares it or looks at the tape.
    #[track_caller]
    pub fn into_elementwise<F: Elementwise>(self, f: F) -> Var<T> {
        let needed = matches!(F::NEEDS, Needs::X | Needs::Both);
        if needed || self.is_stale() || self.tape().is_some_and(Tape::keeps_inputs) {
            return self.elementwise(f);
        }
        let (x, value) = self.without_value();
        let y = value.into_map(
            #[inline(always)]
            move |x| f.value(x),
        );
        record(x.tape(), Fixed(Unary(f)), &[&x], &mut [x.is_recorded()], y)
    }

    /// As [`sigmoid`](Self::sigmoid), in this variable's memory where nothing else needs its value.
    #[track_caller]
    pub fn into_sigmoid(self) -> Var<T> {
        self.into_elementwise(Sigmoid {})
    }

    /// As [`tanh`](Self::tanh), in this variable's memory where nothing else needs its value.
    #[track_caller]
    pub fn into_tanh(self) -> Var<T> {
        self.into_elementwise(Tanh {})
    }

    /// As [`relu`](Self::relu), in this variable's memory where nothing else needs its value.
    #[track_caller]
    pub fn into_relu(self) -> Var<T> {
        self.into_elementwise(Relu {})
    }

    /// −x.
    #[track_caller]
    pub fn neg(&self) -> Var<T> {
        self.scale(-1.0)
    }
}

/// `value` in the precision of `T`.
#[inline(always)]
pub(super) fn c<T: Float>(value: f64) -> T {
    T::from_f64(value)
}

elementwise! {
    /// y = `factor`·x.
    Scale scale(factor) Nothing: |x| x * factor; |_, _| N::constant(factor);

    /// y = x/`divisor`.
    Divide divide(divisor) Nothing: |x| x / divisor; |_, _| N::constant(1.0 / divisor);

    /// y = x + `term`.
    Shift shift(term) Nothing: |x| x + term; |_, _| N::constant(1.0);

    /// y = eˣ.
    Exp exp() Y: |x| x.exp(); |_, y| y;

    /// y = ln x, the natural logarithm.
    Ln ln() X: |x| x.ln(); |x, _| x.reciprocal();

    /// y = log₂ x, the logarithm to base 2.
    Log2 log2() X: |x| x.log2(); |x, _| (x * LN_2).reciprocal();

    /// y = log₁₀ x, the logarithm to base 10.
    Log10 log10() X: |x| x.log10(); |x, _| (x * LN_10).reciprocal();

    /// y = ln(1 + x), exact near 0.
    Ln1p ln_1p() X: |x| x.ln_1p(); |x, _| (x + 1.0).reciprocal();

    /// y = eˣ − 1, exact near 0.
    ExpM1 exp_m1() Y: |x| x.exp_m1(); |_, y| y + 1.0;

    /// y = √x.
    Sqrt sqrt() Y: |x| x.sqrt(); |_, y| y.reciprocal() * 0.5;

    /// y = 1/√x.
    Rsqrt rsqrt() Y: |x| T::ONE / x.sqrt(); |_, y| y.clone() * y.clone() * y * -0.5;

    /// y = x².
    Square square() X: |x| x * x; |x, _| x * 2.0;

    /// y = 1/x.
    Reciprocal reciprocal() Y: |x| T::ONE / x; |_, y| -(y.clone() * y);

    /// y = xᵃ for a constant exponent a; the slope a·xᵃ⁻¹ is 0 where a is 0.
    Powf powf(exponent) X:
        |x| x.powf(exponent);
        |x, _| if exponent == 0.0 { N::constant(0.0) } else { x.powf(exponent - 1.0) * exponent };

    /// y = |x|; the slope at 0 is 0.
    Abs abs() X: |x| x.abs(); |x, _| sign(x);

    /// y = −1, 0 or 1, as the sign of x; NaN stays NaN. The slope is 0.
    Sign sign() Nothing:
        |x| {
            let above = if x > T::ZERO { T::ONE } else { x };
            if x < T::ZERO { -T::ONE } else { above }
        };
        |_, _| N::constant(0.0);

    /// y = ⌊x⌋; the slope is 0.
    Floor floor() Nothing: |x| x.floor(); |_, _| N::constant(0.0);

    /// y = ⌈x⌉; the slope is 0.
    Ceil ceil() Nothing: |x| x.ceil(); |_, _| N::constant(0.0);

    /// The nearest integer, halves to the even one; the slope is 0.
    Round round() Nothing: |x| x.round_ties_even(); |_, _| N::constant(0.0);

    /// y = sin x.
    Sin sin() X: |x| x.sin(); |x, _| x.cos();

    /// y = cos x.
    Cos cos() X: |x| x.cos(); |x, _| -x.sin();

    /// y = tan x; y' = 1 + y².
    Tan tan() Y: |x| x.tan(); |_, y| y.clone() * y + 1.0;

    /// y = arctan x, in (−π/2, π/2); y' = 1/(1 + x²).
    Atan atan() X: |x| x.atan(); |x, _| (x.clone() * x + 1.0).reciprocal();

    /// The hyperbolic sine y = (eˣ − e⁻ˣ)/2.
    Sinh sinh() X: |x| x.sinh(); |x, _| x.cosh();

    /// The hyperbolic cosine y = (eˣ + e⁻ˣ)/2.
    Cosh cosh() X: |x| x.cosh(); |x, _| x.sinh();

    /// The error function y = 2/√π·∫₀ˣ e^(−t²) dt; y' = 2/√π·e^(−x²).
    Erf erf() X: |x| x.erf(); |x, _| (-(x.clone() * x)).exp() * FRAC_2_SQRT_PI;

    /// The logistic function y = 1/(1 + e⁻ˣ); y' = y(1 − y).
    Sigmoid sigmoid() Y: |x| x.sigmoid(); |_, y| (-y.clone() + 1.0) * y;

    /// The hyperbolic tangent y = (eˣ − e⁻ˣ)/(eˣ + e⁻ˣ); y' = 1 − y².
    Tanh tanh() Y: |x| x.tanh(); |_, y| -(y.clone() * y) + 1.0;

    /// y = x limited to [`low`, `high`], and `high` where the bounds are crossed; NaN stays NaN. The slope is 1
    /// strictly between the bounds, else 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.clamp.html)
    Clamp clamp(low, high) X:
        |x| {
            let x = if x < low { low } else { x };
            if x > high { high } else { x }
        };
        |x, _| {
            let inside = x.test(|x| x > c(low) && x < c(high));
            N::select(inside, N::constant(1.0), N::constant(0.0))
        };
}

/// −1, 0 or 1; NaN stays NaN.
pub(super) fn sign<N: Number>(x: N) -> N {
    let (below, nothing) = (x.test(|x| x < c(0.0)), x.test(|x| x == c(0.0)));
    let above = N::select(x.test(|x| x > c(0.0)), N::constant(1.0), N::constant(f64::NAN));
    N::select(below, N::constant(-1.0), N::select(nothing, N::constant(0.0), above))
}
