//! IDX files: the format of MNIST, Fashion-MNIST and their kin.
//!
//! Two zero bytes, the element type, the rank, one big-endian 32-bit extent per axis, then the elements,
//! row-major (<http://yann.lecun.com/exdb/mnist/>). What a header claims is never believed further than the
//! bytes that follow it: memory grows with what was really read.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use retrograd_tensor::{Error, Result};

/// The contents of an IDX file of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// The extents of the axes, outermost first.
    pub shape: Vec<usize>,
    /// The elements, row-major.
    pub bytes: Vec<u8>,
}

/// More elements than any published set has (EMNIST: 0.64 GB), and few enough to be held in memory.
const MOST_ELEMENTS: usize = 1 << 31;

/// Reads an IDX file of unsigned bytes, plain or compressed with gzip; its first bytes tell which.
///
/// # Errors
/// If the file cannot be read, is no IDX file, holds another element type than bytes, or does not hold
/// exactly as many elements as its header says; and if these are more than 2³¹. The message names the file.
pub fn read_idx(path: impl AsRef<Path>) -> Result<Idx> {
    let path = path.as_ref();
    let failed = |fact: String| Error::outside("read_idx", format!("{}: {fact}", path.display()));
    let file = crate::open(path).map_err(failed)?;
    decode(BufReader::new(file)).map_err(failed)
}

/// The contents of `source`, or the fact that stands in the way.
pub(crate) fn decode(mut source: impl BufRead) -> Result<Idx, String> {
    let start = source.fill_buf().map_err(|error| error.to_string())?;
    if start.starts_with(&[0x1f, 0x8b]) { contents(MultiGzDecoder::new(source)) } else { contents(source) }
}

fn contents(mut source: impl Read) -> Result<Idx, String> {
    let mut magic = [0; 4];
    fill(&mut source, &mut magic, "the magic number")?;
    let [0, 0, element, rank] = magic else {
        return Err(format!("is no IDX file: it begins with {magic:02x?}, expected [00, 00, type, rank]"));
    };
    if element != 0x08 {
        let name = match element {
            0x09 => "signed byte",
            0x0b => "16-bit integer",
            0x0c => "32-bit integer",
            0x0d => "32-bit float",
            0x0e => "64-bit float",
            _ => "no IDX type",
        };
        return Err(format!("element type is 0x{element:02x} ({name}), expected 0x08 (unsigned byte)"));
    }
    if rank == 0 {
        return Err("the header names no axes, expected at least one".into());
    }
    let mut shape = Vec::with_capacity(rank.into());
    for _ in 0..rank {
        let mut extent = [0; 4];
        fill(&mut source, &mut extent, "the extents of the axes")?;
        shape.push(u32::from_be_bytes(extent) as usize);
    }
    let count = shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent));
    let Some(count) = count.filter(|&n| n <= MOST_ELEMENTS) else {
        return Err(format!("the header claims {shape:?} elements, more than {MOST_ELEMENTS}"));
    };

    // One byte more than claimed shows trailing ones, and takes gzip to its checksum.
    let mut bytes = Vec::new();
    source.take(count as u64 + 1).read_to_end(&mut bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => "the compressed data end too early".into(),
        _ => error.to_string(),
    })?;
    if bytes.len() > count {
        return Err(format!("more data than the {count} elements that the header claims ({shape:?})"));
    }
    if bytes.len() < count {
        return Err(format!(
            "only {} of the {count} elements that the header claims ({shape:?})",
            bytes.len()
        ));
    }
    bytes.shrink_to_fit();
    Ok(Idx { shape, bytes })
}

fn fill(source: &mut impl Read, bytes: &mut [u8], what: &str) -> Result<(), String> {
    source.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => format!("ends within {what}"),
        _ => error.to_string(),
    })
}
