//! Printing tensors: nested brackets, large ones abbreviated.

use std::fmt;

use crate::{Element, Tensor};

/// Tensors with more elements than this are abbreviated.
const WHOLE: usize = 1000;
/// How many entries are shown at either end of an abbreviated axis.
const EDGE: usize = 3;

/// The elements in nested brackets, abbreviated where there are more than 1000, with as many digits as the
/// format asks for (`{:.3}`). Otherwise, by the elements that are shown: none where all are whole, else 4, in
/// scientific notation where the largest is below 10⁻⁴ or from 10⁵ on.
impl<T: Element> fmt::Display for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let abbreviated = self.numel() > WHOLE;
        let mut shown: Vec<T> = Vec::new();
        visible(self.shape(), self.as_slice(), abbreviated, &mut |&x| shown.push(x));
        let notation = Notation::of(f.precision(), &shown);
        let shown: Vec<String> = shown.iter().map(|x| notation.entry(x)).collect();
        let width = shown.iter().map(String::len).max().unwrap_or(0);
        brackets(f, self.shape(), 0, abbreviated, width, &mut shown.into_iter())
    }
}

/// How entries are spelt.
#[derive(Clone, Copy)]
enum Notation {
    /// With a number of digits after the point.
    Fixed(usize),
    Scientific,
}

impl Notation {
    fn of<T: Element>(digits: Option<usize>, shown: &[T]) -> Self {
        if let Some(digits) = digits {
            return Self::Fixed(digits);
        }
        let mut largest = 0.0f64;
        let mut whole = true;
        for x in shown {
            let x = x.as_f64().abs();
            whole &= x.fract() == 0.0;
            if x.is_finite() {
                largest = largest.max(x);
            }
        }
        match largest {
            _ if whole => Self::Fixed(0),
            1e-4..1e5 => Self::Fixed(4),
            // Nothing but zeros, infinities and NaNs.
            0.0 => Self::Fixed(4),
            _ => Self::Scientific,
        }
    }

    fn entry<T: Element>(self, x: &T) -> String {
        match self {
            // `true` and `false`, which a precision would cut.
            _ if T::NAME == "bool" => x.to_string(),
            Self::Fixed(digits) => format!("{x:.digits$}"),
            Self::Scientific => format!("{:.4e}", x.as_f64()),
        }
    }
}

/// As `Display`, with the type and the shape: `Tensor<f32>[2, 3] [[…]]`.
impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor<{}>{} ", T::NAME, self.shape())?;
        fmt::Display::fmt(self, f)
    }
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
    fn very_small_and_very_large_numbers_are_shown_in_scientific_notation() {
        assert_eq!(Tensor::from([1e-6f64, -2e-7]).to_string(), "[ 1.0000e-6, -2.0000e-7]");
        assert_eq!(Tensor::from([1e30f64, 1.5]).to_string(), "[1.0000e30,  1.5000e0]");
        assert_eq!(Tensor::from([f64::NAN, f64::INFINITY, 2e5, 0.5]).to_string().matches('e').count(), 2);
        // One number that four digits show, whole numbers, a given precision, nothing finite: as ever.
        assert_eq!(Tensor::from([1e-4f64, 2e-7]).to_string(), "[0.0001, 0.0000]");
        assert_eq!(Tensor::from([99999.5f64, 0.0]).to_string(), "[99999.5000,     0.0000]");
        assert_eq!(Tensor::from([1e6f64, 2.0]).to_string(), "[1000000,       2]");
        assert_eq!(format!("{:.2}", Tensor::from([1e6f64, 1e-9])), "[1000000.00,       0.00]");
        assert_eq!(Tensor::from([f64::NAN, 0.0]).to_string(), "[   NaN, 0.0000]");
        assert_eq!(Tensor::from([i64::MAX, i64::MIN]).to_string().matches('e').count(), 0);
    }

    #[test]
    fn only_what_is_shown_decides_how_it_is_shown() {
        let mut x = Tensor::<f64>::zeros([2000]).unwrap();
        x.make_mut()[1000] = 1e30;
        x.make_mut()[1001] = 0.5;
        assert_eq!(x.to_string(), "[0, 0, 0, …, 0, 0, 0]");
    }

    #[test]
    fn large_tensors_are_abbreviated() {
        let text = Tensor::<f32>::arange(2000).unwrap().to_string();
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
