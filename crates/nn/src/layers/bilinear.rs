//! The bilinear layer.

use rand::Rng;
use retrograd_autograd::{Parameter, Var};
use retrograd_tensor::{Error, Float, Result, Shape, Tensor};

use crate::module;

/// yₖ = x₁ᵀ·Aₖ·x₂ + bₖ of two inputs.
///
/// `x₁` `[…, in₁]` and `x₂` `[…, in₂]` give `[…, out]`, with the same leading axes; `weight` is `[out, in₁, in₂]`, `bias` `[out]`. Both begin uniform
/// in ±1/√in₁.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Bilinear.html)
///
/// ```
/// # use retrograd_nn::{Bilinear, Parameter, Tensor, Var};
/// let layer = Bilinear { weight: Parameter::new(Tensor::from([[[1.0f32, 2.0], [3.0, 4.0]]])), bias: None };
/// let [x1, x2] = [[1.0, 10.0], [1.0, 100.0]].map(|x| Var::from(Tensor::from(x)));
/// assert_eq!(layer.forward(&x1, &x2)?.value(), &Tensor::from([4231.0]));
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bilinear<T: Float = f32> {
    /// A `[out, in₁, in₂]`.
    pub weight: Parameter<T>,
    /// b `[out]`.
    pub bias: Option<Parameter<T>>,
}

module!(Bilinear<T> { weight, bias });

impl<T: Float> Bilinear<T> {
    /// A layer of these numbers of features, with or without bias.
    ///
    /// # Errors
    /// If there are no first features, or the weight cannot be addressed.
    #[track_caller]
    pub fn new(in1: usize, in2: usize, out: usize, bias: bool, rng: &mut impl Rng) -> Result<Self> {
        if in1 == 0 {
            return Err(Error::new("bilinear", "expected at least one first feature"));
        }
        let bound = 1.0 / (in1 as f64).sqrt();
        let weight = Tensor::rand(Shape::from([out, in1, in2]), -bound, bound, rng)?;
        let bias = if bias { Some(Parameter::new(Tensor::rand([out], -bound, bound, rng)?)) } else { None };
        Ok(Self { weight: Parameter::new(weight), bias })
    }

    /// The output for two inputs.
    ///
    /// # Errors
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x1: &Var<T>, x2: &Var<T>) -> Result<Var<T>> {
        // The inputs may be one constant and one on a tape, which the parameters go to.
        let taped = if x1.tape().is_some() { x1 } else { x2 };
        let bias = self.bias.as_ref().map(|bias| bias.on(taped));
        x1.bilinear(x2, &self.weight.on(taped), bias.as_ref())
    }
}
