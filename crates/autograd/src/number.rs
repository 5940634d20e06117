//! One way to write a derivative for numbers and for variables.

use std::ops::{Add, Div, Mul, Neg, Sub};

use retrograd_tensor::{Float, Tensor};

use crate::Var;
use crate::var::or_panic;

/// What the derivative of an element-wise function is written in: [`Scalar`]s, in the loop of a kernel, or
/// [`Var`]s, whose operations are recorded. One formula serves the fast first order and every higher one.
pub trait Number:
    Clone
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    /// The type of the elements.
    type Element: Float;
    /// The outcome of a comparison.
    type Mask;

    /// This number everywhere.
    fn constant(value: f64) -> Self;
    /// Where the elements pass a test.
    fn test(&self, test: impl Fn(Self::Element) -> bool + Sync) -> Self::Mask;
    /// `yes` where the mask holds, elsewhere `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// 1/x.
    fn reciprocal(self) -> Self;
    /// eˣ.
    fn exp(self) -> Self;
    /// The sine.
    fn sin(self) -> Self;
    /// The cosine.
    fn cos(self) -> Self;
    /// The hyperbolic sine.
    fn sinh(self) -> Self;
    /// The hyperbolic cosine.
    fn cosh(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The logistic function.
    fn sigmoid(self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// xᵃ.
    fn powf(self, exponent: f64) -> Self;
}

/// An element as a [`Number`].
#[derive(Clone, Copy, Debug)]
pub struct Scalar<T: Float>(pub T);

macro_rules! scalar_operators {
    ($($operator:ident $method:ident),*) => {$(
        impl<T: Float> $operator for Scalar<T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(self.0.$method(other.0))
            }
        }
        impl<T: Float> $operator<f64> for Scalar<T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: f64) -> Self {
                Self(self.0.$method(T::from_f64(other)))
            }
        }
    )*};
}

scalar_operators!(Add add, Sub sub, Mul mul, Div div);

impl<T: Float> Neg for Scalar<T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl<T: Float> Number for Scalar<T> {
    type Element = T;
    type Mask = bool;

    #[inline(always)]
    fn constant(value: f64) -> Self {
        Self(T::from_f64(value))
    }
    #[inline(always)]
    fn test(&self, test: impl Fn(T) -> bool + Sync) -> bool {
        test(self.0)
    }
    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }
    #[inline(always)]
    fn reciprocal(self) -> Self {
        Self(T::ONE / self.0)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        Self(self.0.exp())
    }
    #[inline(always)]
    fn sin(self) -> Self {
        Self(self.0.sin())
    }
    #[inline(always)]
    fn cos(self) -> Self {
        Self(self.0.cos())
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self(self.0.sigmoid())
    }
    #[inline(always)]
    fn sinh(self) -> Self {
        Self(self.0.sinh())
    }
    #[inline(always)]
    fn cosh(self) -> Self {
        Self(self.0.cosh())
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        Self(self.0.tanh())
    }
    #[inline(always)]
    fn erf(self) -> Self {
        Self(self.0.erf())
    }
    #[inline(always)]
    fn powf(self, exponent: f64) -> Self {
        Self(self.0.powf(T::from_f64(exponent)))
    }
}

impl<T: Float> Number for Var<T> {
    type Element = T;
    type Mask = Tensor<bool>;

    fn constant(value: f64) -> Self {
        Var::from(Tensor::scalar(T::from_f64(value)))
    }
    fn test(&self, test: impl Fn(T) -> bool + Sync) -> Tensor<bool> {
        self.value().map(test)
    }
    fn select(mask: Tensor<bool>, yes: Self, no: Self) -> Self {
        or_panic(Var::where_(&mask, &yes, &no))
    }
    fn reciprocal(self) -> Self {
        Var::reciprocal(&self)
    }
    fn exp(self) -> Self {
        Var::exp(&self)
    }
    fn sin(self) -> Self {
        Var::sin(&self)
    }
    fn cos(self) -> Self {
        Var::cos(&self)
    }
    fn sigmoid(self) -> Self {
        Var::sigmoid(&self)
    }
    fn sinh(self) -> Self {
        Var::sinh(&self)
    }
    fn cosh(self) -> Self {
        Var::cosh(&self)
    }
    fn tanh(self) -> Self {
        Var::tanh(&self)
    }
    fn erf(self) -> Self {
        Var::erf(&self)
    }
    fn powf(self, exponent: f64) -> Self {
        Var::powf(&self, exponent)
    }
}
