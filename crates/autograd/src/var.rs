//! The variable: a tensor that knows where on a tape it was computed.

use std::fmt;
use std::panic::Location;

use retrograd_tensor::{Axes, Error, Float, Result, Shape, Tensor};

use crate::Tape;
use crate::tape::Key;

/// A tensor in a computation.
///
/// It is one of three things. *Bare*, made from a tensor: nothing is recorded, layers act as in evaluation, and
/// intermediate values free themselves. A *constant* of a tape ([`Tape::constant`]): what meets a parameter or
/// a leaf is recorded. Or *recorded*: a leaf, or the result of an operation on one.
///
/// Operations that can fail on their input return `Result`. Unary element-wise ones cannot; `+ - * /` panic
/// where shapes do not broadcast, as Rust's own operators do, with the text that [`add`](Var::add) and its like
/// return.
#[derive(Clone)]
pub struct Var<T: Float = f32> {
    value: Tensor<T>,
    tape: Option<Tape<T>>,
    key: Option<Key>,
}

impl<T: Float> Var<T> {
    #[inline]
    pub(crate) fn new(value: Tensor<T>, tape: Option<Tape<T>>, key: Option<Key>) -> Self {
        Self { value, tape, key }
    }

    #[inline]
    pub(crate) fn attached(value: Tensor<T>, tape: Tape<T>, key: Option<Key>) -> Self {
        Self::new(value, Some(tape), key)
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// The value, without the variable.
    #[inline]
    pub fn into_value(self) -> Tensor<T> {
        self.value
    }

    /// The extents of the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        self.value.shape()
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.value.rank()
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.value.numel()
    }

    /// The element of a variable that has only one.
    ///
    /// # Errors
    /// If it has none or several.
    #[track_caller]
    pub fn item(&self) -> Result<T> {
        self.value.item()
    }

    /// The position of the largest element along an axis, the first of equals; NaN counts as the largest.
    ///
    /// # Errors
    /// If the axes are neither one axis nor all, the axis does not exist, or it has no elements.
    #[track_caller]
    pub fn argmax(&self, axes: impl Into<Axes>) -> Result<Tensor<i64>> {
        self.value.argmax(axes)
    }

    /// The tape that the variable is on.
    #[inline]
    pub fn tape(&self) -> Option<&Tape<T>> {
        self.tape.as_ref()
    }

    /// Whether gradients flow to this variable.
    #[inline]
    pub fn is_recorded(&self) -> bool {
        self.key.is_some()
    }

    /// Whether layers act as in training: on a tape that is not set to evaluate.
    pub fn is_training(&self) -> bool {
        self.tape.as_ref().is_some_and(Tape::is_training)
    }

    /// The same value as a constant: no gradient flows back through it. The tape notes the line, so that
    /// whoever misses a gradient is told where it was cut off.
    #[track_caller]
    pub fn detach(&self) -> Self {
        if let (Some(tape), Some(key)) = (&self.tape, self.key) {
            tape.note_cut(key, Location::caller());
        }
        Self { key: None, ..self.clone() }
    }

    /// The variable, of whose value only the shape is left, and the value.
    pub(crate) fn without_value(mut self) -> (Self, Tensor<T>) {
        let value = self.value.take();
        (self, value)
    }

    /// A value computed from this variable alone, which shares its fate.
    pub(crate) fn of_the_same_pass(&self, value: Tensor<T>) -> Self {
        Self { value, tape: self.tape.clone(), key: self.key }
    }

    /// Adds to the only element of a variable that is not recorded.
    #[inline]
    pub(crate) fn accumulate_element(&mut self, element: T) {
        debug_assert!(!self.is_recorded(), "what is recorded does not change");
        self.value.make_mut().iter_mut().for_each(|sum| *sum += element);
    }

    /// Adds to the value of a variable that is not recorded, in place unless it is shared.
    #[track_caller]
    pub(crate) fn accumulate(&mut self, other: &Tensor<T>) -> Result<()> {
        debug_assert!(!self.is_recorded(), "what is recorded does not change");
        self.value.accumulate(other)
    }

    #[inline]
    pub(crate) fn key(&self) -> Option<Key> {
        self.key
    }

    /// Whether the tape was cleared since the variable was recorded.
    #[inline]
    pub(crate) fn is_stale(&self) -> bool {
        self.tape.as_ref().zip(self.key).is_some_and(|(tape, key)| !tape.contains(key))
    }
}

/// A bare value.
impl<T: Float> From<Tensor<T>> for Var<T> {
    #[inline]
    fn from(value: Tensor<T>) -> Self {
        Self { value, tape: None, key: None }
    }
}

/// A bare value that shares the tensor's elements.
impl<T: Float> From<&Tensor<T>> for Var<T> {
    fn from(value: &Tensor<T>) -> Self {
        Self::from(value.clone())
    }
}

impl<T: Float> fmt::Display for Var<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value, f)
    }
}

impl<T: Float> fmt::Debug for Var<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match (&self.tape, self.key) {
            (None, _) => "bare",
            (Some(_), None) => "constant",
            (Some(_), Some(_)) => "recorded",
        };
        write!(f, "Var({kind}) {:?}", self.value)
    }
}

/// The value if there was no error; what the operators do, which have no way to return one.
#[track_caller]
pub(crate) fn or_panic<V>(result: std::result::Result<V, Error>) -> V {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
