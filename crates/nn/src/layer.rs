//! Layers: modules that compute, and chains of them.

use std::fmt;
use std::panic::Location;

use retrograd_autograd::{Tape, Var};
use retrograd_tensor::{Error, Finish, Float, Result, Tensor};

use crate::interleaving::{Images, Interleaving};
use crate::{Item, ItemMut, Module, Path};

/// A module with one input and one output.
pub trait Layer<T: Float = f32>: Module<T> {
    /// The output for `x`. On a tape that trains, layers act as in training and their parameters are recorded;
    /// a bare variable is evaluated and nothing is recorded.
    ///
    /// # Errors
    /// If the shape of `x` does not fit.
    fn forward(&self, x: &Var<T>) -> Result<Var<T>>;

    /// What computes the same as [`forward`](Self::forward) from an input that is given for good, in the input's
    /// memory where nothing else needs that: an activation has such a function, most layers have none.
    /// [`Sequential`](crate::Sequential) calls it between its layers.
    fn in_place(&self) -> Option<fn(Var<T>) -> Var<T>> {
        None
    }

    /// The output of this layer and of the first of the `next` ones, which it computes in passing, and those that are
    /// left; None, which is always right, where it is to be called alone.
    ///
    /// [`Sequential`](crate::Sequential) asks its layers. A [convolution](crate::Conv) has the next ones say what they
    /// make of its results ([`in_passing`](Self::in_passing)), where nothing is recorded and so nobody sees what is
    /// between. Results may differ from those of the layers one by one in the last digits.
    fn with_next<'a>(&self, x: &Var<T>, next: &'a [AnyLayer<T>]) -> Option<(Var<T>, &'a [AnyLayer<T>])> {
        let _ = (x, next);
        None
    }

    /// The [`Finish`] of a convolution that does what `so_far` does and then what this layer does in evaluation. `axes`
    /// and `channels` are those of the convolution's output. None, which is always right, if this layer is no such
    /// function or would refuse that input.
    fn in_passing(&self, so_far: &Finish<T>, axes: usize, channels: usize) -> Option<Finish<T>> {
        let _ = (so_far, axes, channels);
        None
    }

    /// What this layer makes of interleaved images: [`Sequential`](crate::Sequential) lets them lie side by side from a
    /// convolution on, in training and where nothing is recorded, as long as its layers take them so. Refused by default,
    /// which is always right.
    fn interleaving(&self) -> Interleaving<'_, T> {
        Interleaving::Refused
    }

    /// The output for a tensor, evaluated: nothing is recorded, dropout does nothing.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[track_caller]
    fn predict(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(self.forward(&Var::from(x))?.into_value())
    }
}

/// A boxed layer, as a [`Sequential`] holds it.
pub type AnyLayer<T = f32> = Box<dyn Layer<T> + Send + Sync>;

impl<T: Float, L: Layer<T> + ?Sized> Layer<T> for Box<L> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let line = Location::caller();
        (**self).forward(x).map_err(|error| blame(error, line))
    }

    fn in_place(&self) -> Option<fn(Var<T>) -> Var<T>> {
        (**self).in_place()
    }

    fn with_next<'a>(&self, x: &Var<T>, next: &'a [AnyLayer<T>]) -> Option<(Var<T>, &'a [AnyLayer<T>])> {
        (**self).with_next(x, next)
    }

    fn in_passing(&self, so_far: &Finish<T>, axes: usize, channels: usize) -> Option<Finish<T>> {
        (**self).in_passing(so_far, axes, channels)
    }

    fn interleaving(&self) -> Interleaving<'_, T> {
        (**self).interleaving()
    }
}

/// The error with the line that called a layer. A call through `dyn` loses it: a layer of this crate then names
/// itself, while a layer of the user's names the line in its own `forward`, which stays.
fn blame(error: Error, line: &'static Location<'static>) -> Error {
    let this_crate = file!().trim_end_matches("layer.rs");
    match error.location() {
        Some(at) if at.file().starts_with(this_crate) => error.called_from(line),
        _ => error,
    }
}

/// The output of a layer, unless an operation in it that cannot fail has met an anomaly.
fn sound<T: Float>(y: Images<T>) -> Result<Images<T>> {
    y.tape().map_or(Ok(()), Tape::check)?;
    Ok(y)
}

/// Layers one after the other, named `0`, `1`, … as in
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html). Made by
/// [`sequential!`](crate::sequential), or layer by layer.
///
/// What the layers give one by one it may compute otherwise, so that results differ in their last digits: without a tape,
/// batch norm and ReLU in passing after a convolution; on a tape that trains, or without one, of batches that fill
/// vectors (multiples of 16 images, of 8 with AVX2), images [side by side](retrograd_autograd::Interleaved) from a
/// convolution to what follows its pooling. What the tape has recorded shows that, with `interleave` and
/// `deinterleave` where it begins and ends; a tape that [evaluates](Tape::eval) or
/// [looks for anomalies](Tape::detect_anomaly) has images one after the other.
///
/// ```
/// # use retrograd_nn::{Layer, Linear, Module, ReLU, sequential};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let model = sequential![Linear::new(4, 8).build(rng)?, ReLU, Linear::new(8, 2).build(rng)?];
/// assert_eq!(model.parameters()[3].0, "2.bias");
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
pub struct Sequential<T: Float = f32> {
    layers: Vec<AnyLayer<T>>,
}

impl<T: Float> Sequential<T> {
    /// No layers: the identity.
    pub fn new() -> Self {
        Self { layers: Vec::new() }
    }

    /// The layers so far, then `layer`.
    pub fn then(mut self, layer: impl Layer<T> + Send + Sync + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

impl<T: Float> Default for Sequential<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> fmt::Debug for Sequential<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sequential of {} layers", self.layers.len())
    }
}

impl<T: Float> Module<T> for Sequential<T> {
    fn visit<'a>(&'a self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, Item<'a, T>)) {
        for (i, layer) in self.layers.iter().enumerate() {
            layer.visit(&path.index(i), see);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, see: &mut dyn FnMut(&Path<'_>, ItemMut<'a, T>)) {
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.visit_mut(&path.index(i), see);
        }
    }
}

/// An error names the layer's number, and the line that called the chain.
impl<T: Float> Layer<T> for Sequential<T> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let line = Location::caller();
        let (mut y, mut left) = (Images::Plain(x.clone()), &self.layers[..]);
        while let [layer, next @ ..] = left {
            if let Images::Plain(x) = &y
                && let Some((passed, rest)) = layer.with_next(x, next)
            {
                (y, left) = (Images::Plain(passed), rest);
                continue;
            }
            let i = self.layers.len() - left.len();
            let tape = y.tape().cloned();
            let forward = || y.through(layer, next);
            y = match tape {
                Some(tape) => tape.within(i, || forward().and_then(sound)),
                None => forward(),
            }
            .map_err(|error| blame(error.within(i), line))?;
            left = next;
        }
        y.plain()
    }
}

/// A [`Sequential`] of the layers listed, in `f32`; one in `f64` is `Sequential::<f64>::new().then(…)`.
#[macro_export]
macro_rules! sequential {
    ($($layer:expr),* $(,)?) => {
        <$crate::Sequential>::new()$(.then($layer))*
    };
}
