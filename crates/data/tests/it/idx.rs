use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use retrograd_data::{Idx, read_idx};

use crate::{Scratch, assert_says, damage};

pub(crate) fn idx(extents: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, extents.len() as u8];
    file.extend(extents.iter().flat_map(|extent| extent.to_be_bytes()));
    file.extend(bytes);
    file
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[track_caller]
fn assert_refused(file: &[u8], fact: &str) {
    let scratch = Scratch::new();
    let path = scratch.file("file", file);
    assert_says(read_idx(&path).err(), &path, fact);
}

#[test]
fn plain_and_compressed_files_are_told_apart_by_their_content() {
    let scratch = Scratch::new();
    let plain = idx(&[2, 1, 3], b"abcdef");
    let expected = Idx { shape: vec![2, 1, 3], bytes: b"abcdef".to_vec() };
    assert_eq!(read_idx(scratch.file("a.gz", &plain)).unwrap(), expected);
    assert_eq!(read_idx(scratch.file("b", &gzip(&plain))).unwrap(), expected);
}

#[test]
fn a_file_compressed_in_several_members_is_read_whole() {
    let (start, end) = (idx(&[4], b"ab"), b"cd");
    let scratch = Scratch::new();
    let path = scratch.file("file", &[gzip(&start), gzip(end)].concat());
    assert_eq!(read_idx(path).unwrap().bytes, b"abcd");
}

#[test]
fn a_set_without_elements_is_read() {
    let scratch = Scratch::new();
    let read = read_idx(scratch.file("file", &idx(&[0, 28, 28], b""))).unwrap();
    assert_eq!(read, Idx { shape: vec![0, 28, 28], bytes: vec![] });
}

#[test]
fn a_missing_file_and_a_directory_are_named_in_the_error() {
    let scratch = Scratch::new();
    let missing = scratch.path().join("missing");
    assert_says(read_idx(&missing).err(), &missing, "No such file");
    assert_says(read_idx(scratch.path()).err(), scratch.path(), "is a directory, expected a file");
}

#[test]
fn a_file_that_is_no_idx_file_is_refused() {
    assert_refused(b"", "ends within the magic number");
    assert_refused(&[0, 0, 8], "ends within the magic number");
    assert_refused(b"GIF89a", "is no IDX file");
    assert_refused(&gzip(b"GIF89a"), "is no IDX file");
    assert_refused(&[0x1f, 0x8b], "ends within the magic number");
    assert_refused(&idx(&[], b""), "names no axes");
    assert_refused(&idx(&[3, 3], b"")[..11], "ends within the extents");
}

#[test]
fn other_element_types_are_refused_by_name() {
    for (code, name) in
        [(0x09, "signed byte"), (0x0b, "16-bit integer"), (0x0d, "32-bit float"), (0x77, "no IDX type")]
    {
        let mut file = idx(&[1], &[0; 8]);
        file[2] = code;
        assert_refused(&file, name);
    }
}

#[test]
fn a_file_that_is_too_short_or_too_long_is_refused_with_both_numbers() {
    assert_refused(&idx(&[2, 3], b"abcde"), "only 5 of the 6 elements that the header claims ([2, 3])");
    assert_refused(&idx(&[2, 3], b"abcdefg"), "more data than the 6 elements");
    assert_refused(&gzip(&idx(&[2, 3], b"abcde")), "only 5 of the 6");
    assert_refused(&gzip(&idx(&[2, 3], b"abcdefg")), "more data than the 6 elements");
}

#[test]
fn a_header_that_claims_more_than_memory_holds_is_refused() {
    assert_refused(&idx(&[1 << 30, 1 << 30], b"ab"), "more than 2147483648");
    assert_refused(&idx(&[u32::MAX; 200], b"ab"), "more than 2147483648");
    assert_refused(&idx(&[1 << 31], b"ab"), "only 2 of the 2147483648");
}

#[test]
fn a_gzip_bomb_is_left_as_soon_as_it_exceeds_its_header() {
    let bomb = gzip(&[idx(&[4], b""), vec![0; 1 << 26]].concat());
    assert!(bomb.len() < 1 << 17);
    assert_refused(&bomb, "more data than the 4 elements");
}

#[test]
fn damaged_compression_is_noticed() {
    let mut file = gzip(&idx(&[64], &[7; 64]));
    assert_refused(&file[..file.len() - 9], "end too early");
    let checksum = file.len() - 8;
    file[checksum] ^= 1;
    assert_refused(&file, "corrupt");
}

#[test]
fn no_damage_to_a_file_makes_reading_it_panic() {
    let scratch = Scratch::new();
    let plain = idx(&[10, 4, 4], &[9; 160]);
    for valid in [gzip(&plain), plain] {
        damage(&valid, 1500, |bytes| {
            if let Ok(read) = read_idx(scratch.file("file", bytes)) {
                assert_eq!(read.shape.iter().product::<usize>(), read.bytes.len());
            }
        });
    }
}
