//! Data-parallel gradients: a batch in shards, a tape for each, on the threads there are.
//!
//! With nₛ of n examples in shard s, loss = Σ nₛ/n·lossₛ, and the gradients likewise. What belongs to a shard, its
//! random numbers and the order of the additions depend on the number of shards alone, never on who is done
//! first: the bits are the same at every number of threads.

use std::ops::Range;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use retrograd_tensor::{Element, Error, Float, Result, Slice, Tensor, share_out};

use crate::replay::scalar_cotangent;
use crate::{Gradients, Tape, Var};

/// Cuts batches into shards and computes their gradients on several threads, a tape for each shard over one shared
/// model.
///
/// Splitting each operation pays where operations are large; of a small network, whose operations take
/// microseconds, this splits the step as a whole. A shard runs on one thread, so that there should be as many
/// shards as threads or a multiple; given their number, results have the same bits at every number of threads.
///
/// ```
/// # use retrograd_autograd::{Parameter, Shards};
/// # use retrograd_tensor::Tensor;
/// let w = Parameter::new(Tensor::from([[1.0f32, -1.0]]));
/// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]);
/// let targets = Tensor::from([[0.0f32], [1.0], [0.0], [1.0]]);
///
/// let mut shards = Shards::seeded(2, 42)?;
/// let (loss, gradients) = shards.gradients(&(x, targets), |tape, (x, targets)| {
///     let error = tape.constant(x).linear(&tape.parameter(&w), None)? - tape.constant(targets);
///     error.square().mean(..)
/// })?;
/// assert_eq!(loss, 2.5); // the mean of (−1)², (−2)², (−1)² and (−2)²
/// assert_eq!(gradients.get(&w), Some(&Tensor::from([[-13.0, -16.0]])));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Shards {
    count: usize,
    rng: StdRng,
}

impl Shards {
    /// Cuts into `count` shards, whose random numbers begin at seed 0.
    ///
    /// # Errors
    /// If there are to be no shards.
    #[track_caller]
    pub fn new(count: usize) -> Result<Self> {
        Self::seeded(count, 0)
    }

    /// Cuts into `count` shards; the same seed gives the same random numbers, others for each shard and step.
    ///
    /// # Errors
    /// If there are to be no shards.
    #[track_caller]
    pub fn seeded(count: usize, seed: u64) -> Result<Self> {
        if count == 0 {
            return Err(Error::new("shards", "expected at least one shard, found 0"));
        }
        Ok(Self { count, rng: StdRng::seed_from_u64(seed) })
    }

    /// The mean of `loss` over the shards of `batch`, each counting by its examples, and the gradients of that.
    ///
    /// `loss` gets a new tape in training mode and the shard's part of the batch: a run of examples, runs being
    /// equal but for one example. Where it is a mean over examples that count equally, so is the result, and
    /// the gradients are up to rounding those of the undivided batch; a sum has to be divided by the number of
    /// its examples first. Batch normalisation takes the statistics of the shard; what it reports of them
    /// follows in the order of the shards.
    ///
    /// There are fewer shards where there are fewer examples, and one, empty, where there are none. Within a
    /// task of rayon's the shards run one after the other.
    ///
    /// # Errors
    /// If the tensors of the batch have no examples or different numbers of them, and what `loss` and
    /// [`backward`](Var::backward) return, that of the first shard where several fail.
    ///
    /// # Panics
    /// If `loss` does.
    #[track_caller]
    pub fn gradients<T: Float, B: Batch>(
        &mut self,
        batch: &B,
        loss: impl Fn(&Tape<T>, B) -> Result<Var<T>> + Sync,
    ) -> Result<(T, Gradients<T>)> {
        let (line, examples) = (Location::caller(), batch.examples()?);
        let count = self.count.min(examples).max(1);
        let seeds: Vec<u64> = (0..count).map(|_| self.rng.next_u64()).collect();
        let shard = |shard: usize| {
            let rows = run(shard, count, examples);
            // All of it where there is one shard, also of nothing.
            let share = if count == 1 { 1.0 } else { rows.len() as f64 / examples as f64 };
            let loss = loss(&Tape::seeded(seeds[shard]), batch.rows(rows)?)?;
            let cotangent = scalar_cotangent("backward", &loss)?.map(|one| one * T::from_f64(share));
            Ok((share * loss.item()?.to_f64(), loss.backward_with(cotangent)?))
        };
        let (loss, gradients) = sum(count, shard, |a: &mut (f64, Gradients<T>), b| {
            a.0 += b.0;
            a.1 += b.1;
        })
        .map_err(|error| blame(error, line))?;
        Ok((T::from_f64(loss), gradients))
    }
}

/// What [`Shards`] cuts: a tensor whose first axis counts examples, or a tuple of such.
pub trait Batch: Sized + Sync {
    /// How many examples there are.
    ///
    /// # Errors
    /// If there is no axis that counts them, or two parts differ.
    #[track_caller]
    fn examples(&self) -> Result<usize>;

    /// The examples `rows`.
    ///
    /// # Errors
    /// If that is not possible, which [`examples`](Self::examples) should have said.
    #[track_caller]
    fn rows(&self, rows: Range<usize>) -> Result<Self>;
}

impl<E: Element> Batch for Tensor<E> {
    #[track_caller]
    fn examples(&self) -> Result<usize> {
        match self.shape().first() {
            Some(&examples) => Ok(examples),
            None => Err(Error::new("shards", "expected a batch [n, …], found a scalar")),
        }
    }

    #[track_caller]
    fn rows(&self, rows: Range<usize>) -> Result<Self> {
        self.slice(&[Slice::from(rows.start as isize..rows.end as isize)])
    }
}

impl<A: Batch, B: Batch> Batch for (A, B) {
    #[track_caller]
    fn examples(&self) -> Result<usize> {
        match (self.0.examples()?, self.1.examples()?) {
            (a, b) if a == b => Ok(a),
            (a, b) => {
                let fact = format!("expected as many examples in each part of the batch, found {a} and {b}");
                Err(Error::new("shards", fact))
            }
        }
    }

    #[track_caller]
    fn rows(&self, rows: Range<usize>) -> Result<Self> {
        Ok((self.0.rows(rows.clone())?, self.1.rows(rows)?))
    }
}

/// The examples of a shard.
fn run(shard: usize, shards: usize, examples: usize) -> Range<usize> {
    let start = |shard: usize| shard * (examples / shards) + shard.min(examples % shards);
    start(shard)..start(shard + 1)
}

/// The sum of `part` of every number below `count`, computed by several threads; the error of the first part that has
/// one.
///
/// Neighbours are added two by two, then neighbouring pairs, and so on: a tree whose form depends on `count` alone.
/// Who has computed a sum adds its neighbour if that is there, and leaves it for who computes the neighbour if not.
fn sum<R: Send>(
    count: usize,
    part: impl Fn(usize) -> Result<R> + Sync,
    add: impl Fn(&mut R, R) + Sync,
) -> Result<R> {
    // A sum that waits for its neighbour, at the number that the right one of the two begins with; the whole at 0.
    let waiting: Vec<Mutex<Option<Result<R>>>> = (0..count).map(|_| Mutex::new(None)).collect();
    let place = |i: usize| waiting[i].lock().unwrap_or_else(PoisonError::into_inner);
    share_out(count, |i| {
        let (mut first, mut sum, mut length) = (i, part(i), 1);
        while length < count {
            let (left, right) = (first & !length, first | length);
            if right < count {
                let mut place = place(right);
                let Some(neighbour) = place.take() else {
                    *place = Some(sum);
                    return;
                };
                drop(place);
                let (a, b) = if first == left { (sum, neighbour) } else { (neighbour, sum) };
                sum = a.and_then(|mut a| {
                    add(&mut a, b?);
                    Ok(a)
                });
            }
            (first, length) = (left, 2 * length);
        }
        *place(0) = Some(sum);
    });
    place(0).take().expect("the last to be done has added up everything")
}

/// The error with the line that asked for gradients, where the line it has is one of this crate's.
pub(crate) fn blame(error: Error, line: &'static Location<'static>) -> Error {
    let this_crate = file!().trim_end_matches("shards.rs");
    match error.location() {
        Some(at) if at.file().starts_with(this_crate) => error.called_from(line),
        _ => error,
    }
}
