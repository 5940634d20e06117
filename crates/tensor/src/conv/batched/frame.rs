//! How images lie in memory, and how they get there and back.

use std::ops::Range;

use super::minimal::{Cut, Minimal};
use crate::par::Shared;
use crate::simd::{self, Vector, Vectorised};
use crate::storage::Storage;

/// A channel, with a border of zeros around it, which lines that are transformed have in themselves; its elements are
/// vectors.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) before: [usize; 3],
    /// Of the images.
    pub(super) inner: [usize; 3],
    pub(super) extents: [usize; 3],
    /// What is made of a line, unless it stays as it is.
    pub(super) lines: Option<(Minimal, Cut)>,
}

impl Frame {
    /// The frame whose lines are transformed.
    pub(super) fn cut(mut self, minimal: Minimal, cut: Cut) -> Self {
        (self.before[2], self.extents[2], self.lines) = (0, minimal.wide(), Some((minimal, cut)));
        self
    }

    /// Elements of the channel and its border.
    pub(super) fn len(&self) -> usize {
        self.extents.iter().product()
    }

    /// What it takes to bring a channel of an image into it, in simple operations.
    pub(super) fn cost(&self) -> usize {
        self.inner.iter().product::<usize>() * if self.lines.is_some() { 6 } else { 3 }
    }

    /// How far apart neighbours along each axis are.
    pub(super) fn steps(&self) -> [usize; 3] {
        [self.extents[1] * self.extents[2], self.extents[2], 1]
    }

    /// Whether there is nothing but lines that are written whole, when they are.
    pub(super) fn is_full(&self) -> bool {
        let axes = if self.lines.is_some() { 2 } else { 3 };
        self.extents[..axes] == self.inner[..axes]
    }

    /// Whether it is a channel as it is.
    pub(super) fn is_bare(&self) -> bool {
        self.is_full() && self.lines.is_none() && self.before == [0; 3]
    }
}

/// Images of a vector to be brought into frames.
pub(super) struct LayOut<'a> {
    pub(super) from: &'a [f32],
    pub(super) images: usize,
    /// Whether they need not be transposed.
    pub(super) interleaved: bool,
    /// The first channel.
    pub(super) channel: usize,
    pub(super) frame: Frame,
    /// The frames of this channel and those after it.
    pub(super) to: &'a mut [f32],
}

impl Vectorised for LayOut<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { from, images, interleaved, channel, frame, to } = self;
        let [deep, high, wide] = frame.inner;
        let (plane, image, steps) = (deep * high * wide, from.len() / images, frame.steps());
        let channels = to.len() / (frame.len() * V::LANES);
        assert!((channel + channels) * plane <= image);
        // A line, and the zeros around it that are transformed with it.
        let (mut framed, start) = match frame.lines {
            Some((minimal, cut)) => {
                let (len, start) = minimal.framed(cut);
                (Storage::filled(len * V::LANES, 0.0), start)
            }
            None => (Storage::unspecified(0), 0),
        };
        let framed = framed.make_mut();
        for line in 0..channels * deep * high {
            let (c, d, h) = (line / (deep * high), line / high % deep, line % high);
            let [d, h, w] = [d + frame.before[0], h + frame.before[1], frame.before[2]];
            let at = (c * frame.len() + d * steps[0] + h * steps[1] + w) * V::LANES;
            let (first, len) = (channel * plane + line * wide, wide * V::LANES);
            let vectors = interleaved.then(|| &from[first * V::LANES..][..len]);
            // Without zeros around it, a line of vectors is transformed where it is. (`framed` is empty if none is transformed.)
            let in_place = vectors.filter(|_| framed.len() == len);
            // SAFETY: the assertion: the images have the channels. There is room for the line.
            unsafe {
                if in_place.is_none() {
                    let line = match frame.lines {
                        Some(_) => &mut framed[start * V::LANES..][..len],
                        None => &mut to[at..][..len],
                    };
                    match vectors {
                        Some(vectors) => line.copy_from_slice(vectors),
                        None => {
                            let from = (from.as_ptr().add(first), image);
                            simd::transpose::<V>(from, (line.as_mut_ptr(), V::LANES), images, wide);
                        }
                    }
                }
                if let Some((minimal, cut)) = frame.lines {
                    minimal.transform::<V>(cut, in_place.unwrap_or(framed), &mut to[at..]);
                }
            }
        }
    }
}

/// The results of some channels, as vectors, to be transposed back into the images.
pub(super) struct Restore<'a> {
    pub(super) from: &'a [f32],
    /// How many elements follow each other in an image, too.
    pub(super) span: usize,
    pub(super) to: &'a Shared<'a, f32>,
    pub(super) images: Range<usize>,
    /// Elements of an image, and of a channel of it.
    pub(super) image: usize,
    pub(super) plane: usize,
    /// The first element of an image that is written.
    pub(super) first: usize,
}

impl Vectorised for Restore<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { from, span, to, images, image, plane, first } = self;
        for (channel, from) in from.chunks_exact(span * V::LANES).enumerate() {
            let first = images.start * image + channel * plane + first;
            let to = to.pointer(first, (images.len() - 1) * image + span);
            let some = span.min(V::LANES);
            for at in (0..span).step_by(V::LANES) {
                // The last of them, of which some may be done, rather than fewer.
                let at = at.min(span - some);
                let (from, to) = (from[at * V::LANES..].as_ptr(), to.wrapping_add(at));
                // SAFETY: `pointer` has the places of all images; no other task has these elements of them.
                unsafe { simd::transpose::<V>((from, V::LANES), (to, image), some, images.len()) }
            }
        }
    }
}
