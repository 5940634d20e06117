use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use retrograd_data::{AnyTensor, TensorFile, check_writable, read_tensors, write_tensors};
use retrograd_tensor::Tensor;

use crate::{Scratch, assert_says, damage};

fn none() -> BTreeMap<String, String> {
    BTreeMap::new()
}

fn tensors() -> Vec<(String, AnyTensor)> {
    let f32s = Tensor::from_vec(vec![1.5f32, -0.0, f32::INFINITY, f32::MIN_POSITIVE / 2.0, 3.0, 4.0], [2, 3])
        .unwrap();
    vec![
        ("conv.weight".into(), f32s.into()),
        ("steps".into(), Tensor::from_vec(vec![i64::MIN, i64::MAX], [2]).unwrap().into()),
        ("a.scalar".into(), Tensor::from_vec(vec![0.1f32], []).unwrap().into()),
        ("exact".into(), Tensor::from_vec(vec![0.1f64, f64::MAX], [1, 2, 1]).unwrap().into()),
        ("empty".into(), Tensor::<f32>::from_vec(vec![], [3, 0]).unwrap().into()),
    ]
}

/// A file of this header and so many bytes of data.
pub(crate) fn raw(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

#[track_caller]
fn assert_refused(file: &[u8], fact: &str) {
    let scratch = Scratch::new();
    let path = scratch.file("file", file);
    assert_says(read_tensors(&path).err(), &path, fact);
}

#[test]
fn what_is_written_is_read_wide_elements_first_otherwise_in_order() {
    let scratch = Scratch::new();
    let path = scratch.path().join("model.safetensors");
    let metadata = BTreeMap::from([("epoch".into(), "7".into()), ("über \"uns\"".into(), "\n\\".into())]);
    write_tensors(&path, tensors(), &metadata).unwrap();
    let TensorFile { tensors: read, metadata: read_metadata } = read_tensors(&path).unwrap();
    let [weight, steps, scalar, exact, empty] = <[_; 5]>::try_from(tensors()).unwrap();
    // The empty tensor takes no room, and so stands where the one after it would begin: at the end of the
    // file.
    assert_eq!(read, [steps, exact, weight, scalar, empty]);
    assert_eq!(read_metadata, metadata);
}

#[test]
fn the_bits_of_a_nan_survive() {
    let scratch = Scratch::new();
    let path = scratch.path().join("file");
    let nan = f32::from_bits(0x7fa0_1234);
    write_tensors(&path, [("nan", Tensor::from_vec(vec![nan], [1]).unwrap())], &none()).unwrap();
    let AnyTensor::F32(read) = read_tensors(&path).unwrap().tensors.remove(0).1 else {
        panic!("f32 expected")
    };
    assert_eq!(read.as_slice()[0].to_bits(), nan.to_bits());
}

#[test]
fn large_tensors_survive() {
    let scratch = Scratch::new();
    let path = scratch.path().join("file");
    let large = Tensor::from_vec((0..100_003).map(|i| i as f32).collect(), [100_003]).unwrap();
    write_tensors(&path, [("large", large.clone())], &none()).unwrap();
    assert_eq!(read_tensors(&path).unwrap().get("large"), Some(&AnyTensor::F32(large)));
}

#[test]
fn the_bytes_of_a_file_are_those_of_the_format() {
    let scratch = Scratch::new();
    let path = scratch.path().join("file");
    let tensor = Tensor::from_vec(vec![1.0f32, 2.0], [2]).unwrap();
    write_tensors(&path, [("w", tensor)], &BTreeMap::from([("k".into(), "v".into())])).unwrap();
    let header = br#"{"__metadata__":{"k":"v"},"w":{"data_offsets":[0,8],"dtype":"F32","shape":[2]}} "#;
    let expected = [&80u64.to_le_bytes()[..], header, &1f32.to_le_bytes(), &2f32.to_le_bytes()].concat();
    assert_eq!(fs::read(&path).unwrap(), expected);
}

#[test]
fn the_reference_implementation_reads_our_files_and_we_read_its() {
    let scratch = Scratch::new();
    let path = scratch.path().join("file");
    write_tensors(&path, tensors(), &none()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("conv.weight").unwrap().shape(), [2, 3]);
    assert_eq!(file.tensor("conv.weight").unwrap().data()[..4], 1.5f32.to_le_bytes());

    let theirs = safetensors::serialize(file.iter(), None).unwrap();
    let read = read_tensors(scratch.file("theirs", &theirs)).unwrap();
    assert_eq!(read.tensors.len(), 5);
    assert!(tensors().iter().all(|(name, tensor)| read.get(name) == Some(tensor)));
}

#[test]
fn a_file_is_replaced_whole_and_nothing_else_is_left_behind() {
    let scratch = Scratch::new();
    let path = scratch.file("model", b"something else");
    write_tensors(&path, tensors(), &none()).unwrap();
    assert_eq!(read_tensors(&path).unwrap().tensors.len(), 5);
    assert_eq!(scratch.names(), ["model"]);
}

#[test]
fn a_failure_leaves_the_old_file_and_no_temporary_one() {
    let scratch = Scratch::new();
    let directory = scratch.path().join("taken");
    fs::create_dir(&directory).unwrap();
    assert_refused_early(&directory, "is a directory, expected a file");
    assert_eq!(scratch.names(), ["taken"]);

    let nowhere = scratch.path().join("missing").join("model");
    assert_refused_early(&nowhere, &format!("there is no directory {}", nowhere.parent().unwrap().display()));

    let path = scratch.file("model", b"old");
    let twice = [tensors(), tensors()].concat();
    assert_says(write_tensors(&path, twice, &none()).err(), &path, "two tensors are named `steps`");
    let reserved = [("__metadata__", tensors().remove(0).1)];
    assert_says(write_tensors(&path, reserved.clone(), &none()).err(), &path, "cannot be named");
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

/// That nothing can be written to `path` for this reason is found out with and without writing.
#[track_caller]
fn assert_refused_early(path: &Path, fact: &str) {
    assert_says(write_tensors(path, tensors(), &none()).err(), path, fact);
    assert_says(check_writable(path).err(), path, fact);
}

#[test]
fn a_path_that_can_only_be_a_directory_is_refused_as_one() {
    let scratch = Scratch::new();
    for path in [".", "..", "/"] {
        assert_refused_early(Path::new(path), "is a directory, expected a file");
    }
    for path in ["new/", "new/.", "new/.."] {
        assert_refused_early(&scratch.path().join(path), "names a directory, expected a file");
    }
    assert_refused_early(Path::new(""), "names a directory, expected a file");
    assert!(scratch.names().is_empty());
}

#[test]
fn checking_that_a_file_can_be_written_changes_nothing() {
    let scratch = Scratch::new();
    let path = scratch.file("model", b"old");
    check_writable(&path).unwrap();
    check_writable(scratch.path().join("new")).unwrap();
    assert_eq!(scratch.names(), ["model"]);
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_and_stays() {
        let scratch = Scratch::new();
        let socket = scratch.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        // Through a link, so that even the old way could not replace the device itself.
        let device = scratch.path().join("device");
        symlink("/dev/null", &device).unwrap();
        for path in [&socket, &device] {
            assert_refused_early(path, "is a device, a pipe or the like, expected a regular file");
        }
        assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
        assert!(fs::symlink_metadata(&device).unwrap().is_symlink());
        assert_eq!(scratch.names(), ["device", "socket"]);
    }

    #[test]
    fn links_stay_and_what_they_lead_to_is_written() {
        let scratch = Scratch::new();
        let elsewhere = scratch.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("old"), b"old").unwrap();
        for target in ["old", "new"] {
            let [link, chain] = ["link", "chain"].map(|name| scratch.path().join(format!("{name}-{target}")));
            // Relative to where the link is, not to where the program runs.
            symlink(format!("elsewhere/{target}"), &link).unwrap();
            symlink(&link, &chain).unwrap();
            check_writable(&chain).unwrap();
            write_tensors(&chain, tensors(), &none()).unwrap();
            assert!([link, chain].iter().all(|path| fs::symlink_metadata(path).unwrap().is_symlink()));
            assert_eq!(read_tensors(elsewhere.join(target)).unwrap().tensors.len(), 5);
        }
        assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 2);
        let circle = scratch.path().join("circle");
        symlink("circle", &circle).unwrap();
        assert_refused_early(&circle, "symbolic links");
    }

    #[test]
    fn the_permissions_of_a_file_are_kept() {
        let scratch = Scratch::new();
        let path = scratch.file("model", b"old");
        for mode in [0o600, 0o664, 0o444] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            write_tensors(&path, tensors(), &none()).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
    }
}

#[test]
fn a_file_name_without_a_directory_is_written_to_the_current_one() {
    let name = format!("retrograd-data-test-{}.safetensors", std::process::id());
    write_tensors(&name, tensors(), &none()).unwrap();
    assert_eq!(read_tensors(&name).unwrap().tensors.len(), 5);
    fs::remove_file(&name).unwrap();
}

#[test]
fn no_tensors_make_a_file_too() {
    let scratch = Scratch::new();
    let path = scratch.path().join("file");
    write_tensors(&path, Vec::<(String, AnyTensor)>::new(), &none()).unwrap();
    assert_eq!(read_tensors(&path).unwrap(), TensorFile::default());
}

#[test]
fn a_missing_file_and_a_directory_are_named_in_the_error() {
    let scratch = Scratch::new();
    let missing = scratch.path().join("missing");
    assert_says(read_tensors(&missing).err(), &missing, "No such file");
    assert_says(read_tensors(scratch.path()).err(), scratch.path(), "is a directory, expected a file");
}

#[test]
fn a_file_that_is_no_safetensors_file_is_refused() {
    assert_refused(b"", "it has 0 bytes, expected at least 8");
    assert_refused(b"PK\x03\x04 a zip file of PyTorch's", "is no whole safetensors file");
    assert_refused(&raw("[]", 0), "header is not valid");
    assert_refused(&raw("{\"a\":", 0), "header is not valid");
    assert_refused(&raw("\u{7f}", 0), "header is not valid");
}

#[test]
fn a_header_that_contradicts_the_file_is_refused() {
    let f32s = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    assert_refused(&raw(f32s, 7), "the header claims 8 bytes of tensors, the file holds 7");
    assert_refused(&raw(f32s, 9), "the header claims 8 bytes of tensors, the file holds 9");
    assert_refused(&raw(&f32s.replace("[2]", "[3]"), 8), "header is not valid");
    assert_refused(&raw(&f32s.replace("[0,8]", "[4,12]"), 12), "header is not valid");
    assert_refused(&raw(&f32s.replace("[0,8]", "[8,0]"), 8), "header is not valid");
}

#[test]
fn a_header_that_claims_more_than_the_file_has_is_refused() {
    assert_refused(
        &[&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
        "claims 18446744073709551615 bytes of header",
    );
    assert_refused(&[&(1u64 << 40).to_le_bytes()[..], b"{}"].concat(), "and 2 follow");
    let huge = r#"{"a":{"dtype":"I64","shape":[144115188075855872],"data_offsets":[0,1152921504606846976]}}"#;
    assert_refused(&raw(huge, 8), "the header claims 1152921504606846976 bytes");
    let overflowing = huge.replace("[144115188075855872]", "[4294967296,4294967296,4]");
    assert_refused(&raw(&overflowing, 8), "header is not valid");
    // Eight tensors that together end at the last byte that 64 bits can number: adding the header would
    // overflow.
    let size = (1u64 << 61) - 1;
    let tensors: Vec<_> = (0..8)
        .map(|i| {
            format!(
                r#""{i}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{},{}]}}"#,
                i * size,
                (i + 1) * size
            )
        })
        .collect();
    assert_refused(
        &raw(&format!("{{{}}}", tensors.join(",")), 8),
        "the header claims 18446744073709551608 bytes",
    );
}

#[test]
fn other_element_types_are_refused_by_name() {
    let half = r#"{"fc.bias":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#;
    assert_refused(&raw(half, 4), "tensor `fc.bias` has BF16 elements, expected F32, F64 or I64");
}

#[test]
fn no_damage_to_a_file_makes_reading_it_panic() {
    let scratch = Scratch::new();
    let path = scratch.path().join("file");
    write_tensors(&path, tensors(), &BTreeMap::from([("k".into(), "v".into())])).unwrap();
    let valid = fs::read(&path).unwrap();
    damage(&valid, 3000, |bytes| {
        let _ = read_tensors(scratch.file("file", bytes));
    });
}
