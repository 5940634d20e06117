//! The matrix product: bilinear, and each pullback is again one, with an operand transposed on the fly.

use retrograd_tensor::{Error, Float, Result, Shape, Tensor, Transposed};

use super::biased::{Biased, Plus};
use crate::Var;
use crate::op::{Op, Reads};

/// Y = A·B, either operand transposed on the fly, batches broadcast.
#[derive(Clone, Copy, Debug)]
struct Product(Transposed);

impl<T: Float> Op<T, 2> for Product {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn forward(&self, [a, b]: [&Tensor<T>; 2]) -> Result<Tensor<T>> {
        a.product(b, self.0)
    }

    /// gA = g·Bᵀ and gB = Aᵀ·g, themselves transposed where the operand was.
    fn vjp(
        &self,
        [a, b]: [&Var<T>; 2],
        _: &Var<T>,
        g: &Var<T>,
        wants: [bool; 2],
    ) -> Result<[Option<Var<T>>; 2]> {
        let Transposed { a: ta, b: tb } = self.0;
        let to_a = || match ta {
            false => g.product(b, Transposed { a: false, b: !tb }),
            true => b.product(g, Transposed { a: tb, b: true }),
        };
        let to_b = || {
            // A right operand that all batches share gets one tall product, not a sum of many.
            let shared = b.rank() == 2 && a.rank() > 2 && !ta;
            let (a, g) = if shared { (a.rows()?, g.rows()?) } else { (a.clone(), g.clone()) };
            match tb {
                false => a.product(&g, Transposed { a: !ta, b: false }),
                true => g.product(&a, Transposed { a: true, b: ta }),
            }
        };
        Ok([
            if wants[0] { Some(to_a()?.sum_to(a.shape().clone())?) } else { None },
            if wants[1] { Some(to_b()?.sum_to(b.shape().clone())?) } else { None },
        ])
    }

    fn reads(&self, [wants_a, wants_b]: [bool; 2]) -> Reads<2> {
        Reads::inputs([wants_b, wants_a])
    }

    /// Every element of the product is a sum along the inner axis.
    fn multiply_adds(&self, [a, _]: [&Shape; 2], y: &Shape) -> u64 {
        let from_the_end = if self.0.a { 2 } else { 1 };
        let inner = a.len().checked_sub(from_the_end).map_or(1, |axis| a[axis]);
        (y.numel() as u64).saturating_mul(inner as u64)
    }
}

impl<T: Float> Plus<T> for Product {
    fn forward_plus(&self, [a, b]: [&Tensor<T>; 2], bias: &Tensor<T>) -> Result<Tensor<T>> {
        match self.0 {
            Transposed { a: false, b: true } if a.rank() == 2 && b.rank() == 2 => a.linear(b, bias),
            _ => a.product(b, self.0)?.add(bias),
        }
    }

    fn bias_among(&self, bias: &Shape, _: &Shape) -> Shape {
        bias.clone()
    }
}

impl<T: Float> Var<T> {
    /// The product of the last two axes, `[m, k]` · `[k, n]` → `[m, n]`; the axes before are batches and
    /// broadcast. A vector is a row on the left and a column on the right, and its axis is left out of the
    /// result.
    ///
    /// # Errors
    /// If an operand is a scalar, the inner dimensions differ, or the batches do not broadcast.
    #[track_caller]
    pub fn matmul(&self, other: &Var<T>) -> Result<Var<T>> {
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
    pub fn product(&self, other: &Var<T>, transposed: Transposed) -> Result<Var<T>> {
        Product(transposed).apply([self, other])
    }

    /// The variable as a matrix: all axes but the last are merged.
    #[track_caller]
    fn rows(&self) -> Result<Var<T>> {
        let Some((&last, leading)) = self.shape().split_last() else { return self.reshape(&[1, 1]) };
        if leading.len() == 1 {
            return Ok(self.clone());
        }
        let rows = leading.iter().fold(1, |rows: usize, &n| rows.saturating_mul(n));
        self.reshaped([rows, last].into())
    }

    /// y = x·Wᵀ + b for `self` of shape `[..., in]`, `weight` `[out, in]` and `bias` `[out]`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html)
    ///
    /// # Errors
    /// If the shapes do not fit.
    #[track_caller]
    pub fn linear(&self, weight: &Var<T>, bias: Option<&Var<T>>) -> Result<Var<T>> {
        let shape = self.shape();
        let ([.., features], [outputs, inputs]) = (&shape[..], &weight.shape()[..]) else {
            return Err(linear_error(self, weight, bias));
        };
        if features != inputs || bias.is_some_and(|bias| bias.shape()[..] != [*outputs]) {
            return Err(linear_error(self, weight, bias));
        }
        // Leading axes are one long batch, so that all gradients are plain products.
        let rows = self.rows()?;
        let product = Product(Transposed { a: false, b: true });
        let y = match bias {
            Some(bias) => Biased(product).apply([&rows, weight, bias])?,
            None => product.apply([&rows, weight])?,
        };
        let mut shape = shape.clone();
        let last = shape.len() - 1;
        shape[last] = *outputs;
        y.reshaped(shape)
    }
}

#[track_caller]
fn linear_error<T: Float>(x: &Var<T>, weight: &Var<T>, bias: Option<&Var<T>>) -> Error {
    let mut fact = format!(
        "expected x [..., in], weight [out, in], bias [out], found x {} and weight {}",
        x.shape(),
        weight.shape()
    );
    if let Some(bias) = bias {
        fact += &format!(" and bias {}", bias.shape());
    }
    if let (Some(features), [_, inputs]) = (x.shape().last(), &weight.shape()[..])
        && features != inputs
    {
        fact += &format!(" ({features} ≠ {inputs})");
    }
    Error::new("linear", fact)
}
