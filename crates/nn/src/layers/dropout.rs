//! Dropout.

use retrograd_autograd::Var;
use retrograd_tensor::{Error, Float, Result, Tensor};

use crate::Layer;

/// In training each element is zero with probability p, and the others are multiplied by 1/(1 − p); in
/// evaluation nothing happens. The random numbers are the tape's.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html),
/// [Srivastava et al. 2014](https://jmlr.org/papers/v15/srivastava14a.html)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Drops with probability `p`.
    ///
    /// # Errors
    /// If `p` is not within `[0, 1]`.
    #[track_caller]
    pub fn new(p: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::new("dropout", format!("expected a probability within [0, 1], found {p}")));
        }
        Ok(Self { p })
    }
}

crate::module::no_parameters!(Dropout);

impl<T: Float> Layer<T> for Dropout {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let Some(tape) = x.tape().filter(|tape| tape.is_training() && self.p > 0.0) else {
            return Ok(x.clone());
        };
        let keep = 1.0 - self.p;
        let mask = tape.random(|rng| Tensor::<T>::bernoulli(x.shape(), keep, rng))?;
        // Where everything is dropped the mask is zero, and zero it stays.
        let scale = if keep > 0.0 { T::from_f64(1.0 / keep) } else { T::ZERO };
        x.mul(&Var::from(mask.map(|kept| kept * scale)))
    }
}
