//! Activation functions as layers.

use rand::RngExt;
use retrograd_autograd::{Parameter, Var};
use retrograd_tensor::{Error, Finish, Float, Result, Tensor};

use crate::{Interleaving, Layer, module};

/// A row: documentation with an example, the layer, its formula on a variable, and the function of a variable that is
/// given for good and what a convolution does in passing if there are. `x` has any shape, `y` the same.
macro_rules! activations {
    ($($(#[$doc:meta])* $Type:ident: |$x:ident| $y:expr
        $(, in place $in_place:expr)? $(, in passing $in_passing:expr)?;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $Type;

        crate::module::no_parameters!($Type);

        impl<T: Float> Layer<T> for $Type {
            #[track_caller]
            fn forward(&self, $x: &Var<T>) -> Result<Var<T>> {
                Ok($y)
            }

            fn interleaving(&self) -> Interleaving<'_, T> {
                Interleaving::Unnoticed
            }

            $(
                fn in_place(&self) -> Option<fn(Var<T>) -> Var<T>> {
                    Some($in_place)
                }
            )?

            $(
                fn in_passing(&self, so_far: &Finish<T>, _: usize, _: usize) -> Option<Finish<T>> {
                    Some($in_passing(so_far))
                }
            )?
        }
    )*};
}

activations! {
    /// y = 1/(1 + e⁻ˣ), in (0, 1); y' = y(1 − y).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Sigmoid.html)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, Sigmoid, Tensor};
    /// let y = Sigmoid.predict(&Tensor::from([0.0f32, 200.0, -200.0]))?;
    /// assert_eq!(y, Tensor::from([0.5, 1.0, 0.0]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    Sigmoid: |x| x.sigmoid(), in place Var::into_sigmoid;

    /// y = (eˣ − e⁻ˣ)/(eˣ + e⁻ˣ), in (−1, 1); y' = 1 − y².
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Tanh.html)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, Tanh, Tensor};
    /// let y = Tanh.predict(&Tensor::scalar(2f64.ln()))?.item()?;
    /// assert!((y - 0.6).abs() < 1e-12);
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    Tanh: |x| x.tanh(), in place Var::into_tanh;

    /// y = max(0, x); y' = 1 for x > 0, else 0. NaN passes through.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU.html)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, ReLU, Tensor};
    /// let y = ReLU.predict(&Tensor::from([-1.0f32, 0.0, 2.0]))?;
    /// assert_eq!(y, Tensor::from([0.0, 0.0, 2.0]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    ReLU: |x| x.relu(), in place Var::into_relu, in passing Finish::rectified;

    /// y = min(max(0, x), 6); y' = 1 for 0 < x < 6, else 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU6.html)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, ReLU6, Tensor};
    /// let y = ReLU6.predict(&Tensor::from([-1.0f32, 2.0, 8.0]))?;
    /// assert_eq!(y, Tensor::from([0.0, 2.0, 6.0]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    ReLU6: |x| x.relu6();

    /// y = λx where x > 0, else λα(eˣ − 1), with λ = 1.0507009873554805 and α = 1.6732632423543772.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.SELU.html),
    /// [Klambauer et al. 2017](https://arxiv.org/abs/1706.02515)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, SELU, Tensor};
    /// let y = SELU.predict(&Tensor::from([-200.0f64, 0.0, 1.0]))?;
    /// assert_eq!(y.as_slice()[1..], [0.0, 1.050_700_987_355_480_5]);
    /// assert!((y.as_slice()[0] + 1.758_099_340_847_376_6).abs() < 1e-12); // −λα
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    SELU: |x| x.selu();

    /// y = x·σ(x), σ being the logistic function; also known as swish.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.SiLU.html)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, SiLU, Tensor};
    /// let y = SiLU.predict(&Tensor::scalar(3f64.ln()))?.item()?;
    /// assert!((y - 0.75 * 3f64.ln()).abs() < 1e-12);
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    SiLU: |x| x.silu();

    /// y = x·tanh(ln(1 + eˣ)).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Mish.html)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, Mish, Tensor};
    /// let y = Mish.predict(&Tensor::scalar((3f64.sqrt() - 1.0).ln()))?.item()?;
    /// assert!((y - 0.5 * (3f64.sqrt() - 1.0).ln()).abs() < 1e-12);
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    Mish: |x| x.mish();

    /// y = x/(1 + |x|), in (−1, 1).
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softsign.html)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, Softsign, Tensor};
    /// let y = Softsign.predict(&Tensor::from([-1.0f32, 0.0, 3.0]))?;
    /// assert_eq!(y, Tensor::from([-0.5, 0.0, 0.75]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    Softsign: |x| x.softsign();

    /// y = min(max(0, x + 3), 6)/6; y' = 1/6 for −3 < x < 3, else 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardsigmoid.html)
    ///
    /// ```
    /// # use retrograd_nn::{Hardsigmoid, Layer, Tensor};
    /// let y = Hardsigmoid.predict(&Tensor::from([-4.0f32, 0.0, 1.5, 4.0]))?;
    /// assert_eq!(y, Tensor::from([0.0, 0.5, 0.75, 1.0]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    Hardsigmoid: |x| x.hardsigmoid();

    /// y = x·min(max(0, x + 3), 6)/6.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardswish.html)
    ///
    /// ```
    /// # use retrograd_nn::{Hardswish, Layer, Tensor};
    /// let y = Hardswish.predict(&Tensor::from([-4.0f32, -1.5, 1.0, 4.0]))?;
    /// assert_eq!(y, Tensor::from([0.0, -0.375, 2.0 / 3.0, 4.0]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    Hardswish: |x| x.hardswish();

    /// y = ln σ(x) = −ln(1 + e⁻ˣ), σ being the logistic function.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSigmoid.html)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, LogSigmoid, Tensor};
    /// let y = LogSigmoid.predict(&Tensor::scalar(3f64.ln()))?.item()?;
    /// assert!((y - 0.75f64.ln()).abs() < 1e-12);
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    LogSigmoid: |x| x.logsigmoid();

    /// y = x − tanh x; y' = tanh² x.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Tanhshrink.html)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, Tanhshrink, Tensor};
    /// let y = Tanhshrink.predict(&Tensor::scalar(2f64.ln()))?.item()?;
    /// assert!((y - (2f64.ln() - 0.6)).abs() < 1e-12);
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    Tanhshrink: |x| x.tanhshrink();
}

/// A row: documentation with an example, the layer with its settings and their defaults, its formula on a variable.
macro_rules! adjustable {
    ($($(#[$doc:meta])* $Type:ident { $($(#[$about:meta])* $setting:ident: $S:ty = $default:expr),* }
        |$layer:ident, $x:ident| $y:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $Type {
            $($(#[$about])* pub $setting: $S,)*
        }

        /// PyTorch's.
        impl Default for $Type {
            fn default() -> Self {
                Self { $($setting: $default),* }
            }
        }

        crate::module::no_parameters!($Type);

        impl<T: Float> Layer<T> for $Type {
            #[track_caller]
            fn forward(&self, $x: &Var<T>) -> Result<Var<T>> {
                let $layer = self;
                Ok($y)
            }

            fn interleaving(&self) -> Interleaving<'_, T> {
                Interleaving::Unnoticed
            }
        }
    )*};
}

adjustable! {
    /// y = x where x > 0, else negative_slope·x; the slope at 0 is negative_slope.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.LeakyReLU.html)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, LeakyReLU, Tensor};
    /// let layer = LeakyReLU { negative_slope: 0.1 };
    /// assert_eq!(layer.predict(&Tensor::from([-2.0f64, 3.0]))?, Tensor::from([-0.2, 3.0]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    LeakyReLU {
        /// The slope where x ≤ 0.
        negative_slope: f64 = 0.01
    } |layer, x| x.leaky_relu(layer.negative_slope);

    /// y = x where x > 0, else α(eˣ − 1); the slope at 0 is α.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.ELU.html),
    /// [Clevert et al. 2015](https://arxiv.org/abs/1511.07289)
    ///
    /// ```
    /// # use retrograd_nn::{ELU, Layer, Tensor};
    /// let y = ELU { alpha: 2.0 }.predict(&Tensor::from([0.5f64.ln(), 3.0]))?;
    /// assert!((y.as_slice()[0] + 1.0).abs() < 1e-12);
    /// assert_eq!(y.as_slice()[1], 3.0);
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    ELU {
        /// −α is what y tends to for x → −∞.
        alpha: f64 = 1.0
    } |layer, x| x.elu(layer.alpha);

    /// y = ln(1 + e^(βx))/β, a smooth rectifier, and y = x where βx > threshold.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softplus.html)
    ///
    /// ```
    /// # use retrograd_nn::{Layer, Softplus, Tensor};
    /// let y = Softplus::default().predict(&Tensor::from([0.0f64, 30.0]))?;
    /// assert!((y.as_slice()[0] - 2f64.ln()).abs() < 1e-12);
    /// assert_eq!(y.as_slice()[1], 30.0);
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    Softplus {
        /// The sharpness of the bend.
        beta: f64 = 1.0,
        /// What βx must exceed for y to be x.
        threshold: f64 = 20.0
    } |layer, x| x.softplus(layer.beta, layer.threshold);

    /// y = x outside of [−λ, λ], else 0.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardshrink.html)
    ///
    /// ```
    /// # use retrograd_nn::{Hardshrink, Layer, Tensor};
    /// let y = Hardshrink { lambda: 1.0 }.predict(&Tensor::from([-2.0f32, 0.5, 1.5]))?;
    /// assert_eq!(y, Tensor::from([-2.0, 0.0, 1.5]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    Hardshrink {
        /// The bound λ; below 0 nothing is cut.
        lambda: f64 = 0.5
    } |layer, x| x.hardshrink(layer.lambda);
}

/// A row: documentation, the layer, the method that it calls with its axis.
macro_rules! along_an_axis {
    ($($(#[$doc:meta])* $Type:ident: $method:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $Type {
            /// The axis; negative numbers count from the last.
            pub dim: isize,
        }

        crate::module::no_parameters!($Type);

        impl<T: Float> Layer<T> for $Type {
            #[track_caller]
            fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
                x.$method(self.dim)
            }
        }
    )*};
}

along_an_axis! {
    /// y = a·σ(b), a and b being the halves of x along an axis, and σ the logistic function: `[…, 2m, …]` gives
    /// `[…, m, …]`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.GLU.html),
    /// [Dauphin et al. 2017](https://arxiv.org/abs/1612.08083)
    ///
    /// # Errors
    /// `forward`: if `x` has no such axis, or its extent is odd.
    ///
    /// ```
    /// # use retrograd_nn::{GLU, Layer, Tensor};
    /// let y = GLU::default().predict(&Tensor::from([3.0f32, 4.0, 0.0, 200.0]))?;
    /// assert_eq!(y, Tensor::from([1.5, 4.0]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    GLU: glu;

    /// y = eˣ/Σ eˣ along an axis: positive numbers that sum to 1, of the shape of `x`.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html)
    ///
    /// # Errors
    /// `forward`: if `x` has no such axis.
    ///
    /// ```
    /// # use retrograd_nn::{Layer, Softmax, Tensor};
    /// let y = Softmax { dim: -1 }.predict(&Tensor::from([[0.0f32, 0.0], [5.0, 5.0]]))?;
    /// assert_eq!(y, Tensor::from([[0.5, 0.5], [0.5, 0.5]]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    Softmax: softmax;

    /// y = x − ln Σ eˣ along an axis, the logarithm of [`Softmax`].
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html)
    ///
    /// # Errors
    /// `forward`: if `x` has no such axis.
    ///
    /// ```
    /// # use retrograd_nn::{Layer, LogSoftmax, Tensor};
    /// let y = LogSoftmax { dim: -1 }.predict(&Tensor::from([[1000.0f32, 0.0], [5.0, 5.0]]))?;
    /// assert_eq!(y, Tensor::from([[0.0, -1000.0], [-(2f32.ln()), -(2f32.ln())]]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    LogSoftmax: log_softmax;

    /// y = e⁻ˣ/Σ e⁻ˣ along an axis, the [`Softmax`] of −x.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmin.html)
    ///
    /// # Errors
    /// `forward`: if `x` has no such axis.
    ///
    /// ```
    /// # use retrograd_nn::{Layer, Softmin, Tensor};
    /// let y = Softmin { dim: 0 }.predict(&Tensor::from([[0.0f64, 5.0], [3f64.ln(), 5.0]]))?;
    /// assert!((y.as_slice()[0] - 0.75).abs() < 1e-12);
    /// assert_eq!(y.as_slice()[3], 0.5);
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    Softmin: softmin;
}

/// The last axis, as in PyTorch.
impl Default for GLU {
    fn default() -> Self {
        Self { dim: -1 }
    }
}

/// y = x·Φ(x), Φ being the distribution of the standard normal one.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.GELU.html),
/// [Hendrycks and Gimpel 2016](https://arxiv.org/abs/1606.08415)
///
/// ```
/// # use retrograd_nn::{GELU, Layer, Tensor};
/// let x = Tensor::from([-1.0, 0.0, 2.0]);
/// let (exact, tanh) = (GELU::Exact.predict(&x)?, GELU::Tanh.predict(&x)?);
/// assert!((exact.as_slice()[2] - 1.954_499_7_f64).abs() < 1e-6);
/// assert!((tanh.as_slice()[2] - 1.954_597_7_f64).abs() < 1e-6);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GELU {
    /// By the error function; PyTorch's `approximate='none'`.
    #[default]
    Exact,
    /// ½x(1 + tanh(√(2/π)(x + 0.044715·x³))), which differs by up to 5·10⁻⁴; PyTorch's `approximate='tanh'`.
    Tanh,
}

crate::module::no_parameters!(GELU);

impl<T: Float> Layer<T> for GELU {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        Ok(match self {
            Self::Exact => x.gelu(),
            Self::Tanh => x.gelu_tanh(),
        })
    }

    fn interleaving(&self) -> Interleaving<'_, T> {
        Interleaving::Unnoticed
    }
}

/// y = x limited to [min_val, max_val]; y' = 1 strictly between the bounds, else 0.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardtanh.html)
///
/// ```
/// # use retrograd_nn::{Hardtanh, Layer, Tensor};
/// let y = Hardtanh::new(-1.0, 2.0)?.predict(&Tensor::from([-3.0f32, 0.5, 3.0]))?;
/// assert_eq!(y, Tensor::from([-1.0, 0.5, 2.0]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hardtanh {
    min_val: f64,
    max_val: f64,
}

impl Hardtanh {
    /// The bounds.
    ///
    /// # Errors
    /// If not `min_val` < `max_val`.
    #[track_caller]
    pub fn new(min_val: f64, max_val: f64) -> Result<Self> {
        // Written so that NaN is refused.
        if !matches!(min_val.partial_cmp(&max_val), Some(std::cmp::Ordering::Less)) {
            return Err(Error::new(
                "hardtanh",
                format!("expected min_val < max_val, found {min_val} and {max_val}"),
            ));
        }
        Ok(Self { min_val, max_val })
    }
}

/// −1 and 1.
impl Default for Hardtanh {
    fn default() -> Self {
        Self { min_val: -1.0, max_val: 1.0 }
    }
}

crate::module::no_parameters!(Hardtanh);

impl<T: Float> Layer<T> for Hardtanh {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        Ok(x.hardtanh(self.min_val, self.max_val))
    }

    fn interleaving(&self) -> Interleaving<'_, T> {
        Interleaving::Unnoticed
    }
}

/// y = x where x > 0, else α(e^(x/α) − 1), whose slope is continuous for every α > 0.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.CELU.html),
/// [Barron 2017](https://arxiv.org/abs/1704.07483)
///
/// ```
/// # use retrograd_nn::{CELU, Layer, Tensor};
/// let y = CELU::new(2.0)?.predict(&Tensor::from([2.0 * 0.5f64.ln(), 3.0]))?;
/// assert!((y.as_slice()[0] + 1.0).abs() < 1e-12);
/// assert_eq!(y.as_slice()[1], 3.0);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CELU {
    alpha: f64,
}

impl CELU {
    /// With this α.
    ///
    /// # Errors
    /// If α is 0.
    #[track_caller]
    pub fn new(alpha: f64) -> Result<Self> {
        if alpha == 0.0 {
            return Err(Error::new("celu", "expected an alpha other than 0, found 0"));
        }
        Ok(Self { alpha })
    }
}

/// α = 1.
impl Default for CELU {
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

crate::module::no_parameters!(CELU);

impl<T: Float> Layer<T> for CELU {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        Ok(x.celu(self.alpha))
    }

    fn interleaving(&self) -> Interleaving<'_, T> {
        Interleaving::Unnoticed
    }
}

/// y = x where x > threshold, else value; y' = 1 there, else 0.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Threshold.html)
///
/// ```
/// # use retrograd_nn::{Layer, Tensor, Threshold};
/// let layer = Threshold { threshold: 1.0, value: -9.0 };
/// assert_eq!(layer.predict(&Tensor::from([0.5f32, 1.0, 2.0]))?, Tensor::from([-9.0, -9.0, 2.0]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// What x must exceed.
    pub threshold: f64,
    /// What takes the place of the others.
    pub value: f64,
}

crate::module::no_parameters!(Threshold);

impl<T: Float> Layer<T> for Threshold {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        Ok(x.threshold(self.threshold, self.value))
    }

    fn interleaving(&self) -> Interleaving<'_, T> {
        Interleaving::Unnoticed
    }
}

/// y = x − λ for x > λ, x + λ for x < −λ, else 0.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softshrink.html)
///
/// ```
/// # use retrograd_nn::{Layer, Softshrink, Tensor};
/// let y = Softshrink::new(0.5)?.predict(&Tensor::from([-2.0f32, 0.25, 0.75]))?;
/// assert_eq!(y, Tensor::from([-1.5, 0.0, 0.25]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softshrink {
    lambda: f64,
}

impl Softshrink {
    /// With this λ.
    ///
    /// # Errors
    /// If λ is below 0 or NaN.
    #[track_caller]
    pub fn new(lambda: f64) -> Result<Self> {
        if lambda.is_nan() || lambda < 0.0 {
            return Err(Error::new("softshrink", format!("expected a lambda of at least 0, found {lambda}")));
        }
        Ok(Self { lambda })
    }
}

/// λ = ½.
impl Default for Softshrink {
    fn default() -> Self {
        Self { lambda: 0.5 }
    }
}

crate::module::no_parameters!(Softshrink);

impl<T: Float> Layer<T> for Softshrink {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        Ok(x.softshrink(self.lambda))
    }

    fn interleaving(&self) -> Interleaving<'_, T> {
        Interleaving::Unnoticed
    }
}

/// y = x where x > 0, else w·x with a learnable slope w: one for all, or one for each channel (axis 1).
///
/// ∂y/∂w = x where x ≤ 0, else 0. Weight decay is best left off the slope.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html),
/// [He et al. 2015](https://arxiv.org/abs/1502.01852)
///
/// # Errors
/// `forward`: if there are several slopes, but not as many as `x` has channels.
///
/// ```
/// # use retrograd_nn::{Layer, PReLU, Parameter, Tensor};
/// let layer = PReLU { weight: Parameter::new(Tensor::from([0.5f32, 2.0])) }; // of two channels
/// let y = layer.predict(&Tensor::from([[-4.0, -4.0], [1.0, -1.0]]))?;
/// assert_eq!(y, Tensor::from([[-2.0, -8.0], [1.0, -2.0]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
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

    fn interleaving(&self) -> Interleaving<'_, T> {
        Interleaving::Unnoticed
    }
}

/// y = x where x > 0, else r·x: in training r is drawn for each element, uniformly in [lower, upper), from the
/// tape's random numbers; in evaluation it is the mean (lower + upper)/2.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.RReLU.html),
/// [Xu et al. 2015](https://arxiv.org/abs/1505.00853)
///
/// ```
/// # use retrograd_nn::{Layer, RReLU, Tape, Tensor};
/// let (layer, x) = (RReLU::new(0.25, 0.75)?, Tensor::from([-4.0f32, 2.0]));
/// assert_eq!(layer.predict(&x)?, Tensor::from([-2.0, 2.0]));
/// let trained = layer.forward(&Tape::new().constant(x))?;
/// assert!((-3.0..=-1.0).contains(&trained.value().as_slice()[0]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
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
        x.rrelu_with_noise(&slopes)
    }
}
