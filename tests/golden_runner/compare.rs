//! Whether tensors agree: |a − b| ≤ relative·|b| + absolute·max(1, max|b|), with NaN equal to NaN and
//! infinities to those of their sign.

use retrograd::tensor::{Float, Tensor};

use super::case::Case;
use super::{Outcome, Stop};

#[derive(Clone, Copy)]
pub(super) struct Tolerance {
    pub(super) relative: f64,
    pub(super) absolute: f64,
}

impl Tolerance {
    /// What the precision of `T` allows, or more where the case says so.
    pub(super) fn of<T: Float>(case: &Case) -> Self {
        let usual = match T::NAME {
            "f64" => Self { relative: 1e-9, absolute: 1e-11 },
            _ => Self { relative: 1e-4, absolute: 1e-5 },
        };
        let wider = case.field("rtol").as_f64().unwrap_or(0.0);
        Self { relative: usual.relative.max(wider), ..usual }
    }

    /// Twice as wide in single precision.
    pub(super) fn relaxed<T: Float>(self) -> Self {
        match T::NAME {
            "f64" => self,
            _ => Self { relative: 2.0 * self.relative, absolute: 2.0 * self.absolute },
        }
    }

    /// # Errors
    /// If the tensors differ; tells which and by how much.
    pub(super) fn compare<T: Float>(self, name: &str, found: &Tensor<T>, expected: &Tensor<f64>) -> Outcome {
        if found.shape() != expected.shape() {
            return Err(Stop::Failed(format!(
                "{name} has shape {}, not {}",
                found.shape(),
                expected.shape()
            )));
        }
        let largest =
            expected.as_slice().iter().filter(|b| b.is_finite()).fold(1.0, |max, b| b.abs().max(max));
        let agree = |a: f64, b: f64| {
            let difference = (a - b).abs();
            let bound = self.relative * b.abs() + self.absolute * largest;
            a == b || (a.is_nan() && b.is_nan()) || (difference.is_finite() && difference <= bound)
        };
        let mut wrong = 0;
        let mut worst: Option<(f64, usize)> = None;
        for (i, (a, &b)) in std::iter::zip(found.as_slice(), expected.as_slice()).enumerate() {
            let a = a.to_f64();
            if !agree(a, b) {
                wrong += 1;
                // Nothing is further from a number than NaN.
                let difference = if (a - b).is_nan() { f64::INFINITY } else { (a - b).abs() };
                if worst.is_none_or(|(most, _)| difference > most) {
                    worst = Some((difference, i));
                }
            }
        }
        let Some((difference, i)) = worst else { return Ok(()) };
        let (a, b, n) = (found.as_slice()[i], expected.as_slice()[i], expected.numel());
        Err(Stop::Failed(format!("{name}: {wrong} of {n} differ, most [{i}]: {a} ≠ {b} by {difference:.1e}")))
    }
}

/// # Errors
/// If the indices are not the same.
pub(super) fn compare_indices(name: &str, found: &Tensor<i64>, expected: &Tensor<i64>) -> Outcome {
    match found == expected {
        true => Ok(()),
        false => Err(Stop::Failed(format!("{name}: {found} ≠ {expected}"))),
    }
}
