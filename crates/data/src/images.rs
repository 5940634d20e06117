//! Labelled images in memory.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use retrograd_tensor::{Error, Result, Shape};

use crate::normalization::{self, Normalization};
use crate::{Dataset, read_idx};

/// The classes of Fashion-MNIST, by label (<https://github.com/zalandoresearch/fashion-mnist#labels>).
pub const FASHION_MNIST_CLASSES: [&str; 10] = [
    "t-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

/// A set of images of one size, each with the number of its class; held as bytes, read as normalised `f32`.
///
/// Cloning shares the images. Example `i` is a `[channels, height, width]` array of the values that the
/// [`Normalization`] gives its bytes: until [`normalize`](Self::normalize) is called, 0 to 1.
#[derive(Clone)]
pub struct Images {
    shape: [usize; 3],
    bytes: Arc<Vec<u8>>,
    labels: Arc<Vec<i64>>,
    classes: usize,
    class_names: Arc<Vec<String>>,
    normalization: Normalization,
    /// The value of each byte, for each channel: faster than to compute it, and exact.
    tables: Arc<Vec<[f32; 256]>>,
}

impl Images {
    /// The images in `bytes`, `[n, channels, height, width]` row-major, of which `shape` gives the last three; one
    /// label below `classes` for each.
    ///
    /// # Errors
    /// If an extent is zero, if the numbers of bytes and labels do not agree, or if a label is no class.
    #[track_caller]
    pub fn new(shape: [usize; 3], bytes: Vec<u8>, labels: Vec<i64>, classes: usize) -> Result<Self> {
        let fact = match shape.iter().try_fold(labels.len(), |n, &extent| n.checked_mul(extent)) {
            _ if shape.contains(&0) => format!("images of shape {shape:?} have no elements"),
            Some(expected) if expected == bytes.len() => match wrong_label(&labels, classes) {
                Some(fact) => fact,
                None => return Self::scaled(shape, bytes, labels, classes, Normalization::scaled(255.0)),
            },
            _ => format!("{} bytes are not {} images of shape {shape:?}", bytes.len(), labels.len()),
        };
        Err(Error::new("Images::new", fact))
    }
}
