//! Data sets, loaders and files for Retrograd.
//!
//! - [`Images`] is a labelled set of images in memory: the 8×8 [`digits`] that come with this crate, or an
//!   MNIST-like set [from IDX files](Images::from_idx_dir). A set of your own implements [`Dataset`].
//! - [`DataLoader`] makes batches of it, shuffled reproducibly and prepared on another thread.
//! - [`write_tensors`] and [`read_tensors`] keep named tensors in safetensors files.
//! - [`read_png`] reads a picture to make a prediction for.
//!
//! ```
//! use retrograd_data::{DataLoader, digits};
//!
//! let (train, test) = digits();
//! let statistics = train.statistics(); // of the training images, and used for both
//! let (train, test) = (train.normalize(&statistics)?, test.normalize(&statistics)?);
//! let loader = DataLoader::new(train, 64)?.shuffle(42);
//! for epoch in 0..2 {
//!     for (images, labels) in loader.epoch(epoch) {
//!         assert_eq!(images.shape()[1..], [1, 8, 8]);
//!         assert_eq!(labels.shape()[..], images.shape()[..1]);
//!     }
//! }
//! # assert_eq!(test.len(), 360);
//! # Ok::<(), retrograd_tensor::Error>(())
//! ```

#![forbid(unsafe_code)]

mod dataset;
mod digits;
mod files;
mod idx;
mod images;
mod loader;
mod normalization;
mod png;
mod random;

use std::fs::File;
use std::path::Path;

pub use crate::dataset::Dataset;
pub use crate::digits::digits;
pub use crate::files::{AnyTensor, TensorFile, check_writable, read_tensors, write_tensors};
pub use crate::idx::{Idx, read_idx};
pub use crate::images::{FASHION_MNIST_CLASSES, Images};
pub use crate::loader::{DataLoader, Epoch};
pub use crate::normalization::Normalization;
pub use crate::png::{Picture, read_png};

/// The file to be read, or the fact that stands in the way. A directory opens too, and fails obscurely later.
fn open(path: &Path) -> Result<File, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err("is a directory, expected a file".into()),
        Ok(_) => Ok(file),
        Err(error) => Err(error.to_string()),
    }
}
