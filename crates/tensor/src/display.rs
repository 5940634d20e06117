//! Printing tensors: nested brackets, large ones abbreviated.

use std::fmt;

use crate::{Element, Tensor};

/// Tensors with more elements than this are abbreviated.
const WHOLE: usize = 1000;
/// How many entries are shown at either end of an abbreviated axis.
const EDGE: usize = 3;

/// The elements in nested brackets, as many digits as the format asks for (`{:.3}`; otherwise 4, or as many as
/// are needed where all are whole), abbreviated where there are more than 1000.
impl<T: Element> fmt::Display for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits =
            f.precision().unwrap_or_else(|| if self.as_slice().iter().all(is_whole) { 0 } else { 4 });
        let entry = |x: &T| match T::NAME {
            "bool" => x.to_string(),
            _ => format!("{x:.digits$}"),
        };
        let abbreviated = self.numel() > WHOLE;
        let mut shown = Vec::new();
        visible(self.shape(), self.as_slice(), abbreviated, &mut |x| shown.push(entry(x)));
        let width = shown.iter().map(String::len).max().unwrap_or(0);
        let mut entries = shown.into_iter();
        brackets(f, self.shape(), 0, abbreviated, width, &mut entries)
    }
}

/// As `Display`, with the type and the shape: `Tensor<f32>[2, 3] [[…]]`.
impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor<{}>{} ", T::NAME, self.shape())?;
        fmt::Display::fmt(self, f)
    }
}

fn is_whole<T: Element>(x: &T) -> bool {
    x.to_string().bytes().all(|c| c == b'-' || c.is_ascii_digit())
}

/// The positions of an axis that are shown; `None` stands for those left out.
fn positions(extent: usize, abbreviated: bool) -> impl Iterator<Item = Option<usize>> {
    let cut = abbreviated && extent > 2 * EDGE;
    let head = if cut { EDGE } else { extent };
    let tail = if cut { extent - EDGE..extent } else { 0..0 };
    (0..head).map(Some).chain(cut.then_some(None)).chain(tail.map(Some))
}

fn visible<T>(shape: &[usize], data: &[T], abbreviated: bool, show: &mut impl FnMut(&T)) {
    let [extent, rest @ ..] = shape else { return show(&data[0]) };
    let size = data.len() / (*extent).max(1);
    for i in positions(*extent, abbreviated).flatten() {
        visible(rest, &data[i * size..][..size], abbreviated && size > 0, show);
    }
}

fn brackets(
    f: &mut fmt::Formatter<'_>,
    shape: &[usize],
    depth: usize,
    abbreviated: bool,
    width: usize,
    entries: &mut impl Iterator<Item = String>,
) -> fmt::Result {
    let [extent, rest @ ..] = shape else {
        return write!(f, "{:>width$}", entries.next().unwrap_or_default());
    };
    f.write_str("[")?;
    for (nth, position) in positions(*extent, abbreviated).enumerate() {
        if nth > 0 {
            match rest.len() {
                0 => f.write_str(", ")?,
                // A blank line between blocks of three axes and more.
                axes => write!(f, ",{}{:indent$}", "\n".repeat(axes), "", indent = depth + 1)?,
            }
        }
        match position {
            Some(_) => brackets(f, rest, depth + 1, abbreviated, width, entries)?,
            None => f.write_str("…")?,
        }
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    fn small_tensors_are_shown_whole_and_aligned() {
        assert_eq!(
            Tensor::from([[1.0f32, -2.5], [10.0, 0.25]]).to_string(),
            "[[ 1.0000, -2.5000],\n [10.0000,  0.2500]]"
        );
        assert_eq!(format!("{:.1}", Tensor::from([1.0f64, 2.5])), "[1.0, 2.5]");
        assert_eq!(Tensor::from([1i64, -20]).to_string(), "[  1, -20]");
        assert_eq!(Tensor::scalar(3.0f32).to_string(), "3");
        assert_eq!(Tensor::from([true, false]).to_string(), "[ true, false]");
    }

    #[test]
    fn large_tensors_are_abbreviated() {
        let text = Tensor::<f32>::arange(2000).to_string();
        assert_eq!(text, "[   0,    1,    2, …, 1997, 1998, 1999]");
    }

    #[test]
    fn debug_names_type_and_shape() {
        assert_eq!(format!("{:?}", Tensor::from([[1i64, 2]])), "Tensor<i64>[1, 2] [[1, 2]]");
        assert_eq!(
            format!("{:?}", Tensor::<f32>::zeros([2, 0, 3]).unwrap()),
            "Tensor<f32>[2, 0, 3] [[],\n\n []]"
        );
    }
}
