//! Shapes: the extents of a tensor's axes, and the rules for combining them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};

use smallvec::SmallVec;

use crate::{Error, Result};

/// The extents of a tensor's axes, outermost first; row-major. A scalar has none.
#[derive(Clone)]
pub struct Shape(Extents);

/// Every tensor has a shape, and every operation copies some: few extents lie in the shape itself, in words that
/// are moved together.
#[derive(Clone)]
enum Extents {
    Few(Few),
    Many(Box<[usize]>),
}

#[derive(Clone, Copy)]
struct Few {
    rank: Rank,
    /// 0 where there is no axis.
    extents: [usize; MOST],
}

/// The axes of a batch of volumes.
const MOST: usize = 5;

/// Few axes; the values that it does not have tell [`Extents::Many`].
#[derive(Clone, Copy)]
#[repr(usize)]
enum Rank {
    Zero,
    One,
    Two,
    Three,
    Four,
    Five,
}

impl Shape {
    /// The number of elements, unless they could not be addressed. The extents other than 0 must multiply to
    /// few enough even where one is 0, so that no product of neighbouring extents ever overflows.
    #[inline]
    pub fn checked_numel(&self) -> Option<usize> {
        let others = self.iter().filter(|&&d| d != 0).try_fold(1usize, |n, &d| n.checked_mul(d))?;
        (others <= isize::MAX as usize / 16).then(|| self.numel())
    }

    /// The number of elements, or `usize::MAX` if there are more; see
    /// [`checked_numel`](Self::checked_numel). No tensor has that many.
    #[inline]
    pub fn numel(&self) -> usize {
        self.iter().fold(1, |n, &extent| n.saturating_mul(extent))
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.len()
    }

    /// The row-major strides, in elements.
    pub fn strides(&self) -> SmallVec<[usize; 5]> {
        let mut strides: SmallVec<[usize; 5]> = SmallVec::from_elem(1, self.len());
        for axis in (1..self.len()).rev() {
            // An empty tensor may have axes of any extent; nothing is ever read by its strides.
            strides[axis - 1] = strides[axis].saturating_mul(self[axis]);
        }
        strides
    }

    /// `axis` counted from the front, negative numbers counting from the back.
    ///
    /// # Errors
    /// If there is no such axis.
    #[track_caller]
    pub fn axis(&self, op: &'static str, axis: isize) -> Result<usize> {
        let rank = self.len() as isize;
        let from_front = if axis < 0 { axis + rank } else { axis };
        if (0..rank).contains(&from_front) {
            return Ok(from_front as usize);
        }
        let expected = match rank {
            0 => "a scalar has none".into(),
            _ => format!("expected {} to {}", -rank, rank - 1),
        };
        Err(Error::new(op, format!("axis {axis} does not exist in {self} ({expected})")))
    }

    /// The shape that two shapes broadcast to: aligned at the last axis, extents equal or one of them 1.
    ///
    /// # Errors
    /// If two extents differ and neither is 1.
    #[track_caller]
    pub fn broadcast(&self, op: &'static str, other: &Shape) -> Result<Shape> {
        if self == other {
            return Ok(self.clone());
        }
        let rank = self.len().max(other.len());
        let extent = |shape: &Shape, axis: usize| match (axis + shape.len()).checked_sub(rank) {
            Some(axis) => shape[axis],
            None => 1,
        };
        let mut joint: SmallVec<[usize; 8]> = SmallVec::new();
        for axis in 0..rank {
            joint.push(match (extent(self, axis), extent(other, axis)) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                (a, b) => {
                    return Err(Error::new(
                        op,
                        format!(
                            "shapes do not broadcast: {self} and {other} ({a} ≠ {b} at axis {axis} of {rank})"
                        ),
                    ));
                }
            });
        }
        Ok(Shape::from(&joint[..]))
    }

    /// `extents`, with −1 replaced by what this shape has at the axis, both aligned at the last.
    ///
    /// # Errors
    /// If an extent is less than −1, or −1 stands for an axis that this shape does not have.
    #[track_caller]
    pub fn expanded(&self, extents: &[isize]) -> Result<Shape> {
        let added = extents.len().saturating_sub(self.len());
        let extent = |(axis, &extent): (usize, &isize)| match extent {
            -1 => self.get(axis.checked_sub(added)?).copied(),
            _ => extent.try_into().ok(),
        };
        let shape: Option<Shape> = extents.iter().enumerate().map(extent).collect();
        match shape {
            Some(shape) => Ok(shape),
            None => {
                let fact = format!(
                    "expected extents of at least 0, or −1 at an axis that {self} has, found {extents:?}"
                );
                Err(Error::new("expand", fact))
            }
        }
    }

    /// Appends an axis at the end.
    pub fn push(&mut self, extent: usize) {
        self.insert(self.len(), extent);
    }

    /// Inserts an axis before another, or at the end.
    pub(crate) fn insert(&mut self, axis: usize, extent: usize) {
        self.change(|extents| extents.insert(axis, extent));
    }

    /// Removes an axis and returns its extent.
    ///
    /// # Panics
    /// If there is no such axis.
    pub fn remove(&mut self, axis: usize) -> usize {
        self.change(|extents| extents.remove(axis))
    }

    /// Changes the extents, their number included.
    fn change<R>(&mut self, change: impl FnOnce(&mut SmallVec<[usize; 8]>) -> R) -> R {
        let mut extents = SmallVec::from_slice(self);
        let result = change(&mut extents);
        *self = Self::from(&extents[..]);
        result
    }
}

impl PartialEq for Shape {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            // A few comparisons without a branch are cheaper than the call that slices would make.
            (Extents::Few(a), Extents::Few(b)) => {
                let extents = a.extents.iter().zip(&b.extents);
                extents.fold(a.rank as usize == b.rank as usize, |same, (a, b)| same & (a == b))
            }
            _ => self[..] == other[..],
        }
    }
}

impl Eq for Shape {}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self[..].hash(state);
    }
}

impl Default for Shape {
    #[inline]
    fn default() -> Self {
        Self(Extents::Few(Few { rank: Rank::Zero, extents: [0; MOST] }))
    }
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        match &self.0 {
            Extents::Few(few) => &few.extents[..few.rank as usize],
            Extents::Many(extents) => extents,
        }
    }
}

impl DerefMut for Shape {
    #[inline]
    fn deref_mut(&mut self) -> &mut [usize] {
        match &mut self.0 {
            Extents::Few(few) => &mut few.extents[..few.rank as usize],
            Extents::Many(extents) => extents,
        }
    }
}

/// As a list: `[64, 1, 28, 28]`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self[..])
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&[usize]> for Shape {
    #[inline]
    fn from(extents: &[usize]) -> Self {
        let rank = match extents.len() {
            0 => Rank::Zero,
            1 => Rank::One,
            2 => Rank::Two,
            3 => Rank::Three,
            4 => Rank::Four,
            5 => Rank::Five,
            _ => return Self(Extents::Many(extents.into())),
        };
        let mut few = Few { rank, extents: [0; MOST] };
        few.extents[..extents.len()].copy_from_slice(extents);
        Self(Extents::Few(few))
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    #[inline]
    fn from(extents: [usize; N]) -> Self {
        Self::from(&extents[..])
    }
}

impl<const N: usize> From<&[usize; N]> for Shape {
    #[inline]
    fn from(extents: &[usize; N]) -> Self {
        Self::from(&extents[..])
    }
}

impl From<Vec<usize>> for Shape {
    fn from(extents: Vec<usize>) -> Self {
        Self::from(&extents[..])
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(extents: I) -> Self {
        Self::from(&extents.into_iter().collect::<SmallVec<[usize; 8]>>()[..])
    }
}

impl PartialEq<[usize]> for Shape {
    fn eq(&self, other: &[usize]) -> bool {
        self[..] == *other
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        self[..] == other[..]
    }
}
