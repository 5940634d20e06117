//! The handwritten digits that come with this crate.
//!
//! `digits/make.py` made the embedded files from scikit-learn's copy of the set; `digits/LICENSE.md` names
//! its source.

use retrograd_tensor::Result;

use crate::idx;
use crate::{Images, Normalization};

/// Every fifth image is for testing. In the set the digits of one writer stand together, so both parts have
/// some of nearly every hand.
const TEST_EVERY: usize = 5;

/// 1,797 handwritten digits of 8×8 pixels, 1,437 to train with and 360 to test: enough for a first network,
/// and nothing to download.
///
/// The pixels count the ink in 4×4 blocks of a bitmap, 0 to 16, and are read as 0 to 1 until
/// [`normalize`](Images::normalize)d. The test set is every fifth image of the source, from the first on; the
/// others are for training.
///
/// ```
/// let (train, test) = retrograd_data::digits();
/// assert_eq!((train.len(), test.len(), train.shape(), train.classes()), (1437, 360, [1, 8, 8], 10));
///
/// // The first digit of the source, a zero.
/// let shade = |&ink: &u8| b" .:-=+*#@"[usize::from(ink) / 2];
/// let shades: Vec<u8> = test.image(0).unwrap().iter().map(shade).collect();
/// let rows: Vec<_> = shades.chunks(8).map(String::from_utf8_lossy).collect();
/// assert_eq!(test.labels()[0], 0);
/// assert_eq!(rows, [
///     "  :*=   ",
///     "  *#+#: ",
///     " .#. += ",
///     " :*  == ",
///     " :=  == ",
///     " :+  *- ",
///     " .#:+*  ",
///     "  -*+   ",
/// ]);
/// ```
///
/// # Source
/// E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository,
/// 1998, <https://doi.org/10.24432/C50P49>, licensed under [CC BY
/// 4.0](https://creativecommons.org/licenses/by/4.0/). These are its test images, as scikit-learn distributes
/// them, with no pixel changed.
pub fn digits() -> (Images, Images) {
    decode().expect("the embedded digits are intact, as a test shows")
}

fn decode() -> Result<(Images, Images)> {
    let embedded = |file: &'static [u8]| idx::decode(file).expect("the embedded files are IDX files");
    let images = embedded(include_bytes!("../digits/images.idx3.gz"));
    let labels = embedded(include_bytes!("../digits/labels.idx1.gz"));
    let labels = labels.bytes.into_iter().map(i64::from).collect();
    let whole = Images::new([1, 8, 8], images.bytes, labels, 10)?.normalize(&Normalization::scaled(16.0))?;
    let (test, train): (Vec<usize>, Vec<usize>) =
        (0..whole.len()).partition(|i| i.is_multiple_of(TEST_EVERY));
    Ok((whole.subset(&train)?, whole.subset(&test)?))
}
