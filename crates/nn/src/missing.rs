//! Parameters without a gradient, by path and reason, so that no gradient is lost in silence.

use std::fmt;

use retrograd_autograd::{Absence, Gradients};
use retrograd_tensor::Float;

use crate::Module;

/// A trained parameter that got no gradient, and why. Its text says both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where the parameter is in the model.
    pub path: String,
    /// Why it got none.
    pub why: Absence,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` has no gradient: {}", self.path, self.why)
    }
}

/// What [`Gradients`] and a [`Module`] say together.
pub trait MissingGradients<T: Float> {
    /// The trained parameters of the model that have no gradient, in the order of declaration. Frozen ones are
    /// not missed.
    ///
    /// ```
    /// # use retrograd_nn::{Layer, Linear, MissingGradients, Tape, Tensor};
    /// # use rand::SeedableRng;
    /// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
    /// let model = vec![Linear::new(2, 2).build(rng)?, Linear::new(2, 1).build(rng)?];
    /// let x = Tape::new().constant(Tensor::from([[1.0, 2.0]]));
    /// let hidden = model[0].forward(&x)?.tanh().detach();
    /// let gradients = model[1].forward(&hidden)?.sum(..)?.backward()?;
    /// let missing = gradients.missing(&model);
    /// assert_eq!(missing[0].path, "0.weight");
    /// assert!(missing[0].why.to_string().starts_with("cut off by `detach` of the result of `tanh` at "));
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    fn missing<M: Module<T> + ?Sized>(&self, model: &M) -> Vec<Missing>;
}

impl<T: Float> MissingGradients<T> for Gradients<T> {
    fn missing<M: Module<T> + ?Sized>(&self, model: &M) -> Vec<Missing> {
        let trained = model.parameters().into_iter().filter(|(_, parameter)| !parameter.is_frozen());
        trained
            .filter_map(|(path, parameter)| Some(Missing { path, why: self.absence(parameter.id())? }))
            .collect()
    }
}
