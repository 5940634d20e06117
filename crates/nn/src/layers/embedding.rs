//! A table of vectors, looked up by number.

use std::marker::PhantomData;

use rand::Rng;
use retrograd_autograd::{Parameter, Tape, Var};
use retrograd_tensor::{Error, Float, Result, Shape, Tensor};

use crate::module;

/// Row i of a table for each index i.
///
/// An index of any shape `[…]` gives `[…, embedding_dim]`; the weight is `[num_embeddings, embedding_dim]`
/// and begins normally distributed. The padding row, if there is one, begins as zeros and gets no gradient.
/// [PyTorch](https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html)
///
/// ```
/// # use retrograd_nn::{Embedding, Tape, Tensor};
/// # use rand::SeedableRng;
/// # let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
/// let words: Embedding = Embedding::new(100, 2).padding_idx(0).build(rng)?;
/// let sentences = Tensor::from([[5i64, 17, 0], [99, 0, 0]]);
/// let tape = Tape::new();
/// let vectors = words.forward(&sentences, &tape)?; // or None, to evaluate
/// assert_eq!(vectors.shape()[..], [2, 3, 2]);
/// assert_eq!(vectors.value().as_slice()[..2], words.weight.value().as_slice()[10..12]); // row 5
/// assert_eq!(vectors.value().as_slice()[4..6], [0.0; 2]); // the padding
/// # Ok::<(), retrograd_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Embedding<T: Float = f32> {
    /// The table, `[num_embeddings, embedding_dim]`.
    pub weight: Parameter<T>,
    padding_idx: Option<usize>,
}

module!(Embedding<T> { weight } ignoring { padding_idx });

impl<T: Float> Embedding<T> {
    /// `num_embeddings` vectors of `embedding_dim` numbers, to be [built](EmbeddingBuilder::build).
    #[expect(clippy::new_ret_no_self, reason = "weights need a random number generator, which `build` takes")]
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> EmbeddingBuilder<T> {
        EmbeddingBuilder { shape: [num_embeddings, embedding_dim], padding_idx: None, element: PhantomData }
    }

    /// The rows that `index` names, on a tape or, to evaluate, none. An index carries no tape as a [`Var`]
    /// does, so this is no [`Layer`](crate::Layer).
    ///
    /// # Errors
    /// If an index is no row, or the result has more elements than can be addressed.
    #[track_caller]
    pub fn forward<'a>(&self, index: &Tensor<i64>, tape: impl Into<Option<&'a Tape<T>>>) -> Result<Var<T>> {
        let &[rows, length] = &self.weight.value().shape()[..] else {
            let fact = format!("expected a weight of two axes, found shape {}", self.weight.value().shape());
            return Err(Error::new("embedding", fact));
        };
        if let Some(outside) =
            index.as_slice().iter().find(|&&i| usize::try_from(i).map_or(true, |i| i >= rows))
        {
            return Err(Error::new("embedding", format!("index {outside} is no row of the {rows}")));
        }
        let weight = match tape.into() {
            Some(tape) => tape.parameter(&self.weight),
            None => Var::from(self.weight.value()),
        };
        let flat = index.reshape(&[-1])?;
        let mut vectors = weight.index_select(0, &flat)?;
        if let Some(padding) = self.padding_idx {
            let padded = flat.unsqueeze(1)?.map(|i| i as usize == padding);
            vectors = Var::where_(&padded, &vectors.detach(), &vectors)?;
        }
        let mut extents: Vec<isize> = index.shape().iter().map(|&extent| extent as isize).collect();
        extents.push(length as isize);
        vectors.reshape(&extents)
    }
}

/// The settings of an [`Embedding`].
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingBuilder<T: Float = f32> {
    shape: [usize; 2],
    padding_idx: Option<usize>,
    element: PhantomData<T>,
}

impl<T: Float> EmbeddingBuilder<T> {
    /// The row that stands for nothing; there is none by default.
    pub fn padding_idx(self, padding_idx: usize) -> Self {
        Self { padding_idx: Some(padding_idx), ..self }
    }

    /// The table, drawn from `rng`.
    ///
    /// # Errors
    /// If the padding is no row, or the table has more elements than can be addressed.
    #[track_caller]
    pub fn build(self, rng: &mut impl Rng) -> Result<Embedding<T>> {
        let [rows, length] = self.shape;
        if let Some(padding) = self.padding_idx.filter(|&padding| padding >= rows) {
            return Err(Error::new("embedding", format!("padding {padding} is no row of the {rows}")));
        }
        let mut table = Tensor::randn(Shape::from(self.shape), rng)?;
        if let Some(padding) = self.padding_idx {
            table.make_mut()[padding * length..][..length].fill(T::ZERO);
        }
        Ok(Embedding { weight: Parameter::new(table), padding_idx: self.padding_idx })
    }
}
