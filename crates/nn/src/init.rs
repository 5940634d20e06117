//! Initialisers: what weights begin as.
//!
//! The fans of a weight `[out, in, kernel…]` are fan_in = in·Πkernel and fan_out = out·Πkernel, read off the
//! shape alone: that is PyTorch's rule, also for grouped and for transposed convolutions.
//! [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html)

use rand::Rng;
use retrograd_tensor::{Error, Float, Result, Shape, Tensor};

/// Draws the initial value of a parameter.
pub trait Init<T: Float> {
    /// A tensor of `shape`.
    ///
    /// # Errors
    /// If the initialiser is not defined for the shape, or its settings make no distribution.
    fn sample(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>>;
}

/// (fan_in, fan_out) of a weight.
///
/// # Errors
/// If the weight has fewer than two axes.
#[track_caller]
pub fn fans(shape: &Shape) -> Result<(f64, f64)> {
    let [outputs, inputs, kernel @ ..] = &shape[..] else {
        return Err(Error::new(
            "fans",
            format!("expected a weight of at least two axes, found shape {shape}"),
        ));
    };
    let taps: f64 = kernel.iter().map(|&extent| extent as f64).product();
    Ok((*inputs as f64 * taps, *outputs as f64 * taps))
}

/// What follows a layer, as far as the recommended gain depends on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// Nothing, or a convolution: gain 1.
    Linear,
    /// Gain 1.
    Sigmoid,
    /// Gain 5/3.
    Tanh,
    /// Gain √2.
    Relu,
    /// Gain √(2/(1 + slope²)).
    LeakyRelu(f64),
    /// Gain 3/4.
    Selu,
}

impl Nonlinearity {
    /// The factor on the deviation of the weights that keeps the size of the signal.
    pub fn gain(self) -> f64 {
        match self {
            Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
            Nonlinearity::Tanh => 5.0 / 3.0,
            Nonlinearity::Relu => 2f64.sqrt(),
            Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
            Nonlinearity::Selu => 0.75,
        }
    }
}

/// Xavier (Glorot), normal: deviation gain·√(2/(fan_in + fan_out)).
/// [Glorot & Bengio 2010](https://proceedings.mlr.press/v9/glorot10a.html)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct XavierNormal(f64);

/// Xavier (Glorot), uniform: ±gain·√(6/(fan_in + fan_out)).
/// [Glorot & Bengio 2010](https://proceedings.mlr.press/v9/glorot10a.html)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct XavierUniform(f64);

macro_rules! xavier {
    ($($Type:ident)*) => {$(
        impl $Type {
            /// With this gain; see [`Nonlinearity::gain`].
            pub fn gain(gain: f64) -> Self {
                Self(gain)
            }
        }

        /// Gain 1.
        impl Default for $Type {
            fn default() -> Self {
                Self(1.0)
            }
        }
    )*};
}

xavier!(XavierNormal XavierUniform);

/// Which fan the deviation of Kaiming's initialisation follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fan {
    /// Keeps the size of the signal forward.
    #[default]
    In,
    /// Keeps the size of the gradient backward.
    Out,
}

/// Kaiming (He), normal: deviation gain/√fan.
/// [He et al. 2015](https://arxiv.org/abs/1502.01852)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KaimingNormal {
    /// Which fan.
    pub fan: Fan,
    /// What follows.
    pub nonlinearity: Nonlinearity,
}

/// Kaiming (He), uniform: ±√3·gain/√fan.
/// [He et al. 2015](https://arxiv.org/abs/1502.01852)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KaimingUniform {
    /// Which fan.
    pub fan: Fan,
    /// What follows.
    pub nonlinearity: Nonlinearity,
}

/// For layers that ReLU follows, by fan_in.
impl Default for KaimingNormal {
    fn default() -> Self {
        Self { fan: Fan::In, nonlinearity: Nonlinearity::Relu }
    }
}

/// For layers that ReLU follows, by fan_in.
impl Default for KaimingUniform {
    fn default() -> Self {
        Self { fan: Fan::In, nonlinearity: Nonlinearity::Relu }
    }
}

impl Fan {
    #[track_caller]
    fn of(self, shape: &Shape) -> Result<f64> {
        let (fan_in, fan_out) = fans(shape)?;
        Ok(if self == Fan::In { fan_in } else { fan_out })
    }
}

/// Uniform in `[−bound, bound]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    /// The bound.
    pub bound: f64,
}

impl Uniform {
    /// ±1/√fan_in, PyTorch's default for the weights and biases of linear layers and convolutions; `weight` is
    /// the shape of the weight, also for a bias.
    ///
    /// # Errors
    /// If the weight has fewer than two axes.
    #[track_caller]
    pub fn by_fan_in(weight: &Shape) -> Result<Self> {
        let fan_in = fans(weight)?.0;
        Ok(Self { bound: if fan_in > 0.0 { 1.0 / fan_in.sqrt() } else { 0.0 } })
    }
}

/// The same value everywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant(pub f64);

/// √(2/(fan_in + fan_out)).
#[track_caller]
fn xavier_deviation(shape: &Shape) -> Result<f64> {
    let (fan_in, fan_out) = fans(shape)?;
    Ok((2.0 / (fan_in + fan_out)).sqrt())
}

fn normal<T: Float>(deviation: f64, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
    finite(deviation)?;
    Ok(Tensor::<f64>::randn(shape, &mut &mut *rng)?.map(|z| z * deviation).cast())
}

fn uniform<T: Float>(bound: f64, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
    finite(bound)?;
    Tensor::rand(shape, -bound, bound, &mut &mut *rng)
}

#[track_caller]
fn finite(scale: f64) -> Result<()> {
    if scale.is_finite() && scale >= 0.0 {
        return Ok(());
    }
    Err(Error::new("init", format!("expected a finite, non-negative deviation or bound, found {scale}")))
}

impl<T: Float> Init<T> for XavierNormal {
    fn sample(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
        normal(self.0 * xavier_deviation(shape)?, shape, rng)
    }
}

impl<T: Float> Init<T> for XavierUniform {
    fn sample(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
        uniform(self.0 * 3f64.sqrt() * xavier_deviation(shape)?, shape, rng)
    }
}

impl<T: Float> Init<T> for KaimingNormal {
    fn sample(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
        normal(self.nonlinearity.gain() / self.fan.of(shape)?.sqrt(), shape, rng)
    }
}

impl<T: Float> Init<T> for KaimingUniform {
    fn sample(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
        uniform(3f64.sqrt() * self.nonlinearity.gain() / self.fan.of(shape)?.sqrt(), shape, rng)
    }
}

impl<T: Float> Init<T> for Uniform {
    fn sample(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
        uniform(self.bound, shape, rng)
    }
}

impl<T: Float> Init<T> for Constant {
    fn sample(&self, shape: &Shape, _: &mut dyn Rng) -> Result<Tensor<T>> {
        Tensor::full(shape, T::from_f64(self.0))
    }
}
