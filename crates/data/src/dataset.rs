//! What a [`DataLoader`](crate::DataLoader) loads.

use std::sync::Arc;

use retrograd_tensor::Shape;

/// A fixed number of labelled examples, all of one shape.
///
/// The examples may be held in memory, computed, read from files, or drawn from another data set and changed.
///
/// ```
/// use retrograd_data::{DataLoader, Dataset};
/// use retrograd_tensor::Shape;
///
/// /// The sign of x₀·x₁, the smallest problem that no line separates.
/// struct Xor;
///
/// impl Dataset for Xor {
///     fn len(&self) -> usize {
///         4
///     }
///     fn shape(&self) -> Shape {
///         [2].into()
///     }
///     fn example(&self, index: usize, _seed: u64, out: &mut [f32]) -> i64 {
///         let signs = [(index % 2) as i64 * 2 - 1, (index / 2) as i64 * 2 - 1];
///         out.copy_from_slice(&signs.map(|sign| sign as f32));
///         i64::from(signs[0] * signs[1] < 0)
///     }
/// }
///
/// let (points, labels) = DataLoader::new(Xor, 4)?.epoch(0).next().unwrap();
/// assert_eq!(points.as_slice(), [-1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0, 1.0]);
/// assert_eq!(labels.as_slice(), [0, 1, 1, 0]);
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
pub trait Dataset: Send + Sync + 'static {
    /// The number of examples.
    fn len(&self) -> usize;

    /// Whether there are no examples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one example, for images `[channels, height, width]`.
    fn shape(&self) -> Shape;

    /// Writes all elements of example `index`, row-major, to `out` and returns the example's label.
    ///
    /// `seed` is different for each example and each epoch, and the same again when an epoch is repeated:
    /// whatever is drawn at random for this example (an augmentation) must be drawn from a generator seeded
    /// with it.
    ///
    /// A [`DataLoader`](crate::DataLoader) calls this on a thread of its own, with an `index` below
    /// [`len`](Self::len) and as many elements in `out` as [`shape`](Self::shape) has; what they hold before
    /// is unspecified.
    ///
    /// # Panics
    /// There is no error to return: what can fail, such as opening files, belongs to where the set is made.
    /// Where it fails here all the same, a panic reaches the thread that asked the loader for the batch.
    fn example(&self, index: usize, seed: u64, out: &mut [f32]) -> i64;
}

/// The same examples, shared.
impl<D: Dataset + ?Sized> Dataset for Arc<D> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn shape(&self) -> Shape {
        (**self).shape()
    }

    fn example(&self, index: usize, seed: u64, out: &mut [f32]) -> i64 {
        (**self).example(index, seed, out)
    }
}
