//! One number for each axis.

/// An extent, stride or dilation for each of `D` axes: made from one number for all of them, or an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size<const D: usize>(pub [usize; D]);

impl<const D: usize> From<usize> for Size<D> {
    fn from(all: usize) -> Self {
        Self([all; D])
    }
}

impl<const D: usize> From<[usize; D]> for Size<D> {
    fn from(each: [usize; D]) -> Self {
        Self(each)
    }
}
