//! Named tensors in safetensors files: eight bytes of header length, a JSON header, the elements,
//! little-endian (<https://huggingface.co/docs/safetensors>). PyTorch, JAX and NumPy read and write the same
//! files.
//!
//! A file is written whole or not at all, and a header is believed only as far as the length of the file
//! bears it out.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use retrograd_tensor::{Element, Error, Result, Shape, Tensor};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::{Map, Value, json};

/// A tensor of any element type that files hold.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyTensor {
    /// Single precision: what networks are trained in.
    F32(Tensor<f32>),
    /// Double precision.
    F64(Tensor<f64>),
    /// Integers: counters and labels.
    I64(Tensor<i64>),
}

impl AnyTensor {
    /// The extents of the axes.
    pub fn shape(&self) -> &Shape {
        match self {
            Self::F32(tensor) => tensor.shape(),
            Self::F64(tensor) => tensor.shape(),
            Self::I64(tensor) => tensor.shape(),
        }
    }

    /// The name of the element type, as messages spell it.
    pub fn element(&self) -> &'static str {
        match self {
            Self::F32(_) => f32::NAME,
            Self::F64(_) => f64::NAME,
            Self::I64(_) => i64::NAME,
        }
    }

    fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
            Self::I64(_) => Dtype::I64,
        }
    }

    /// Bytes in a file.
    fn len(&self) -> usize {
        self.shape().numel() * self.dtype().bitsize() / 8
    }
}

impl From<Tensor<f32>> for AnyTensor {
    fn from(tensor: Tensor<f32>) -> Self {
        Self::F32(tensor)
    }
}

impl From<Tensor<f64>> for AnyTensor {
    fn from(tensor: Tensor<f64>) -> Self {
        Self::F64(tensor)
    }
}

impl From<Tensor<i64>> for AnyTensor {
    fn from(tensor: Tensor<i64>) -> Self {
        Self::I64(tensor)
    }
}

/// What a safetensors file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorFile {
    /// The tensors and their names, in the order of the file.
    pub tensors: Vec<(String, AnyTensor)>,
    /// Text about them, such as the epoch or the seed.
    pub metadata: BTreeMap<String, String>,
}

impl TensorFile {
    /// The tensor of this name, if there is one.
    pub fn get(&self, name: &str) -> Option<&AnyTensor> {
        self.tensors.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor)
    }
}

/// The key under which the header holds the metadata, and which therefore no tensor can be named.
const METADATA: &str = "__metadata__";

/// Writes named tensors, and text about them, to a safetensors file, which at any moment holds either what it
/// held before or all that is written now.
///
/// The data go to a temporary file in the same directory, reach the disk, and only then take the name `path`;
/// after an error the temporary file is removed. Symbolic links are followed: what is replaced is the file that
/// they lead to. The new file has the permissions of the one that it replaces, but this process's user and group.
///
/// The tensors stand in the file in the order given, but those of 8-byte elements before those of 4, so that
/// every element is aligned for readers that map the file into memory. The same tensors and metadata always
/// give the same bytes.
///
/// ```
/// # use std::collections::BTreeMap;
/// # use retrograd_data::{AnyTensor, read_tensors, write_tensors};
/// # use retrograd_tensor::Tensor;
/// # let path = std::env::temp_dir().join(format!("retrograd-doc-{}.safetensors", std::process::id()));
/// let weight = Tensor::from_vec(vec![1.0, 2.0], [1, 2])?;
/// let about = BTreeMap::from([("epoch".to_string(), "7".to_string())]);
/// write_tensors(&path, [("fc.weight", weight.clone())], &about)?;
///
/// let file = read_tensors(&path)?;
/// assert_eq!(file.get("fc.weight"), Some(&AnyTensor::F32(weight)));
/// assert_eq!(file.metadata["epoch"], "7");
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// If two tensors have the same name or one is named `__metadata__`, if what is at `path` is no regular file (a
/// directory, a device, a pipe), or if the file cannot be written. The message names the file.
pub fn write_tensors(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (impl Into<String>, impl Into<AnyTensor>)>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let path = path.as_ref();
    let failed = |fact: String| Error::outside("write_tensors", format!("{}: {fact}", path.display()));
    let mut tensors: Vec<(String, AnyTensor)> =
        tensors.into_iter().map(|(name, tensor)| (name.into(), tensor.into())).collect();
    tensors.sort_by_key(|(_, tensor)| Reverse(tensor.dtype().bitsize()));
    let header = header(&tensors, metadata).map_err(failed)?;
    let write = |file: &mut BufWriter<&File>| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        tensors.iter().try_for_each(|(_, tensor)| match tensor {
            AnyTensor::F32(tensor) => write_elements(file, tensor, f32::to_le_bytes),
            AnyTensor::F64(tensor) => write_elements(file, tensor, f64::to_le_bytes),
            AnyTensor::I64(tensor) => write_elements(file, tensor, i64::to_le_bytes),
        })
    };
    Destination::of(path).map_err(failed)?.replace(write).map_err(|error| failed(error.to_string()))
}

/// The JSON header, padded so that the elements after it are aligned to 8 bytes.
fn header(tensors: &[(String, AnyTensor)], metadata: &BTreeMap<String, String>) -> Result<String, String> {
    let mut entries = Map::new();
    if !metadata.is_empty() {
        entries.insert(
            METADATA.into(),
            metadata.iter().map(|(key, text)| (key.clone(), text.clone())).collect(),
        );
    }
    let mut end = 0;
    for (name, tensor) in tensors {
        let start = end;
        end += tensor.len();
        let dtype = tensor.dtype().to_string();
        let entry = json!({"dtype": dtype, "shape": tensor.shape()[..], "data_offsets": [start, end]});
        if name == METADATA {
            return Err(format!("a tensor cannot be named `{METADATA}`"));
        }
        if entries.insert(name.clone(), entry).is_some() {
            return Err(format!("two tensors are named `{name}`"));
        }
    }
    let header = Value::Object(entries).to_string();
    let padding = header.len().next_multiple_of(8) - header.len();
    Ok(header + &" ".repeat(padding))
}

fn write_elements<T: Element, const N: usize>(
    file: &mut impl Write,
    tensor: &Tensor<T>,
    bytes: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    tensor.as_slice().iter().try_for_each(|&value| file.write_all(&bytes(value)))
}

/// Checks that [`write_tensors`] could write `path` now, by making and removing a temporary file beside it: for a
/// program that has long work to do before it writes.
///
/// # Errors
/// As [`write_tensors`], as far as can be known before.
pub fn check_writable(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let outcome = Destination::of(path).and_then(|to| to.temporary().map_err(|error| error.to_string()));
    match outcome {
        Ok(_) => Ok(()),
        Err(fact) => Err(Error::outside("check_writable", format!("{}: {fact}", path.display()))),
    }
}

/// A regular file, or the place for one.
struct Destination {
    path: PathBuf,
    /// Of the file that is there.
    permissions: Option<Permissions>,
}

impl Destination {
    /// What `path` leads to, over symbolic links. Only a regular file may be replaced: a device or a pipe is
    /// written to by others and would be gone.
    fn of(path: &Path) -> Result<Self, String> {
        match fs::metadata(path) {
            Ok(found) if found.is_file() => {
                let path = fs::canonicalize(path).map_err(|error| error.to_string())?;
                Ok(Self { path, permissions: Some(found.permissions()) })
            }
            Ok(found) if found.is_dir() => Err("is a directory, expected a file".into()),
            Ok(_) => Err("is a device, a pipe or the like, expected a regular file".into()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                match fs::read_link(path) {
                    Ok(target) => Self::of(&directory(path).join(target)),
                    Err(_) if names_directory(path) => Err("names a directory, expected a file".into()),
                    Err(_) if !directory(path).is_dir() => {
                        Err(format!("there is no directory {}", directory(path).display()))
                    }
                    Err(_) => Ok(Self { path: path.into(), permissions: None }),
                }
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// A new file beside the destination, with the permissions of the old one, before anything is in it.
    fn temporary(&self) -> io::Result<(File, Temporary)> {
        let (file, temporary) = Temporary::create(directory(&self.path), self.permissions.is_some())?;
        if let Some(permissions) = &self.permissions
            && file.metadata()?.permissions() != *permissions
        {
            file.set_permissions(permissions.clone())?;
        }
        Ok((file, temporary))
    }

    /// Makes the file hold what `write` writes, or leaves it alone.
    fn replace(&self, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
        let (file, mut temporary) = self.temporary()?;
        let mut buffered = BufWriter::with_capacity(1 << 16, &file);
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary.path, &self.path)?;
        temporary.renamed = true;
        // The new name is an entry in the directory, which has to reach the disk as well.
        #[cfg(unix)]
        File::open(directory(&self.path))?.sync_all()?;
        Ok(())
    }
}

/// The directory that a file is in.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether a path ends as no file's does: `x/`, `x/.`, `x/..`, or is empty, which is the current directory.
fn names_directory(path: &Path) -> bool {
    let whole = path.as_os_str().as_encoded_bytes();
    let name = path.file_name().map(OsStr::as_encoded_bytes);
    name.is_none_or(|name| !whole.ends_with(name))
}

/// A file that is removed again unless it is renamed.
struct Temporary {
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    /// With the permissions of any new file, or, if others are to follow, at first for nobody else.
    fn create(directory: &Path, private: bool) -> io::Result<(File, Self)> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if private {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        #[cfg(not(unix))]
        let _ = private;
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!(".retrograd-{}-{count}.tmp", process::id()));
            // Never a file that exists: it could be a link to another, or a crashed process's.
            match options.open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                opened => return Ok((opened?, Self { path, renamed: false })),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // If this fails as well, the error that brought us here is still the one to report.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The longest header that is read, as in the reference implementation.
const LONGEST_HEADER: u64 = 100_000_000;

/// Reads the tensors of a safetensors file, in the order in which they stand there.
///
/// # Errors
/// If the file cannot be read or is no safetensors file, if its header and its length do not agree, or if a
/// tensor has other elements than `F32`, `F64` and `I64`. The message names the file.
pub fn read_tensors(path: impl AsRef<Path>) -> Result<TensorFile> {
    let path = path.as_ref();
    let failed = |fact: String| Error::outside("read_tensors", format!("{}: {fact}", path.display()));
    let file = crate::open(path).map_err(failed)?;
    let len = file.metadata().map_err(|error| failed(error.to_string()))?.len();
    decode(&mut BufReader::new(file), len).map_err(failed)
}

/// The tensors in `source`, a file of `len` bytes.
fn decode(source: &mut impl Read, len: u64) -> Result<TensorFile, String> {
    let Some(rest) = len.checked_sub(8) else {
        return Err(format!("is no safetensors file: it has {len} bytes, expected at least 8"));
    };
    let mut header_len = [0; 8];
    read(source, &mut header_len)?;
    let header_len = u64::from_le_bytes(header_len);
    let Some(data_len) = rest.checked_sub(header_len).filter(|_| header_len <= LONGEST_HEADER) else {
        return Err(format!(
            "is no whole safetensors file: it claims {header_len} bytes of header, and {rest} follow"
        ));
    };
    let mut header = vec![0; header_len as usize];
    read(source, &mut header)?;
    // This checks that each tensor has as many bytes as its shape and type want, right after the one before.
    let header: Metadata = serde_json::from_slice(&header)
        .map_err(|error| format!("the safetensors header is not valid: {error}"))?;
    if header.data_len() as u64 != data_len {
        let claimed = header.data_len();
        return Err(format!("the header claims {claimed} bytes of tensors, the file holds {data_len}"));
    }

    let mut entries: Vec<(String, &TensorInfo)> = header.tensors().into_iter().collect();
    // By name where empty tensors share a place, so that the order is always the same.
    entries.sort_by(|(a, x), (b, y)| (x.data_offsets, a).cmp(&(y.data_offsets, b)));
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, info) in entries {
        let tensor = match info.dtype {
            Dtype::F32 => AnyTensor::F32(read_elements(source, &info.shape, f32::from_le_bytes)?),
            Dtype::F64 => AnyTensor::F64(read_elements(source, &info.shape, f64::from_le_bytes)?),
            Dtype::I64 => AnyTensor::I64(read_elements(source, &info.shape, i64::from_le_bytes)?),
            other => return Err(format!("tensor `{name}` has {other} elements, expected F32, F64 or I64")),
        };
        tensors.push((name, tensor));
    }
    let texts = header.metadata().iter().flatten();
    Ok(TensorFile { tensors, metadata: texts.map(|(key, text)| (key.clone(), text.clone())).collect() })
}

fn read_elements<T: Element, const N: usize>(
    source: &mut impl Read,
    shape: &[usize],
    value: impl Fn([u8; N]) -> T,
) -> Result<Tensor<T>, String> {
    let mut tensor = Tensor::full(shape, T::default()).map_err(|error| error.fact().to_string())?;
    let mut buffer = vec![0; 8192 * N];
    for values in tensor.make_mut().chunks_mut(8192) {
        let bytes = &mut buffer[..values.len() * N];
        read(source, bytes)?;
        for (slot, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
            *slot = value(*bytes);
        }
    }
    Ok(tensor)
}

fn read(source: &mut impl Read, bytes: &mut [u8]) -> Result<(), String> {
    // The length was checked, so this fails only on a failing disk or a file that shrinks as it is read.
    source.read_exact(bytes).map_err(|error| error.to_string())
}
