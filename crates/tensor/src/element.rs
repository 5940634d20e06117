//! The element types: what a tensor can hold ([`Element`]) and what can be computed with ([`Float`]).

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::conv::Fast;
use crate::gemm::Gemm;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for i64 {}
    impl Sealed for u32 {}
    impl Sealed for bool {}
}

/// What a [`Tensor`](crate::Tensor) can hold: `f32`, `f64`, `i64` (labels and indices), `u32` (places in a plane)
/// or `bool` (masks).
pub trait Element:
    sealed::Sealed + Copy + Default + PartialEq + PartialOrd + Debug + Display + Send + Sync + 'static
{
    /// The type's name, as messages spell it.
    const NAME: &'static str;
    /// Whether every pattern of bits is a value.
    const ANY_BITS: bool;
    /// The value that fresh memory is filled with in debug builds, so that an element nobody wrote shows.
    const POISON: Self;

    /// The nearest `f64`; 1 for true and 0 for false.
    #[doc(hidden)]
    fn as_f64(self) -> f64;
}

/// A number that tensors compute with: `f32` or `f64`.
///
/// `f64` exists so that gradient checks run the very same code; training uses `f32`.
pub trait Float:
    Element
    + Gemm
    + Fast
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + std::iter::Sum
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// +∞.
    const INFINITY: Self;
    /// −∞.
    const NEG_INFINITY: Self;
    /// Not a number.
    const NAN: Self;

    /// The nearest value to an `f64`.
    fn from_f64(value: f64) -> Self;
    /// This value as an `f64` (exact).
    fn to_f64(self) -> f64;
    /// Whether the value is not a number.
    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn is_nan(self) -> bool {
        self != self
    }
    /// Whether the value is neither infinite nor NaN.
    #[inline(always)]
    fn is_finite(self) -> bool {
        self.abs() < Self::INFINITY
    }
    /// |x|.
    fn abs(self) -> Self;
    /// √x.
    fn sqrt(self) -> Self;
    /// ⌊x⌋.
    fn floor(self) -> Self;
    /// ⌈x⌉.
    fn ceil(self) -> Self;
    /// The nearest integer, halves to the even one.
    fn round_ties_even(self) -> Self;
    /// eˣ.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The logarithm to base 2.
    fn log2(self) -> Self;
    /// The logarithm to base 10.
    fn log10(self) -> Self;
    /// ln(1 + x), exact near 0.
    fn ln_1p(self) -> Self;
    /// eˣ − 1, exact near 0.
    fn exp_m1(self) -> Self;
    /// The sine.
    fn sin(self) -> Self;
    /// The cosine.
    fn cos(self) -> Self;
    /// The tangent.
    fn tan(self) -> Self;
    /// The arc tangent.
    fn atan(self) -> Self;
    /// The hyperbolic sine.
    fn sinh(self) -> Self;
    /// The hyperbolic cosine.
    fn cosh(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The error function 2/√π·∫₀ˣ e^(−t²) dt.
    fn erf(self) -> Self;
    /// The logistic function 1/(1 + e⁻ˣ).
    fn sigmoid(self) -> Self;
    /// xᵃ.
    fn powf(self, exponent: Self) -> Self;
}

/// The larger of two numbers; NaN if one is.
#[inline(always)]
pub(crate) fn larger<T: Float>(a: T, b: T) -> T {
    if a > b || a.is_nan() { a } else { b }
}

/// −1, 0 or 1; NaN stays NaN.
#[inline(always)]
pub(crate) fn sign<T: Float>(x: T) -> T {
    let above = if x > T::ZERO { T::ONE } else { x };
    if x < T::ZERO { -T::ONE } else { above }
}

/// The smaller of two numbers; NaN if one is.
#[inline(always)]
pub(crate) fn smaller<T: Float>(a: T, b: T) -> T {
    if a < b || a.is_nan() { a } else { b }
}

impl Element for i64 {
    const NAME: &'static str = "i64";
    const ANY_BITS: bool = true;
    const POISON: Self = i64::MIN;

    fn as_f64(self) -> f64 {
        self as f64
    }
}

impl Element for u32 {
    const NAME: &'static str = "u32";
    const ANY_BITS: bool = true;
    const POISON: Self = u32::MAX;

    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Element for bool {
    const NAME: &'static str = "bool";
    const ANY_BITS: bool = false;
    const POISON: Self = true;

    fn as_f64(self) -> f64 {
        f64::from(u8::from(self))
    }
}

macro_rules! float {
    ($t:ident, $math:path) => {
        impl Element for $t {
            const NAME: &'static str = stringify!($t);
            const ANY_BITS: bool = true;
            const POISON: Self = $t::NAN;

            fn as_f64(self) -> f64 {
                self.to_f64()
            }
        }

        impl Float for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const INFINITY: Self = $t::INFINITY;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            const NAN: Self = $t::NAN;

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $t::floor(self)
            }
            #[inline(always)]
            fn ceil(self) -> Self {
                $t::ceil(self)
            }
            #[inline(always)]
            fn round_ties_even(self) -> Self {
                $t::round_ties_even(self)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                use $math as math;
                math::exp(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                use $math as math;
                math::ln(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                use $math as math;
                math::tanh(self)
            }
            #[inline(always)]
            fn sigmoid(self) -> Self {
                use $math as math;
                math::sigmoid(self)
            }
            #[inline(always)]
            fn ln_1p(self) -> Self {
                use $math as math;
                math::ln_1p(self)
            }
            #[inline(always)]
            fn exp_m1(self) -> Self {
                use $math as math;
                math::exp_m1(self)
            }
            #[inline(always)]
            fn sin(self) -> Self {
                $t::sin(self)
            }
            #[inline(always)]
            fn cos(self) -> Self {
                $t::cos(self)
            }
            #[inline(always)]
            fn tan(self) -> Self {
                $t::tan(self)
            }
            #[inline(always)]
            fn atan(self) -> Self {
                $t::atan(self)
            }
            #[inline(always)]
            fn sinh(self) -> Self {
                $t::sinh(self)
            }
            #[inline(always)]
            fn cosh(self) -> Self {
                $t::cosh(self)
            }
            #[inline(always)]
            fn log2(self) -> Self {
                $t::log2(self)
            }
            #[inline(always)]
            fn log10(self) -> Self {
                $t::log10(self)
            }
            #[inline(always)]
            fn erf(self) -> Self {
                use $math as math;
                math::erf(self)
            }
            #[inline(always)]
            fn powf(self, exponent: Self) -> Self {
                $t::powf(self, exponent)
            }
        }
    };
}

float!(f32, crate::math::single);
float!(f64, crate::math::double);
