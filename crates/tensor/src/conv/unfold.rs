//! Unfolding (im2col): the inputs that each position of the kernel sees, as the columns of a matrix, so that
//! a convolution becomes a matrix product; and folding (col2im), its adjoint.
//!
//! col[(c, tap), (image, o)] = x`[image, c, o·stride + tap·dilation − before]`, 0 where that is padding.
//!
//! All rows of one channel and tap see the input through one window: which outputs see input at all follows
//! from [`Tap`], so that no element is tested on its own. Where neighbouring lines of outputs see
//! neighbouring lines of the input, all of them are one copy, and the few elements that wrapped around an
//! edge are zeroed after it.

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
        let taps = geo.axes.map(|axis| axis.taps());
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

    /// Writes every element of `col`, whose rows are as long as `images.count * block.len()`. `x` begins at
    /// the group's first channel of the first image.
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

    /// Writes the block as one tap sees it. Copies are rounded up to whole vectors where there is room: what
    /// they overwrite in `col` comes later in the matrix and is written later.
    #[inline(always)]
    fn unfold_plane<T: Float>(&self, plane: &[T], taps: [Tap; 3], block: &Block, col: &mut [T]) {
        let wide = block.columns.len();
        let columns = taps[2].within(block.columns.start, block.columns.end, self.axes[2].stride);
        let [left, right] = [columns.first, wide - columns.end];
        let lines = self.lines_of(wide, columns.len());
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
                let lines = match self.lines_are_adjacent(block) {
                    true => Lines { count: 1, len: run.lines * wide - left - right, ..lines },
                    false => Lines { count: run.lines, ..lines },
                };
                lines.gather(&mut col[left..], from);
                clear_edges(&mut col[..run.lines * wide], wide, [left, right]);
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
        let lines = self.lines_of(wide, columns.len());
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
                let lines = match self.lines_are_adjacent(block) {
                    true => {
                        clear_edges(&mut col[..run.lines * wide], wide, [left, right]);
                        Lines { count: 1, len: run.lines * wide - left - right, ..lines }
                    }
                    false => Lines { count: run.lines, ..lines },
                };
                lines.scatter(&col[left..], onto);
            },
        );
    }

    /// Lines of `len` elements in a block that is `wide`. The step saturates where the stride is too long for
    /// there to be a second line.
    #[inline(always)]
    fn lines_of(&self, wide: usize, len: usize) -> Lines {
        let [_, height, width] = &self.axes;
        Lines { count: 0, len, wide, step: height.stride.saturating_mul(width.input), stride: width.stride }
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

/// Lines of a block that lie at one depth: some that see padding above the input, some that see the input,
/// some that see padding below.
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
pub(super) fn even(n: usize, most: usize) -> usize {
    n.div_ceil(n.div_ceil(most.max(1)))
}

/// Zeroes the first `left` and the last `right` elements of lines of `wide` elements; column by column,
/// because edges are narrow.
#[inline(always)]
fn clear_edges<T: Float>(lines: &mut [T], wide: usize, [left, right]: [usize; 2]) {
    for column in (0..left).chain(wide - right..wide) {
        lines[column..].iter_mut().step_by(wide).for_each(|x| *x = T::ZERO);
    }
}

/// Elements that copies move at a time: a vector or two, so that a line of any length is a few whole moves.
const CHUNK: usize = 16;

/// Lines of elements, adjacent in an unfolded matrix, apart in the input.
#[derive(Clone, Copy)]
struct Lines {
    count: usize,
    len: usize,
    /// From line to line in the matrix.
    wide: usize,
    /// From line to line, and from element to element, in the input.
    step: usize,
    stride: usize,
}

impl Lines {
    /// Copies the lines from the input; may write beyond a line, up to a whole chunk, what the next line
    /// overwrites.
    #[inline(always)]
    fn gather<T: Float>(&self, col: &mut [T], x: &[T]) {
        let whole = self.len.next_multiple_of(CHUNK);
        let last = self.count - 1;
        let room = last * self.wide + whole <= col.len() && last * self.step + whole <= x.len();
        if self.stride == 1 && whole <= 32 * CHUNK && room {
            for line in 0..self.count {
                let to = col[line * self.wide..][..whole].as_chunks_mut::<CHUNK>().0;
                let from = x[line * self.step..][..whole].as_chunks::<CHUNK>().0;
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
            return;
        }
        for line in 0..self.count {
            let (to, from) = (&mut col[line * self.wide..][..self.len], &x[line * self.step..]);
            match self.stride {
                1 => to.copy_from_slice(&from[..self.len]),
                2 => gather_each::<T, 2>(to, from),
                stride => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, &from)| *to = from),
            }
        }
    }

    /// Adds the lines to the input's.
    #[inline(always)]
    fn scatter<T: Float>(&self, col: &[T], x: &mut [T]) {
        for line in 0..self.count {
            let (to, from) = (&mut x[line * self.step..], &col[line * self.wide..][..self.len]);
            match self.stride {
                1 if self.len <= 2 * CHUNK => add(&mut to[..self.len], from),
                1 => to.iter_mut().zip(from).for_each(|(to, &from)| *to += from),
                stride => to.iter_mut().step_by(stride).zip(from).for_each(|(to, &from)| *to += from),
            }
        }
    }
}

/// to += from, in ever smaller pieces, because lines are short and the compiler would add the rest of a
/// vector one by one.
#[inline(always)]
fn add<T: Float>(to: &mut [T], from: &[T]) {
    let (to, from) = add_chunks::<T, CHUNK>(to, from);
    let (to, from) = add_chunks::<T, { CHUNK / 4 }>(to, from);
    to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
}

/// Adds the whole chunks, and answers what is left.
#[inline(always)]
fn add_chunks<'a, T: Float, const LEN: usize>(to: &'a mut [T], from: &'a [T]) -> (&'a mut [T], &'a [T]) {
    let (to, to_rest) = to.as_chunks_mut::<LEN>();
    let (from, from_rest) = from.as_chunks::<LEN>();
    for (to, from) in to.iter_mut().zip(from) {
        // All sums before the first store, which tells the compiler that neither changes the other.
        let mut sum = *to;
        for i in 0..LEN {
            sum[i] += from[i];
        }
        *to = sum;
    }
    (to_rest, from_rest)
}

/// to`[i]` = from`[i·STRIDE]`.
#[inline(always)]
fn gather_each<T: Float, const STRIDE: usize>(to: &mut [T], from: &[T]) {
    let Some((last, to)) = to.split_last_mut() else { return };
    to.iter_mut().zip(from.as_chunks::<STRIDE>().0).for_each(|(to, from)| *to = from[0]);
    *last = from[to.len() * STRIDE];
}
