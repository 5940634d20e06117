use png::{BitDepth, ColorType, Encoder};
use retrograd_data::{Normalization, Picture, digits, read_png};

use crate::{Scratch, assert_says, damage};

fn encode(size: [u32; 2], color: ColorType, depth: BitDepth, palette: &[u8], data: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, size[1], size[0]);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if !palette.is_empty() {
        encoder.set_palette(palette.to_vec());
    }
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    file
}

/// Writes a PNG file of height × width pixels and reads it.
fn read(size: [u32; 2], color: ColorType, depth: BitDepth, palette: &[u8], data: &[u8]) -> Picture {
    let scratch = Scratch::new();
    read_png(scratch.file("picture.png", &encode(size, color, depth, palette, data))).unwrap()
}

fn grey(size: [u32; 2], bytes: &[u8]) -> Picture {
    read(size, ColorType::Grayscale, BitDepth::Eight, &[], bytes)
}

#[test]
fn grey_is_one_channel() {
    let picture = grey([2, 3], &[0, 1, 2, 3, 4, 255]);
    assert_eq!((picture.shape(), picture.bytes()), ([1, 2, 3], &[0, 1, 2, 3, 4, 255][..]));
}

#[test]
fn colours_are_three_planes() {
    let picture = read([1, 2], ColorType::Rgb, BitDepth::Eight, &[], &[1, 2, 3, 4, 5, 6]);
    assert_eq!((picture.shape(), picture.bytes()), ([3, 1, 2], &[1, 4, 2, 5, 3, 6][..]));
}

#[test]
fn transparent_pixels_lie_over_white() {
    let picture = read([1, 3], ColorType::GrayscaleAlpha, BitDepth::Eight, &[], &[10, 255, 10, 0, 0, 128]);
    assert_eq!((picture.shape(), picture.bytes()), ([1, 1, 3], &[10, 255, 127][..]));
    let picture = read([1, 1], ColorType::Rgba, BitDepth::Eight, &[], &[10, 20, 30, 0]);
    assert_eq!((picture.shape(), picture.bytes()), ([3, 1, 1], &[255; 3][..]));
}

#[test]
fn deep_and_shallow_samples_become_bytes() {
    let picture = read([1, 2], ColorType::Grayscale, BitDepth::Sixteen, &[], &[0xab, 0xcd, 0xff, 0xff]);
    assert_eq!(picture.bytes(), [0xab, 0xff]);
    let picture = read([1, 4], ColorType::Grayscale, BitDepth::Two, &[], &[0b00_01_10_11]);
    assert_eq!(picture.bytes(), [0, 85, 170, 255]);
}

#[test]
fn palettes_are_looked_up() {
    let picture = read([1, 2], ColorType::Indexed, BitDepth::One, &[1, 2, 3, 4, 5, 6], &[0b0100_0000]);
    assert_eq!((picture.shape(), picture.bytes()), ([3, 1, 2], &[1, 4, 2, 5, 3, 6][..]));
}

#[test]
fn the_grey_of_a_colour_is_its_brightness() {
    let pixels = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [7, 7, 7]];
    let picture = read([1, 5], ColorType::Rgb, BitDepth::Eight, &[], pixels.as_flattened());
    assert_eq!(
        (picture.to_grey().shape(), picture.to_grey().bytes()),
        ([1, 1, 5], &[76, 150, 29, 255, 7][..])
    );
    assert_eq!(picture.to_grey().to_grey(), picture.to_grey());
}

#[test]
fn inverting_swaps_black_and_white() {
    assert_eq!(grey([1, 3], &[0, 100, 255]).invert().bytes(), [255, 155, 0]);
}

#[test]
fn a_smaller_picture_averages_areas() {
    let picture = grey([2, 4], &[0, 10, 20, 30, 10, 20, 40, 51]);
    assert_eq!(picture.resize(1, 2).unwrap().bytes(), [10, 35]);
    // Each third of two pixels: all of one half more of the next is weighted 1 : ½.
    assert_eq!(grey([1, 3], &[0, 90, 240]).resize(1, 2).unwrap().bytes(), [30, 190]);
}

#[test]
fn a_larger_picture_repeats_pixels() {
    assert_eq!(grey([1, 2], &[3, 9]).resize(2, 4).unwrap().bytes(), [3, 3, 9, 9, 3, 3, 9, 9]);
    assert_eq!(grey([1, 2], &[3, 9]).resize(1, 3).unwrap().bytes(), [3, 6, 9]);
}

#[test]
fn resizing_to_the_same_size_changes_nothing_and_a_flat_picture_stays_flat() {
    let picture = grey([2, 3], &[0, 1, 2, 3, 4, 255]);
    assert_eq!(picture.resize(2, 3).unwrap(), picture);
    let flat = grey([5, 7], &[201; 35]);
    assert!(flat.resize(3, 11).unwrap().bytes().iter().all(|&byte| byte == 201));
}

#[test]
fn a_size_that_is_none_is_refused() {
    let picture = grey([1, 1], &[0]);
    for (height, width) in [(0, 1), (1, 0), (usize::MAX, 2), (1 << 13, 1 << 13)] {
        assert!(
            picture.resize(height, width).unwrap_err().to_string().contains("expected 1 to 16777216 pixels")
        );
    }
}

#[test]
fn a_picture_becomes_a_batch_of_one_normalised_as_the_training_set() {
    let (train, _) = digits();
    let statistics = train.statistics();
    let picture = grey([8, 8], train.image(5).unwrap());
    let tensor = picture.to_tensor(&statistics).unwrap();
    assert_eq!(tensor.shape()[..], [1, 1, 8, 8]);
    let train = train.subset(&[5]).unwrap().normalize(&statistics).unwrap();
    let (batch, _) = retrograd_data::DataLoader::new(train, 1).unwrap().epoch(0).next().unwrap();
    assert_eq!(tensor.as_slice(), batch.as_slice());
    let three = Normalization::new(255.0, &[0.0; 3], &[1.0; 3]).unwrap();
    assert!(picture.to_tensor(&three).is_err());
}

#[test]
fn a_file_that_is_no_png_file_is_refused_by_name() {
    let scratch = Scratch::new();
    let missing = scratch.path().join("missing.png");
    assert_says(read_png(&missing).err(), &missing, "No such file");
    assert_says(read_png(scratch.path()).err(), scratch.path(), "is a directory, expected a file");
    for bytes in [&b""[..], b"GIF89a", b"\x89PNG\r\n\x1a\n"] {
        let path = scratch.file("no.png", bytes);
        assert_says(read_png(&path).err(), &path, "read_png");
    }
}

/// A sound file but for the size that it claims.
pub(crate) fn claiming(height: u32, width: u32) -> Vec<u8> {
    let mut file = encode([1, 1], ColorType::Grayscale, BitDepth::Eight, &[], &[0]);
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    with_checksums(&file)
}

#[test]
fn a_header_that_claims_a_huge_picture_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.file("bomb.png", &claiming(1 << 30, 1 << 20));
    assert_says(read_png(&path).err(), &path, "has 1048576×1073741824 pixels, more than 16777216");
}

#[test]
fn no_damage_to_a_file_makes_reading_it_panic() {
    let scratch = Scratch::new();
    let data: Vec<u8> = (0..12 * 9 * 4).map(|i| (i * i) as u8).collect();
    let palette: Vec<u8> = (0..=255).flat_map(|i| [i, 0, 255 - i]).collect();
    let valid = [
        encode([12, 9], ColorType::Rgba, BitDepth::Eight, &[], &data),
        encode([6, 9], ColorType::Rgba, BitDepth::Sixteen, &[], &data),
        encode([48, 9], ColorType::Indexed, BitDepth::Eight, &palette, &data),
    ];
    for valid in valid {
        damage(&valid, 800, |bytes| {
            // With the checksums made right, or the damage would hardly ever reach the decoder.
            for file in [bytes.to_vec(), with_checksums(bytes)] {
                if let Ok(picture) = read_png(scratch.file("picture.png", &file)) {
                    assert_eq!(picture.shape().iter().product::<usize>(), picture.bytes().len());
                }
            }
        });
    }
}

/// The same chunks, each with its right CRC.
fn with_checksums(file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    let mut start = 8;
    while let Some(length) = file.get(start..start + 4) {
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        let end = start + 8 + length;
        if end + 4 > file.len() {
            break;
        }
        let mut crc = flate2::Crc::new();
        crc.update(&file[start + 4..end]);
        file[end..end + 4].copy_from_slice(&crc.sum().to_be_bytes());
        start = end + 4;
    }
    file
}
