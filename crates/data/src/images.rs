//! Labelled images in memory.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use retrograd_tensor::{Error, Result, Shape};

use crate::normalization::{self, Normalization};
use crate::{Dataset, read_idx};

/// The classes of Fashion-MNIST, by label (<https://github.com/zalandoresearch/fashion-mnist#labels>).
pub const FASHION_MNIST_CLASSES: [&str; 10] = [
    "t-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

/// A set of images of one size, each with the number of its class; held as bytes, read as normalised `f32`.
///
/// Cloning shares the images. Example `i` is a `[channels, height, width]` array of the values that the
/// [`Normalization`] gives its bytes: until [`normalize`](Self::normalize) is called, 0 to 1.
#[derive(Clone)]
pub struct Images {
    shape: [usize; 3],
    bytes: Arc<Vec<u8>>,
    labels: Arc<Vec<i64>>,
    classes: usize,
    class_names: Arc<Vec<String>>,
    normalization: Normalization,
    /// The value of each byte in each channel, or in all: faster than to compute it again, and the same.
    tables: Arc<Vec<[f32; 256]>>,
}

impl Images {
    /// The images in `bytes`, `[n, channels, height, width]` row-major, of which `shape` gives the last
    /// three; one label below `classes` for each.
    ///
    /// # Errors
    /// If an extent is zero, if the numbers of bytes and labels do not agree, or if a label is no class.
    #[track_caller]
    pub fn new(shape: [usize; 3], bytes: Vec<u8>, labels: Vec<i64>, classes: usize) -> Result<Self> {
        let image_len = shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent));
        let expected = image_len.and_then(|len| len.checked_mul(labels.len()));
        let is_class = |&label: &i64| usize::try_from(label).is_ok_and(|label| label < classes);
        let fact = if shape.contains(&0) {
            format!("images of shape {shape:?} have no elements")
        } else if expected != Some(bytes.len()) {
            let (bytes, images) = (bytes.len(), labels.len());
            format!("{images} labels, but {bytes} bytes are not {images} images of shape {shape:?}")
        } else if let Some(i) = labels.iter().position(|label| !is_class(label)) {
            format!("image {i} has label {}, expected 0 to {classes} (exclusive)", labels[i])
        } else {
            let images = Self {
                shape,
                bytes: Arc::new(bytes),
                labels: Arc::new(labels),
                classes,
                class_names: Arc::default(),
                normalization: Normalization::scaled(255.0),
                tables: Arc::default(),
            };
            return images.normalize(&Normalization::scaled(255.0));
        };
        Err(Error::new("Images::new", fact))
    }

    /// The training and the test set in `dir`, in the files of MNIST: `train-images-idx3-ubyte`,
    /// `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each with or without
    /// `.gz`.
    ///
    /// Fashion-MNIST, KMNIST and EMNIST (renamed) come in the same files. There are as many classes as the
    /// highest label in either set demands.
    ///
    /// # Errors
    /// If `dir` is no directory, if a file is missing or [cannot be read](crate::read_idx), if there are not as
    /// many images as labels, or if the two sets hold images of different sizes. The message names the files.
    pub fn from_idx_dir(dir: impl AsRef<Path>) -> Result<(Images, Images)> {
        let dir = dir.as_ref();
        if !dir.is_dir() {
            let fact = format!("{}: is no directory, expected one with IDX files in it", dir.display());
            return Err(Error::outside("Images::from_idx_dir", fact));
        }
        let (train, test) = (IdxPart::read(dir, "train")?, IdxPart::read(dir, "t10k")?);
        if train.shape != test.shape {
            return Err(Error::outside(
                "Images::from_idx_dir",
                format!(
                    "{} holds images of shape {:?}, {} of {:?}",
                    train.file.display(),
                    train.shape,
                    test.file.display(),
                    test.shape
                ),
            ));
        }
        let highest = train.labels.iter().chain(&test.labels).max();
        let classes = highest.map_or(0, |&label| usize::from(label) + 1);
        Ok((train.images(classes)?, test.images(classes)?))
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The label of each image.
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// The bytes of an image, `[channels, height, width]` row-major, or nothing if there is no such image.
    pub fn image(&self, index: usize) -> Option<&[u8]> {
        self.bytes.chunks_exact(self.image_len()).nth(index)
    }

    /// The names of the classes by label; none unless [`with_class_names`](Self::with_class_names) gave them.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The same images with names for their classes.
    ///
    /// # Errors
    /// If there is not one name for each class.
    #[track_caller]
    pub fn with_class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.classes {
            let fact = format!("{} names for {} classes", names.len(), self.classes);
            return Err(Error::new("Images::with_class_names", fact));
        }
        self.class_names = Arc::new(names);
        Ok(self)
    }

    /// The first `count` images, and the others.
    ///
    /// # Errors
    /// If there are fewer than `count`.
    #[track_caller]
    pub fn split(&self, count: usize) -> Result<(Self, Self)> {
        let Some((first, others)) = self.labels.split_at_checked(count) else {
            let fact = format!("there are {} images, expected at least {count}", self.len());
            return Err(Error::new("Images::split", fact));
        };
        let (first_bytes, other_bytes) = self.bytes.split_at(count * self.image_len());
        Ok((
            self.with_data(first_bytes.to_vec(), first.to_vec()),
            self.with_data(other_bytes.to_vec(), others.to_vec()),
        ))
    }

    /// The images at `indices`, in that order; an image may occur several times.
    ///
    /// # Errors
    /// If there is no image at an index.
    #[track_caller]
    pub fn subset(&self, indices: &[usize]) -> Result<Self> {
        if let Some(index) = indices.iter().find(|&&index| index >= self.len()) {
            let fact = format!("there is no image {index} among {}", self.len());
            return Err(Error::new("Images::subset", fact));
        }
        let (len, mut bytes) = (self.image_len(), Vec::new());
        for index in indices {
            bytes.extend_from_slice(&self.bytes[index * len..][..len]);
        }
        Ok(self.with_data(bytes, indices.iter().map(|&index| self.labels[index]).collect()))
    }

    /// The mean and (population) standard deviation of each channel over all images: the normalisation that
    /// gives these very images mean 0 and standard deviation 1.
    ///
    /// Take it from the training set and use it for both, so that nothing is learnt from the test set. A
    /// channel of a single value gets the standard deviation 1, and an empty set the mean 0 as well.
    pub fn statistics(&self) -> Normalization {
        if self.is_empty() {
            return Normalization::scaled(self.normalization.scale());
        }
        let scale = f64::from(self.normalization.scale());
        let [channels, height, width] = self.shape;
        let (mut means, mut stds) = (Vec::new(), Vec::new());
        for channel in 0..channels {
            let mut counts = [0u64; 256];
            for plane in self.bytes.chunks_exact(height * width).skip(channel).step_by(channels) {
                plane.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
            }
            let pixels = (self.len() * height * width) as f64;
            let mean = bytes(&counts).map(|(byte, n)| n * byte).sum::<f64>() / pixels;
            let variance = bytes(&counts).map(|(byte, n)| n * (byte - mean).powi(2)).sum::<f64>() / pixels;
            means.push((mean / scale) as f32);
            stds.push(if variance > 0.0 { (variance.sqrt() / scale) as f32 } else { 1.0 });
        }
        self.normalization.with(means, stds)
    }

    /// The same images, read as (byte / scale − mean) / std from now on, whatever the normalisation was
    /// before.
    ///
    /// # Errors
    /// If `normalization` is for another number of channels.
    #[track_caller]
    pub fn normalize(mut self, normalization: &Normalization) -> Result<Self> {
        self.tables = Arc::new(normalization.tables("Images::normalize", self.shape[0])?);
        self.normalization = normalization.clone();
        Ok(self)
    }

    /// How bytes become numbers.
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Other images of the same kind.
    fn with_data(&self, bytes: Vec<u8>, labels: Vec<i64>) -> Self {
        Self { bytes: Arc::new(bytes), labels: Arc::new(labels), ..self.clone() }
    }
}

/// Each value of a byte, and how often it occurs.
fn bytes(counts: &[u64; 256]) -> impl Iterator<Item = (f64, f64)> {
    (0u8..=255).zip(counts).map(|(byte, &n)| (byte.into(), n as f64))
}

impl Dataset for Images {
    fn len(&self) -> usize {
        self.len()
    }

    fn shape(&self) -> Shape {
        self.shape.into()
    }

    fn example(&self, index: usize, _seed: u64, out: &mut [f32]) -> i64 {
        let ([_, height, width], len) = (self.shape, self.image_len());
        normalization::apply(&self.tables, height * width, &self.bytes[index * len..][..len], out);
        self.labels[index]
    }
}

/// The kind of images and their number, not their bytes.
impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images")
            .field("len", &self.len())
            .field("shape", &self.shape)
            .field("classes", &self.classes)
            .field("normalization", &self.normalization)
            .finish_non_exhaustive()
    }
}

/// Two IDX files that belong together.
struct IdxPart {
    /// The file of the images, for messages.
    file: PathBuf,
    shape: [usize; 3],
    bytes: Vec<u8>,
    labels: Vec<u8>,
}

impl IdxPart {
    fn read(dir: &Path, part: &str) -> Result<Self> {
        let file = find(dir, &format!("{part}-images-idx3-ubyte"))?;
        let labels_file = find(dir, &format!("{part}-labels-idx1-ubyte"))?;
        let (images, labels) = (read_idx(&file)?, read_idx(&labels_file)?);
        let error = |fact| Err(Error::outside("Images::from_idx_dir", fact));
        let [n, height, width] = images.shape[..] else {
            let fact = format!("expected [n, height, width], found shape {:?}", images.shape);
            return error(format!("{}: {fact}", file.display()));
        };
        if labels.shape.len() != 1 {
            let fact = format!("expected one axis of labels, found shape {:?}", labels.shape);
            return error(format!("{}: {fact}", labels_file.display()));
        }
        if n != labels.bytes.len() {
            let fact = format!("{} labels for the {n} images of {}", labels.bytes.len(), file.display());
            return error(format!("{}: {fact}", labels_file.display()));
        }
        if height == 0 || width == 0 {
            return error(format!("{}: images of {height}×{width} pixels have no pixels", file.display()));
        }
        Ok(Self { file, shape: [1, height, width], bytes: images.bytes, labels: labels.bytes })
    }

    fn images(self, classes: usize) -> Result<Images> {
        Images::new(self.shape, self.bytes, self.labels.into_iter().map(i64::from).collect(), classes)
    }
}

/// The file `name` or `name`.gz in `dir`.
fn find(dir: &Path, name: &str) -> Result<PathBuf> {
    let plain = dir.join(name);
    let compressed = dir.join(format!("{name}.gz"));
    match [plain, compressed].into_iter().find(|path| path.exists()) {
        Some(path) => Ok(path),
        None => {
            let fact = format!("{}: there is no {name} and no {name}.gz", dir.display());
            Err(Error::outside("Images::from_idx_dir", fact))
        }
    }
}
