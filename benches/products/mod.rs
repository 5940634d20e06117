//! The names of matrix products: the same for this library and for the peers that are written in Rust.

/// The shapes of the operands of `mmN` and `mmskinny`, and which of them is taken transposed: none, the right one where
/// `nt` follows, the left one where `tn` does. The shapes are those before that.
pub(crate) fn named(name: &str) -> Option<([[usize; 2]; 2], [bool; 2])> {
    let size = name.strip_prefix("mm")?;
    let (size, [a, b]) = match (size.strip_suffix("nt"), size.strip_suffix("tn")) {
        (Some(size), _) => (size, [false, true]),
        (_, Some(size)) => (size, [true, false]),
        _ => (size, [false; 2]),
    };
    let [m, k, n] = match size {
        "skinny" => [64, 400, 120],
        _ => [size.parse().ok().filter(|&n| n > 0)?; 3],
    };
    Some(([if a { [k, m] } else { [m, k] }, if b { [n, k] } else { [k, n] }], [a, b]))
}
