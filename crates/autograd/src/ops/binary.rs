//! Element-wise functions of two variables, broadcasting, and their operators.
//!
//! The pullback of broadcasting is summation: each cotangent is summed to the shape of its input.

use retrograd_tensor::{Float, Result, Shape, Tensor};

use crate::Var;
use crate::op::{Op, Reads, apply_unchecked};

/// A row: documentation, type, method, which values the pullbacks of the first and of the second operand read
/// of `[a, b, y]`, the pullbacks; and where that is plain arithmetic, both once more for single elements.
macro_rules! binary {
    ($($(#[$doc:meta])* $Type:ident $name:ident:
        |$a:pat_param, $b:pat_param, $y:pat_param, $g:ident|
        [$($ra:ident)*] $ga:expr, [$($rb:ident)*] $gb:expr
        $(, element |$ea:pat_param, $eb:pat_param, $ey:pat_param, $eg:ident| $cotangents:expr)?;)*) => {
        $(
            #[derive(Clone, Copy, Debug)]
            struct $Type;

            impl<T: Float> Op<T, 2> for $Type {
                fn name(&self) -> &'static str {
                    stringify!($name)
                }

                #[inline]
                fn forward(&self, [a, b]: [&Tensor<T>; 2]) -> Result<Tensor<T>> {
                    a.$name(b)
                }

                #[inline]
                fn vjp(
                    &self,
                    [a, b]: [&Var<T>; 2],
                    y: &Var<T>,
                    $g: &Var<T>,
                    [wants_a, wants_b]: [bool; 2],
                ) -> Result<[Option<Var<T>>; 2]> {
                    let (shape_a, shape_b) = (a.shape(), b.shape());
                    let ($a, $b, $y) = (a, b, y);
                    let mut cotangents = [None, None];
                    let [ga, gb] = &mut cotangents;
                    if wants_a {
                        sum_to(ga.insert($ga), shape_a)?;
                    }
                    if wants_b {
                        sum_to(gb.insert($gb), shape_b)?;
                    }
                    Ok(cotangents)
                }

                $(
                    #[inline]
                    fn vjp_element(&self, [$ea, $eb]: [T; 2], $ey: T, $eg: T) -> Option<[T; 2]> {
                        Some($cotangents)
                    }
                )?

                fn reads(&self, [wants_a, wants_b]: [bool; 2]) -> Reads<2> {
                    let (for_a, for_b): (&[&str], &[&str]) = (&[$(stringify!($ra)),*], &[$(stringify!($rb)),*]);
                    let read = |value| (wants_a && for_a.contains(&value)) || (wants_b && for_b.contains(&value));
                    Reads { inputs: [read("a"), read("b")], output: read("y") }
                }
            }
        )*

        impl<T: Float> Var<T> {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// If the shapes do not broadcast.
            #[track_caller]
            pub fn $name(&self, other: &Var<T>) -> Result<Var<T>> {
                apply_unchecked($Type, [self, other])
            }
        )*}
    };
}

binary! {
    /// a + b.
    AddOp add: |_, _, _, g| [] g.clone(), [] g.clone(), element |_, _, _, g| [g, g];
    /// a − b.
    SubOp sub: |_, _, _, g| [] g.clone(), [] g.neg(), element |_, _, _, g| [g, -g];
    /// a·b, element by element.
    MulOp mul: |a, b, _, g| [b] g.mul(b)?, [a] g.mul(a)?, element |a, b, _, g| [g * b, g * a];
    /// a/b.
    DivOp div: |_, b, y, g| [b] g.div(b)?, [b y] g.mul(y)?.div(b)?.neg(),
        element |_, b, y, g| [g / b, -(g * y / b)];
    /// aᵇ; the slope in a is 0 where b is 0, and the slope in b is 0 where a is 0 and b ≥ 0.
    PowOp pow: |a, b, y, g|
        [a b] {
            let slope = b.mul(&a.pow(&b.shift(-1.0))?)?;
            g.mul(&where_or_zero(&b.value().map(|b| b != T::ZERO), &slope)?)?
        },
        [a b y] {
            let flat = a.value().zip(b.value(), |a, b| a == T::ZERO && b >= T::ZERO)?;
            let slope = y.mul(&where_or_one(&a.value().map(|a| a != T::ZERO), a)?.ln())?;
            g.mul(&where_or_zero(&flat.map(|flat| !flat), &slope)?)?
        };
    /// The larger of a and b, NaN if one is; equal ones share the gradient.
    Maximum maximum: |a, b, _, g|
        [a b] g.mul(&share(a, b, |a, b| a < b)?)?,
        [a b] g.mul(&share(b, a, |b, a| b < a)?)?;
    /// The smaller of a and b, NaN if one is; equal ones share the gradient.
    Minimum minimum: |a, b, _, g|
        [a b] g.mul(&share(a, b, |a, b| a > b)?)?,
        [a b] g.mul(&share(b, a, |b, a| b > a)?)?;
}

/// Sums a cotangent to the shape of its operand, which most often is its own.
#[inline(always)]
fn sum_to<T: Float>(g: &mut Var<T>, shape: &Shape) -> Result<()> {
    if g.shape() != shape {
        *g = g.sum_to(shape)?;
    }
    Ok(())
}

fn where_or_zero<T: Float>(mask: &Tensor<bool>, x: &Var<T>) -> Result<Var<T>> {
    Var::where_(mask, x, &Var::from(Tensor::scalar(T::ZERO)))
}

fn where_or_one<T: Float>(mask: &Tensor<bool>, x: &Var<T>) -> Result<Var<T>> {
    Var::where_(mask, x, &Var::from(Tensor::scalar(T::ONE)))
}

/// 0 where `a` loses, ½ where the two are equal, else 1: a NaN passes the gradient to both, as in PyTorch.
fn share<T: Float>(a: &Var<T>, b: &Var<T>, loses: impl Fn(T, T) -> bool + Sync) -> Result<Var<T>> {
    let half = T::from_f64(0.5);
    let share = move |a, b| {
        if loses(a, b) {
            T::ZERO
        } else if a == b {
            half
        } else {
            T::ONE
        }
    };
    Ok(Var::from(a.value().zip(b.value(), share)?))
}

/// `where`: the mask is the operation's own, the two variables are its inputs.
#[derive(Clone, Debug)]
struct Where {
    mask: Tensor<bool>,
}

impl<T: Float> Op<T, 2> for Where {
    fn name(&self) -> &'static str {
        "where"
    }

    fn forward(&self, [yes, no]: [&Tensor<T>; 2]) -> Result<Tensor<T>> {
        Tensor::where_(&self.mask, yes, no)
    }

    fn vjp(
        &self,
        [yes, no]: [&Var<T>; 2],
        _: &Var<T>,
        g: &Var<T>,
        [wants_yes, wants_no]: [bool; 2],
    ) -> Result<[Option<Var<T>>; 2]> {
        let zero = Var::from(Tensor::scalar(T::ZERO));
        let to_yes = || Var::where_(&self.mask, g, &zero)?.sum_to(yes.shape().clone());
        let to_no = || Var::where_(&self.mask, &zero, g)?.sum_to(no.shape().clone());
        Ok([wants_yes.then(to_yes).transpose()?, wants_no.then(to_no).transpose()?])
    }

    fn reads(&self, _: [bool; 2]) -> Reads<2> {
        Reads::NOTHING
    }

    fn held_bytes(&self) -> usize {
        self.mask.held_bytes()
    }
}

impl<T: Float> Var<T> {
    /// Where the mask is true an element of `yes`, elsewhere one of `no`; all three broadcast.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn where_(mask: &Tensor<bool>, yes: &Var<T>, no: &Var<T>) -> Result<Var<T>> {
        Where { mask: mask.clone() }.apply([yes, no])
    }
}

retrograd_tensor::operators!(Var);
