//! Patterns of paths.

/// Whether `path` is of `pattern`, in which `*` stands for any text, also for none.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == path };
    let Some(mut path) = path.strip_prefix(start) else { return false };
    let Some((middle, end)) = rest.rsplit_once('*') else { return path.ends_with(rest) };
    // The leftmost place of each part leaves the most room for those after it.
    for part in middle.split('*') {
        let Some(at) = path.find(part) else { return false };
        path = &path[at + part.len()..];
    }
    path.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, path) in [
            ("fc.bias", "fc.bias"),
            ("*", "fc.bias"),
            ("*.bias", "features.3.bias"),
            ("features.*", "features.3.bias"),
            ("features.*.bias", "features.3.bias"),
            ("*3*", "features.3.bias"),
            ("*a*a*s", "features.3.bias"),
            ("**.bias", "fc.bias"),
            ("ä*é", "äßé"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("", "fc.bias"),
            ("bias", "fc.bias"),
            ("*.bias", "bias"),
            ("ab*ba", "aba"),
            ("*a*a*a*a", "features.3.bias"),
            ("*bias*bias", "fc.bias"),
            ("fc.*.bias", "fc.bias"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }
}
