//! What a replay of the tape yields: plain data.

use std::ops::AddAssign;

use retrograd_tensor::{Float, Result, Tensor};

use crate::tape::{Key, TapeId};
use crate::var::or_panic;
use crate::{Absence, Buffer, ParamId, Parameter, Var};

/// The gradients of one scalar with respect to the leaves of its tape, and the updates that the forward pass
/// reported.
///
/// Plain data that can be sent to another thread. `a += b` merges the gradients of two workers.
#[derive(Clone, Debug)]
pub struct Gradients<T: Float = f32> {
    tape: TapeId,
    /// Sorted by parameter.
    parameters: Vec<(ParamId, Tensor<T>)>,
    leaves: Vec<(Key, Tensor<T>)>,
    updates: Vec<Update<T>>,
    /// Why parameters of the pass have no gradient.
    absences: Vec<(ParamId, Absence)>,
}

/// A change that a forward pass wants made to a buffer of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Update<T: Float = f32> {
    /// The buffer.
    pub buffer: ParamId,
    /// What becomes of it.
    pub change: Change<T>,
}

/// What becomes of a buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<T: Float = f32> {
    /// A moving average takes a value in: buffer ← (1 − `weight`)·buffer + `weight`·`value`.
    Average {
        /// How much of the value to take.
        weight: f64,
        /// The value.
        value: Tensor<T>,
    },
    /// The plain average of `count` values takes one more in. If several are reported before the first is
    /// made, by layers used twice or by several workers, each counts those before it.
    CumulativeAverage {
        /// How many values had been averaged when the pass began.
        count: f64,
        /// The value.
        value: Tensor<T>,
    },
    /// One more: buffer ← buffer + 1.
    Increment,
}

impl<T: Float> Change<T> {
    /// The value that is averaged, which has the buffer's shape.
    pub fn value(&self) -> Option<&Tensor<T>> {
        match self {
            Change::Average { value, .. } | Change::CumulativeAverage { value, .. } => Some(value),
            Change::Increment => None,
        }
    }
}

impl<T: Float> Buffer<T> {
    /// Makes those of `updates` that are of this buffer, in their order.
    ///
    /// # Errors
    /// If a value has another shape than the buffer.
    #[track_caller]
    pub fn apply(&mut self, updates: &[Update<T>]) -> Result<()> {
        let id = self.id();
        let mut averaged = 0.0;
        for update in updates.iter().filter(|update| update.buffer == id) {
            let (weight, value) = match &update.change {
                Change::Average { weight, value } => (*weight, value),
                Change::CumulativeAverage { count, value } => {
                    averaged += 1.0;
                    (1.0 / (count + averaged), value)
                }
                Change::Increment => {
                    *self.value_mut() = self.value().map(|count| count + T::ONE);
                    continue;
                }
            };
            let weight = T::from_f64(weight);
            self.value_mut().update(value, |old, new| old + weight * (new - old))?;
        }
        Ok(())
    }
}

impl<T: Float> Gradients<T> {
    /// Those of a tape with so many parameters.
    pub(crate) fn new(tape: TapeId, parameters: usize) -> Self {
        let parameters = Vec::with_capacity(parameters);
        Self { tape, parameters, leaves: Vec::new(), updates: Vec::new(), absences: Vec::new() }
    }

    pub(crate) fn carry(&mut self, updates: Vec<Update<T>>) {
        self.updates = updates;
    }

    pub(crate) fn insert(&mut self, leaf: Key, parameter: Option<ParamId>, gradient: Tensor<T>) {
        match parameter {
            Some(id) => {
                let place = self.parameters.partition_point(|(other, _)| *other < id);
                self.parameters.insert(place, (id, gradient));
            }
            None => self.leaves.push((leaf, gradient)),
        }
    }

    /// The gradient with respect to a parameter; nothing if the scalar does not depend on it.
    pub fn get(&self, parameter: &Parameter<T>) -> Option<&Tensor<T>> {
        self.by_id(parameter.id())
    }

    /// As [`get`](Self::get), by identity.
    pub fn by_id(&self, id: ParamId) -> Option<&Tensor<T>> {
        let place = self.parameters.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(&self.parameters[place].1)
    }

    /// The gradient with respect to a leaf of the tape, a variable or a parameter, or to a variable that was
    /// [retained](Var::retain); nothing if the scalar does not depend on it, or the variable is none of these.
    pub fn wrt(&self, leaf: &Var<T>) -> Option<&Tensor<T>> {
        let (tape, key) = leaf.tape().zip(leaf.key()).filter(|(tape, _)| tape.id() == self.tape)?;
        if let Some(id) = tape.parameter_at(key) {
            return self.by_id(id);
        }
        self.leaves.iter().find(|(other, _)| *other == key).map(|(_, gradient)| gradient)
    }

    /// Every parameter's gradient, to be changed (clipped, say), in the order of the parameters' creation.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ParamId, &mut Tensor<T>)> {
        self.parameters.iter_mut().map(|(id, gradient)| (*id, gradient))
    }

    /// Every parameter's gradient, in the order of the parameters' creation.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ParamId, &Tensor<T>)> {
        self.parameters.iter().map(|(id, gradient)| (*id, gradient))
    }

    pub(crate) fn note_absence(&mut self, parameter: ParamId, why: Absence) {
        self.absences.push((parameter, why));
    }

    pub(crate) fn known_absence(&self, parameter: ParamId) -> Option<Absence> {
        self.absences.iter().find(|(id, _)| *id == parameter).map(|(_, why)| *why)
    }

    /// What the forward pass wants changed in the model, in the order it was reported.
    pub fn updates(&self) -> &[Update<T>] {
        &self.updates
    }

    /// Makes the reported changes of one buffer, in the order they were reported.
    ///
    /// # Errors
    /// If a reported value has another shape than the buffer.
    #[track_caller]
    pub fn update(&self, buffer: &mut Buffer<T>) -> Result<()> {
        buffer.apply(&self.updates)
    }
}

/// Adds the gradients of another worker, or of another loss of the same pass, parameter by parameter; its
/// updates are made after ours. The gradients of leaves add up where both are of one tape; another tape's
/// leaves are not ours to keep.
///
/// # Panics
/// If a parameter has gradients of two shapes, which only two models that share an identity could give.
impl<T: Float> AddAssign for Gradients<T> {
    #[track_caller]
    fn add_assign(&mut self, other: Self) {
        for (id, gradient) in other.parameters {
            match self.parameters.binary_search_by_key(&id, |(id, _)| *id) {
                Ok(place) => or_panic(self.parameters[place].1.accumulate(&gradient)),
                Err(place) => self.parameters.insert(place, (id, gradient)),
            }
        }
        for (leaf, gradient) in other.leaves.into_iter().filter(|_| other.tape == self.tape) {
            match self.leaves.iter_mut().find(|(ours, _)| *ours == leaf) {
                Some((_, sum)) => or_panic(sum.accumulate(&gradient)),
                None => self.leaves.push((leaf, gradient)),
            }
        }
        self.updates.extend(other.updates);
        self.absences.extend(other.absences);
    }
}
