//! Activation functions as layers.

use rand::RngExt;
use retrograd_autograd::{Parameter, Var};
use retrograd_tensor::{Error, Float, Result, Tensor};

use crate::{Layer, module};

/// A row: documentation, the layer, its formula on a variable.
macro_rules! activations {
    ($($(#[$doc:meta])* $Type:ident: |$x:ident| $y:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $Type;

        crate::module::no_parameters!($Type);

        impl<T: Float> Layer<T> for $Type {
            #[track_caller]
            fn forward(&self, $x: &Var<T>) -> Result<Var<T>> {
                Ok($y)
            }
        }
    )*};
}

activations! {
    /// y = 1/(1 + e⁻ˣ), in (0, 1); y' = y(1 − y).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Sigmoid.html)
    Sigmoid: |x| x.sigmoid();

    /// y = (eˣ − e⁻ˣ)/(eˣ + e⁻ˣ), in (−1, 1); y' = 1 − y².
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Tanh.html)
    Tanh: |x| x.tanh();

    /// y = max(0, x); y' = 1 for x > 0, else 0. NaN passes through.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU.html)
    ReLU: |x| x.relu();
}

/// y = x where x > 0, else negative_slope·x; the slope at 0 is negative_slope.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.LeakyReLU.html)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeakyReLU {
    /// The slope where x ≤ 0.
    pub negative_slope: f64,
}

/// A slope of 0.01.
impl Default for LeakyReLU {
    fn default() -> Self {
        Self { negative_slope: 0.01 }
    }
}

crate::module::no_parameters!(LeakyReLU);

impl<T: Float> Layer<T> for LeakyReLU {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        Ok(x.leaky_relu(self.negative_slope))
    }
}

/// y = x where x > 0, else w·x with a learnable slope w: one for all, or one for each channel (axis 1).
///
/// ∂y/∂w = x where x ≤ 0, else 0. Weight decay is best left off the slope.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html),
/// [He et al. 2015](https://arxiv.org/abs/1502.01852)
#[derive(Clone, Debug)]
pub struct PReLU<T: Float = f32> {
    /// The slopes, `[1]` or `[channels]`.
    pub weight: Parameter<T>,
}

module!(PReLU<T> { weight });

impl<T: Float> PReLU<T> {
    /// `num_parameters` slopes (1, or the number of channels), all beginning as `init` (0.25 in PyTorch).
    ///
    /// # Errors
    /// If there is to be no slope at all.
    #[track_caller]
    pub fn new(num_parameters: usize, init: f64) -> Result<Self> {
        if num_parameters == 0 {
            return Err(Error::new("prelu", "expected at least one slope"));
        }
        Ok(Self { weight: Parameter::new(Tensor::full([num_parameters], T::from_f64(init))?) })
    }
}

impl<T: Float> Layer<T> for PReLU<T> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.prelu(&self.weight.on(x))
    }
}

/// y = x where x > 0, else r·x: in training r is drawn for each element, uniformly in [lower, upper), from the
/// tape's random numbers; in evaluation it is the mean (lower + upper)/2.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.RReLU.html),
/// [Xu et al. 2015](https://arxiv.org/abs/1505.00853)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RReLU {
    lower: f64,
    upper: f64,
}

impl RReLU {
    /// Slopes within [`lower`, `upper`).
    ///
    /// # Errors
    /// If `lower` > `upper`, or one is not finite.
    #[track_caller]
    pub fn new(lower: f64, upper: f64) -> Result<Self> {
        if !(lower <= upper && (upper - lower).is_finite()) {
            return Err(Error::new(
                "rrelu",
                format!("expected finite bounds lower ≤ upper, found {lower} and {upper}"),
            ));
        }
        Ok(Self { lower, upper })
    }
}

/// Slopes within [1/8, 1/3).
impl Default for RReLU {
    fn default() -> Self {
        Self { lower: 1.0 / 8.0, upper: 1.0 / 3.0 }
    }
}

crate::module::no_parameters!(RReLU);

impl<T: Float> Layer<T> for RReLU {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let Some(tape) = x.tape().filter(|tape| tape.is_training()) else {
            return Ok(x.leaky_relu((self.lower + self.upper) / 2.0));
        };
        let mut values = x.value().as_slice().iter();
        let slopes = tape.random(|rng| {
            // A number is drawn for the elements that need one only, as in PyTorch.
            Tensor::from_fn(x.shape(), || match values.next() {
                Some(&x) if x <= T::ZERO => {
                    T::from_f64(self.lower + (self.upper - self.lower) * rng.random::<f64>())
                }
                _ => T::ONE,
            })
        })?;
        x.mul(&Var::from(slopes))
    }
}
