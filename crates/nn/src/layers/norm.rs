//! Normalisation layers.
//!
//! Those that keep running statistics report them on the tape; the optimizer makes the change (see
//! [`Change`]). `state_dict` has them under PyTorch's names and in its order.
//!
//! Each layer is made with PyTorch's defaults and changed by its settings, which cannot fail: for that it holds `ones`,
//! of the shape of its weight. What they are is checked where it matters, in the forward pass.

use retrograd_autograd::{Buffer, Change, Interleaved, Parameter, Tape, Var};
use retrograd_tensor::{Error, Finish, Float, Moments, Result, Shape, Tensor};

use crate::{InterleavedLayer, Interleaving, Layer, module};

/// The layers with running statistics; they differ in what is there by default.
macro_rules! with_running_statistics {
    ($($(#[$doc:meta])* $Norm:ident by default: $affine:literal, $tracked:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Norm<const D: usize, T: Float = f32> {
            /// w `[c]`.
            pub weight: Option<Parameter<T>>,
            /// b `[c]`.
            pub bias: Option<Parameter<T>>,
            /// The average of the batches' means, `[c]`.
            pub running_mean: Option<Buffer<T>>,
            /// The average of the batches' unbiased variances, `[c]`.
            pub running_var: Option<Buffer<T>>,
            /// How many batches they were taken of.
            pub num_batches_tracked: Option<Buffer<T>>,
            /// What is added to variances.
            pub eps: f64,
            /// How much of a batch's statistics the running ones take over.
            pub momentum: Option<f64>,
            ones: Tensor<T>,
        }

        module!(
            $Norm<const D: usize; T> { weight, bias, running_mean, running_var, num_batches_tracked }
            ignoring { eps, momentum, ones }
        );

        impl<const D: usize, T: Float> $Norm<D, T> {
            /// For `num_features` channels: weights and variances begin as 1, biases and means as 0.
            ///
            /// # Errors
            /// If there is no memory for so many features.
            #[track_caller]
            pub fn new(num_features: usize) -> Result<Self> {
                let bare = Self {
                    weight: None,
                    bias: None,
                    running_mean: None,
                    running_var: None,
                    num_batches_tracked: None,
                    eps: 1e-5,
                    momentum: Some(0.1),
                    ones: Tensor::ones([num_features])?,
                };
                Ok(bare.affine($affine).track_running_stats($tracked))
            }

            /// What is added to variances; 10⁻⁵ by default.
            pub fn eps(self, eps: f64) -> Self {
                Self { eps, ..self }
            }

            /// How much of a batch's statistics the running ones take over; 0.1 by default. What `None` means the
            /// layer says.
            pub fn momentum(self, momentum: impl Into<Option<f64>>) -> Self {
                Self { momentum: momentum.into(), ..self }
            }

            #[doc = concat!("Whether there are a weight and a bias; `", stringify!($affine), "` by default.")]
            pub fn affine(self, affine: bool) -> Self {
                let [weight, bias] = weight_and_bias(&self.ones, affine);
                Self { weight, bias, ..self }
            }

            #[doc = concat!("Whether there are running statistics; `", stringify!($tracked), "` by default.")]
            pub fn track_running_stats(self, tracked: bool) -> Self {
                Self {
                    running_mean: tracked.then(|| Buffer::new(self.ones.zeros_like())),
                    running_var: tracked.then(|| Buffer::new(self.ones.clone())),
                    num_batches_tracked: tracked.then(Buffer::count),
                    ..self
                }
            }

            /// The running mean and variance, if they are tracked.
            fn running(&self) -> Option<[&Buffer<T>; 2]> {
                Some([self.running_mean.as_ref()?, self.running_var.as_ref()?])
            }
        }
    )*};
}

with_running_statistics! {
    /// y = w·(x − mean)/√(var + eps) + b with the mean and the variance of each channel over the batch and space.
    ///
    /// `x` is `[n, c, …]` with `D` axes of space, for `BatchNorm1d` `[n, c]` as well. In training mean and variance are
    /// the batch's, the variance biased; the running ones become (1 − momentum)·running + momentum·batch, with the
    /// unbiased variance, when the optimizer makes its step; without momentum they are the plain averages over all
    /// batches. In evaluation they are the running ones, or the batch's where none are tracked.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html),
    /// [Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)
    ///
    /// # Errors
    /// `forward`: if `x` has other axes or channels; in training also if a channel has one value only, eps is not
    /// positive, or the momentum is not finite.
    ///
    /// ```
    /// # use retrograd_nn::{BatchNorm1d, Layer, Module, Tape, Tensor};
    /// let mut layer: BatchNorm1d = BatchNorm1d::new(1)?.eps(1.0).momentum(0.5);
    /// let tape = Tape::new();
    /// let y = layer.forward(&tape.constant(Tensor::from([[1.0], [5.0], [1.0], [5.0], [3.0]])))?;
    /// assert!((y.value().as_slice()[1] - 2.0 / 4.2f32.sqrt()).abs() < 1e-6);
    ///
    /// layer.update_buffers(&tape.take_updates())?; // as an optimizer does
    /// assert_eq!(layer.running_mean.unwrap().value(), &Tensor::from([1.5]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    BatchNorm by default: true, true;

    /// y = w·(x − mean)/√(var + eps) + b with the mean and the variance of each channel of each example over space.
    ///
    /// `x` is `[n, c, …]` or `[c, …]` with `D` axes of space. If running statistics are tracked, evaluation uses them;
    /// they take in the averages over the examples of a batch, as in [`BatchNorm`], but never change without momentum,
    /// and batches are not counted; so it is in PyTorch.
    /// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm2d.html),
    /// [Ulyanov et al. 2016](https://arxiv.org/abs/1607.08022)
    ///
    /// # Errors
    /// `forward`: if `x` has other axes or channels, a channel of an example has not two values, or in training the
    /// momentum is not finite.
    ///
    /// ```
    /// # use retrograd_nn::{InstanceNorm1d, Layer, Tensor};
    /// let layer = InstanceNorm1d::new(2)?.eps(0.0);
    /// let y = layer.predict(&Tensor::from([[1.0f32, 3.0], [-10.0, 10.0]]))?;
    /// assert_eq!(y, Tensor::from([[-1.0, 1.0], [-1.0, 1.0]]));
    /// # Ok::<(), retrograd_nn::Error>(())
    /// ```
    InstanceNorm by default: false, false;
}

/// Of features `[n, c]` or sequences `[n, c, length]`.
pub type BatchNorm1d<T = f32> = BatchNorm<1, T>;
/// Of images `[n, c, height, width]`.
pub type BatchNorm2d<T = f32> = BatchNorm<2, T>;
/// Of volumes `[n, c, depth, height, width]`.
pub type BatchNorm3d<T = f32> = BatchNorm<3, T>;
/// Of sequences `[n, c, length]`.
pub type InstanceNorm1d<T = f32> = InstanceNorm<1, T>;
/// Of images `[n, c, height, width]`.
pub type InstanceNorm2d<T = f32> = InstanceNorm<2, T>;
/// Of volumes `[n, c, depth, height, width]`.
pub type InstanceNorm3d<T = f32> = InstanceNorm<3, T>;

/// Reports that the running mean and variance should take in the moments of `size` elements each, `[c]` or, to be
/// averaged over the examples, `[n·c]`.
#[track_caller]
fn report<T: Float>(
    tape: &Tape<T>,
    running: [&Buffer<T>; 2],
    moments: &Moments,
    size: usize,
    change: impl Fn(Tensor<T>) -> Change<T>,
) -> Result<()> {
    let unbiased = size as f64 / (size as f64 - 1.0);
    for (buffer, (moment, factor)) in
        running.into_iter().zip([(&moments.mean, 1.0), (&moments.var, unbiased)])
    {
        let of_batch = moment.reshape(&[-1, buffer.value().numel() as isize])?.mean(0)?;
        tape.report(buffer, change(of_batch.map(|moment| T::from_f64(factor * moment))));
    }
    Ok(())
}

/// What a weight and a bias begin as, if they are to be there.
fn weight_and_bias<T: Float>(ones: &Tensor<T>, there: bool) -> [Option<Parameter<T>>; 2] {
    [there.then(|| Parameter::new(ones.clone())), there.then(|| Parameter::new(ones.zeros_like()))]
}

/// A parameter that may be there, on the tape of `x`.
fn on<T: Float>(parameter: Option<&Parameter<T>>, x: &Var<T>) -> Option<Var<T>> {
    parameter.map(|parameter| parameter.on(x))
}

impl<const D: usize, T: Float> BatchNorm<D, T> {
    /// Whether the input may have so many axes.
    fn takes(rank: usize) -> bool {
        rank == D + 2 || (D == 1 && rank == 2)
    }
}

impl<const D: usize, T: Float> Layer<T> for BatchNorm<D, T> {
    fn in_passing(&self, so_far: &Finish<T>, axes: usize, channels: usize) -> Option<Finish<T>> {
        let [mean, var] = self.running()?.map(Buffer::value);
        if !Self::takes(axes) || mean.shape()[..] != [channels] {
            return None;
        }
        let affine = [&self.weight, &self.bias].map(|parameter| parameter.as_ref().map(Parameter::value));
        so_far.normalised([mean, var], self.eps, affine)
    }

    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        if !Self::takes(x.rank()) {
            let expected = if D == 1 { "2 or 3".to_string() } else { (D + 2).to_string() };
            let fact = format!("expected {expected} axes, found {}: {}", x.rank(), x.shape());
            return Err(Error::new("batch_norm", fact));
        }
        self.by_channel(x)
    }

    fn interleaving(&self) -> Interleaving<'_, T> {
        Interleaving::Own { layer: self, gains: None }
    }
}

impl<const D: usize, T: Float> InterleavedLayer<T> for BatchNorm<D, T> {
    fn forward_interleaved(&self, x: &Interleaved<T>) -> Option<Interleaved<T>> {
        let normalised = Self::takes(x.shape().len()).then(|| self.by_channel(x.values()))?;
        normalised.ok().map(Interleaved::from_values)
    }
}

impl<const D: usize, T: Float> BatchNorm<D, T> {
    /// The output for `[n, c, …]` of any number of axes.
    #[track_caller]
    fn by_channel(&self, x: &Var<T>) -> Result<Var<T>> {
        let [weight, bias] = [&self.weight, &self.bias].map(|parameter| on(parameter.as_ref(), x));
        let (weight, bias) = (weight.as_ref(), bias.as_ref());
        let Some([mean, var]) = self.running() else { return Ok(x.batch_norm(weight, bias, self.eps)?.0) };
        let Some(tape) = x.tape().filter(|tape| tape.is_training()) else {
            return x.batch_norm_with(mean.value(), var.value(), weight, bias, self.eps);
        };
        let (y, moments) = x.batch_norm(weight, bias, self.eps)?;
        fits("batch_norm", mean, self.momentum, x)?;
        let before = match &self.num_batches_tracked {
            Some(count) => {
                let before = count.value().item()?.to_f64();
                tape.report(count, Change::Increment);
                before
            }
            None => 0.0,
        };
        if x.numel() == 0 {
            return Ok(y);
        }
        let size = x.numel() / x.shape()[1];
        report(tape, [mean, var], &moments, size, |value| match self.momentum {
            Some(weight) => Change::Average { weight, value },
            None => Change::CumulativeAverage { count: before, value },
        })?;
        Ok(y)
    }
}

impl<const D: usize, T: Float> Layer<T> for InstanceNorm<D, T> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        if x.rank() == D + 1 {
            return self.forward(&x.unsqueeze(0)?)?.squeeze(0);
        }
        if x.rank() != D + 2 {
            let fact = format!("expected {} or {} axes, found {}: {}", D + 1, D + 2, x.rank(), x.shape());
            return Err(Error::new("instance_norm", fact));
        }
        let [weight, bias] = [&self.weight, &self.bias].map(|parameter| on(parameter.as_ref(), x));
        let (weight, bias) = (weight.as_ref(), bias.as_ref());
        let Some([mean, var]) = self.running() else { return Ok(x.instance_norm(weight, bias, self.eps)?.0) };
        let Some(tape) = x.tape().filter(|tape| tape.is_training()) else {
            return x.batch_norm_with(mean.value(), var.value(), weight, bias, self.eps);
        };
        let (y, moments) = x.instance_norm(weight, bias, self.eps)?;
        fits("instance_norm", mean, self.momentum, x)?;
        if let Some(weight) = self.momentum {
            let size = x.shape()[2..].iter().product();
            report(tape, [mean, var], &moments, size, |value| Change::Average { weight, value })?;
        }
        Ok(y)
    }
}

/// Checks that running statistics have as many channels as `x`, and can take over this much of a batch's.
#[track_caller]
fn fits<T: Float>(op: &'static str, running: &Buffer<T>, momentum: Option<f64>, x: &Var<T>) -> Result<()> {
    if let Some(momentum) = momentum.filter(|momentum| !momentum.is_finite()) {
        return Err(Error::new(op, format!("expected a finite momentum, found {momentum}")));
    }
    if running.value().shape()[..] == [x.shape()[1]] {
        return Ok(());
    }
    let fact = format!("running statistics {} do not fit x {}", running.value().shape(), x.shape());
    Err(Error::new(op, fact))
}

/// y = w·(x − mean)/√(var + eps) + b with the mean and the (biased) variance of each example over the last axes.
///
/// `x` is `[…, s₁, …]`; weight and bias have the shape of the normalised axes, `[s₁, …]`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html),
/// [Ba et al. 2016](https://arxiv.org/abs/1607.06450)
///
/// # Errors
/// `forward`: if `x` does not end in the normalised axes.
///
/// ```
/// # use retrograd_nn::{Layer, LayerNorm, Tensor};
/// let layer = LayerNorm::new([3])?.eps(0.0);
/// let y = layer.predict(&Tensor::from([[1.0f64, 1.0, 4.0]]))?;
/// assert!((y.as_slice()[2] - 2f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LayerNorm<T: Float = f32> {
    /// w, of the normalised shape.
    pub weight: Option<Parameter<T>>,
    /// b, of the normalised shape.
    pub bias: Option<Parameter<T>>,
    /// What is added to variances.
    pub eps: f64,
    ones: Tensor<T>,
}

module!(LayerNorm<T> { weight, bias } ignoring { eps, ones });

impl<T: Float> LayerNorm<T> {
    /// Over the last axes, of these extents, with weights 1, biases 0 and eps = 10⁻⁵.
    ///
    /// # Errors
    /// If there are no axes, or the shape has more elements than can be addressed.
    #[track_caller]
    pub fn new(normalized_shape: impl Into<Shape>) -> Result<Self> {
        let ones = Tensor::ones(some_axes("layer_norm", normalized_shape.into())?)?;
        let [weight, bias] = weight_and_bias(&ones, true);
        Ok(Self { weight, bias, eps: 1e-5, ones })
    }

    /// What is added to variances; 10⁻⁵ by default.
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// Whether there are a weight and a bias; there are by default.
    pub fn elementwise_affine(self, affine: bool) -> Self {
        let [weight, bias] = weight_and_bias(&self.ones, affine);
        Self { weight, bias, ..self }
    }

    /// Whether there is a bias beside the weight; there is by default. Without a weight there is none.
    pub fn bias(self, bias: bool) -> Self {
        let bias = bias && self.weight.is_some();
        Self { bias: bias.then(|| Parameter::new(self.ones.zeros_like())), ..self }
    }
}

impl<T: Float> Layer<T> for LayerNorm<T> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let [weight, bias] = [&self.weight, &self.bias].map(|parameter| on(parameter.as_ref(), x));
        x.layer_norm(self.ones.shape(), weight.as_ref(), bias.as_ref(), self.eps)
    }
}

/// y = w·x/√(mean(x²) + eps) with the mean over the last axes.
///
/// `x` is `[…, s₁, …]`; the weight has the shape of the normalised axes, `[s₁, …]`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.RMSNorm.html),
/// [Zhang and Sennrich 2019](https://arxiv.org/abs/1910.07467)
///
/// # Errors
/// `forward`: if `x` does not end in the normalised axes.
///
/// ```
/// # use retrograd_nn::{Layer, RMSNorm, Tensor};
/// let y = RMSNorm::new([2])?.eps(0.0).predict(&Tensor::from([[1.0f32, -7.0]]))?;
/// assert_eq!(y, Tensor::from([[0.2, -1.4]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RMSNorm<T: Float = f32> {
    /// w, of the normalised shape.
    pub weight: Option<Parameter<T>>,
    /// What is added to the mean square; if nothing is set, the machine epsilon of `T`.
    pub eps: Option<f64>,
    ones: Tensor<T>,
}

module!(RMSNorm<T> { weight } ignoring { eps, ones });

impl<T: Float> RMSNorm<T> {
    /// Over the last axes, of these extents, with weights 1.
    ///
    /// # Errors
    /// If there are no axes, or the shape has more elements than can be addressed.
    #[track_caller]
    pub fn new(normalized_shape: impl Into<Shape>) -> Result<Self> {
        let ones = Tensor::ones(some_axes("rms_norm", normalized_shape.into())?)?;
        Ok(Self { weight: Some(Parameter::new(ones.clone())), eps: None, ones })
    }

    /// What is added to the mean square; the machine epsilon of `T` by default.
    pub fn eps(self, eps: f64) -> Self {
        Self { eps: Some(eps), ..self }
    }

    /// Whether there is a weight; there is by default.
    pub fn elementwise_affine(self, affine: bool) -> Self {
        Self { weight: affine.then(|| Parameter::new(self.ones.clone())), ..self }
    }
}

impl<T: Float> Layer<T> for RMSNorm<T> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let machine = if size_of::<T>() == size_of::<f32>() { f32::EPSILON.into() } else { f64::EPSILON };
        x.rms_norm(self.ones.shape(), on(self.weight.as_ref(), x).as_ref(), self.eps.unwrap_or(machine))
    }
}

/// A shape of one axis or more.
#[track_caller]
fn some_axes(op: &'static str, shape: Shape) -> Result<Shape> {
    if shape.is_empty() {
        Err(Error::new(op, "expected a shape of one axis or more, found []"))
    } else {
        Ok(shape)
    }
}

/// y = w·(x − mean)/√(var + eps) + b with the mean and the (biased) variance of each group of neighbouring channels of
/// each example.
///
/// `x` is `[n, c, …]`.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.GroupNorm.html),
/// [Wu and He 2018](https://arxiv.org/abs/1803.08494)
///
/// # Errors
/// `forward`: if `x` has other channels or fewer than two axes, or all there is is one element a group of one example.
///
/// ```
/// # use retrograd_nn::{GroupNorm, Layer, Tensor};
/// let layer = GroupNorm::new(2, 4)?.eps(0.0);
/// let y = layer.predict(&Tensor::from([[1.0f32, 3.0, -10.0, 10.0]]))?;
/// assert_eq!(y, Tensor::from([[-1.0, 1.0, -1.0, 1.0]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GroupNorm<T: Float = f32> {
    /// w `[c]`.
    pub weight: Option<Parameter<T>>,
    /// b `[c]`.
    pub bias: Option<Parameter<T>>,
    /// What is added to variances.
    pub eps: f64,
    num_groups: usize,
    ones: Tensor<T>,
}

module!(GroupNorm<T> { weight, bias } ignoring { eps, num_groups, ones });

impl<T: Float> GroupNorm<T> {
    /// `num_channels` channels in `num_groups` groups, with weights 1, biases 0 and eps = 10⁻⁵.
    ///
    /// # Errors
    /// If the channels do not divide into the groups, or are more than can be addressed.
    #[track_caller]
    pub fn new(num_groups: usize, num_channels: usize) -> Result<Self> {
        if num_groups == 0 || !num_channels.is_multiple_of(num_groups) {
            let fact = format!("{num_channels} channels do not divide into {num_groups} groups");
            return Err(Error::new("group_norm", fact));
        }
        let ones = Tensor::ones([num_channels])?;
        let [weight, bias] = weight_and_bias(&ones, true);
        Ok(Self { weight, bias, eps: 1e-5, num_groups, ones })
    }

    /// What is added to variances; 10⁻⁵ by default.
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// Whether there are a weight and a bias; there are by default.
    pub fn affine(self, affine: bool) -> Self {
        let [weight, bias] = weight_and_bias(&self.ones, affine);
        Self { weight, bias, ..self }
    }
}

impl<T: Float> Layer<T> for GroupNorm<T> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let [weight, bias] = [&self.weight, &self.bias].map(|parameter| on(parameter.as_ref(), x));
        x.group_norm(self.num_groups, weight.as_ref(), bias.as_ref(), self.eps)
    }
}

/// y = x/(k + alpha·m)^beta, m being the sum of x² over `size` neighbouring channels divided by `size`.
///
/// `x` is `[n, c, …]` of three axes or more; channels beyond the ends count as 0.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.LocalResponseNorm.html),
/// [Krizhevsky et al. 2012](https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks)
///
/// # Errors
/// `forward`: if there are fewer than three axes, `size` is 0, or a setting is not finite.
///
/// ```
/// # use retrograd_nn::{Layer, LocalResponseNorm, Tensor};
/// let layer = LocalResponseNorm { alpha: 1.0, beta: 1.0, ..LocalResponseNorm::new(1) };
/// assert_eq!(layer.predict(&Tensor::from([[[1.0f32, 3.0]]]))?, Tensor::from([[[0.5, 0.3]]]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalResponseNorm {
    /// How many channels.
    pub size: usize,
    /// How much their squares weigh.
    pub alpha: f64,
    /// The exponent.
    pub beta: f64,
    /// What is added.
    pub k: f64,
}

impl LocalResponseNorm {
    /// `size` channels, alpha = 10⁻⁴, beta = 0.75, k = 1.
    pub fn new(size: usize) -> Self {
        Self { size, alpha: 1e-4, beta: 0.75, k: 1.0 }
    }
}

crate::module::no_parameters!(LocalResponseNorm);

impl<T: Float> Layer<T> for LocalResponseNorm {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        x.local_response_norm(self.size, self.alpha, self.beta, self.k)
    }
}
