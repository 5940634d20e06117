//! Linear operations: each owes its adjoint, which is linear again, and nothing else.
//!
//! ⟨A·x, y⟩ = ⟨x, Aᵀ·y⟩, so the pullback of A is Aᵀ, whose pullback is A: `sum_to` and `broadcast_to`, `slice`
//! and `unslice`, `gather` and `scatter_add`, `permute` and its inverse.

use retrograd_tensor::{Axes, Float, Reduced, Result, Shape, Slice, Tensor};
use smallvec::SmallVec;

use crate::Var;
use crate::op::{Op, Reads};

/// A linear map of tensors.
pub(crate) trait Linear<T: Float>: 'static {
    /// The adjoint, again linear.
    type Adjoint: Linear<T>;
    /// The name that messages and drawings use.
    const NAME: &'static str;
    /// A·x.
    #[track_caller]
    fn map(&self, x: &Tensor<T>) -> Result<Tensor<T>>;
    /// Aᵀ, for an input of shape `x`.
    fn adjoint(&self, x: &Shape) -> Self::Adjoint;
    /// See [`Op::held_bytes`].
    fn held_bytes(&self) -> usize {
        0
    }
}

/// A [`Linear`] map as an operation.
pub(crate) struct Map<L>(pub(crate) L);

impl<T: Float, L: Linear<T>> Op<T, 1> for Map<L> {
    fn name(&self) -> &'static str {
        L::NAME
    }

    fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
        self.0.map(x)
    }

    fn vjp(&self, [x]: [&Var<T>; 1], _: &Var<T>, g: &Var<T>, _: [bool; 1]) -> Result<[Option<Var<T>>; 1]> {
        Ok([Some(Map(self.0.adjoint(x.shape())).apply([g])?)])
    }

    fn reads(&self, _: [bool; 1]) -> Reads<1> {
        Reads::NOTHING
    }

    fn held_bytes(&self) -> usize {
        self.0.held_bytes()
    }
}

/// A row: type with its settings, name, map, adjoint.
macro_rules! linear {
    ($($(#[$doc:meta])* $Type:ident { $($setting:ident: $S:ty),* } $name:literal:
        |$this:ident, $x:ident| $map:expr; $Adjoint:ident |$that:pat_param, $shape:pat_param| $adjoint:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(crate) struct $Type { $(pub(crate) $setting: $S),* }

        impl<T: Float> Linear<T> for $Type {
            type Adjoint = $Adjoint;
            const NAME: &'static str = $name;

            fn map(&self, $x: &Tensor<T>) -> Result<Tensor<T>> {
                let $this = self;
                $map
            }

            fn adjoint(&self, shape: &Shape) -> $Adjoint {
                let ($that, $shape) = (self, shape);
                $adjoint
            }

            fn held_bytes(&self) -> usize {
                0 $(+ self.$setting.held_bytes())*
            }
        }
    )*};
}

linear! {
    /// Σ over the axes that broadcasting from `shape` adds or repeats.
    SumTo { shape: Shape } "sum_to":
        |a, x| x.sum_to(&a.shape);
        BroadcastTo |_, whole| BroadcastTo { shape: whole.clone() };

    /// Repeated to `shape`.
    BroadcastTo { shape: Shape } "broadcast_to":
        |a, x| x.broadcast_to(&a.shape);
        SumTo |_, part| SumTo { shape: part.clone() };

    /// The same elements in another shape.
    Reshape { shape: Shape } "reshape":
        |a, x| x.reshape_to(&a.shape);
        Reshape |_, before| Reshape { shape: before.clone() };

    /// The axes in another order.
    Permute { order: SmallVec<[isize; 5]> } "permute":
        |a, x| x.permute(&a.order);
        Permute |a, shape| Permute { order: inverse(&a.order, shape.len()) };

    /// The positions that ranges choose.
    Select { ranges: SmallVec<[Slice; 5]> } "slice":
        |a, x| x.slice(&a.ranges);
        Unselect |a, whole| Unselect { whole: whole.clone(), ranges: a.ranges.clone() };

    /// Zeros but for the positions that ranges choose.
    Unselect { whole: Shape, ranges: SmallVec<[Slice; 5]> } "unslice":
        |a, x| x.unslice(&a.whole, &a.ranges);
        Select |a, _| Select { ranges: a.ranges.clone() };

    /// The slices at some positions of an axis.
    IndexSelect { axis: isize, index: Tensor<i64> } "index_select":
        |a, x| x.index_select(a.axis, &a.index);
        IndexAdd |a, whole| IndexAdd { whole: whole.clone(), axis: a.axis, index: a.index.clone() };

    /// Slices added into zeros at some positions of an axis.
    IndexAdd { whole: Shape, axis: isize, index: Tensor<i64> } "index_add":
        |a, x| Tensor::index_add_zeros(&a.whole, a.axis, &a.index, x);
        IndexSelect |a, _| IndexSelect { axis: a.axis, index: a.index.clone() };

    /// The elements that an index names along an axis.
    Gather { axis: isize, index: Tensor<i64> } "gather":
        |a, x| x.gather(a.axis, &a.index);
        Scatter |a, whole| Scatter { whole: whole.clone(), axis: a.axis, index: a.index.clone() };

    /// Elements added into zeros where an index names.
    Scatter { whole: Shape, axis: isize, index: Tensor<i64> } "scatter_add":
        |a, x| Tensor::scatter_add_zeros(&a.whole, a.axis, &a.index, x);
        Gather |a, _| Gather { axis: a.axis, index: a.index.clone() };
}

pub(super) use linear;

/// Bytes of tensors among an operation's settings.
pub(super) trait Held {
    fn held_bytes(&self) -> usize {
        0
    }
}

impl Held for bool {}
impl Held for isize {}
impl Held for usize {}
impl Held for Axes {}
impl Held for Shape {}
impl<A: smallvec::Array> Held for SmallVec<A> {}
impl Held for Tensor<i64> {
    fn held_bytes(&self) -> usize {
        Tensor::held_bytes(self)
    }
}

fn inverse(order: &[isize], rank: usize) -> SmallVec<[isize; 5]> {
    let mut inverse = SmallVec::from_elem(0, rank);
    for (i, &axis) in order.iter().enumerate() {
        inverse[axis.rem_euclid(rank as isize) as usize] = i as isize;
    }
    inverse
}

impl<T: Float> Var<T> {
    /// Summed to `shape`, over every axis that broadcasting from `shape` would add or repeat.
    ///
    /// # Errors
    /// If `shape` does not broadcast to this variable's.
    #[track_caller]
    pub fn sum_to(&self, shape: impl Into<Shape>) -> Result<Var<T>> {
        let shape = shape.into();
        if shape == *self.shape() {
            return Ok(self.clone());
        }
        Map(SumTo { shape }).apply([self])
    }

    /// Repeated to `shape`.
    ///
    /// # Errors
    /// If this variable's shape does not broadcast to `shape`.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Result<Var<T>> {
        let shape = shape.into();
        if shape == *self.shape() {
            return Ok(self.clone());
        }
        Map(BroadcastTo { shape }).apply([self])
    }

    /// Repeated to `extents`; −1 keeps the extent that the variable has there.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html)
    ///
    /// # Errors
    /// If the shape does not broadcast to `extents`, or −1 stands for an axis that the variable does not have.
    #[track_caller]
    pub fn expand(&self, extents: &[isize]) -> Result<Var<T>> {
        self.broadcast_to(self.shape().expanded(extents)?)
    }

    /// Σ x over `axes` (one, an array of them, or `..` for all); 0 over none.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn sum(&self, axes: impl Into<Axes>) -> Result<Var<T>> {
        self.summed(axes.into().reduce("sum", self.shape())?)
    }

    /// The mean over `axes`; NaN over none.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn mean(&self, axes: impl Into<Axes>) -> Result<Var<T>> {
        let reduced = axes.into().reduce("mean", self.shape())?;
        let count = self.numel() as f64 / reduced.kept.numel() as f64;
        Ok(self.summed(reduced)?.divide(count))
    }

    #[track_caller]
    fn summed(&self, reduced: Reduced) -> Result<Var<T>> {
        match reduced.shape.is_empty() {
            true => self.sum_to(reduced.shape),
            false => self.sum_to(reduced.kept)?.reshaped(reduced.shape),
        }
    }

    /// The same elements in another shape; one extent may be −1, which stands for what the others leave.
    ///
    /// # Errors
    /// If the shapes have different numbers of elements.
    #[track_caller]
    pub fn reshape(&self, extents: &[isize]) -> Result<Var<T>> {
        self.moved(self.value().reshape(extents)?)
    }

    /// The axes `start` to the last merged into one: `[64, 16, 5, 5]` from 1 becomes `[64, 400]`.
    ///
    /// # Errors
    /// If the axis does not exist.
    #[track_caller]
    pub fn flatten(&self, start: isize) -> Result<Var<T>> {
        self.moved(self.value().flatten(start)?)
    }

    /// The axes `start` to `end` (included) merged into one.
    ///
    /// # Errors
    /// If an axis does not exist, or `end` comes before `start`.
    #[track_caller]
    pub fn flatten_range(&self, start: isize, end: isize) -> Result<Var<T>> {
        self.moved(self.value().flatten_range(start, end)?)
    }

    /// A new axis of extent 1 before `axis` (counted in the result).
    ///
    /// # Errors
    /// If the result has no such axis.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Result<Var<T>> {
        self.moved(self.value().unsqueeze(axis)?)
    }

    /// Without those of `axes` (one, an array of them, or `..` for all) whose extent is 1.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn squeeze(&self, axes: impl Into<Axes>) -> Result<Var<T>> {
        self.moved(self.value().squeeze(axes)?)
    }

    #[track_caller]
    pub(crate) fn reshaped(&self, shape: Shape) -> Result<Var<T>> {
        self.moved(self.value().reshape_to(shape)?)
    }

    /// The variable as `y`, which has the same elements in another shape.
    #[track_caller]
    fn moved(&self, y: Tensor<T>) -> Result<Var<T>> {
        if y.shape() == self.shape() {
            return Ok(self.clone());
        }
        Map(Reshape { shape: y.shape().clone() }).apply_to([self], y)
    }

    /// The axes in another order: result axis i is axis `order[i]`.
    ///
    /// # Errors
    /// If `order` does not name every axis once.
    #[track_caller]
    pub fn permute(&self, order: &[isize]) -> Result<Var<T>> {
        Map(Permute { order: order.into() }).apply([self])
    }

    /// Two axes exchanged.
    ///
    /// # Errors
    /// If an axis does not exist.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Result<Var<T>> {
        let (a, b) = (self.shape().axis("transpose", a)?, self.shape().axis("transpose", b)?);
        let mut order: SmallVec<[isize; 5]> = (0..self.rank() as isize).collect();
        order.swap(a, b);
        Map(Permute { order }).apply([self])
    }

    /// The positions that `ranges` choose, one range an axis, the last axes whole where ranges are missing.
    ///
    /// # Errors
    /// If there are more ranges than axes, or a step is 0.
    #[track_caller]
    pub fn slice(&self, ranges: &[Slice]) -> Result<Var<T>> {
        Map(Select { ranges: ranges.into() }).apply([self])
    }

    /// The slices along `axis` at the positions in `index` (a vector), in that order.
    ///
    /// # Errors
    /// If the axis does not exist, `index` is not a vector, or a position lies outside the axis.
    #[track_caller]
    pub fn index_select(&self, axis: isize, index: &Tensor<i64>) -> Result<Var<T>> {
        Map(IndexSelect { axis, index: index.clone() }).apply([self])
    }

    /// The elements along `axis` that `index` names: `y[i][j] = x[index[i][j]][j]` for axis 0 of a matrix.
    ///
    /// # Errors
    /// If the axis does not exist, the shapes do not fit, or a position lies outside the axis.
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Tensor<i64>) -> Result<Var<T>> {
        Map(Gather { axis, index: index.clone() }).apply([self])
    }

    /// `self` with the slices of `source` along `axis` added at the positions in `index` (a vector); repeated
    /// positions add up.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_add_.html)
    ///
    /// # Errors
    /// If the axis does not exist, the shapes do not fit, or a position lies outside the axis.
    #[track_caller]
    pub fn index_add(&self, axis: isize, index: &Tensor<i64>, source: &Var<T>) -> Result<Var<T>> {
        let added =
            Map(IndexAdd { whole: self.shape().clone(), axis, index: index.clone() }).apply([source])?;
        self.add(&added)
    }

    /// `self` with each element of `source` added at the position along `axis` that `index` names.
    ///
    /// # Errors
    /// If the axis does not exist, the shapes do not fit, or a position lies outside the axis.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, index: &Tensor<i64>, source: &Var<T>) -> Result<Var<T>> {
        let scattered =
            Map(Scatter { whole: self.shape().clone(), axis, index: index.clone() }).apply([source])?;
        self.add(&scattered)
    }
}
