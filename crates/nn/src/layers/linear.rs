//! The linear (fully connected) layer.

use std::panic::Location;

use rand::Rng;
use retrograd_autograd::{Parameter, Var};
use retrograd_tensor::{Error, Float, Result, Shape};

use crate::init::{Init, Uniform};
use crate::{Layer, module};

/// y = x·Wᵀ + b: every output is joined to every input.
///
/// `x` `[..., in]` gives `[..., out]`; `weight` is `[out, in]`, `bias` `[out]`. Both begin uniform in ±1/√in.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html)
///
/// # Errors
/// `forward`: if `x` is a scalar, or its last extent is not `in`.
///
/// ```
/// # use retrograd_nn::{Layer, Linear, Parameter, Tensor};
/// let layer = Linear {
///     weight: Parameter::new(Tensor::from([[1.0f32; 3], [2.0; 3], [3.0; 3], [4.0; 3]])),
///     bias: Some(Parameter::new(Tensor::from([0.5; 4]))),
/// };
/// let y = layer.predict(&Tensor::from([[1.0, 2.0, 3.0]]))?;
/// assert_eq!(y, Tensor::from([[6.5, 12.5, 18.5, 24.5]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Linear<T: Float = f32> {
    /// W `[out, in]`.
    pub weight: Parameter<T>,
    /// b `[out]`.
    pub bias: Option<Parameter<T>>,
}

module!(Linear<T> { weight, bias });

impl<T: Float> Linear<T> {
    /// A layer from `in_features` to `out_features`, to be [built](LinearBuilder::build).
    #[expect(clippy::new_ret_no_self, reason = "weights need a random number generator, which `build` takes")]
    pub fn new(in_features: usize, out_features: usize) -> LinearBuilder<T> {
        LinearBuilder { in_features, out_features, bias: true, init: None }
    }
}

/// The settings of a [`Linear`] layer.
pub struct LinearBuilder<T: Float = f32> {
    in_features: usize,
    out_features: usize,
    bias: bool,
    init: Option<Box<dyn Init<T>>>,
}

impl<T: Float> LinearBuilder<T> {
    /// Whether there is a bias; there is by default.
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// What the weight begins as.
    pub fn init(self, init: impl Init<T> + 'static) -> Self {
        Self { init: Some(Box::new(init)), ..self }
    }

    /// The layer, with weights drawn from `rng`.
    ///
    /// # Errors
    /// If the weight cannot be addressed, or its initialiser fails.
    #[track_caller]
    pub fn build(self, rng: &mut impl Rng) -> Result<Linear<T>> {
        let shape = Shape::from([self.out_features, self.in_features]);
        let (weight, bias) =
            weight_and_bias("linear", shape, self.bias.then_some(self.out_features), self.init, rng)?;
        Ok(Linear { weight, bias })
    }
}

/// A weight and the bias that goes with it, PyTorch's default where there is no initialiser: both uniform in
/// ±1/√fan_in.
#[track_caller]
pub(super) fn weight_and_bias<T: Float>(
    op: &'static str,
    shape: Shape,
    bias: Option<usize>,
    init: Option<Box<dyn Init<T>>>,
    mut rng: &mut dyn Rng,
) -> Result<(Parameter<T>, Option<Parameter<T>>)> {
    if shape.checked_numel().is_none() {
        return Err(Error::new(
            op,
            format!("a weight of shape {shape} has more elements than can be addressed"),
        ));
    }
    let default = Uniform::by_fan_in(&shape)?;
    // A call of a trait object does not hand on its line.
    let line = Location::caller();
    let weight = match init {
        Some(init) => init.sample(&shape, &mut rng).map_err(|error| error.called_from(line))?,
        None => default.sample(&shape, &mut rng)?,
    };
    let bias = match bias {
        Some(outputs) => Some(Parameter::new(default.sample(&[outputs].into(), &mut rng)?)),
        None => None,
    };
    Ok((Parameter::new(weight), bias))
}

impl<T: Float> Layer<T> for Linear<T> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let bias = self.bias.as_ref().map(|bias| bias.on(x));
        x.linear(&self.weight.on(x), bias.as_ref())
    }
}
