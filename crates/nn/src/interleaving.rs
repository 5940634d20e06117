//! Chains of layers between which images lie side by side.

use retrograd_autograd::{Interleaved, Tape, Var};
use retrograd_tensor::{Float, Result};

use crate::{AnyLayer, Layer};

/// What a layer makes of images that are [interleaved](Interleaved).
pub enum Interleaving<'a, T: Float> {
    /// Nothing: it wants them one after the other.
    Refused,
    /// It does not notice: each element of the result depends on the element at its place, and on parameters of its
    /// channel, alone. [`forward`](Layer::forward) takes the values as they lie, and keeps their shape. (It must not depend
    /// on other elements of the image: those of other images are among them.)
    Unnoticed,
    /// A way of its own.
    Own {
        /// That way.
        layer: &'a dyn InterleavedLayer<T>,
        /// Whether a convolution before this layer, with nothing but functions of elements and channels in between, gains
        /// when it is computed of interleaved images. None, as such a function: the next layer says.
        gains: Option<bool>,
    },
}

/// A layer that computes with images that are [interleaved](Interleaved), as it does with images one after the other.
pub trait InterleavedLayer<T: Float> {
    /// What [`forward`](Layer::forward) makes of the images; None, which is always right, where they are to be taken apart
    /// first, and where that would refuse them. Then nothing was drawn from the tape's random numbers, or reported to it.
    fn forward_interleaved(&self, x: &Interleaved<T>) -> Option<Interleaved<T>>;

    /// How many images are to lie side by side, a divisor of the batch, if this layer is where that begins.
    fn lanes(&self, x: &Var<T>) -> Option<usize> {
        let _ = x;
        None
    }
}

/// Images between two layers of a chain.
pub(crate) enum Images<T: Float> {
    Plain(Var<T>),
    Interleaved(Interleaved<T>),
}

impl<T: Float> Images<T> {
    pub(crate) fn tape(&self) -> Option<&Tape<T>> {
        match self {
            Self::Plain(x) => x.tape(),
            Self::Interleaved(x) => x.tape(),
        }
    }

    /// The images one after the other.
    #[track_caller]
    pub(crate) fn plain(self) -> Result<Var<T>> {
        match self {
            Self::Plain(x) => Ok(x),
            Self::Interleaved(x) => x.deinterleaved(),
        }
    }

    /// What a layer makes of the images, and of their order, given those after it.
    #[track_caller]
    pub(crate) fn through(self, layer: &AnyLayer<T>, next: &[AnyLayer<T>]) -> Result<Self> {
        let x = match (self, layer.interleaving()) {
            (Self::Interleaved(x), Interleaving::Unnoticed) => {
                if let Some(overwrite) = layer.in_place() {
                    return Ok(Self::Interleaved(Interleaved::from_values(overwrite(x.into_values()))));
                }
                match layer.forward(x.values()) {
                    Ok(y) if y.shape() == x.values().shape() => {
                        return Ok(Self::Interleaved(Interleaved::from_values(y)));
                    }
                    // What is wrong is said of the images one after the other.
                    _ => x.deinterleaved()?,
                }
            }
            (Self::Interleaved(x), Interleaving::Own { layer, .. }) => match layer.forward_interleaved(&x) {
                Some(y) => return Ok(Self::Interleaved(y)),
                None => x.deinterleaved()?,
            },
            (Self::Plain(x), Interleaving::Own { layer, .. }) => {
                if is_free(&x)
                    && gains(next)
                    && let Some(lanes) = layer.lanes(&x)
                    && let Some(y) = layer.forward_interleaved(&x.interleaved(lanes)?)
                {
                    return Ok(Self::Interleaved(y));
                }
                x
            }
            (x, _) => x.plain()?,
        };
        let y = match layer.in_place() {
            Some(overwrite) => overwrite(x),
            None => layer.forward(&x)?,
        };
        Ok(Self::Plain(y))
    }
}

/// Whether the order of images is free: on a tape that evaluates, or looks for anomalies, it is there to be read.
fn is_free<T: Float>(x: &Var<T>) -> bool {
    x.tape().is_none_or(|tape| tape.is_training() && !tape.detects_anomaly())
}

/// What the first layer says that has a say.
fn gains<T: Float>(next: &[AnyLayer<T>]) -> bool {
    let says = |layer: &AnyLayer<T>| match layer.interleaving() {
        Interleaving::Refused => Some(false),
        Interleaving::Unnoticed => None,
        Interleaving::Own { gains, .. } => gains,
    };
    next.iter().find_map(says).unwrap_or(false)
}
