//! Models in files: safetensors with PyTorch's names.

use std::collections::BTreeMap;
use std::path::Path;

use retrograd_data::{AnyTensor, read_tensors, write_tensors};
use retrograd_nn::Module;
use retrograd_tensor::{Error, Float, Result, Tensor};

/// Writes every parameter and buffer of a model to a safetensors file, under its path; whole or not at all.
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
    write_tensors(path, model.state_dict(), metadata)
}

/// Replaces every parameter and buffer of a model by what a safetensors file holds under its path, and returns
/// the texts in the file's header. Numbers of another precision are rounded.
///
/// # Errors
/// If the file cannot be read or is damaged, a tensor is missing, unknown or of another shape, or holds
/// integers; the model is unchanged then, and the message names the file.
pub fn load<T: Float>(
    model: &mut impl Module<T>,
    path: impl AsRef<Path>,
) -> Result<BTreeMap<String, String>> {
    let path = path.as_ref();
    let file = read_tensors(path)?;
    let mut state = Vec::with_capacity(file.tensors.len());
    for (name, tensor) in file.tensors {
        let tensor = match tensor {
            AnyTensor::F32(tensor) => tensor.cast(),
            AnyTensor::F64(tensor) => tensor.cast(),
            AnyTensor::I64(_) => {
                let fact =
                    format!("{}: `{name}` holds integers, expected floating-point numbers", path.display());
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
