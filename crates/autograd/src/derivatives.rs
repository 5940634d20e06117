//! Derivatives as tensors: products with the Jacobian and the Hessian, the matrices themselves, and the
//! gradients of single examples.
//!
//! Each takes a function of one variable and runs it once, on a tape of its own. With J = ∂y/∂x, a replay gives
//! Jᵀ·u. That is linear in u, so a second replay, with respect to u, gives J·v.

use std::panic::Location;
use std::sync::OnceLock;

use retrograd_tensor::{Error, Float, Result, Shape, Tensor, share_out};

use crate::replay::{grad_where_any, pulled_back};
use crate::shards::blame;
use crate::{Batch, Gradients, Tape, Var};

/// The vector-Jacobian product Jᵀ·u of `f` at `x`: gᵢ = Σⱼ uⱼ·∂yⱼ/∂xᵢ, of `x`'s shape. `u` has the shape of
/// y = f(x).
///
/// ```
/// # use retrograd_autograd::vjp;
/// # use retrograd_tensor::Tensor;
/// let x = Tensor::from([1.0, 2.0]);
/// assert_eq!(vjp(|x| Ok(x.square()), &x, &Tensor::from([10.0, 1.0]))?, Tensor::from([20.0, 4.0]));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// What `f` returns, and if `u` has another shape than `f(x)`.
#[track_caller]
pub fn vjp<T: Float>(
    f: impl FnOnce(&Var<T>) -> Result<Var<T>>,
    x: &Tensor<T>,
    u: &Tensor<T>,
) -> Result<Tensor<T>> {
    let x = Tape::new().leaf(x.clone());
    let y = f(&x)?;
    fits("vjp", u, y.shape())?;
    pulled_or_zero(&y, &x, u.clone())
}

/// The Jacobian-vector product J·v of `f` at `x`, the slope of `f` in the direction `v`: dⱼ = Σᵢ ∂yⱼ/∂xᵢ·vᵢ, of
/// y's shape. `v` has the shape of `x`.
///
/// ```
/// # use retrograd_autograd::jvp;
/// # use retrograd_tensor::Tensor;
/// let x = Tensor::from([1.0, 2.0]);
/// assert_eq!(jvp(|x| x.square().sum(..), &x, &Tensor::from([10.0, 1.0]))?, Tensor::scalar(24.0));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// What `f` returns, and if `v` has another shape than `x`.
#[track_caller]
pub fn jvp<T: Float>(
    f: impl FnOnce(&Var<T>) -> Result<Var<T>>,
    x: &Tensor<T>,
    v: &Tensor<T>,
) -> Result<Tensor<T>> {
    fits("jvp", v, x.shape())?;
    let tape = Tape::new();
    let x = tape.leaf(x.clone());
    let y = f(&x)?;
    // Any u will do; at 1 no slope that is infinite meets a 0.
    let u = tape.leaf(y.value().ones_like());
    match gradient(&y, &x, &u)? {
        Some(pulled) => pulled_or_zero(&pulled, &u, v.clone()),
        None => Ok(y.value().zeros_like()),
    }
}

/// The Hessian-vector product H·v of the scalar function `f` at `x`: Σⱼ ∂²y/∂xᵢ∂xⱼ·vⱼ, of `x`'s shape,
/// without the Hessian. `v` has the shape of `x`.
///
/// ```
/// # use retrograd_autograd::hvp;
/// # use retrograd_tensor::Tensor;
/// let x = Tensor::from([1.0, 2.0]);
/// let cubes = hvp(|x| (x * x * x).sum(..), &x, &Tensor::from([1.0, 10.0]))?;
/// assert_eq!(cubes, Tensor::from([6.0, 120.0]));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// What `f` returns, if its result is no scalar, and if `v` has another shape than `x`.
#[track_caller]
pub fn hvp<T: Float>(
    f: impl FnOnce(&Var<T>) -> Result<Var<T>>,
    x: &Tensor<T>,
    v: &Tensor<T>,
) -> Result<Tensor<T>> {
    fits("hvp", v, x.shape())?;
    let x = Tape::new().leaf(x.clone());
    match scalar_gradient("hvp", &f(&x)?, &x)? {
        Some(gradient) => pulled_or_zero(&gradient, &x, v.clone()),
        None => Ok(x.value().zeros_like()),
    }
}

/// The Jacobian of `f` at `x`: ∂yⱼ/∂xᵢ at the position j, then i, so that it has y's axes, then `x`'s. One
/// replay for each element of y.
///
/// ```
/// # use retrograd_autograd::jacobian;
/// # use retrograd_tensor::Tensor;
/// let x = Tensor::from([1.0, 2.0]);
/// assert_eq!(jacobian(|x| Ok(x.square()), &x)?, Tensor::from([[2.0, 0.0], [0.0, 4.0]]));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// What `f` returns, and if the Jacobian has more elements than can be addressed.
#[track_caller]
pub fn jacobian<T: Float>(f: impl FnOnce(&Var<T>) -> Result<Var<T>>, x: &Tensor<T>) -> Result<Tensor<T>> {
    let x = Tape::new().leaf(x.clone());
    rows(&f(&x)?, &x)
}

/// The Hessian of the scalar function `f` at `x`: ∂²y/∂xᵢ∂xⱼ, with the axes of `x` twice. One replay for each
/// element of `x`; [`hvp`] gives its products in one.
///
/// ```
/// # use retrograd_autograd::hessian;
/// # use retrograd_tensor::Tensor;
/// let x = Tensor::from([3.0, 2.0]);
/// assert_eq!(hessian(|x| (x * x * x).sum(..), &x)?, Tensor::from([[18.0, 0.0], [0.0, 12.0]]));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// What `f` returns, if its result is no scalar, and if the Hessian has more elements than can be addressed.
#[track_caller]
pub fn hessian<T: Float>(f: impl FnOnce(&Var<T>) -> Result<Var<T>>, x: &Tensor<T>) -> Result<Tensor<T>> {
    let x = Tape::new().leaf(x.clone());
    match scalar_gradient("hessian", &f(&x)?, &x)? {
        Some(gradient) => rows(&gradient, &x),
        None => Tensor::zeros(joined(x.shape(), x.shape())),
    }
}

/// The gradients of each example of a batch. `loss` gets example i, still with a batch axis: `[1, …]` of
/// `batch`'s `[n, …]`, and i. Example i runs on a tape of its own, seeded with i; what comes out is to the last
/// bit what [`backward`](Var::backward) gives there. The examples are shared out to the threads.
///
/// ```
/// # use retrograd_autograd::{Parameter, per_sample_gradients};
/// # use retrograd_tensor::Tensor;
/// let w = Parameter::new(Tensor::from([[1.0f32, 1.0]]));
/// let batch = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
/// let samples = per_sample_gradients(&batch, |x, _| x.linear(&w.on(x), None)?.sum(..))?;
/// assert_eq!(samples[1].get(&w), Some(&Tensor::from([[3.0, 4.0]])));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// If `batch` is a scalar, and what `loss` and [`backward`](Var::backward) return.
#[track_caller]
pub fn per_sample_gradients<T: Float>(
    batch: &Tensor<T>,
    loss: impl Fn(&Var<T>, usize) -> Result<Var<T>> + Sync,
) -> Result<Vec<Gradients<T>>> {
    let Some(&examples) = batch.shape().first() else {
        return Err(Error::new("per_sample_gradients", "expected a batch [n, …], found a scalar"));
    };
    let (line, gradients) = (Location::caller(), vec![OnceLock::new(); examples]);
    let example = |i: usize| {
        let x = Tape::seeded(i as u64).constant(batch.rows(i..i + 1)?);
        loss(&x, i)?.backward()
    };
    share_out(examples, |i| {
        // Each example is one task's.
        let _ = gradients[i].set(example(i).map_err(|error| blame(error, line)));
    });
    gradients.into_iter().map(|slot| slot.into_inner().expect("every example has had its turn")).collect()
}

#[track_caller]
fn fits<T: Float>(op: &'static str, v: &Tensor<T>, shape: &Shape) -> Result<()> {
    if v.shape() == shape {
        return Ok(());
    }
    Err(Error::new(op, format!("the vector has shape {}, not {shape}", v.shape())))
}

/// The gradient of Σ u·y, recorded; nothing where y does not depend on x.
#[track_caller]
fn gradient<T: Float>(y: &Var<T>, x: &Var<T>, u: &Var<T>) -> Result<Option<Var<T>>> {
    if !y.is_recorded() {
        return Ok(None);
    }
    Ok(grad_where_any(y, &[x], u)?.pop().flatten())
}

#[track_caller]
fn scalar_gradient<T: Float>(op: &'static str, y: &Var<T>, x: &Var<T>) -> Result<Option<Var<T>>> {
    if y.numel() != 1 {
        return Err(Error::new(op, format!("expected a function with a scalar result, found {}", y.shape())));
    }
    gradient(y, x, &Var::from(y.value().ones_like()))
}

/// Jᵀ·u, where y may not depend on x at all.
#[track_caller]
fn pulled_or_zero<T: Float>(y: &Var<T>, x: &Var<T>, u: Tensor<T>) -> Result<Tensor<T>> {
    let pulled = if y.is_recorded() { pulled_back(y, x, u)? } else { None };
    Ok(pulled.unwrap_or_else(|| x.value().zeros_like()))
}

/// The Jacobian, row by row: Jᵀ·eⱼ.
#[track_caller]
fn rows<T: Float>(y: &Var<T>, x: &Var<T>) -> Result<Tensor<T>> {
    let mut jacobian = Tensor::zeros(joined(y.shape(), x.shape()))?;
    if jacobian.numel() == 0 || !y.is_recorded() {
        return Ok(jacobian);
    }
    for (j, row) in jacobian.make_mut().chunks_exact_mut(x.numel()).enumerate() {
        let mut unit = y.value().zeros_like();
        unit.make_mut()[j] = T::ONE;
        if let Some(pulled) = pulled_back(y, x, unit)? {
            row.copy_from_slice(pulled.as_slice());
        }
    }
    Ok(jacobian)
}

fn joined(first: &Shape, second: &Shape) -> Shape {
    first.iter().chain(second.iter()).copied().collect()
}
