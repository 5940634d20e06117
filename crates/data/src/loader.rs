//! Batches, in a reproducible order, prepared ahead on another thread.

use std::fmt;
use std::iter::FusedIterator;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use retrograd_tensor::{Error, Result, Shape, Tensor};

use crate::Dataset;
use crate::random::{mix, permutation};

/// Loads a data set in batches, epoch after epoch.
///
/// Which examples a batch holds depends on the seed and the number of the epoch alone: a run that is resumed
/// at epoch 7 sees what it would have seen.
///
/// ```
/// # use retrograd_data::{DataLoader, digits};
/// let (train, _) = digits();
/// let loader = DataLoader::new(train, 64)?.shuffle(42).drop_last(true);
/// assert_eq!(loader.len(), 1437 / 64);
/// for epoch in 0..3 {
///     for (images, labels) in loader.epoch(epoch) {
///         assert_eq!(images.shape()[..], [64, 1, 8, 8]);
///         assert_eq!(labels.shape()[..], [64]);
///     }
/// }
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Clone)]
pub struct DataLoader {
    data: Arc<dyn Dataset>,
    batch: usize,
    seed: u64,
    shuffled: bool,
    drop_last: bool,
}

/// Examples `[b, …]` and their labels `[b]`.
type Batch = (Tensor<f32>, Tensor<i64>);

impl DataLoader {
    /// Loads `data` in batches of `batch` examples, in the order of the set; the last batch may be smaller.
    ///
    /// # Errors
    /// If `batch` is 0, if the examples have no elements, or if a batch could not be addressed.
    #[track_caller]
    pub fn new(data: impl Dataset, batch: usize) -> Result<Self> {
        let shape = data.shape();
        let largest = batch_shape(batch.min(data.len()), &shape).checked_numel();
        let fact = if batch == 0 {
            "expected at least one example in a batch, found 0".into()
        } else if shape.contains(&0) {
            format!("examples of shape {shape} have no elements")
        } else if largest.is_none() {
            format!("a batch of {batch} examples of shape {shape} has more elements than can be addressed")
        } else {
            return Ok(Self { data: Arc::new(data), batch, seed: 0, shuffled: false, drop_last: false });
        };
        Err(Error::new("DataLoader::new", fact))
    }

    /// Draws the order of each epoch, and what the data set draws for each example, from `seed`.
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.seed = seed;
        self.shuffled = true;
        self
    }

    /// Whether to leave out the last batch of an epoch where it is smaller than the others. Which examples
    /// that leaves out changes from epoch to epoch if they are [shuffled](Self::shuffle).
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        if self.drop_last { self.data.len() / self.batch } else { self.data.len().div_ceil(self.batch) }
    }

    /// Whether an epoch has no batches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of examples in a batch, except perhaps the last.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The batches of an epoch: images `[b, channels, height, width]` (in general `b` and the shape of an
    /// example) and labels `[b]`.
    ///
    /// They are prepared on a thread of their own, at most two ahead of the one in use; it ends with the
    /// iterator, also when that is dropped early.
    ///
    /// # Panics
    /// The iterator panics with what [`Dataset::example`] panicked with, at the batch that this concerns;
    /// this method does if the system cannot start a thread.
    pub fn epoch(&self, epoch: u64) -> Epoch {
        let remaining = self.len();
        let (sender, batches) = sync_channel(1);
        let loader = self.clone();
        let worker = (remaining > 0).then(|| {
            let thread = thread::Builder::new().name("retrograd-loader".into());
            thread.spawn(move || loader.prepare(epoch, &sender)).expect("the system has room for a thread")
        });
        Epoch { batches: Some(batches), worker, remaining }
    }

    /// Sends the batches of an epoch until nobody wants any more.
    fn prepare(&self, epoch: u64, batches: &SyncSender<Batch>) {
        let seed = mix(self.seed, epoch);
        let order = match self.shuffled {
            true => permutation(self.data.len(), seed),
            false => (0..self.data.len()).collect(),
        };
        for indices in order.chunks(self.batch).take(self.len()) {
            if batches.send(self.gather(indices, seed)).is_err() {
                return;
            }
        }
    }

    fn gather(&self, indices: &[usize], seed: u64) -> Batch {
        let addressable = "`new` checked that a batch can be addressed";
        let shape = self.data.shape();
        let mut examples = Tensor::full(batch_shape(indices.len(), &shape), 0.0).expect(addressable);
        let mut labels = Tensor::full([indices.len()], 0).expect(addressable);
        let slots = examples.make_mut().chunks_exact_mut(shape.numel()).zip(labels.make_mut());
        for (&index, (example, label)) in indices.iter().zip(slots) {
            *label = self.data.example(index, mix(seed, index as u64), example);
        }
        (examples, labels)
    }
}

impl fmt::Debug for DataLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataLoader")
            .field("examples", &self.data.len())
            .field("batch", &self.batch)
            .field("shuffle", &self.shuffled.then_some(self.seed))
            .field("drop_last", &self.drop_last)
            .finish()
    }
}

fn batch_shape(batch: usize, example: &Shape) -> Shape {
    std::iter::once(batch).chain(example.iter().copied()).collect()
}

/// The batches of one epoch; see [`DataLoader::epoch`].
#[derive(Debug)]
pub struct Epoch {
    /// Nothing once the iterator is being dropped.
    batches: Option<Receiver<Batch>>,
    worker: Option<JoinHandle<()>>,
    remaining: usize,
}

impl Iterator for Epoch {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        self.remaining = self.remaining.checked_sub(1)?;
        if let Some(batch) = self.batches.as_ref().and_then(|batches| batches.recv().ok()) {
            return Some(batch);
        }
        // The thread hung up before its last batch, and it does so only by a panic.
        self.remaining = 0;
        match self.worker.take()?.join() {
            Ok(()) => None,
            Err(panic) => resume_unwind(panic),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for Epoch {}
impl FusedIterator for Epoch {}

impl Drop for Epoch {
    fn drop(&mut self) {
        // Hanging up first ends a thread that waits to send.
        self.batches = None;
        if let Some(worker) = self.worker.take() {
            // A panic over a batch that nobody asked for ends here: whether it came is a matter of timing.
            let _ = worker.join();
        }
    }
}
