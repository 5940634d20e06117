//! Pictures from PNG files, to make predictions for.

use std::io::{BufRead, BufReader, Seek};
use std::path::Path;

use ::png::{ColorType, Decoder, Transformations};
use retrograd_tensor::{Error, Result, Tensor};

use crate::normalization::{self, Normalization};

/// A picture of one (grey) or three (red, green, blue) channels, a byte for each pixel of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    shape: [usize; 3],
    bytes: Vec<u8>,
}

/// The largest picture that is read, in pixels: 4096×4096. A few bytes of PNG can claim, and even hold, far
/// more.
const MOST_PIXELS: u64 = 1 << 24;

/// Reads a PNG file of any kind, as grey or as red, green and blue.
///
/// Samples of 16 bits are cut to the upper 8, those of fewer bits and palettes are expanded; transparent
/// pixels are laid over white, as paper would be. Colour profiles and gamma are ignored; of an animation, the
/// first frame is read.
///
/// # Errors
/// If the file cannot be read, is no PNG file or a damaged one, or has more than 2²⁴ pixels. The message
/// names the file.
pub fn read_png(path: impl AsRef<Path>) -> Result<Picture> {
    let path = path.as_ref();
    let failed = |fact: String| Error::outside("read_png", format!("{}: {fact}", path.display()));
    let file = crate::open(path).map_err(failed)?;
    decode(BufReader::new(file)).map_err(failed)
}

fn decode(source: impl BufRead + Seek) -> Result<Picture, String> {
    // What the decoder takes for itself it bounds to 64 MiB; the size of the picture is ours to bound.
    let mut decoder = Decoder::new(source);
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(|error| error.to_string())?;
    let (width, height) = (header.width, header.height);
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(format!("has {width}×{height} pixels, more than {MOST_PIXELS}"));
    }
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let size = reader.output_buffer_size().ok_or("is too large to be addressed")?;
    let mut samples = vec![0; size];
    let frame = reader.next_frame(&mut samples).map_err(|error| error.to_string())?;
    let (width, height) = (frame.width as usize, frame.height as usize);
    let colours = match frame.color_type {
        ColorType::Grayscale | ColorType::GrayscaleAlpha => 1,
        ColorType::Rgb | ColorType::Rgba => 3,
        ColorType::Indexed => return Err("has no palette for its colours".into()),
    };
    let pixels = samples[..frame.buffer_size()].chunks_exact(frame.color_type.samples());
    let mut bytes = vec![0; colours * width * height];
    for (plane, out) in bytes.chunks_exact_mut(width * height).enumerate() {
        for (out, pixel) in out.iter_mut().zip(pixels.clone()) {
            *out = match pixel.get(colours) {
                Some(&alpha) => over_white(pixel[plane], alpha),
                None => pixel[plane],
            };
        }
    }
    Ok(Picture { shape: [colours, height, width], bytes })
}

fn over_white(sample: u8, alpha: u8) -> u8 {
    let (sample, alpha) = (u32::from(sample), u32::from(alpha));
    ((sample * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

impl Picture {
    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The bytes, `[channels, height, width]` row-major.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The brightness alone: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded as Pillow's `convert("L")`
    /// does.
    pub fn to_grey(&self) -> Self {
        let [channels, height, width] = self.shape;
        if channels == 1 {
            return self.clone();
        }
        let plane = height * width;
        let weighted = |i: usize| {
            let [r, g, b] = [0, 1, 2].map(|channel| u32::from(self.bytes[channel * plane + i]));
            ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16) as u8
        };
        Self { shape: [1, height, width], bytes: (0..plane).map(weighted).collect() }
    }

    /// Dark for bright: MNIST-like sets are written in white on black.
    pub fn invert(mut self) -> Self {
        self.bytes.iter_mut().for_each(|byte| *byte = 255 - *byte);
        self
    }

    /// The picture in another size; each new pixel is the average of the area that it covers in the old
    /// picture, rounded to the nearest. The proportions are not kept.
    ///
    /// # Errors
    /// If the height or the width is 0 or the new picture has more than 2²⁴ pixels.
    #[track_caller]
    pub fn resize(&self, height: usize, width: usize) -> Result<Self> {
        let pixels = height.checked_mul(width).filter(|&n| n > 0 && n as u64 <= MOST_PIXELS);
        if pixels.is_none() {
            let fact = format!("expected 1 to {MOST_PIXELS} pixels, found {height}×{width}");
            return Err(Error::new("Picture::resize", fact));
        }
        let [channels, old_height, old_width] = self.shape;
        let area = (old_height * old_width) as u64;
        let mut bytes = Vec::with_capacity(channels * height * width);
        for plane in self.bytes.chunks_exact(old_height * old_width) {
            for i in 0..height {
                for j in 0..width {
                    let mut sum = area / 2;
                    for (y, tall) in overlaps(i, height, old_height) {
                        for (x, wide) in overlaps(j, width, old_width) {
                            sum += tall * wide * u64::from(plane[y * old_width + x]);
                        }
                    }
                    bytes.push((sum / area) as u8);
                }
            }
        }
        Ok(Self { shape: [channels, height, width], bytes })
    }

    /// The picture as a batch of one, `[1, channels, height, width]`, normalised like the images that a
    /// network was trained with.
    ///
    /// # Errors
    /// If `normalization` is for another number of channels.
    #[track_caller]
    pub fn to_tensor(&self, normalization: &Normalization) -> Result<Tensor> {
        let [channels, height, width] = self.shape;
        let tables = normalization.tables("Picture::to_tensor", channels)?;
        let mut values = vec![0.0; self.bytes.len()];
        normalization::apply(&tables, height * width, &self.bytes, &mut values);
        Tensor::from_vec(values, [1, channels, height, width])
    }
}

/// A line of `old` pixels is divided into `new` equal parts: the pixels that part `i` overlaps, and by how
/// much, in units of 1/`new` of a pixel, so that the overlaps of a part add up to `old`.
fn overlaps(i: usize, new: usize, old: usize) -> impl Iterator<Item = (usize, u64)> {
    let (i, new, old) = (i as u64, new as u64, old as u64);
    let (start, end) = (i * old, (i + 1) * old);
    (start / new..end.div_ceil(new)).map(move |p| (p as usize, end.min((p + 1) * new) - start.max(p * new)))
}
