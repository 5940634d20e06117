//! The identity.

use retrograd_autograd::Var;
use retrograd_tensor::{Float, Result};

use crate::Layer;

/// y = x, of any shape: a place in a model where nothing happens.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Identity.html)
///
/// ```
/// # use retrograd_nn::{Identity, Layer, Tensor};
/// assert_eq!(Identity.predict(&Tensor::from([1.0f32, 2.0]))?, Tensor::from([1.0, 2.0]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity;

crate::module::no_parameters!(Identity);

impl<T: Float> Layer<T> for Identity {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        Ok(x.clone())
    }
}
