//! Matrix products of tensors, batched and broadcasting.

use crate::gemm::{MatMut, MatRef, Write};
use crate::tensor::addressable;
use crate::{Error, Float, Result, Shape, Tensor};

/// Which operands of a product of matrices are taken transposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Transposed {
    /// The left one.
    pub a: bool,
    /// The right one.
    pub b: bool,
}

impl<T: Float> Tensor<T> {
    /// The product of the last two axes, `[m, k]` · `[k, n]` → `[m, n]`; the axes before are batches and
    /// broadcast. A vector is a row on the left and a column on the right, and its axis is left out of the
    /// result.
    ///
    /// # Errors
    /// If an operand is a scalar, the inner dimensions differ, or the batches do not broadcast.
    #[track_caller]
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        match (self.rank(), other.rank()) {
            (0, _) | (_, 0) => {
                let (a, b) = (self.shape(), other.shape());
                Err(Error::new("matmul", format!("expected at least one axis each, found {a} · {b}")))
            }
            (1, 1) => self.unsqueeze(0)?.product(&other.unsqueeze(1)?, Transposed::default())?.reshape(&[]),
            (1, 2..) => self.unsqueeze(0)?.product(other, Transposed::default())?.squeeze(-2),
            (2.., 1) => self.product(&other.unsqueeze(1)?, Transposed::default())?.squeeze(-1),
            _ => self.product(other, Transposed::default()),
        }
    }

    /// The product of matrices, or batches of them, with either transposed (its last two axes exchanged) on the
    /// fly.
    ///
    /// # Errors
    /// If an operand has fewer than two axes, the inner dimensions differ, or the batches do not broadcast.
    #[track_caller]
    pub fn product(&self, other: &Self, transposed: Transposed) -> Result<Self> {
        let (a, b) = (self.shape(), other.shape());
        let Some(((batch_a, [am, ak]), (batch_b, [bk, bn]))) = a.split_last_chunk().zip(b.split_last_chunk())
        else {
            return Err(Error::new("matmul", format!("expected at least two axes each, found {a} · {b}")));
        };
        let (m, k) = if transposed.a { (*ak, *am) } else { (*am, *ak) };
        let (inner, n) = if transposed.b { (*bn, *bk) } else { (*bk, *bn) };
        if k != inner {
            let mark = |flag| if flag { "ᵀ" } else { "" };
            return Err(Error::new(
                "matmul",
                format!(
                    "inner dimensions differ: {a}{} · {b}{} ({k} ≠ {inner})",
                    mark(transposed.a),
                    mark(transposed.b)
                ),
            ));
        }
        let (batch_a, batch_b) = (Shape::from(batch_a), Shape::from(batch_b));
        let batch = batch_a.broadcast("matmul", &batch_b)?;
        let mut shape = batch.clone();
        shape.push(m);
        shape.push(n);
        let shape = addressable::<T>("matmul", shape)?;

        // A right operand that all batches share makes one tall product of many.
        if batch_b.is_empty() && !transposed.a {
            let a = MatRef::new(self.as_slice(), batch.numel() * m, k);
            let b = view(other.as_slice(), *bk, *bn, transposed.b);
            return Ok(Tensor::written(shape, |y| {
                T::gemm(a, b, MatMut::new(y, batch.numel() * m, n), Write::Overwrite)
            }));
        }
        let (x, w) = (self.as_slice(), other.as_slice());
        let (from_a, from_b) = (repeated(&batch_a, &batch), repeated(&batch_b, &batch));
        Ok(Tensor::written(shape, |y| {
            let cost = (m * n).saturating_mul(k.max(1));
            crate::par::rows(y, m * n, cost, |first, products| {
                for (i, y) in products.chunks_mut((m * n).max(1)).enumerate() {
                    let a = view(&x[from_a(first + i) * m * k..], *am, *ak, transposed.a);
                    let b = view(&w[from_b(first + i) * k * n..], *bk, *bn, transposed.b);
                    T::gemm(a, b, MatMut::new(y, m, n), Write::Overwrite);
                }
            });
        }))
    }
}

impl<T: Float> Tensor<T> {
    /// x·Wᵀ + b for `self` of shape `[n, in]`, `weight` `[out, in]` and `bias` `[out]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    #[track_caller]
    pub fn linear(&self, weight: &Self, bias: &Self) -> Result<Self> {
        let (&[rows, inputs], &[outputs, expected]) = (&self.shape()[..], &weight.shape()[..]) else {
            let fact = format!("expected two axes each, found {} and {}", self.shape(), weight.shape());
            return Err(Error::new("linear", fact));
        };
        if inputs != expected || bias.shape()[..] != [outputs] {
            let (x, w, b) = (self.shape(), weight.shape(), bias.shape());
            return Err(Error::new("linear", format!("{x} · {w}ᵀ + {b} does not fit")));
        }
        let shape = addressable::<T>("linear", Shape::from([rows, outputs]))?;
        Ok(Tensor::written(shape, |y| {
            y.chunks_exact_mut(outputs.max(1)).for_each(|y| y.copy_from_slice(bias.as_slice()));
            let x = MatRef::new(self.as_slice(), rows, inputs);
            let w = MatRef::new(weight.as_slice(), outputs, inputs).t();
            T::gemm(x, w, MatMut::new(y, rows, outputs), Write::Add);
        }))
    }
}

fn view<T>(data: &[T], rows: usize, cols: usize, transposed: bool) -> MatRef<'_, T> {
    let whole = MatRef::new(data, rows, cols);
    if transposed { whole.t() } else { whole }
}

/// Which of an operand's matrices stands at each place of the joint batch.
fn repeated(own: &Shape, joint: &Shape) -> impl Fn(usize) -> usize {
    let strides = own.strides();
    let axes: Vec<(usize, usize)> = (0..joint.len())
        .map(|axis| match (axis + own.len()).checked_sub(joint.len()) {
            Some(i) if own[i] != 1 => (joint[axis], strides[i]),
            _ => (joint[axis], 0),
        })
        .collect();
    move |mut index| {
        axes.iter().rev().fold(0, |at, &(extent, stride)| {
            let here = index % extent;
            index /= extent;
            at + here * stride
        })
    }
}
