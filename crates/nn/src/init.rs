//! Initialisers: what weights begin as.
//!
//! The fans of a weight `[out, in, kernel…]` are fan_in = in·Πkernel and fan_out = out·Πkernel, read off the
//! shape alone: that is PyTorch's rule, also for grouped and for transposed convolutions.
//! [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html)

use rand::{Rng, RngExt};
use retrograd_tensor::{Error, Float, Result, Shape, Tensor};

/// Draws the initial value of a parameter.
pub trait Init<T: Float> {
    /// A tensor of `shape`.
    ///
    /// # Errors
    /// If the initialiser is not defined for the shape, or its settings make no distribution.
    #[track_caller]
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
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.xavier_normal_),
/// [Glorot & Bengio 2010](https://proceedings.mlr.press/v9/glorot10a.html)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Init, XavierNormal}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let w: Tensor = XavierNormal::gain(5.0 / 3.0).sample(&[80, 120].into(), rng)?; // before a tanh
/// let deviation = w.var(.., 0.0)?.item()?.sqrt();
/// assert!((deviation - 5.0 / 3.0 * 0.1).abs() < 0.01);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct XavierNormal(f64);

/// Xavier (Glorot), uniform: ±gain·√(6/(fan_in + fan_out)).
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.xavier_uniform_),
/// [Glorot & Bengio 2010](https://proceedings.mlr.press/v9/glorot10a.html)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Init, XavierUniform}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let w: Tensor = XavierUniform::default().sample(&[2, 4].into(), rng)?;
/// assert!(w.as_slice().iter().all(|w| w.abs() <= 1.0));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
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
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.kaiming_normal_),
/// [He et al. 2015](https://arxiv.org/abs/1502.01852)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Init, KaimingNormal}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let w: Tensor = KaimingNormal::default().sample(&[100, 2, 10, 10].into(), rng)?; // before a ReLU
/// let deviation = w.var(.., 0.0)?.item()?.sqrt();
/// assert!((deviation - 0.1).abs() < 0.01);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KaimingNormal {
    /// Which fan.
    pub fan: Fan,
    /// What follows.
    pub nonlinearity: Nonlinearity,
}

/// Kaiming (He), uniform: ±√3·gain/√fan.
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.kaiming_uniform_),
/// [He et al. 2015](https://arxiv.org/abs/1502.01852)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Fan, Init, KaimingUniform, Nonlinearity}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let init = KaimingUniform { fan: Fan::Out, nonlinearity: Nonlinearity::Linear };
/// let w: Tensor = init.sample(&[12, 5].into(), rng)?;
/// assert!(w.as_slice().iter().all(|w| w.abs() <= 0.5));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
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

/// Uniform in `[low, high)`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.uniform_)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Init, Uniform}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let w: Tensor = Uniform { low: 2.0, high: 3.0 }.sample(&[8].into(), rng)?;
/// assert!(w.as_slice().iter().all(|w| (2.0..=3.0).contains(w)));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    /// The least number.
    pub low: f64,
    /// The bound above.
    pub high: f64,
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
        Ok(Self::within(if fan_in > 0.0 { 1.0 / fan_in.sqrt() } else { 0.0 }))
    }

    /// Uniform in `[−bound, bound)`.
    pub fn within(bound: f64) -> Self {
        Self { low: -bound, high: bound }
    }
}

/// The same value everywhere.
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.constant_)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Constant, Init}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let w: Tensor = Constant(0.5).sample(&[2].into(), rng)?;
/// assert_eq!(w, Tensor::from([0.5, 0.5]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant(pub f64);

/// √(2/(fan_in + fan_out)).
#[track_caller]
fn xavier_deviation(shape: &Shape) -> Result<f64> {
    let (fan_in, fan_out) = fans(shape)?;
    Ok((2.0 / (fan_in + fan_out)).sqrt())
}

#[track_caller]
fn normal<T: Float>(deviation: f64, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
    finite(deviation)?;
    Ok(Tensor::<f64>::randn(shape, &mut &mut *rng)?.map(|z| z * deviation).cast())
}

#[track_caller]
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
        if shape.contains(&0) {
            return Tensor::zeros(shape);
        }
        normal(self.nonlinearity.gain() / self.fan.of(shape)?.sqrt(), shape, rng)
    }
}

impl<T: Float> Init<T> for KaimingUniform {
    fn sample(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
        if shape.contains(&0) {
            return Tensor::zeros(shape);
        }
        uniform(3f64.sqrt() * self.nonlinearity.gain() / self.fan.of(shape)?.sqrt(), shape, rng)
    }
}

impl<T: Float> Init<T> for Uniform {
    fn sample(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
        if self.low.is_finite() && self.high.is_finite() && self.low <= self.high {
            return Tensor::rand(shape, self.low, self.high, &mut &mut *rng);
        }
        Err(Error::new(
            "init",
            format!("expected finite bounds low ≤ high, found {} and {}", self.low, self.high),
        ))
    }
}

impl<T: Float> Init<T> for Constant {
    fn sample(&self, shape: &Shape, _: &mut dyn Rng) -> Result<Tensor<T>> {
        Tensor::full(shape, T::from_f64(self.0))
    }
}

/// Normal, of this mean and deviation.
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.normal_)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Init, Normal}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let w: Tensor = Normal { mean: 3.0, std: 0.1 }.sample(&[10_000].into(), rng)?;
/// assert!((w.mean(..)?.item()? - 3.0).abs() < 0.01);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    /// The mean.
    pub mean: f64,
    /// The deviation, not below 0.
    pub std: f64,
}

impl<T: Float> Init<T> for Normal {
    fn sample(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
        finite(self.std)?;
        Ok(Tensor::<f64>::randn(shape, &mut &mut *rng)?.map(|z| self.mean + z * self.std).cast())
    }
}

/// Normal within `[low, high]`: the numbers that the normal distribution has there, as often as it has them.
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.trunc_normal_)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Init, TruncatedNormal}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let init = TruncatedNormal { std: 0.02, low: -0.04, high: 0.04, ..Default::default() };
/// let w: Tensor = init.sample(&[100].into(), rng)?;
/// assert!(w.as_slice().iter().all(|w| w.abs() <= 0.04));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruncatedNormal {
    /// The mean before the tails are cut.
    pub mean: f64,
    /// The deviation before the tails are cut, above 0.
    pub std: f64,
    /// The least number; may be −∞.
    pub low: f64,
    /// The largest number; may be ∞.
    pub high: f64,
}

/// The standard normal distribution within two deviations.
impl Default for TruncatedNormal {
    fn default() -> Self {
        Self { mean: 0.0, std: 1.0, low: -2.0, high: 2.0 }
    }
}

/// Uniform numbers are kept as often as the density is there, relative to its largest value, e^(−d·(m + d/2)) at d
/// from the mode m (in deviations, from the mean). Where that is below e⁻⁴⁰ nothing is drawn, so that in the far tail,
/// too, one in some forty is kept.
impl<T: Float> Init<T> for TruncatedNormal {
    fn sample(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
        let Self { mean, std, low, high } = *self;
        let mode = mean.max(low).min(high);
        let m = (mode - mean) / std;
        if !std.is_finite() || std <= 0.0 || low.is_nan() || high.is_nan() || low > high || !m.is_finite() {
            let fact = format!(
                "expected finite mean and deviation > 0 and bounds low ≤ high, found {mean}, {std}, {low} and {high}"
            );
            return Err(Error::new("init", fact));
        }
        let reach = 80.0 / (m.abs() + m.hypot(80f64.sqrt()));
        let (least, most) = (((low - mode) / std).max(-reach), ((high - mode) / std).min(reach));
        let draw = || loop {
            let d = least + (most - least) * rng.random::<f64>();
            if rng.random::<f64>() <= (-d * (m + d / 2.0)).exp() {
                break T::from_f64((mode + std * d).max(low).min(high));
            }
        };
        Tensor::from_fn(shape, draw)
    }
}

/// 0 everywhere.
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.zeros_)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Init, Zeros}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let w: Tensor = Zeros.sample(&[2].into(), rng)?;
/// assert_eq!(w, Tensor::from([0.0, 0.0]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zeros;

impl<T: Float> Init<T> for Zeros {
    fn sample(&self, shape: &Shape, _: &mut dyn Rng) -> Result<Tensor<T>> {
        Tensor::zeros(shape)
    }
}

/// 1 everywhere.
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.ones_)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Init, Ones}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let w: Tensor = Ones.sample(&[2].into(), rng)?;
/// assert_eq!(w, Tensor::from([1.0, 1.0]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ones;

impl<T: Float> Init<T> for Ones {
    fn sample(&self, shape: &Shape, _: &mut dyn Rng) -> Result<Tensor<T>> {
        Tensor::ones(shape)
    }
}

/// 1 on the diagonal of a matrix, elsewhere 0: a linear layer that keeps its inputs.
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.eye_)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Eye, Init}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let w: Tensor = Eye.sample(&[2, 3].into(), rng)?;
/// assert_eq!(w, Tensor::from([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Eye;

impl<T: Float> Init<T> for Eye {
    fn sample(&self, shape: &Shape, _: &mut dyn Rng) -> Result<Tensor<T>> {
        let &[rows, columns] = &shape[..] else {
            return Err(Error::new("init", format!("expected a matrix for Eye, found shape {shape}")));
        };
        let mut eye = Tensor::zeros(shape)?;
        let elements = eye.make_mut();
        (0..rows.min(columns)).for_each(|i| elements[i * columns + i] = T::ONE);
        Ok(eye)
    }
}

/// 1 at the kernel's middle from each input channel to the output channel of its number, in every group: a
/// convolution that keeps its channels.
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.dirac_)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Dirac, Init}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let w: Tensor = Dirac::default().sample(&[2, 2, 3].into(), rng)?;
/// assert_eq!(w, Tensor::from([[[0.0, 1.0, 0.0], [0.0; 3]], [[0.0; 3], [0.0, 1.0, 0.0]]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dirac {
    /// How many groups the convolution has.
    pub groups: usize,
}

/// One group.
impl Default for Dirac {
    fn default() -> Self {
        Self { groups: 1 }
    }
}

impl<T: Float> Init<T> for Dirac {
    fn sample(&self, shape: &Shape, _: &mut dyn Rng) -> Result<Tensor<T>> {
        let groups = self.groups;
        if !(3..=5).contains(&shape.rank()) || groups == 0 || !shape[0].is_multiple_of(groups) {
            let fact = format!(
                "expected a weight of 3 to 5 axes with a multiple of {groups} outputs, found shape {shape}"
            );
            return Err(Error::new("init", fact));
        }
        let mut weight = Tensor::zeros(shape)?;
        if shape.contains(&0) {
            return Ok(weight);
        }
        let (outputs, strides) = (shape[0] / groups, shape.strides());
        let middle: usize =
            shape.iter().zip(&strides).skip(2).map(|(extent, stride)| extent / 2 * stride).sum();
        let elements = weight.make_mut();
        for group in 0..groups {
            for channel in 0..outputs.min(shape[1]) {
                elements[(group * outputs + channel) * strides[0] + channel * strides[1] + middle] = T::ONE;
            }
        }
        Ok(weight)
    }
}

/// Rows (or, where there are more rows than columns, columns) that are orthogonal to each other and of length `gain`;
/// the axes after the first count as one. They are those of the QR decomposition of normal numbers with a positive
/// diagonal of R, which makes them uniform among all such matrices.
/// [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.orthogonal_),
/// [Saxe et al. 2013](https://arxiv.org/abs/1312.6120)
///
/// ```
/// # use retrograd_nn::{Tensor, init::{Init, Orthogonal}};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let w: Tensor = Orthogonal { gain: 2.0 }.sample(&[2, 2].into(), rng)?;
/// let products = w.matmul(&w.transpose(0, 1)?)?; // 4 on the diagonal, else 0
/// assert!((products.as_slice()[0] - 4.0).abs() < 1e-5 && products.as_slice()[1].abs() < 1e-5);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orthogonal {
    /// The length.
    pub gain: f64,
}

/// Length 1.
impl Default for Orthogonal {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl<T: Float> Init<T> for Orthogonal {
    fn sample(&self, shape: &Shape, rng: &mut dyn Rng) -> Result<Tensor<T>> {
        let [rows, rest @ ..] = &shape[..] else { return Err(too_few_axes(shape)) };
        if rest.is_empty() {
            return Err(too_few_axes(shape));
        }
        if !self.gain.is_finite() {
            return Err(Error::new("init", format!("expected a finite gain, found {}", self.gain)));
        }
        if shape.contains(&0) {
            return Tensor::zeros(shape);
        }
        let whole = Tensor::<T>::zeros(shape)?;
        let columns: usize = rest.iter().product();
        let (few, length) = (columns.min(*rows), columns.max(*rows));
        let mut vectors = Tensor::<f64>::randn([few, length], &mut &mut *rng)?;
        orthonormalise(vectors.make_mut(), length)?;
        let vectors = if *rows > columns { vectors.transpose(0, 1)? } else { vectors };
        vectors.map(|x| x * self.gain).cast::<T>().reshape_to(whole.shape())
    }
}

#[track_caller]
fn too_few_axes(shape: &Shape) -> Error {
    Error::new("init", format!("expected a weight of at least two axes, found shape {shape}"))
}

/// Gram-Schmidt, in which each vector is cleared of its predecessors twice: once leaves rounding errors.
#[track_caller]
fn orthonormalise(vectors: &mut [f64], length: usize) -> Result<()> {
    for i in 0..vectors.len() / length {
        let (before, rest) = vectors.split_at_mut(i * length);
        let vector = &mut rest[..length];
        for _ in 0..2 {
            for other in before.chunks_exact(length) {
                let share: f64 = other.iter().zip(&*vector).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(x, other)| *x -= share * other);
            }
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm.is_nan() || norm <= 1e-12 {
            return Err(Error::new("init", "the random numbers are linearly dependent"));
        }
        vector.iter_mut().for_each(|x| *x /= norm);
    }
    Ok(())
}
