//! Convolution and pooling of tensors: the shapes checked, the kernels called.

use crate::conv::{Geometry, Slot, solve};
use crate::pool::{Divisor, Pooling, avg_pool, avg_pool_adjoint, max_pool};
use crate::storage::Storage;
use crate::{Error, Float, Result, Shape, Tensor};

impl Geometry {
    /// Solves the trilinear form for `slot`, given the tensors in [`Slot::operands`].
    ///
    /// # Errors
    /// If an operand has not its slot's shape.
    #[track_caller]
    pub fn solve<T: Float>(&self, slot: Slot, operands: [&Tensor<T>; 2]) -> Result<Tensor<T>> {
        for (operand, slot) in operands.iter().zip(slot.operands()) {
            expect_shape("conv", operand, &self.shape(slot))?;
        }
        let operands = operands.map(Tensor::as_slice);
        Ok(Tensor::written(self.shape(slot), |result| solve(self, slot, operands, result)))
    }
}

impl Pooling {
    /// The maximum of each window, and where it stands in its unpadded plane, counted flat.
    ///
    /// Padding is skipped. Of equal maxima the first in row-major order is taken, of NaNs, which are greater
    /// than all numbers, the last.
    ///
    /// # Errors
    /// If `x` has not the shape that the pooling was made for.
    #[track_caller]
    pub fn max_of<T: Float>(&self, x: &Tensor<T>) -> Result<(Tensor<T>, Tensor<i64>)> {
        expect_shape("max_pool", x, &self.input())?;
        let mut index = Storage::unspecified(self.output().numel());
        let y = Tensor::written(self.output(), |y| max_pool(self, x.as_slice(), y, index.make_mut()));
        Ok((y, Tensor::stored(self.output(), index)))
    }

    /// The average of each window.
    ///
    /// # Errors
    /// If `x` has not the shape that the pooling was made for.
    #[track_caller]
    pub fn average_of<T: Float>(&self, divisor: Divisor, x: &Tensor<T>) -> Result<Tensor<T>> {
        expect_shape("avg_pool", x, &self.input())?;
        Ok(Tensor::written(self.output(), |y| avg_pool(self, divisor, x.as_slice(), y)))
    }

    /// The adjoint of [`average_of`](Self::average_of): each element of `g`, divided, goes to all inputs that
    /// its window covers.
    ///
    /// # Errors
    /// If `g` has not the shape of the pooling's result.
    #[track_caller]
    pub fn spread<T: Float>(&self, divisor: Divisor, g: &Tensor<T>) -> Result<Tensor<T>> {
        expect_shape("avg_pool", g, &self.output())?;
        Ok(Tensor::written(self.input(), |gx| avg_pool_adjoint(self, divisor, g.as_slice(), gx)))
    }
}

#[track_caller]
fn expect_shape<T: Float>(op: &'static str, x: &Tensor<T>, expected: &Shape) -> Result<()> {
    if x.shape() != expected {
        return Err(Error::new(op, format!("expected shape {expected}, found {}", x.shape())));
    }
    Ok(())
}
