//! Gradient checks: analytic gradients against central differences, in `f64`.
//!
//! A function of any shape is projected on a random vector u, s(x) = Σ u·f(x), so that one replay gives all
//! gradients. Each is compared with (s(x + ε) − s(x − ε))/2ε, element by element.

use rand::SeedableRng;
use rand::rngs::StdRng;
use retrograd_tensor::{Error, Result, Tensor};

use crate::replay::grad_where_any;
use crate::{Tape, Var};

/// The settings of a gradient check. [`gradcheck`] and [`gradgradcheck`] use the default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradCheck {
    /// The step ε of the differences.
    pub step: f64,
    /// The relative tolerance: analytic and numeric value may differ by `relative`·|numeric| + `absolute`.
    pub relative: f64,
    /// The absolute tolerance.
    pub absolute: f64,
    /// The seed of the projection, and of the tape on which the function runs.
    pub seed: u64,
}

impl Default for GradCheck {
    fn default() -> Self {
        Self { step: 1e-5, relative: 1e-6, absolute: 1e-8, seed: 0 }
    }
}

/// Checks the gradients of `f` at `inputs` against central differences.
///
/// `f` gets its inputs as leaves of a tape that is seeded alike in every call, so that functions that draw
/// random numbers can be checked too.
///
/// ```
/// # use retrograd_autograd::gradcheck;
/// # use retrograd_tensor::Tensor;
/// gradcheck(|[x, w]| Ok(x.matmul(w)?.tanh()), [Tensor::from([[0.5, -1.0]]), Tensor::from([[1.0], [2.0]])])?;
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// If a gradient is wrong: the input, the index, and the analytic and the numeric value. Also what `f` returns.
#[track_caller]
pub fn gradcheck<const N: usize>(
    f: impl Fn([&Var<f64>; N]) -> Result<Var<f64>>,
    inputs: [Tensor<f64>; N],
) -> Result<()> {
    GradCheck::default().first_order(f, inputs)
}

/// Checks the gradients of the gradients of `f` at `inputs`, with respect to the inputs and to the cotangent of
/// its output.
///
/// # Errors
/// As [`gradcheck`].
#[track_caller]
pub fn gradgradcheck<const N: usize>(
    f: impl Fn([&Var<f64>; N]) -> Result<Var<f64>>,
    inputs: [Tensor<f64>; N],
) -> Result<()> {
    GradCheck::default().second_order(f, inputs)
}

/// What is checked, of any number of inputs.
type Function<'a> = dyn Fn(&[Var<f64>]) -> Result<Var<f64>> + 'a;

impl GradCheck {
    /// [`gradcheck`] with these settings.
    ///
    /// # Errors
    /// As [`gradcheck`].
    #[track_caller]
    pub fn first_order<const N: usize>(
        &self,
        f: impl Fn([&Var<f64>; N]) -> Result<Var<f64>>,
        inputs: [Tensor<f64>; N],
    ) -> Result<()> {
        self.compare("gradcheck", &|x| f(std::array::from_fn(|i| &x[i])), &inputs)
    }

    /// [`gradgradcheck`] with these settings.
    ///
    /// # Errors
    /// As [`gradcheck`].
    #[track_caller]
    pub fn second_order<const N: usize>(
        &self,
        f: impl Fn([&Var<f64>; N]) -> Result<Var<f64>>,
        inputs: [Tensor<f64>; N],
    ) -> Result<()> {
        let mut rng = StdRng::seed_from_u64(self.seed ^ 0x5eed);
        let tape = Tape::seeded(self.seed);
        let leaves = inputs.each_ref().map(|x| tape.leaf(x.clone()));
        let cotangent = Tensor::randn(f(leaves.each_ref())?.shape(), &mut rng)?;
        let mut directions = Vec::new();
        for x in &inputs {
            directions.push(Var::from(Tensor::randn(x.shape(), &mut rng)?));
        }
        let mut with_cotangent = inputs.to_vec();
        with_cotangent.push(cotangent);
        // Σ over the inputs of ⟨gradient, direction⟩: a scalar function of the inputs and the cotangent.
        let gradient = |x: &[Var<f64>]| {
            let (inputs, cotangent): ([&Var<f64>; N], _) = (std::array::from_fn(|i| &x[i]), &x[N]);
            let (y, mut sum) = (f(inputs)?, Var::from(Tensor::scalar(0.0)));
            if y.is_recorded() {
                // The gradient with respect to an input that `f` ignores is zero.
                for (g, v) in grad_where_any(&y, &inputs, cotangent)?.iter().zip(&directions) {
                    if let Some(g) = g {
                        sum = sum.add(&g.mul(v)?.sum(..)?)?;
                    }
                }
            }
            Ok(sum)
        };
        self.compare("gradgradcheck", &gradient, &with_cotangent)
    }

    #[track_caller]
    fn compare(&self, check: &'static str, f: &Function<'_>, inputs: &[Tensor<f64>]) -> Result<()> {
        let on_tape = |inputs: &[Tensor<f64>]| {
            let tape = Tape::seeded(self.seed);
            let leaves: Vec<Var<f64>> = inputs.iter().map(|x| tape.leaf(x.clone())).collect();
            let y = f(&leaves)?;
            Ok::<_, Error>((leaves, y))
        };
        let (leaves, y) = on_tape(inputs)?;
        let projection = Tensor::randn(y.shape(), &mut StdRng::seed_from_u64(self.seed))?;
        // A function that depends on no input is recorded nowhere, and all of its gradients are zero.
        let gradients = if y.is_recorded() { Some(y.backward_with(projection.clone())?) } else { None };
        let projected = |inputs: &[Tensor<f64>]| -> Result<f64> {
            let (_, y) = on_tape(inputs)?;
            Ok(y.value().as_slice().iter().zip(projection.as_slice()).map(|(y, u)| y * u).sum())
        };

        for (i, leaf) in leaves.iter().enumerate() {
            let analytic = gradients.as_ref().and_then(|gradients| gradients.wrt(leaf));
            for at in 0..inputs[i].numel() {
                let moved = |by: f64| {
                    let mut moved = inputs.to_vec();
                    moved[i].make_mut()[at] += by;
                    projected(&moved)
                };
                let numeric = (moved(self.step)? - moved(-self.step)?) / (2.0 * self.step);
                let analytic = analytic.map_or(0.0, |gradient| gradient.as_slice()[at]);
                let difference = (analytic - numeric).abs();
                // So that NaN, which is neither close nor far, fails.
                let close = difference <= self.relative * numeric.abs() + self.absolute;
                if !close {
                    let index = place(inputs[i].shape(), at);
                    return Err(Error::new(
                        check,
                        format!(
                            "input {i} of shape {} at {index:?}: analytic {analytic:.9}, numeric {numeric:.9}, \
                             a difference of {difference:.1e}",
                            inputs[i].shape(),
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The position, one number for each axis, of the element at a row-major offset.
fn place(shape: &[usize], mut offset: usize) -> Vec<usize> {
    let mut place = vec![0; shape.len()];
    for (axis, &extent) in shape.iter().enumerate().rev() {
        place[axis] = offset % extent;
        offset /= extent;
    }
    place
}
