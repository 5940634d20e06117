//! How a window slides along an axis: the arithmetic that convolution and pooling share.

use smallvec::SmallVec;

/// One axis along which a window slides. Output o reads, through tap t < kernel, the input o·stride +
/// t·dilation − before; where that lies outside the input, it reads padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Axis {
    pub(crate) input: usize,
    pub(crate) kernel: usize,
    pub(crate) output: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    pub(crate) before: usize,
    pub(crate) after: usize,
}

/// The outputs that see the input proper, not padding, through one tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    /// The first such output.
    pub(crate) first: usize,
    /// One past the last.
    pub(crate) end: usize,
    /// The input that `first` sees; each output after it sees the one that is `stride` further. 0 if there is no
    /// such output: where it would be may be too far away to be counted.
    pub(crate) start: usize,
}

impl Axis {
    /// An axis of so many elements along which nothing slides: each output sees the input at its place.
    pub(crate) fn identity(extent: usize) -> Self {
        Self { input: extent, kernel: 1, output: extent, stride: 1, dilation: 1, before: 0, after: 0 }
    }

    /// Where the taps fall.
    pub(crate) fn taps(&self) -> SmallVec<[Tap; 8]> {
        (0..self.kernel).map(|t| self.tap(t)).collect()
    }

    fn tap(&self, t: usize) -> Tap {
        let ahead = t * self.dilation;
        let first = self.before.saturating_sub(ahead).div_ceil(self.stride).min(self.output);
        let end =
            (self.input + self.before).saturating_sub(ahead).div_ceil(self.stride).clamp(first, self.output);
        let start = if first < end { first * self.stride + ahead - self.before } else { 0 };
        Tap { first, end, start }
    }
}

impl Tap {
    /// The same tap for the outputs from `first` to `end` alone, counted from `first`.
    #[inline(always)]
    pub(crate) fn within(self, first: usize, end: usize, stride: usize) -> Tap {
        let cut = self.first.clamp(first, end);
        let end = self.end.clamp(cut, end);
        let start = if cut < end { self.start + (cut - self.first) * stride } else { 0 };
        Tap { first: cut - first, end: end - first, start }
    }

    /// How many outputs see the input.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.end - self.first
    }
}

/// How far a dilated kernel reaches: dilation·(kernel − 1) + 1, if that can be counted.
pub(crate) fn reach(kernel: usize, dilation: usize) -> Option<usize> {
    dilation.checked_mul(kernel.checked_sub(1)?)?.checked_add(1)
}

/// Axis `i` of three as messages spell it: counted from the back, which is right for any number of axes.
pub(crate) fn axis_name(i: usize) -> isize {
    i as isize - 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tap_names_exactly_the_outputs_whose_input_exists() {
        for input in 0..6 {
            for (stride, dilation, before) in
                (1..4).flat_map(|s| (1..4).flat_map(move |d| (0..7).map(move |b| (s, d, b))))
            {
                let axis = Axis { input, kernel: 4, output: 5, stride, dilation, before, after: 100 };
                for t in 0..4 {
                    let tap = axis.tap(t);
                    for o in 0..axis.output {
                        let i = (o * stride + t * dilation).checked_sub(before).filter(|&i| i < input);
                        let seen =
                            (tap.first..tap.end).contains(&o).then(|| tap.start + (o - tap.first) * stride);
                        assert_eq!(i, seen, "output {o}, tap {t} of {axis:?}");
                    }
                    let part = tap.within(2, 4, stride);
                    for o in 2..4 {
                        let i = (o * stride + t * dilation).checked_sub(before).filter(|&i| i < input);
                        let seen = (part.first..part.end)
                            .contains(&(o - 2))
                            .then(|| part.start + (o - 2 - part.first) * stride);
                        assert_eq!(i, seen, "output {o} of 2 to 4, tap {t} of {axis:?}");
                    }
                }
            }
        }
    }
}
