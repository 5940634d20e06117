//! Chains of layers between which images lie side by side.

use retrograd_autograd::{Interleaved, Tape, Var};
use retrograd_tensor::{Float, Result};

use crate::{AnyLayer, Layer};

/// What a layer makes of images that are [interleaved](Interleaved).
pub enum Interleaving<'a, T: Float> {
    /// Nothing: it wants them one after the other.
    Refused,
    /// It looks at one element or one channel at a time: [`forward`](Layer::forward) takes the values as they lie.
    Unnoticed,
    /// What this makes of them.
    Own(&'a dyn OfInterleaved<T>),
}

/// A layer that computes with images that are [interleaved](Interleaved), as it does with images one after the other.
pub trait OfInterleaved<T: Float> {
    /// What [`forward`](Layer::forward) makes of the images; None, which is always right, where they are to be taken apart
    /// first, and where that would refuse them.
    fn forward_interleaved(&self, x: &Interleaved<T>) -> Option<Interleaved<T>>;

    /// Whether a convolution before this layer, with nothing but functions of elements and channels in between, gains
    /// when it is computed of interleaved images. Such a function has no say.
    fn gains(&self) -> Option<bool>;

    /// How many images are to lie side by side, if this layer is where that begins.
    fn lanes(&self, x: &Var<T>) -> Option<usize> {
        let _ = x;
        None
    }
}

/// Images between two layers of a chain.
pub(crate) enum Images<T: Float> {
    Apart(Var<T>),
    Beside(Interleaved<T>),
}

impl<T: Float> Images<T> {
    pub(crate) fn tape(&self) -> Option<&Tape<T>> {
        match self {
            Self::Apart(x) => x.tape(),
            Self::Beside(x) => x.tape(),
        }
    }

    /// The images one after the other.
    #[track_caller]
    pub(crate) fn apart(self) -> Result<Var<T>> {
        match self {
            Self::Apart(x) => Ok(x),
            Self::Beside(x) => x.deinterleaved(),
        }
    }

    /// What a layer makes of the images, and of their order, given those after it.
    #[track_caller]
    pub(crate) fn through(self, layer: &AnyLayer<T>, next: &[AnyLayer<T>]) -> Result<Self> {
        let x = match (self, layer.interleaving()) {
            (Self::Beside(x), Interleaving::Unnoticed) => {
                if let Some(overwrite) = layer.in_place() {
                    return Ok(Self::Beside(Interleaved::from_values(overwrite(x.into_values()))));
                }
                match layer.forward(x.values()) {
                    Ok(y) => return Ok(Self::Beside(Interleaved::from_values(y))),
                    // What is wrong is said of the images one after the other.
                    Err(_) => x.deinterleaved()?,
                }
            }
            (Self::Beside(x), Interleaving::Own(own)) => match own.forward_interleaved(&x) {
                Some(y) => return Ok(Self::Beside(y)),
                None => x.deinterleaved()?,
            },
            (Self::Apart(x), Interleaving::Own(own)) => {
                if let Some(lanes) = own.lanes(&x).filter(|_| may_lie_beside(&x) && gains(next))
                    && let Some(y) = own.forward_interleaved(&x.interleaved(lanes)?)
                {
                    return Ok(Self::Beside(y));
                }
                x
            }
            (x, _) => x.apart()?,
        };
        let y = match layer.in_place() {
            Some(overwrite) => overwrite(x),
            None => layer.forward(&x)?,
        };
        Ok(Self::Apart(y))
    }
}

/// Whether nobody will look at the shapes of what is computed: who trains does not, unless something went wrong.
fn may_lie_beside<T: Float>(x: &Var<T>) -> bool {
    x.tape().is_none_or(|tape| tape.is_training() && !tape.detects_anomaly())
}

/// What the first layer says that has a say.
fn gains<T: Float>(next: &[AnyLayer<T>]) -> bool {
    let says = |layer: &AnyLayer<T>| match layer.interleaving() {
        Interleaving::Refused => Some(false),
        Interleaving::Unnoticed => None,
        Interleaving::Own(own) => own.gains(),
    };
    next.iter().find_map(says).unwrap_or(false)
}
