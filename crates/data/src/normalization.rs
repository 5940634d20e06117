//! From bytes to numbers that a network likes.

use retrograd_tensor::{Error, Result};

/// How bytes become numbers: value = (byte / scale − mean) / std, with a mean and a standard deviation for
/// each channel or one for all.
///
/// Computed in `f32` and in this order, as torchvision's `ToTensor` and `Normalize` do.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    scale: f32,
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Normalization {
    /// The normalisation with these numbers, `mean` and `std` in units of scaled bytes: for MNIST
    /// `new(255.0, &[0.1307], &[0.3081])`, for Fashion-MNIST `new(255.0, &[0.2860], &[0.3530])`.
    ///
    /// [`Images::statistics`](crate::Images::statistics) computes them.
    ///
    /// # Errors
    /// If `mean` and `std` are empty or of different lengths, if a number is not finite, or if the scale or a
    /// standard deviation is not above zero.
    #[track_caller]
    pub fn new(scale: f32, mean: &[f32], std: &[f32]) -> Result<Self> {
        let positive = |x: f32| x > 0.0 && x.is_finite();
        let fact = if mean.is_empty() || mean.len() != std.len() {
            format!(
                "expected as many means as standard deviations, one for each channel: {mean:?} and {std:?}"
            )
        } else if !positive(scale) {
            format!("expected a scale above zero, found {scale}")
        } else if !mean.iter().all(|x| x.is_finite()) || !std.iter().all(|&x| positive(x)) {
            format!("expected finite means and standard deviations above zero: {mean:?} and {std:?}")
        } else {
            return Ok(Self { scale, mean: mean.into(), std: std.into() });
        };
        Err(Error::new("Normalization::new", fact))
    }

    /// Bytes divided by `scale` and nothing else.
    pub(crate) fn scaled(scale: f32) -> Self {
        Self { scale, mean: vec![0.0], std: vec![1.0] }
    }

    /// The same scale with other statistics, one for each channel.
    pub(crate) fn with(&self, mean: Vec<f32>, std: Vec<f32>) -> Self {
        Self { scale: self.scale, mean, std }
    }

    /// The byte that stands for 1.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// The mean of each channel, or one for all.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The standard deviation of each channel, or one for all.
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// The value of every byte, for each channel or for all.
    ///
    /// # Errors
    /// If there are numbers for another number of channels.
    #[track_caller]
    pub(crate) fn tables(&self, op: &'static str, channels: usize) -> Result<Vec<[f32; 256]>> {
        let given = self.mean.len();
        if given != 1 && given != channels {
            return Err(Error::new(
                op,
                format!("the normalization is for {given} channels, the images have {channels}"),
            ));
        }
        let values = |(mean, std)| std::array::from_fn(|byte| (byte as f32 / self.scale - mean) / std);
        Ok(self.mean.iter().zip(&self.std).map(values).collect())
    }
}

/// Writes the values of `bytes`, channels of `plane` bytes each, one for each table or all for the only one.
pub(crate) fn apply(tables: &[[f32; 256]], plane: usize, bytes: &[u8], out: &mut [f32]) {
    let channels = bytes.chunks_exact(plane).zip(out.chunks_exact_mut(plane));
    for (table, (bytes, out)) in tables.iter().cycle().zip(channels) {
        for (value, &byte) in out.iter_mut().zip(bytes) {
            *value = table[usize::from(byte)];
        }
    }
}
