//! Operations on one element at a time, broadcasting where there are two or three operands.
//!
//! Operands are aligned at their last axis; an extent of 1 is repeated. Axes over which all operands advance
//! alike are merged, so that the inner loop is as long as can be and each operand advances in it by one element
//! or by none.

use smallvec::SmallVec;

use crate::element::{larger, sign, smaller};
use crate::par;
use crate::simd::dispatch;
use crate::tensor::addressable;
use crate::{Element, Error, Float, Result, Shape, Tensor};

impl<T: Element> Tensor<T> {
    /// `f` of every element. Marked `#[inline(always)]`, `f` is compiled for the widest vectors that the
    /// machine has (see [`simd::dispatch`](crate::simd::dispatch)).
    pub fn map<U: Element>(&self, f: impl Fn(T) -> U + Sync) -> Tensor<U> {
        let x = self.as_slice();
        Tensor::written(self.shape().clone(), |y| {
            par::rows(y, 1, 1, |first, y| {
                let x = &x[first..][..y.len()];
                dispatch(
                    #[inline(always)]
                    || {
                        for (y, &x) in y.iter_mut().zip(x) {
                            *y = f(x);
                        }
                    },
                )
            });
        })
    }

    /// `f` of every pair of elements, broadcasting.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn zip<B: Element, U: Element>(
        &self,
        other: &Tensor<B>,
        f: impl Fn(T, B) -> U + Sync,
    ) -> Result<Tensor<U>> {
        self.zip_as("zip", other, f)
    }

    #[inline]
    #[track_caller]
    pub(crate) fn zip_as<B: Element, U: Element>(
        &self,
        op: &'static str,
        other: &Tensor<B>,
        f: impl Fn(T, B) -> U + Sync,
    ) -> Result<Tensor<U>> {
        match (self.as_slice(), other.as_slice()) {
            (&[a], &[b]) if self.shape() == other.shape() => {
                Ok(Tensor::single(self.shape().clone(), f(a, b)))
            }
            _ => self.zip_rows(op, other, f),
        }
    }

    #[track_caller]
    fn zip_rows<B: Element, U: Element>(
        &self,
        op: &'static str,
        other: &Tensor<B>,
        f: impl Fn(T, B) -> U + Sync,
    ) -> Result<Tensor<U>> {
        let plan = Broadcast::new::<U>(op, [self.shape(), other.shape()])?;
        if let Some(long) = plan.lengthened(self, 0) {
            return long.zip_rows(op, other, f);
        }
        if let Some(long) = plan.lengthened(other, 1) {
            return self.zip_rows(op, &long, f);
        }
        let (a, b) = (self.as_slice(), other.as_slice());
        let f = &f;
        Ok(Tensor::written(plan.shape.clone(), |y| {
            plan.rows(
                y,
                #[inline(always)]
                |y, [i, j]| match plan.advance {
                    [1, 1] => write(
                        y,
                        a[i..][..y.len()].iter().zip(&b[j..][..y.len()]),
                        #[inline(always)]
                        |(&a, &b)| f(a, b),
                    ),
                    [1, _] => write(
                        y,
                        &a[i..][..y.len()],
                        #[inline(always)]
                        |&a| f(a, b[j]),
                    ),
                    [_, 1] => write(
                        y,
                        &b[j..][..y.len()],
                        #[inline(always)]
                        |&b| f(a[i], b),
                    ),
                    _ => y.fill(f(a[i], b[j])),
                },
            );
        }))
    }

    /// Where the mask is true an element of `self`, elsewhere one of `other`; all three broadcast.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn where_(mask: &Tensor<bool>, yes: &Tensor<T>, no: &Tensor<T>) -> Result<Tensor<T>> {
        let plan = Broadcast::new::<T>("where", [mask.shape(), yes.shape(), no.shape()])?;
        let (mask, yes, no) = (mask.as_slice(), yes.as_slice(), no.as_slice());
        Ok(Tensor::written(plan.shape.clone(), |y| {
            plan.rows(
                y,
                #[inline(always)]
                |y, [m, i, j]| match plan.advance {
                    // Both candidates are read before one is chosen, so that the loop has no branch.
                    [1, 1, 1] => write(
                        y,
                        mask[m..][..y.len()].iter().zip(&yes[i..][..y.len()]).zip(&no[j..][..y.len()]),
                        #[inline(always)]
                        |((&mask, &yes), &no)| if mask { yes } else { no },
                    ),
                    [1, 1, _] => {
                        let no = no[j];
                        write(
                            y,
                            mask[m..][..y.len()].iter().zip(&yes[i..][..y.len()]),
                            #[inline(always)]
                            |(&mask, &yes)| if mask { yes } else { no },
                        )
                    }
                    [1, _, 1] => {
                        let yes = yes[i];
                        write(
                            y,
                            mask[m..][..y.len()].iter().zip(&no[j..][..y.len()]),
                            #[inline(always)]
                            |(&mask, &no)| if mask { yes } else { no },
                        )
                    }
                    [1, ..] => {
                        let (yes, no) = (yes[i], no[j]);
                        write(
                            y,
                            &mask[m..][..y.len()],
                            #[inline(always)]
                            |&mask| if mask { yes } else { no },
                        )
                    }
                    [_, yes_advance, _] if mask[m] => repeat(y, &yes[i..], yes_advance),
                    [_, _, no_advance] => repeat(y, &no[j..], no_advance),
                },
            );
        }))
    }

    /// Where two tensors hold equal elements.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn eq(&self, other: &Self) -> Result<Tensor<bool>> {
        self.zip_as("eq", other, |a, b| a == b)
    }

    /// Where two tensors hold different elements.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn ne(&self, other: &Self) -> Result<Tensor<bool>> {
        self.zip_as("ne", other, |a, b| a != b)
    }

    /// Where an element of `self` is less than one of `other`.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn lt(&self, other: &Self) -> Result<Tensor<bool>> {
        self.zip_as("lt", other, |a, b| a < b)
    }

    /// Where an element of `self` is less than or equal to one of `other`.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn le(&self, other: &Self) -> Result<Tensor<bool>> {
        self.zip_as("le", other, |a, b| a <= b)
    }

    /// Where an element of `self` is greater than one of `other`.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn gt(&self, other: &Self) -> Result<Tensor<bool>> {
        self.zip_as("gt", other, |a, b| a > b)
    }

    /// Where an element of `self` is greater than or equal to one of `other`.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn ge(&self, other: &Self) -> Result<Tensor<bool>> {
        self.zip_as("ge", other, |a, b| a >= b)
    }

    /// `value` where the mask is true, elsewhere the tensor's elements; the mask broadcasts to the tensor.
    ///
    /// # Errors
    /// If the mask's shape does not broadcast to the tensor's.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor<bool>, value: T) -> Result<Self> {
        if mask.shape().broadcast("masked_fill", self.shape())? != *self.shape() {
            return Err(Error::new(
                "masked_fill",
                format!("mask {} does not broadcast to {}", mask.shape(), self.shape()),
            ));
        }
        Tensor::where_(mask, &Tensor::scalar(value), self)
    }

    /// The tensor repeated to `extents`; −1 keeps the extent that the tensor has there.
    ///
    /// # Errors
    /// If the shape does not broadcast to `extents`, or −1 stands for an axis that the tensor does not have.
    #[track_caller]
    pub fn expand(&self, extents: &[isize]) -> Result<Self> {
        self.broadcast_to(self.shape().expanded(extents)?)
    }

    /// The tensor repeated to `shape`.
    ///
    /// # Errors
    /// If the tensor's shape does not broadcast to `shape`, or there is no room for the result.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = addressable::<T>("broadcast_to", shape.into())?;
        if *self.shape() == shape {
            return Ok(self.clone());
        }
        let plan = Broadcast::new::<T>("broadcast_to", [self.shape(), &shape])?;
        if plan.shape != shape {
            return Err(Error::new(
                "broadcast_to",
                format!("{} does not broadcast to {shape}", self.shape()),
            ));
        }
        let x = self.as_slice();
        Ok(Tensor::written(shape, |y| {
            plan.rows(
                y,
                #[inline(always)]
                |y, [i, _]| repeat(y, &x[i..], plan.advance[0]),
            );
        }))
    }
}

impl<T: Float> Tensor<T> {
    /// As [`map`](Self::map), in the tensor's own memory unless that is shared.
    pub fn into_map(mut self, f: impl Fn(T) -> T + Sync) -> Self {
        if !self.is_unique() {
            return self.map(f);
        }
        par::rows(self.make_mut(), 1, 1, |_, x| {
            let f = &f;
            dispatch(
                #[inline(always)]
                || x.iter_mut().for_each(|x| *x = f(*x)),
            )
        });
        self
    }

    /// As [`zip`](Self::zip) with a tensor of the same shape, in the tensor's own memory unless that is shared.
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn into_zip(mut self, other: &Self, f: impl Fn(T, T) -> T + Sync) -> Result<Self> {
        if self.is_unique() || self.shape() != other.shape() {
            self.update_as("zip", other, f)?;
            return Ok(self);
        }
        self.zip(other, f)
    }

    /// `f` of every three elements of tensors of one shape.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn zip3(&self, b: &Self, c: &Self, f: impl Fn(T, T, T) -> T + Sync) -> Self {
        assert!(self.shape() == b.shape() && self.shape() == c.shape(), "zip3 takes one shape");
        let (a, b, c) = (self.as_slice(), b.as_slice(), c.as_slice());
        Tensor::written(self.shape().clone(), |y| {
            par::rows(y, 1, 1, |at, y| {
                let (a, b, c) = (&a[at..][..y.len()], &b[at..][..y.len()], &c[at..][..y.len()]);
                let f = &f;
                dispatch(
                    #[inline(always)]
                    || {
                        write(
                            y,
                            a.iter().zip(b).zip(c),
                            #[inline(always)]
                            |((&a, &b), &c)| f(a, b, c),
                        )
                    },
                )
            });
        })
    }

    /// Replaces every element x by `f`(x, b), b the element of `other` at its place; in place unless it is
    /// shared.
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn update(&mut self, other: &Self, f: impl Fn(T, T) -> T + Sync) -> Result<()> {
        self.update_as("update", other, f)
    }

    #[inline]
    #[track_caller]
    fn update_as(&mut self, op: &'static str, other: &Self, f: impl Fn(T, T) -> T + Sync) -> Result<()> {
        if self.shape() != other.shape() {
            return Err(Error::new(op, format!("shapes differ: {} and {}", self.shape(), other.shape())));
        }
        let b = other.as_slice();
        if let (&[a], &[b]) = (self.as_slice(), b) {
            *self = Tensor::single(self.shape().clone(), f(a, b));
            return Ok(());
        }
        par::rows(self.make_mut(), 1, 1, |first, x| {
            let b = &b[first..][..x.len()];
            let f = &f;
            dispatch(
                #[inline(always)]
                || {
                    for (x, &b) in x.iter_mut().zip(b) {
                        *x = f(*x, b);
                    }
                },
            )
        });
        Ok(())
    }

    /// Replaces every element x, and the elements s of `state` at its place, by what `f`(x, s, g) returns, g
    /// the element of `g`; in one pass, and in place unless they are shared. With its settings moved into it,
    /// and marked `#[inline(always)]`, `f` is compiled for the widest vectors that the machine has.
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn update_with<const N: usize>(
        &mut self,
        state: [&mut Self; N],
        g: &Self,
        f: impl Fn(T, [T; N], T) -> (T, [T; N]) + Sync + Copy,
    ) -> Result<()> {
        for other in state.iter().map(|state| state.shape()).chain([g.shape()]) {
            if other != self.shape() {
                return Err(Error::new("update", format!("shapes differ: {} and {other}", self.shape())));
            }
        }
        // Half the cost of other elements: what one core has in its cache, the parameters of a small model, another
        // core takes longer to fetch than the first to update.
        let piece = 2 * par::each(self.numel().div_ceil(2), 1);
        let mut state = state.map(|state| state.make_mut().chunks_mut(piece));
        let pieces = self.make_mut().chunks_mut(piece).zip(g.as_slice().chunks(piece));
        let mut pieces: SmallVec<[_; 4]> = pieces
            .map(|(x, g)| (x, state.each_mut().map(|state| state.next().unwrap_or_default()), g))
            .collect();
        par::chunks(&mut pieces, 1, |_, piece| {
            for (x, state, g) in piece {
                dispatch(
                    #[inline(always)]
                    || update_piece(x, state, g, f),
                )
            }
        });
        Ok(())
    }

    /// Adds `other` to this tensor, in place unless it is shared.
    ///
    /// # Errors
    /// If the shapes differ.
    #[track_caller]
    pub fn accumulate(&mut self, other: &Self) -> Result<()> {
        self.update_as(
            "accumulate",
            other,
            #[inline(always)]
            |a, b| a + b,
        )
    }
}

/// Functions of two elements: the name and the formula.
macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident: |$a:ident, $b:ident| $value:expr;)*) => {
        impl<T: Float> Tensor<T> {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// If the shapes do not broadcast.
            #[inline]
            #[track_caller]
            pub fn $name(&self, other: &Self) -> Result<Self> {
                self.zip_as(stringify!($name), other, #[inline(always)] |$a, $b| $value)
            }
        )*}
    };
}

binary! {
    /// a + b.
    add: |a, b| a + b;
    /// a − b.
    sub: |a, b| a - b;
    /// a·b, element by element.
    mul: |a, b| a * b;
    /// a/b.
    div: |a, b| a / b;
    /// aᵇ.
    pow: |a, b| a.powf(b);
    /// The larger of a and b; NaN if one is.
    maximum: |a, b| larger(a, b);
    /// The smaller of a and b; NaN if one is.
    minimum: |a, b| smaller(a, b);
}

crate::operators!(Tensor);

/// Functions of one element: the name, settings, and the formula.
macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident($($setting:ident),*): |$x:ident| $value:expr;)*) => {
        impl<T: Float> Tensor<T> {$(
            $(#[$doc])*
            pub fn $name(&self $(, $setting: f64)*) -> Self {
                $(let $setting = T::from_f64($setting);)*
                self.map(#[inline(always)] move |$x| $value)
            }
        )*}
    };
}

unary! {
    /// −x.
    neg(): |x| -x;
    /// `factor`·x.
    scale(factor): |x| x * factor;
    /// x/`divisor`.
    divide(divisor): |x| x / divisor;
    /// x + `term`.
    shift(term): |x| x + term;
    /// 1/x.
    reciprocal(): |x| T::ONE / x;
    /// |x|.
    abs(): |x| x.abs();
    /// x².
    square(): |x| x * x;
    /// −1, 0 or 1, as the sign of x; NaN stays NaN.
    sign(): |x| sign(x);
    /// √x.
    sqrt(): |x| x.sqrt();
    /// 1/√x.
    rsqrt(): |x| T::ONE / x.sqrt();
    /// xᵃ for a constant exponent a.
    powf(exponent): |x| x.powf(exponent);
    /// eˣ.
    exp(): |x| x.exp();
    /// eˣ − 1, exact near 0.
    exp_m1(): |x| x.exp_m1();
    /// The natural logarithm.
    ln(): |x| x.ln();
    /// The logarithm to base 2.
    log2(): |x| x.log2();
    /// The logarithm to base 10.
    log10(): |x| x.log10();
    /// ln(1 + x), exact near 0.
    ln_1p(): |x| x.ln_1p();
    /// The sine.
    sin(): |x| x.sin();
    /// The cosine.
    cos(): |x| x.cos();
    /// The tangent.
    tan(): |x| x.tan();
    /// The arc tangent, in (−π/2, π/2).
    atan(): |x| x.atan();
    /// The hyperbolic sine.
    sinh(): |x| x.sinh();
    /// The hyperbolic cosine.
    cosh(): |x| x.cosh();
    /// The error function 2/√π·∫₀ˣ e^(−t²) dt.
    erf(): |x| x.erf();
    /// The hyperbolic tangent.
    tanh(): |x| x.tanh();
    /// The logistic function 1/(1 + e⁻ˣ).
    sigmoid(): |x| x.sigmoid();
    /// max(0, x); NaN stays NaN.
    relu(): |x| if x <= T::ZERO { T::ZERO } else { x };
    /// ⌊x⌋.
    floor(): |x| x.floor();
    /// ⌈x⌉.
    ceil(): |x| x.ceil();
    /// The nearest integer, halves to the even one.
    round(): |x| x.round_ties_even();
    /// Every element limited to [`low`, `high`], and `high` where the bounds are crossed; NaN stays NaN.
    clamp(low, high): |x| {
        let x = if x < low { low } else { x };
        if x > high { high } else { x }
    };
}

/// Writes `f` of each item to `out`, which the items must cover.
#[inline(always)]
fn write<T, I: IntoIterator>(out: &mut [T], items: I, f: impl Fn(I::Item) -> T) {
    let items = items.into_iter();
    debug_assert!(items.size_hint().0 >= out.len(), "an element of the result is not written");
    for (y, item) in out.iter_mut().zip(items) {
        *y = f(item);
    }
}

/// The loop of [`Tensor::update_with`]. Its slices are cut to one length and, as the formula, its own, so that
/// nothing is checked or read anew at each element.
#[inline(always)]
fn update_piece<T: Float, const N: usize>(
    x: &mut [T],
    state: &mut [&mut [T]; N],
    g: &[T],
    f: impl Fn(T, [T; N], T) -> (T, [T; N]),
) {
    let len = x.len();
    let (g, state) = (&g[..len], state.each_mut().map(|state| &mut state[..len]));
    for i in 0..len {
        let (new, next) = f(x[i], std::array::from_fn(|n| state[n][i]), g[i]);
        x[i] = new;
        for n in 0..N {
            state[n][i] = next[n];
        }
    }
}

/// Writes a row of an operand that advances by `advance`, and of which `row` is what remains.
#[inline(always)]
fn repeat<T: Copy>(out: &mut [T], row: &[T], advance: usize) {
    match advance {
        1 => out.copy_from_slice(&row[..out.len()]),
        _ => out.fill(row[0]),
    }
}

/// How `N` operands advance together over the shape that they broadcast to.
struct Broadcast<const N: usize> {
    shape: Shape,
    /// Extent and strides of every merged axis but the last, outermost first.
    outer: SmallVec<[(usize, [usize; N]); 4]>,
    /// Extent of the last merged axis, and by how much each operand advances in it: 0 or 1.
    inner: usize,
    advance: [usize; N],
}

impl<const N: usize> Broadcast<N> {
    /// For a result whose elements are `U`.
    #[track_caller]
    fn new<U: Element>(op: &'static str, operands: [&Shape; N]) -> Result<Self> {
        let mut shape = operands[0].clone();
        for other in &operands[1..] {
            shape = shape.broadcast(op, other)?;
        }
        let shape = addressable::<U>(op, shape)?;
        let strides = operands.map(Shape::strides);
        let mut merged: SmallVec<[(usize, [usize; N]); 4]> = SmallVec::new();
        for (axis, &extent) in shape.iter().enumerate().filter(|&(_, &extent)| extent != 1) {
            let stride = std::array::from_fn(|n| match (axis + operands[n].len()).checked_sub(shape.len()) {
                Some(own) if operands[n][own] != 1 => strides[n][own],
                _ => 0,
            });
            match merged.last_mut() {
                Some((outer, last)) if (0..N).all(|n| last[n] == stride[n] * extent) => {
                    (*outer, *last) = (*outer * extent, stride);
                }
                _ => merged.push((extent, stride)),
            }
        }
        let (inner, advance) = merged.pop().unwrap_or((1, [0; N]));
        Ok(Self { shape, outer: merged, inner, advance })
    }

    /// An operand repeated within its rows, if these are short and gone through again and again, as those of a
    /// bias are by small images: rows become as long as it is.
    fn lengthened<T: Element>(&self, operand: &Tensor<T>, n: usize) -> Option<Tensor<T>> {
        const SHORT: usize = 64;
        const AGAIN: usize = 4;
        if self.inner >= SHORT || self.advance[n] != 0 {
            return None;
        }
        let own = operand.shape().iter().skip_while(|&&extent| extent == 1).count();
        let rows: Shape = self.shape[self.shape.len() - own..].iter().copied().collect();
        let pays = rows.numel() > self.inner && self.shape.numel() >= AGAIN * rows.numel();
        pays.then(|| operand.broadcast_to(rows).ok()).flatten()
    }

    /// Calls `work` with each row of `out` and where each operand's row begins, compiled for the widest
    /// vectors if it is `#[inline(always)]`.
    fn rows<U: Send>(&self, out: &mut [U], work: impl Fn(&mut [U], [usize; N]) + Sync) {
        let work = &work;
        let Some((&(extent, stride), _)) = self.outer.split_last() else {
            // One row: cut it into pieces.
            return par::rows(out, 1, 1, |first, piece| {
                let offsets = self.advance.map(|advance| first * advance);
                dispatch(
                    #[inline(always)]
                    || work(piece, offsets),
                );
            });
        };
        par::rows(out, self.inner, self.inner, |first, rows| {
            let mut rows = rows.chunks_mut(self.inner.max(1));
            let mut row = first;
            dispatch(
                #[inline(always)]
                || {
                    // Rows may be short: only where a run along the last outer axis begins is worth
                    // divisions.
                    while rows.len() > 0 {
                        let run = extent - row % extent;
                        let mut offsets = self.offsets(row);
                        for out in rows.by_ref().take(run) {
                            work(out, offsets);
                            for (offset, stride) in offsets.iter_mut().zip(stride) {
                                *offset += stride;
                            }
                        }
                        row += run;
                    }
                },
            );
        });
    }

    fn offsets(&self, mut row: usize) -> [usize; N] {
        let mut offsets = [0; N];
        for (extent, stride) in self.outer.iter().rev() {
            let at = row % extent;
            row /= extent;
            for n in 0..N {
                offsets[n] += at * stride[n];
            }
        }
        offsets
    }
}
