//! Clipping of gradients.

use retrograd_autograd::Gradients;
use retrograd_tensor::{Error, Float, Result, Tensor};

use crate::optim::{Setting, check};

/// Scales all gradients by max_norm/(norm + 10⁻⁶) if that is below 1, and returns the norm they had: the
/// `norm_type` norm (Σ|g|ᵖ)^(1/p) of all of them as one vector; the largest |g| for ∞.
///
/// If the norm is not finite, so that the gradients are of no use, they become NaN or 0 as in PyTorch; the
/// returned norm tells. [`clip_finite_grad_norm`] makes it an error.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html)
///
/// ```
/// # use retrograd_nn::{Parameter, Tape, Tensor, clip_grad_norm};
/// let p: Parameter = Parameter::new(Tensor::from([3.0, 4.0]));
/// let mut gradients = (Tape::new().parameter(&p).square() * 0.5).sum(..)?.backward()?;
/// assert_eq!(clip_grad_norm(&mut gradients, 1.0, 2.0)?, 5.0);
/// assert_eq!(clip_grad_norm(&mut gradients, 10.0, f64::INFINITY)?.round(), 1.0);
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
///
/// # Errors
/// If `max_norm` is not a number of at least 0, or `norm_type` is not above 0.
#[track_caller]
pub fn clip_grad_norm<T: Float>(gradients: &mut Gradients<T>, max_norm: f64, norm_type: f64) -> Result<f64> {
    let norm = grad_norm(gradients, norm_type)?;
    scale(gradients, max_norm, norm)?;
    Ok(norm)
}

/// As [`clip_grad_norm`], but a norm that is not finite is an error (PyTorch's `error_if_nonfinite`).
///
/// # Errors
/// Those of [`clip_grad_norm`], and if the norm is not finite; the gradients are unchanged then.
#[track_caller]
pub fn clip_finite_grad_norm<T: Float>(
    gradients: &mut Gradients<T>,
    max_norm: f64,
    norm_type: f64,
) -> Result<f64> {
    let norm = grad_norm(gradients, norm_type)?;
    if !norm.is_finite() {
        return Err(Error::new(
            "clip_grad_norm",
            format!("expected gradients of a finite norm, found {norm}"),
        ));
    }
    scale(gradients, max_norm, norm)?;
    Ok(norm)
}

/// Brings every element of the gradients into [−`clip_value`, `clip_value`]; NaN stays.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_value_.html)
///
/// # Errors
/// If `clip_value` is not a number of at least 0.
#[track_caller]
pub fn clip_grad_value<T: Float>(gradients: &mut Gradients<T>, clip_value: f64) -> Result<()> {
    check("clip_grad_value", "a value", clip_value, Setting::NonNegative)?;
    let bound = T::from_f64(clip_value);
    for (_, gradient) in gradients.iter_mut() {
        *gradient = gradient.map(
            #[inline(always)]
            |g| {
                if g > bound {
                    bound
                } else if g < -bound {
                    -bound
                } else {
                    g
                }
            },
        );
    }
    Ok(())
}

/// (Σ|g|ᵖ)^(1/p) over all gradients, p = `norm_type`; the largest |g| for ∞. NaN if an element is.
///
/// # Errors
/// If `norm_type` is not above 0.
#[track_caller]
fn grad_norm<T: Float>(gradients: &Gradients<T>, norm_type: f64) -> Result<f64> {
    if norm_type.is_nan() || norm_type <= 0.0 {
        let fact = format!("expected a type of norm above 0, found {norm_type}");
        return Err(Error::new("clip_grad_norm", fact));
    }
    let mut total = 0.0;
    for (_, gradient) in gradients.iter().filter(|(_, gradient)| gradient.numel() > 0) {
        let part = power_sum(gradient, norm_type)?.item()?.to_f64();
        total = match norm_type {
            // Whatever is compared with NaN stays.
            f64::INFINITY => {
                if part <= total || total.is_nan() {
                    total
                } else {
                    part
                }
            }
            _ => total + part,
        };
    }
    Ok(match norm_type {
        f64::INFINITY => total,
        p => total.powf(1.0 / p),
    })
}

/// Σ|g|ᵖ; the largest |g| for ∞.
fn power_sum<T: Float>(gradient: &Tensor<T>, p: f64) -> Result<Tensor<T>> {
    match p {
        f64::INFINITY => gradient.map(T::abs).amax(..),
        1.0 => gradient.map(T::abs).sum(..),
        2.0 => gradient
            .map(
                #[inline(always)]
                |g| g * g,
            )
            .sum(..),
        _ => gradient.map(|g| T::from_f64(g.to_f64().abs().powf(p))).sum(..),
    }
}

#[track_caller]
fn scale<T: Float>(gradients: &mut Gradients<T>, max_norm: f64, norm: f64) -> Result<()> {
    check("clip_grad_norm", "a highest norm", max_norm, Setting::NonNegative)?;
    let factor = max_norm / (norm + 1e-6);
    if factor >= 1.0 {
        return Ok(());
    }
    let factor = T::from_f64(factor);
    for (_, gradient) in gradients.iter_mut() {
        *gradient = gradient.map(
            #[inline(always)]
            |g| g * factor,
        );
    }
    Ok(())
}
