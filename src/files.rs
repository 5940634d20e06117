//! Models in files: safetensors with PyTorch's names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use retrograd_data::{AnyTensor, read_tensors, write_tensors};
use retrograd_nn::{Item, Module, Path as ModulePath};
use retrograd_tensor::{Error, Float, Result, Tensor};

/// Writes every parameter and buffer of a model to a safetensors file, under its path; whole or not at all. What
/// counts ([`Buffer::count`](retrograd_nn::Buffer::count)) is written as an integer.
///
/// PyTorch reads it with `safetensors.torch.load_file`.
///
/// # Errors
/// If the file cannot be written; the message names it.
pub fn save<T: Float>(model: &impl Module<T>, path: impl AsRef<Path>) -> Result<()>
where
    Tensor<T>: Into<AnyTensor>,
{
    save_with(model, path, &BTreeMap::new())
}

/// As [`save`], with texts of the caller's choice in the file's header.
///
/// # Errors
/// If the file cannot be written; the message names it.
pub fn save_with<T: Float>(
    model: &impl Module<T>,
    path: impl AsRef<Path>,
    metadata: &BTreeMap<String, String>,
) -> Result<()>
where
    Tensor<T>: Into<AnyTensor>,
{
    let mut tensors: Vec<(String, AnyTensor)> = Vec::new();
    model.visit(&ModulePath::ROOT, &mut |path, item| {
        let tensor = match is_count(&item) {
            true => item.value().map(|count| count.to_f64() as i64).into(),
            false => item.value().clone().into(),
        };
        tensors.push((path.to_string(), tensor));
    });
    write_tensors(path, tensors, metadata)
}

/// Replaces every parameter and buffer of a model by what a safetensors file holds under its path, and returns
/// the texts in the file's header. Numbers of another precision are rounded.
///
/// # Errors
/// If the file cannot be read or is damaged, a tensor is missing, unknown or of another shape, or holds integers
/// where the model does not count, or none where it does; the model is unchanged then, and the message names the
/// file.
pub fn load<T: Float>(
    model: &mut impl Module<T>,
    path: impl AsRef<Path>,
) -> Result<BTreeMap<String, String>> {
    let path = path.as_ref();
    let file = read_tensors(path)?;
    let mut counts = BTreeSet::new();
    model.visit(&ModulePath::ROOT, &mut |path, item| {
        if is_count(&item) {
            counts.insert(path.to_string());
        }
    });
    let mut state = Vec::with_capacity(file.tensors.len());
    for (name, tensor) in file.tensors {
        let tensor = match (tensor, counts.contains(&name)) {
            (AnyTensor::F32(tensor), false) => tensor.cast(),
            (AnyTensor::F64(tensor), false) => tensor.cast(),
            (AnyTensor::I64(tensor), true) if tensor.as_slice().iter().all(|&count| count >= 0) => {
                tensor.map(|count| T::from_f64(count as f64))
            }
            (tensor, counts) => {
                let (found, expected) = match (tensor, counts) {
                    (AnyTensor::I64(_), true) => ("a negative count", "one of at least 0"),
                    (AnyTensor::I64(_), false) => ("integers", "floating-point numbers"),
                    _ => ("floating-point numbers", "an integer"),
                };
                let fact = format!("{}: `{name}` holds {found}, expected {expected}", path.display());
                return Err(Error::outside("load", fact));
            }
        };
        state.push((name, tensor));
    }
    model.load_state_dict(&state).map_err(|error| {
        Error::outside("load", format!("{} is of another model: {}", path.display(), error.fact()))
    })?;
    Ok(file.metadata)
}

/// Writes tensors under their names to a safetensors file, whole or not at all: what an optimizer or an average of
/// weights tells of itself, so that a training can be resumed with the same bits. Where something in it is drawn at
/// random (dropout), each epoch needs a seed of its own: [`Tape::reseed`](retrograd_autograd::Tape::reseed).
///
/// ```
/// # use retrograd::prelude::*;
/// # let rng = &mut StdRng::seed_from_u64(0);
/// # let (mut model, path) = (Linear::new(2, 1).build(rng)?, std::env::temp_dir().join("retrograd-doc.safetensors"));
/// let mut optimizer = Adam::new(1e-3);
/// let loss = model.forward(&Tape::new().constant(Tensor::from([[1.0, 2.0]])))?.square().sum(..)?;
/// optimizer.step(&mut model, &loss.backward()?)?;
/// save_state(optimizer.state_dict(&model), &path)?;
///
/// let mut resumed = Adam::new(1e-3);
/// resumed.load_state_dict(&model, &load_state(&path)?)?;
/// assert_eq!(resumed.state_dict(&model), optimizer.state_dict(&model));
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// If the file cannot be written; the message names it.
pub fn save_state<T: Float>(state: Vec<(String, Tensor<T>)>, path: impl AsRef<Path>) -> Result<()>
where
    Tensor<T>: Into<AnyTensor>,
{
    write_tensors(path, state, &BTreeMap::new())
}

/// The tensors of a safetensors file with their names: what [`save_state`] wrote. Numbers of another precision are
/// rounded.
///
/// # Errors
/// If the file cannot be read or is damaged, or holds integers; the message names it.
pub fn load_state<T: Float>(path: impl AsRef<Path>) -> Result<Vec<(String, Tensor<T>)>> {
    let path = path.as_ref();
    let tensors = read_tensors(path)?.tensors.into_iter();
    let numbers = tensors.map(|(name, tensor)| match tensor {
        AnyTensor::F32(tensor) => Ok((name, tensor.cast())),
        AnyTensor::F64(tensor) => Ok((name, tensor.cast())),
        AnyTensor::I64(_) => {
            let fact =
                format!("{}: `{name}` holds integers, expected floating-point numbers", path.display());
            Err(Error::outside("load_state", fact))
        }
    });
    numbers.collect()
}

/// Whether an item counts, and is an integer in files.
fn is_count<T: Float>(item: &Item<'_, T>) -> bool {
    matches!(item, Item::Buffer(buffer) if buffer.is_count())
}
