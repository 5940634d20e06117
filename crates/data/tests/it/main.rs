//! What the crate promises, one module for each of its parts.

mod digits;
mod files;
mod idx;
mod images;
mod loader;
#[cfg(target_os = "linux")]
mod memory;
mod picture;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory of its own for a test, removed when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("retrograd-data-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        // A new file each time: file systems may sync one that is cut to nothing and written again.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Damages `valid` in `rounds` ways, each cut short, changed in a few bytes, or both, and shows each to
/// `read`.
fn damage(valid: &[u8], rounds: u32, mut read: impl FnMut(&[u8])) {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    for round in 0..rounds {
        let mut bytes = valid.to_vec();
        if round % 3 != 0 {
            bytes.truncate(below(valid.len()) + 1);
        }
        if round % 3 != 1 {
            for _ in 0..=below(4) {
                // Headers are the interesting part: half of the changes go there.
                let reach = if below(2) == 0 { bytes.len().min(64) } else { bytes.len() };
                bytes[below(reach)] = [0x00, 0xff, 0x7f, 0x80, below(256) as u8][below(5)];
            }
        }
        read(&bytes);
    }
}

/// Asserts that an error's text names `path` and contains `fact`.
#[track_caller]
fn assert_says(error: Option<retrograd_tensor::Error>, path: &Path, fact: &str) {
    let text = error.expect("an error").to_string();
    assert!(text.contains(&path.display().to_string()), "no file in `{text}`");
    assert!(text.contains(fact), "no `{fact}` in `{text}`");
}
