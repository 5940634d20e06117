//! Convolution, pooling and resampling of tensors: the shapes checked, the kernels called.

use crate::conv::{Finish, Geometry, Slot, solve};
use crate::pool::{Divisor, Pooling, Unpooling, add_at, avg_pool, avg_pool_adjoint, max_pool, pick, put};
use crate::resample::{Resampling, resample};
use crate::{Element, Error, Float, Result, Shape, Tensor};

impl Geometry {
    /// Solves the trilinear form for `slot`, given the tensors in [`Slot::operands`].
    ///
    /// # Errors
    /// If an operand has not its slot's shape.
    #[track_caller]
    pub fn solve<T: Float>(&self, slot: Slot, operands: [&Tensor<T>; 2]) -> Result<Tensor<T>> {
        self.solve_finished(slot, operands, &Finish::plus(None))
    }

    /// As [`solve`](Self::solve), with every sum [finished](Finish) while it is at hand, which costs next to nothing: so
    /// a bias is added to the output of a convolution, or to the input, the result of a transposed one.
    ///
    /// # Errors
    /// As [`solve`](Self::solve), and if the finish has not one number for each channel, or there is one for a weight.
    #[track_caller]
    pub fn solve_finished<T: Float>(
        &self,
        slot: Slot,
        operands: [&Tensor<T>; 2],
        finish: &Finish<T>,
    ) -> Result<Tensor<T>> {
        for (operand, slot) in operands.iter().zip(slot.operands()) {
            expect_shape("conv", operand, &self.shape(slot))?;
        }
        let shape = self.shape(slot);
        if slot == Slot::Weight && !finish.is_nothing() {
            return Err(Error::new("conv", "a weight cannot be finished: it has no channels of results"));
        }
        for of_channels in finish.by_channel() {
            expect_shape("conv", of_channels, &Shape::from([shape[1]]))?;
        }
        let operands = operands.map(Tensor::as_slice);
        Tensor::try_written("conv", shape, |result| solve(self, slot, operands, finish, result))
    }

    /// Solves for the weight, given the tensors in [`Slot::operands`], and adds up the output y by channel: the gradients of
    /// a weight and of a bias, if there is a kernel that finds both, reading y once.
    ///
    /// # Errors
    /// As [`solve`](Self::solve).
    #[track_caller]
    pub fn solve_weight_and_bias<T: Float>(&self, [y, x]: [&Tensor<T>; 2]) -> Result<Option<[Tensor<T>; 2]>> {
        for (operand, slot) in [y, x].into_iter().zip(Slot::Weight.operands()) {
            expect_shape("conv", operand, &self.shape(slot))?;
        }
        let mut weight = Tensor::unspecified("conv", self.shape(Slot::Weight))?;
        let mut bias = Tensor::unspecified("conv", [self.shape(Slot::Output)[1]].into())?;
        if [y, x, &weight].iter().any(|tensor| tensor.numel() == 0) {
            return Ok(None);
        }
        let operands = [y.as_slice(), x.as_slice()];
        let found = T::solve_weight_and_bias(self, operands, weight.make_mut(), bias.make_mut());
        Ok(found.then_some([weight, bias]))
    }
}

impl Pooling {
    /// The maximum of each window. Padding is skipped; NaN is greater than all numbers.
    ///
    /// # Errors
    /// If `x` has not the shape that the pooling was made for, or there is no memory for the result.
    #[track_caller]
    pub fn max_of<T: Float>(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        expect_shape("max_pool", x, &self.input())?;
        Tensor::try_written("max_pool", self.output(), |y| max_pool(self, x.as_slice(), y, None))
    }

    /// As [`max_of`](Self::max_of), and where each maximum stands in its unpadded plane, counted flat: of equal
    /// ones the first in row-major order, of NaNs the last.
    ///
    /// # Errors
    /// As [`max_of`](Self::max_of), and if a plane has more than 2³² elements.
    #[track_caller]
    pub fn max_with_places<T: Float>(&self, x: &Tensor<T>) -> Result<(Tensor<T>, Tensor<u32>)> {
        expect_shape("max_pool", x, &self.input())?;
        check_places("max_pool", x.shape())?;
        let mut y = Tensor::unspecified("max_pool", self.output())?;
        let mut places = Tensor::unspecified("max_pool", self.output())?;
        max_pool(self, x.as_slice(), y.make_mut(), Some(places.make_mut()));
        Ok((y, places))
    }

    /// The average of each window.
    ///
    /// # Errors
    /// If `x` has not the shape that the pooling was made for, or there is no memory for the result.
    #[track_caller]
    pub fn average_of<T: Float>(&self, divisor: Divisor, x: &Tensor<T>) -> Result<Tensor<T>> {
        expect_shape("avg_pool", x, &self.input())?;
        Tensor::try_written("avg_pool", self.output(), |y| avg_pool(self, divisor, x.as_slice(), y))
    }

    /// The adjoint of [`average_of`](Self::average_of): each element of `g`, divided, goes to all inputs that
    /// its window covers.
    ///
    /// # Errors
    /// If `g` has not the shape of the pooling's result, or there is no memory for the input's.
    #[track_caller]
    pub fn spread<T: Float>(&self, divisor: Divisor, g: &Tensor<T>) -> Result<Tensor<T>> {
        expect_shape("avg_pool", g, &self.output())?;
        Tensor::try_written("avg_pool", self.input(), |gx| avg_pool_adjoint(self, divisor, g.as_slice(), gx))
    }
}

/// Checks that the places in a plane of `[n, c, …]` can be told apart.
#[track_caller]
fn check_places(op: &'static str, shape: &Shape) -> Result<()> {
    match shape.contains(&0) || u32::try_from(shape[2..].iter().product::<usize>() - 1).is_ok() {
        true => Ok(()),
        false => Err(Error::new(op, format!("shape {shape} has planes of more than 2³² elements"))),
    }
}

/// The planes of `[n, c, …]` are the extents after the first two.
impl<T: Float> Tensor<T> {
    /// The elements at some `places` of each plane, counted flat: `y[p][i] = x[p][places[p][i]]`.
    ///
    /// # Errors
    /// If there are not places for as many planes.
    ///
    /// # Panics
    /// If a place lies outside its plane.
    #[track_caller]
    pub fn pick(&self, places: &Tensor<u32>) -> Result<Self> {
        let planes = same_planes("pick", self.shape(), places.shape())?;
        let write = |y: &mut [T]| pick(planes, self.as_slice(), places.as_slice(), y);
        Tensor::try_written("pick", places.shape().clone(), write)
    }

    /// Zeros of shape `whole`, to which each element is added at its one of the `places`: the adjoint of
    /// [`pick`](Self::pick).
    ///
    /// # Errors
    /// If there is not a place for each element, or `whole` has not as many planes.
    ///
    /// # Panics
    /// If a place lies outside its plane.
    #[track_caller]
    pub fn add_at(&self, places: &Tensor<u32>, whole: &Shape) -> Result<Self> {
        expect_shape("add_at", self, places.shape())?;
        let planes = same_planes("add_at", whole, places.shape())?;
        let write = |y: &mut [T]| add_at(planes, self.as_slice(), places.as_slice(), y);
        Tensor::try_written("add_at", whole.clone(), write)
    }
}

/// How many planes both of two shapes have.
#[track_caller]
fn same_planes(op: &'static str, a: &Shape, b: &Shape) -> Result<usize> {
    match (a.get(..2), b.get(..2)) {
        (Some(one), Some(other)) if one == other => Ok(one.iter().product()),
        _ => Err(Error::new(op, format!("{a} and {b} have not the same planes"))),
    }
}

impl Unpooling {
    /// The places that `index` names, for [`Tensor::pick`] from a tensor of the shape of the result.
    ///
    /// # Errors
    /// If an index lies outside its plane, or a plane has more than 2³² elements.
    #[track_caller]
    pub fn places(&self, index: &Tensor<i64>) -> Result<Tensor<u32>> {
        self.check(index.as_slice())?;
        check_places("max_unpool", self.output())?;
        Ok(index.map(|place| place as u32))
    }

    /// Zeros, with each element of `x` at the place in its plane that `index` names, counted flat. Of several
    /// at one place the last in row-major order stays, whatever the number of threads.
    ///
    /// # Errors
    /// If `x` or `index` has not the shape that the unpooling was made for, an index lies outside the plane, or
    /// there is no memory for the result.
    #[track_caller]
    pub fn put<T: Float>(&self, index: &Tensor<i64>, x: &Tensor<T>) -> Result<Tensor<T>> {
        expect_shape("max_unpool", x, self.input())?;
        expect_shape("max_unpool", index, self.input())?;
        self.check(index.as_slice())?;
        let place = |y: &mut [T]| put(self, index.as_slice(), x.as_slice(), y);
        Tensor::try_written("max_unpool", self.output().clone(), place)
    }
}

impl Resampling {
    /// What each output reads of the inputs.
    ///
    /// # Errors
    /// If `x` has not the shape that the resampling was made for, or there is no memory for the result.
    #[track_caller]
    pub fn of<T: Float>(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        expect_shape("interpolate", x, self.input())?;
        let map = |y: &mut [T]| resample(&self.passes(), x.as_slice(), y);
        Tensor::try_written("interpolate", self.output().clone(), map)
    }

    /// The adjoint of [`of`](Self::of): each element of `g` is added, weighted, to the inputs that it was read
    /// from.
    ///
    /// # Errors
    /// If `g` has not the shape of the resampling's result.
    #[track_caller]
    pub fn spread<T: Float>(&self, g: &Tensor<T>) -> Result<Tensor<T>> {
        expect_shape("interpolate", g, self.output())?;
        let map = |gx: &mut [T]| resample(&self.adjoint_passes(), g.as_slice(), gx);
        Tensor::try_written("interpolate", self.input().clone(), map)
    }
}

#[track_caller]
fn expect_shape<T: Element>(op: &'static str, x: &Tensor<T>, expected: &Shape) -> Result<()> {
    if x.shape() != expected {
        return Err(Error::new(op, format!("expected shape {expected}, found {}", x.shape())));
    }
    Ok(())
}
