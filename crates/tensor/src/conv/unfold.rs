//! Unfolding (im2col): the inputs that each position of the kernel sees, as the columns of a matrix, so that a
//! convolution becomes a matrix product; and folding (col2im), its adjoint.
//!
//! col[(c, tap), (image, o)] = x[image, c, o·stride + tap·dilation − before], 0 where that is padding.
//!
//! All rows of one channel and tap see the input through one window: which outputs see input at all follows from
//! [`Tap`], so that no element is tested on its own. Where neighbouring lines of outputs see neighbouring lines of
//! the input, all of them are one copy, and the few elements that wrapped around an edge are zeroed after it.

use std::ops::Range;

use smallvec::SmallVec;

use super::Geometry;
use crate::window::{Axis, Tap};
use crate::{Float, simd};

/// A run of output positions: whole lines, or a part of one line.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Lines along the last axis, counted over the other two axes.
    lines: Range<usize>,
    /// Positions along the last axis.
    columns: Range<usize>,
    /// The first position, counted over all axes.
    pub(super) start: usize,
}

impl Block {
    /// How many positions the block has.
    pub(super) fn len(&self) -> usize {
        self.lines.len() * self.columns.len()
    }
}

/// How the images of one group of channels unfold.
pub(super) struct Unfold {
    axes: [Axis; 3],
    taps: [SmallVec<[Tap; 8]>; 3],
    channels: usize,
    in_plane: usize,
}

/// Where the inputs of some images stand: those of image i and channel c begin at `i * image + c * plane`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Images {
    pub(super) count: usize,
    /// Elements from one image to the next.
    pub(super) stride: usize,
}

impl Unfold {
    pub(super) fn new(geo: &Geometry) -> Self {
        let taps = geo.axes.map(|axis| (0..axis.kernel).map(|t| axis.tap(t)).collect());
        Self { axes: geo.axes, taps, channels: geo.group_in(), in_plane: geo.in_plane() }
    }

    /// The output positions in blocks of about `positions`.
    pub(super) fn blocks(&self, positions: usize) -> impl Iterator<Item = Block> + use<> {
        let [deep, high, wide] = self.axes.map(|axis| axis.output);
        let lines = deep * high;
        let (tall, long) = match (positions / wide).min(lines) {
            0 => (1, even(wide, positions)),
            tall => (even(lines, tall), wide),
        };
        (0..lines).step_by(tall).flat_map(move |line| {
            (0..wide).step_by(long).map(move |column| Block {
                lines: line..(line + tall).min(lines),
                columns: column..(column + long).min(wide),
                start: line * wide + column,
            })
        })
    }

    /// Writes every element of `col`, whose rows are as long as `images.count * block.len()`. `x` begins at the
    /// group's first channel of the first image.
    pub(super) fn unfold<T: Float>(&self, x: &[T], images: Images, block: &Block, col: &mut [T]) {
        simd::dispatch(
            #[inline(always)]
            || {
                let mut at = 0;
                self.for_each_plane(
                    images,
                    #[inline(always)]
                    |plane, taps| {
                        self.unfold_plane(&x[plane..], taps, block, &mut col[at..]);
                        at += block.len();
                    },
                );
            },
        );
    }

    /// Adds to each input all that it contributed to in [`Unfold::unfold`]. Leaves `col` in disorder.
    pub(super) fn fold<T: Float>(&self, col: &mut [T], images: Images, block: &Block, x: &mut [T]) {
        simd::dispatch(
            #[inline(always)]
            || {
                let mut at = 0;
                self.for_each_plane(
                    images,
                    #[inline(always)]
                    |plane, taps| {
                        self.fold_plane(&mut col[at..], taps, block, &mut x[plane..]);
                        at += block.len();
                    },
                );
            },
        );
    }

    /// Calls `work` for every channel, tap and image, in the order of the matrix, with the plane's beginning.
    #[inline(always)]
    fn for_each_plane(&self, images: Images, mut work: impl FnMut(usize, [Tap; 3])) {
        for channel in 0..self.channels {
            for &depth in &self.taps[0] {
                for &height in &self.taps[1] {
                    for &width in &self.taps[2] {
                        for image in 0..images.count {
                            work(image * images.stride + channel * self.in_plane, [depth, height, width]);
                        }
                    }
                }
            }
        }
    }

    /// Writes the block as one tap sees it. Copies are rounded up to whole vectors where there is room: what they
    /// overwrite in `col` comes later in the matrix and is written later.
    #[inline(always)]
    fn unfold_plane<T: Float>(&self, plane: &[T], taps: [Tap; 3], block: &Block, col: &mut [T]) {
        let wide = block.columns.len();
        let columns = taps[2].within(block.columns.start, block.columns.end, self.axes[2].stride);
        let [left, right] = [columns.first, wide - columns.end];
        let step = self.line_step();
        self.for_each_run(
            taps,
            block,
            #[inline(always)]
            |run| {
                let col = &mut col[run.to * wide..];
                if columns.len() == 0 || run.lines == 0 {
                    return col[..run.height() * wide].fill(T::ZERO);
                }
                let (above, col) = col.split_at_mut(run.above * wide);
                above.fill(T::ZERO);
                let from = &plane[run.from + columns.start..];
                if self.lines_are_adjacent(block) {
                    let len = run.lines * wide - left - right;
                    col[left..left + len].copy_from_slice(&from[..len]);
                    clear_edges(&mut col[..run.lines * wide], wide, [left, right]);
                } else {
                    for line in 0..run.lines {
                        let (col, from) = (&mut col[line * wide..], &from[line * step..]);
                        col[..left].fill(T::ZERO);
                        gather(&mut col[left..], from, columns.len(), self.axes[2].stride);
                        col[wide - right..wide].fill(T::ZERO);
                    }
                }
                col[run.lines * wide..][..run.below * wide].fill(T::ZERO);
            },
        );
    }

    /// Adds the block to the plane that one tap sees.
    #[inline(always)]
    fn fold_plane<T: Float>(&self, col: &mut [T], taps: [Tap; 3], block: &Block, plane: &mut [T]) {
        let wide = block.columns.len();
        let columns = taps[2].within(block.columns.start, block.columns.end, self.axes[2].stride);
        let [left, right] = [columns.first, wide - columns.end];
        let step = self.line_step();
        self.for_each_run(
            taps,
            block,
            #[inline(always)]
            |run| {
                if columns.len() == 0 || run.lines == 0 {
                    return;
                }
                let col = &mut col[(run.to + run.above) * wide..];
                let onto = &mut plane[run.from + columns.start..];
                if self.lines_are_adjacent(block) {
                    clear_edges(&mut col[..run.lines * wide], wide, [left, right]);
                    let len = run.lines * wide - left - right;
                    for (x, &c) in onto[..len].iter_mut().zip(&col[left..left + len]) {
                        *x += c;
                    }
                } else {
                    for line in 0..run.lines {
                        scatter(
                            &mut onto[line * step..],
                            &col[line * wide + left..],
                            columns.len(),
                            self.axes[2].stride,
                        );
                    }
                }
            },
        );
    }

    /// Elements from a line of the input to the one that the next line of outputs sees. Saturates for a stride that is
    /// too long for there to be a next line.
    #[inline(always)]
    fn line_step(&self) -> usize {
        self.axes[1].stride.saturating_mul(self.axes[2].input)
    }

    /// Whether neighbouring lines of outputs see neighbouring lines of the input, whole.
    #[inline(always)]
    fn lines_are_adjacent(&self, block: &Block) -> bool {
        let [_, height, width] = &self.axes;
        height.stride == 1 && width.stride == 1 && block.columns.len() == width.input
    }

    /// Splits the block's lines into runs that lie at one depth.
    #[inline(always)]
    fn for_each_run(&self, [depth, height, _]: [Tap; 3], block: &Block, mut work: impl FnMut(Run)) {
        let [_, high, wide] = self.axes.map(|axis| axis.input);
        let lines = self.axes[1].output;
        let mut line = block.lines.start;
        while line < block.lines.end {
            let at = if self.axes[0].output == 1 { 0 } else { line / lines };
            let end = ((at + 1) * lines).min(block.lines.end);
            let rows = height.within(line - at * lines, end - at * lines, self.axes[1].stride);
            let depth = depth.within(at, at + 1, self.axes[0].stride);
            let seen = if depth.len() == 0 { 0 } else { rows.len() };
            work(Run {
                to: line - block.lines.start,
                above: rows.first,
                lines: seen,
                below: end - line - rows.first - seen,
                from: (depth.start * high + rows.start) * wide,
            });
            line = end;
        }
    }
}

/// Lines of a block that lie at one depth: some that see padding above the input, some that see the input, some that
/// see padding below.
struct Run {
    /// The run's first line, counted from the block's.
    to: usize,
    above: usize,
    lines: usize,
    below: usize,
    /// The beginning of the line of the input that the first of `lines` sees, in its plane.
    from: usize,
}

impl Run {
    fn height(&self) -> usize {
        self.above + self.lines + self.below
    }
}

/// `n` in equal parts of at most `most`: how long a part is.
fn even(n: usize, most: usize) -> usize {
    n.div_ceil(n.div_ceil(most.max(1)))
}

/// Zeroes the first `left` and the last `right` elements of lines of `wide` elements; column by column, because edges
/// are narrow.
#[inline(always)]
fn clear_edges<T: Float>(lines: &mut [T], wide: usize, [left, right]: [usize; 2]) {
    for column in (0..left).chain(wide - right..wide) {
        lines[column..].iter_mut().step_by(wide).for_each(|x| *x = T::ZERO);
    }
}

/// Elements that short copies move at a time.
const CHUNK: usize = 16;

/// to[i] = from[i·stride] for i < n; may write beyond n, up to a whole chunk.
#[inline(always)]
fn gather<T: Float>(to: &mut [T], from: &[T], n: usize, stride: usize) {
    let whole = n.next_multiple_of(CHUNK);
    match stride {
        1 if whole <= 4 * CHUNK && whole <= to.len().min(from.len()) => {
            for (to, from) in to[..whole].chunks_exact_mut(CHUNK).zip(from[..whole].chunks_exact(CHUNK)) {
                to.copy_from_slice(from);
            }
        }
        1 => to[..n].copy_from_slice(&from[..n]),
        2 => gather_each::<T, 2>(to, from, n),
        3 => gather_each::<T, 3>(to, from, n),
        4 => gather_each::<T, 4>(to, from, n),
        _ => to[..n].iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, &from)| *to = from),
    }
}

/// [`gather`] with a stride that the compiler knows.
#[inline(always)]
fn gather_each<T: Float, const STRIDE: usize>(to: &mut [T], from: &[T], n: usize) {
    let (last, to) = to[..n].split_last_mut().expect("a line that sees the input has an element");
    for (to, from) in to.iter_mut().zip(from.chunks_exact(STRIDE)) {
        *to = from[0];
    }
    *last = from[(n - 1) * STRIDE];
}

/// to[i·stride] += from[i] for i < n; may add 0 beyond n, up to a whole chunk.
#[inline(always)]
fn scatter<T: Float>(to: &mut [T], from: &[T], n: usize, stride: usize) {
    let whole = n.next_multiple_of(CHUNK);
    match stride {
        1 if whole <= 2 * CHUNK && whole <= to.len().min(from.len()) => {
            for (chunk, (to, from)) in
                to[..whole].chunks_exact_mut(CHUNK).zip(from[..whole].chunks_exact(CHUNK)).enumerate()
            {
                for i in 0..CHUNK {
                    to[i] += if chunk * CHUNK + i < n { from[i] } else { T::ZERO };
                }
            }
        }
        1 => to[..n].iter_mut().zip(from).for_each(|(to, &from)| *to += from),
        _ => to.iter_mut().step_by(stride).zip(&from[..n]).for_each(|(to, &from)| *to += from),
    }
}
