//! What a model is made of: parameters, which training changes by gradients, and buffers, which it changes
//! otherwise.

use std::sync::atomic::{AtomicU64, Ordering};

use retrograd_tensor::{Float, Tensor};

use crate::Var;

/// The identity of a [`Parameter`] or a [`Buffer`], unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamId(u64);

impl ParamId {
    fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A tensor to be trained. Plain data: it knows no tape, and a model is `Sync`.
#[derive(Debug)]
pub struct Parameter<T: Float = f32> {
    id: ParamId,
    value: Tensor<T>,
    frozen: bool,
}

impl<T: Float> Parameter<T> {
    /// A parameter that begins as `value`.
    pub fn new(value: Tensor<T>) -> Self {
        Self { id: ParamId::fresh(), value, frozen: false }
    }

    /// The identity that gradients and the optimizers' state go by.
    pub fn id(&self) -> ParamId {
        self.id
    }

    /// The value.
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// The value, to be changed.
    pub fn value_mut(&mut self) -> &mut Tensor<T> {
        &mut self.value
    }

    /// The parameter as a variable for computing with `x`: a leaf of `x`'s tape, or a bare value where `x` has
    /// none.
    #[track_caller]
    pub fn on(&self, x: &Var<T>) -> Var<T> {
        match x.tape() {
            Some(tape) => tape.parameter(self),
            None => Var::from(self.value.clone()),
        }
    }

    /// Stops training this parameter: it is a constant on every tape from now on, and gets no gradient.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Trains this parameter again.
    pub fn unfreeze(&mut self) {
        self.frozen = false;
    }

    /// Whether training leaves this parameter alone.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }
}

/// A parameter of its own, with the same value: gradients of one do not reach the other.
impl<T: Float> Clone for Parameter<T> {
    fn clone(&self) -> Self {
        Self { id: ParamId::fresh(), value: self.value.clone(), frozen: self.frozen }
    }
}

/// A tensor that belongs to a model and is saved with it, but is not trained by gradients (running statistics).
#[derive(Debug)]
pub struct Buffer<T: Float = f32> {
    id: ParamId,
    value: Tensor<T>,
    counts: bool,
}

impl<T: Float> Buffer<T> {
    /// A buffer that begins as `value`.
    pub fn new(value: Tensor<T>) -> Self {
        Self { id: ParamId::fresh(), value, counts: false }
    }

    /// A scalar that begins at 0 and counts: files hold it as an integer.
    pub fn count() -> Self {
        Self { id: ParamId::fresh(), value: Tensor::scalar(T::ZERO), counts: true }
    }

    /// The identity that reported updates go by.
    pub fn id(&self) -> ParamId {
        self.id
    }

    /// The value.
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// The value, to be changed.
    pub fn value_mut(&mut self) -> &mut Tensor<T> {
        &mut self.value
    }

    /// Whether it is a [`count`](Self::count).
    pub fn is_count(&self) -> bool {
        self.counts
    }
}

/// A buffer of its own, with the same value.
impl<T: Float> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self { id: ParamId::fresh(), value: self.value.clone(), counts: self.counts }
    }
}
