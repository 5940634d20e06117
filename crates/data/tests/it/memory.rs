use std::path::Path;
use std::process::Command;

use retrograd_data::{read_idx, read_png, read_tensors};

use crate::Scratch;
use crate::files::raw;
use crate::idx::{gzip, idx};
use crate::picture::claiming;

/// Where the files lie, in the process that reads them.
const FILES: &str = "RETROGRAD_TEST_HOSTILE_FILES";

#[test]
fn hostile_files_are_refused_within_little_memory() {
    match std::env::var_os(FILES) {
        Some(files) => read_all(Path::new(&files)),
        None => {
            let scratch = Scratch::new();
            scratch.file("claim", &idx(&[1 << 31], &[0; 1000]));
            scratch.file("claim.gz", &gzip(&idx(&[1 << 31], &[0; 1000])));
            scratch.file("bomb.gz", &gzip(&[idx(&[4], b""), vec![0; 1 << 28]].concat()));
            scratch.file("header", &[&99_999_999u64.to_le_bytes()[..], b"{}"].concat());
            let tensor = r#"{"a":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4294967296]}}"#;
            scratch.file("tensor", &raw(tensor, 1000));
            scratch.file("picture.png", &claiming(1 << 20, 1 << 20));
            // An allocation that exceeds the limit, of 1 GiB, ends the process.
            let limited = "ulimit -v 1048576 && exec \"$0\" hostile_files_are_refused_within_little_memory";
            let mut child = Command::new("sh");
            child.arg("-c").arg(limited).arg(std::env::current_exe().unwrap()).env(FILES, scratch.path());
            let output = child.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        }
    }
}

fn read_all(files: &Path) {
    for name in ["claim", "claim.gz", "bomb.gz"] {
        assert!(read_idx(files.join(name)).is_err(), "{name}");
    }
    for name in ["header", "tensor"] {
        assert!(read_tensors(files.join(name)).is_err(), "{name}");
    }
    assert!(read_png(files.join("picture.png")).is_err());
}
