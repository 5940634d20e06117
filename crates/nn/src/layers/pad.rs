//! Padding layers of 1, 2 and 3 dimensions, from one struct for each kind of border.

use retrograd_autograd::Var;
use retrograd_tensor::{Error, Float, PaddingMode, Result};

use crate::Layer;

/// How wide a border is before and after each of `D` axes, outermost first: made from one number for all sides,
/// or from pairs. A negative number cuts off.
///
/// PyTorch lists the last axis first, `(left, right, top, bottom)`; here that is
/// `[(top, bottom), (left, right)]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Border<const D: usize>(pub [(isize, isize); D]);

impl<const D: usize> From<isize> for Border<D> {
    fn from(all: isize) -> Self {
        Self([(all, all); D])
    }
}

impl<const D: usize> From<[(isize, isize); D]> for Border<D> {
    fn from(sides: [(isize, isize); D]) -> Self {
        Self(sides)
    }
}

/// A constant around the input.
///
/// The last `D` axes of `x` `[…]` grow from H to before + H + after, y`[j]` = x`[j − before]`, or the constant
/// where that does not exist. Negative numbers cut off.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ConstantPad2d.html)
///
/// # Errors
/// An input of fewer axes, or of which more is cut off than there is.
///
/// ```
/// # use retrograd_nn::{ConstantPad1d, Layer, Tensor};
/// let y = ConstantPad1d::new([(2, -1)], 0.5).predict(&Tensor::from([[1.0f32, 2.0, 3.0]]))?;
/// assert_eq!(y, Tensor::from([[0.5, 0.5, 1.0, 2.0]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConstantPad<const D: usize> {
    /// How wide the border is.
    pub border: Border<D>,
    /// What it holds.
    pub value: f64,
}

/// Along sequences `[n, c, length]`.
pub type ConstantPad1d = ConstantPad<1>;
/// Around images `[n, c, height, width]`.
pub type ConstantPad2d = ConstantPad<2>;
/// Around volumes `[n, c, depth, height, width]`.
pub type ConstantPad3d = ConstantPad<3>;

crate::module::no_parameters!(ConstantPad<const D: usize>);

impl<const D: usize> ConstantPad<D> {
    /// A border of `value`, as wide everywhere or as wide as (before, after) says for each axis.
    pub fn new(border: impl Into<Border<D>>, value: f64) -> Self {
        Self { border: border.into(), value }
    }
}

impl<const D: usize, T: Float> Layer<T> for ConstantPad<D> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let Some(others) = x.rank().checked_sub(D) else {
            return Err(Error::new("pad", format!("expected at least {D} axes, found {}", x.shape())));
        };
        let sides: Vec<_> = std::iter::repeat_n((0, 0), others).chain(self.border.0).collect();
        x.pad(&sides, self.value)
    }
}

/// A row: the layer, its three names, its mode, and how many axes before its own the input may have.
macro_rules! borders {
    ($($(#[$doc:meta])* $Type:ident $Type1:ident $Type2:ident $Type3:ident: $mode:expr, $leading:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $Type<const D: usize> {
            /// How wide the border is.
            pub border: Border<D>,
        }

        /// Along sequences `[n, c, length]`.
        pub type $Type1 = $Type<1>;
        /// Around images `[n, c, height, width]`.
        pub type $Type2 = $Type<2>;
        /// Around volumes `[n, c, depth, height, width]`.
        pub type $Type3 = $Type<3>;

        crate::module::no_parameters!($Type<const D: usize>);

        impl<const D: usize> $Type<D> {
            /// A border as wide everywhere, or as wide as (before, after) says for each axis.
            pub fn new(border: impl Into<Border<D>>) -> Self {
                Self { border: border.into() }
            }
        }

        impl<const D: usize, T: Float> Layer<T> for $Type<D> {
            #[track_caller]
            fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
                bordered(x, self.border, $mode, $leading)
            }
        }
    )*};
}

borders! {
    /// Zeros around the input.
    ///
    /// The last `D` axes of `x` `[…]` grow from H to before + H + after, y`[j]` = x`[j − before]`, or 0 where
    /// that does not exist. Negative numbers cut off.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ZeroPad2d.html)
    ///
    /// # Errors
    /// An input of fewer axes, or of which more is cut off than there is.
    ///
    /// ```
    /// # use retrograd_nn::{Layer, Tensor, ZeroPad2d};
    /// let y = ZeroPad2d::new([(0, 1), (2, 0)]).predict(&Tensor::from([[[1.0f32, 2.0], [3.0, 4.0]]]))?;
    /// assert_eq!(y, Tensor::from([[[0.0, 0.0, 1.0, 2.0], [0.0, 0.0, 3.0, 4.0], [0.0; 4]]]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    ZeroPad ZeroPad1d ZeroPad2d ZeroPad3d: PaddingMode::Zeros, 0..=usize::MAX;

    /// The input mirrored at its outermost elements, which are not repeated: c b | a b c d | c b.
    ///
    /// The last `D` axes of `x` `[n, c, …]` (or `[c, …]`) grow from H to before + H + after, y`[j]` = x`[i]`
    /// with i = j − before, −i where that is negative, and 2·(H − 1) − i where it is beyond the end. Negative
    /// numbers cut off.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ReflectionPad2d.html)
    ///
    /// # Errors
    /// An input of other axes, or not longer than each border.
    ///
    /// ```
    /// # use retrograd_nn::{Layer, ReflectionPad1d, Tensor};
    /// let y = ReflectionPad1d::new([(2, 1)]).predict(&Tensor::from([[1.0f32, 2.0, 3.0]]))?;
    /// assert_eq!(y, Tensor::from([[3.0, 2.0, 1.0, 2.0, 3.0, 2.0]]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    ReflectionPad ReflectionPad1d ReflectionPad2d ReflectionPad3d: PaddingMode::Reflect, 1..=2;

    /// The outermost elements of the input repeated: a a | a b c d | d d.
    ///
    /// The last `D` axes of `x` `[n, c, …]` (or `[c, …]`) grow from H to before + H + after, y`[j]` = x`[j −
    /// before]`, or the element nearest to that. Negative numbers cut off.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ReplicationPad2d.html)
    ///
    /// # Errors
    /// An input of other axes or one that is empty, or of which nothing is left.
    ///
    /// ```
    /// # use retrograd_nn::{Layer, ReplicationPad1d, Tensor};
    /// let y = ReplicationPad1d::new([(2, 1)]).predict(&Tensor::from([[1.0f32, 2.0, 3.0]]))?;
    /// assert_eq!(y, Tensor::from([[1.0, 1.0, 1.0, 2.0, 3.0, 3.0]]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    ReplicationPad ReplicationPad1d ReplicationPad2d ReplicationPad3d: PaddingMode::Replicate, 1..=2;

    /// The input wrapped around: c d | a b c d | a b.
    ///
    /// The last `D` axes of `x` `[n, c, …]` (or `[c, …]`) grow from H to before + H + after, y`[j]` = x`[(j −
    /// before) mod H]`. Negative numbers cut off first, so that H is what is left.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.CircularPad2d.html)
    ///
    /// # Errors
    /// An input of other axes, or shorter than a border, which would go around more than once.
    ///
    /// ```
    /// # use retrograd_nn::{CircularPad1d, Layer, Tensor};
    /// let y = CircularPad1d::new([(2, 1)]).predict(&Tensor::from([[1.0f32, 2.0, 3.0]]))?;
    /// assert_eq!(y, Tensor::from([[2.0, 3.0, 1.0, 2.0, 3.0, 1.0]]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    CircularPad CircularPad1d CircularPad2d CircularPad3d: PaddingMode::Circular, 1..=2;
}

#[track_caller]
fn bordered<const D: usize, T: Float>(
    x: &Var<T>,
    border: Border<D>,
    mode: PaddingMode,
    leading: std::ops::RangeInclusive<usize>,
) -> Result<Var<T>> {
    match x.rank().checked_sub(D) {
        Some(others) if leading.contains(&others) => x.pad_with(&border.0, mode),
        _ if mode == PaddingMode::Zeros => {
            Err(Error::new("pad", format!("expected at least {D} axes, found {}", x.shape())))
        }
        _ => {
            let fact = format!("expected {} or {} axes, found {}: {}", D + 1, D + 2, x.rank(), x.shape());
            Err(Error::new("pad", fact))
        }
    }
}
