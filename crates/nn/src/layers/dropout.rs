//! Dropout: of elements, of whole channels, and the kind that keeps mean and variance.

use retrograd_autograd::Var;
use retrograd_tensor::{Error, Float, Result, Shape, Tensor};

use crate::Layer;

/// In training each element is zero with probability p, and the others are multiplied by 1/(1 − p); in
/// evaluation nothing happens. `x` has any shape; the random numbers are the tape's.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html),
/// [Srivastava et al. 2014](https://jmlr.org/papers/v15/srivastava14a.html)
///
/// ```
/// # use retrograd_nn::{Dropout, Layer, Tape, Tensor};
/// let (layer, x) = (Dropout::new(0.5)?, Tensor::from([3.0f32; 100]));
/// let y = layer.forward(&Tape::new().constant(x.clone()))?;
/// assert!(y.value().as_slice().iter().all(|&y| y == 0.0 || y == 6.0));
/// assert_eq!(layer.predict(&x)?, x);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
}

/// As [`Dropout`], of whole channels: `x` is `[n, c, …]` with `D` axes of space, or one example `[c, …]`; but three axes
/// are sequences `[n, c, length]` for `Dropout2d`, as in PyTorch.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout2d.html),
/// [Tompson et al. 2015](https://arxiv.org/abs/1411.4280)
///
/// # Errors
/// `forward`: if `x` has other axes.
///
/// ```
/// # use retrograd_nn::{Dropout2d, Layer, Tape, Tensor};
/// let y = Dropout2d::new(0.5)?.forward(&Tape::new().constant(Tensor::<f32>::ones([4, 8, 3, 3])?))?;
/// let sums = y.sum([2, 3])?;
/// assert!(sums.value().as_slice().iter().all(|&sum| sum == 0.0 || sum == 18.0));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelDropout<const D: usize> {
    p: f64,
}

/// Of channels of sequences `[n, c, length]`.
pub type Dropout1d = ChannelDropout<1>;
/// Of channels of images `[n, c, height, width]`.
pub type Dropout2d = ChannelDropout<2>;
/// Of channels of volumes `[n, c, depth, height, width]`.
pub type Dropout3d = ChannelDropout<3>;

/// In training each element is −λα, what SELU tends to, with probability p, and then all become a·x + b with a = ((1 −
/// p)(1 + p·(λα)²))^(−½) and b = a·p·λα, so that mean 0 and variance 1 are kept; in evaluation nothing happens. `x` has
/// any shape.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.AlphaDropout.html),
/// [Klambauer et al. 2017](https://arxiv.org/abs/1706.02515)
///
/// ```
/// # use retrograd_nn::{AlphaDropout, Layer, Tape, Tensor};
/// let y = AlphaDropout::new(0.5)?.forward(&Tape::new().constant(Tensor::<f32>::zeros([1000])?))?;
/// let values = y.value().as_slice();
/// assert!(values.iter().all(|&y| y == values[0] || (y + values[0]).abs() < 1e-6));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlphaDropout {
    p: f64,
}

macro_rules! with_probability {
    ($($Dropout:ident $(<const $D:ident: usize>)?)*) => {$(
        impl $(<const $D: usize>)? $Dropout$(<$D>)? {
            /// Drops with probability `p`.
            ///
            /// # Errors
            /// If `p` is not within `[0, 1]`.
            #[track_caller]
            pub fn new(p: f64) -> Result<Self> {
                if !(0.0..=1.0).contains(&p) {
                    let fact = format!("expected a probability within [0, 1], found {p}");
                    return Err(Error::new("dropout", fact));
                }
                Ok(Self { p })
            }
        }

        crate::module::no_parameters!($Dropout$(<const $D: usize>)?);
    )*};
}

with_probability!(Dropout ChannelDropout<const D: usize> AlphaDropout);

/// Draws `kept` with probability 1 − p, else `dropped`, on the tape of `x`; nothing where nothing is dropped.
#[track_caller]
fn drawn<T: Float>(x: &Var<T>, shape: Shape, p: f64, [kept, dropped]: [f64; 2]) -> Result<Option<Tensor<T>>> {
    let Some(tape) = x.tape().filter(|tape| tape.is_training() && p > 0.0) else { return Ok(None) };
    let (kept, dropped) = (T::from_f64(kept), T::from_f64(dropped));
    // 32 bits an element are enough, and half the work of 64.
    let below = ((1.0 - p) * 2f64.powi(32)) as u64;
    let draw = |rng: &mut rand::rngs::StdRng| {
        Tensor::from_fn(shape, || if u64::from(rand::Rng::next_u32(rng)) < below { kept } else { dropped })
    };
    tape.random(draw).map(Some)
}

/// What is kept is multiplied by 1/(1 − p); where nothing is kept it does not matter.
fn kept(p: f64) -> f64 {
    if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 }
}

impl<T: Float> Layer<T> for Dropout {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        match drawn(x, x.shape().clone(), self.p, [kept(self.p), 0.0])? {
            Some(mask) => x.mul(&Var::from(mask)),
            None => Ok(x.clone()),
        }
    }
}

impl<const D: usize, T: Float> Layer<T> for ChannelDropout<D> {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        if ![D + 1, D + 2].contains(&x.rank()) {
            let fact = format!("expected {} or {} axes, found {}: {}", D + 1, D + 2, x.rank(), x.shape());
            return Err(Error::new("dropout", fact));
        }
        let unbatched = x.rank() == D + 1 && D != 2;
        let mut shape = x.shape().clone();
        shape[if unbatched { 1 } else { 2 }..].fill(1);
        match drawn(x, shape, self.p, [kept(self.p), 0.0])? {
            Some(mask) => x.mul(&Var::from(mask)),
            None => Ok(x.clone()),
        }
    }
}

impl<T: Float> Layer<T> for AlphaDropout {
    #[track_caller]
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        // λα of SELU.
        let limit = 1.0507009873554805 * 1.6732632423543772;
        let p = self.p;
        if p == 1.0 && x.is_training() {
            // a and b grow beyond bounds; PyTorch gives zeros.
            return Ok(x.scale(0.0));
        }
        let a = ((1.0 - p) * (1.0 + p * limit * limit)).powf(-0.5);
        let b = a * p * limit;
        // a·x·kept + (a·dropped + b), both drawn at once: the second is b where the first is a, else b − a·λα.
        let Some(factor) = drawn(x, x.shape().clone(), p, [a, 0.0])? else { return Ok(x.clone()) };
        let term = factor.map(|factor| T::from_f64(if factor == T::ZERO { b - a * limit } else { b }));
        x.mul(&Var::from(factor))?.add(&Var::from(term))
    }
}
