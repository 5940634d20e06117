//! The tensor: a shape and its elements, row-major and contiguous, always.

use crate::storage::Storage;
use crate::{Element, Error, Float, Result, Shape};

/// An n-dimensional array, row-major and contiguous.
///
/// Cloning shares the elements; writing to a shared tensor copies them first. There are no strided views: an
/// operation that moves elements makes a new tensor.
///
/// ```
/// # use retrograd_tensor::{Tensor, Result};
/// let x = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// let y = x.matmul(&x.transpose(0, 1)?)?;
/// assert_eq!(y, Tensor::from([[14.0, 32.0], [32.0, 77.0]]));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Clone)]
pub struct Tensor<T: Element = f32> {
    shape: Shape,
    data: Storage<T>,
}

impl<T: Element> Tensor<T> {
    /// A tensor without axes.
    pub fn scalar(value: T) -> Self {
        Self { shape: Shape::default(), data: Storage::filled(1, value) }
    }

    /// A tensor of `value` everywhere.
    ///
    /// # Errors
    /// If the shape has more elements than can be addressed, or than there is memory for.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: T) -> Result<Self> {
        let shape = addressable::<T>("full", shape.into())?;
        Ok(Self { data: Storage::filled(shape.numel(), value), shape })
    }

    /// The elements of `values` in row-major order.
    ///
    /// # Errors
    /// If their number is not the shape's.
    #[track_caller]
    pub fn from_slice(values: &[T], shape: impl Into<Shape>) -> Result<Self> {
        let shape = addressable::<T>("from_slice", shape.into())?;
        if shape.numel() != values.len() {
            return Err(Error::new(
                "from_slice",
                format!("shape {shape} wants {} elements, not {}", shape.numel(), values.len()),
            ));
        }
        Ok(Self { shape, data: Storage::copied(values) })
    }

    /// As [`from_slice`](Self::from_slice).
    ///
    /// # Errors
    /// If the number of elements is not the shape's.
    #[track_caller]
    pub fn from_vec(values: Vec<T>, shape: impl Into<Shape>) -> Result<Self> {
        Self::from_slice(&values, shape)
    }

    /// The tensor of `shape` whose only element is `value`.
    #[doc(hidden)]
    #[inline]
    pub fn single(shape: Shape, value: T) -> Self {
        debug_assert_eq!(shape.numel(), 1);
        Self { shape, data: Storage::One(value) }
    }

    /// A tensor of `shape` whose elements `fill` writes, all of them: what they hold before is unspecified.
    #[inline]
    pub(crate) fn written(shape: Shape, fill: impl FnOnce(&mut [T])) -> Self {
        let mut tensor = Self { data: Storage::unspecified(shape.numel()), shape };
        fill(tensor.data.make_mut());
        tensor
    }

    /// As [`written`](Self::written), of a shape that the settings of `op` ask for, which may be absurd.
    ///
    /// # Errors
    /// If there is no memory for it.
    #[track_caller]
    pub(crate) fn try_written(op: &'static str, shape: Shape, fill: impl FnOnce(&mut [T])) -> Result<Self> {
        Ok(Self::written(addressable::<T>(op, shape)?, fill))
    }

    /// A tensor whose elements are unspecified, to be written by a kernel that writes others as well.
    ///
    /// # Errors
    /// If there is no memory for it.
    #[track_caller]
    pub(crate) fn unspecified(op: &'static str, shape: Shape) -> Result<Self> {
        let shape = addressable::<T>(op, shape)?;
        Ok(Self { data: Storage::unspecified(shape.numel()), shape })
    }

    /// A tensor of which only the shape is kept; reading its elements panics. The tape keeps these in place of
    /// values that no gradient needs.
    #[doc(hidden)]
    #[inline]
    pub fn shape_only(shape: Shape) -> Self {
        Self { shape, data: Storage::EMPTY }
    }

    /// The tensor, of which only the shape stays here.
    #[doc(hidden)]
    #[inline]
    pub fn take(&mut self) -> Self {
        Self { shape: self.shape.clone(), data: std::mem::replace(&mut self.data, Storage::EMPTY) }
    }

    /// Leaves only the shape here.
    #[doc(hidden)]
    #[inline]
    pub fn drop_elements(&mut self) {
        self.data = Storage::EMPTY;
    }

    /// The element of a tensor that holds exactly one.
    #[doc(hidden)]
    #[inline]
    pub fn single_element(&self) -> Option<T> {
        match self.data {
            Storage::One(value) => Some(value),
            Storage::Empty | Storage::Many(_) => None,
        }
    }

    /// Bytes of the elements that the tensor holds (shared or not).
    #[doc(hidden)]
    #[inline]
    pub fn held_bytes(&self) -> usize {
        size_of_val(&*self.data)
    }

    /// The extents of the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    #[inline]
    pub fn numel(&self) -> usize {
        self.shape.numel()
    }

    /// The elements in row-major order.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        self.assert_held();
        &self.data
    }

    /// The elements in row-major order, to be written; copied first if another tensor shares them.
    #[inline]
    pub fn make_mut(&mut self) -> &mut [T] {
        self.assert_held();
        self.data.make_mut()
    }

    /// In release builds too, because kernels take the number of elements from the slice: without its
    /// elements a tensor of [`shape_only`](Self::shape_only) would give results that nothing was written to.
    #[inline]
    fn assert_held(&self) {
        let held = !matches!(self.data, Storage::Empty) || self.numel() == 0;
        assert!(held, "reading a value that the tape did not keep: an operation's `reads` does not name it");
    }

    /// Whether no other tensor shares the elements, so that [`make_mut`](Self::make_mut) will not copy.
    #[inline]
    pub fn is_unique(&self) -> bool {
        self.data.is_unique()
    }

    /// The elements in row-major order.
    pub fn to_vec(&self) -> Vec<T> {
        self.as_slice().to_vec()
    }

    /// The element of a tensor that has only one.
    ///
    /// # Errors
    /// If it has none or several.
    #[track_caller]
    pub fn item(&self) -> Result<T> {
        match self.as_slice() {
            [value] => Ok(*value),
            _ => Err(Error::new("item", format!("expected one element, found shape {}", self.shape))),
        }
    }

    /// The element at an index of one position for each axis, or nothing if there is none.
    pub fn get(&self, index: &[usize]) -> Option<T> {
        if index.len() != self.rank() || index.iter().zip(self.shape.iter()).any(|(i, extent)| i >= extent) {
            return None;
        }
        let offset: usize = index.iter().zip(self.shape.strides()).map(|(i, stride)| i * stride).sum();
        self.as_slice().get(offset).copied()
    }

    /// The same elements in another shape of the same size.
    pub(crate) fn with_shape(&self, shape: Shape) -> Self {
        debug_assert_eq!(shape.numel(), self.numel());
        Self { shape, data: self.data.clone() }
    }
}

impl<T: Float> Tensor<T> {
    /// A tensor of zeros.
    ///
    /// # Errors
    /// If the shape has more elements than can be addressed, or than there is memory for.
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Result<Self> {
        Self::full(shape, T::ZERO)
    }

    /// A tensor of ones.
    ///
    /// # Errors
    /// If the shape has more elements than can be addressed, or than there is memory for.
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Result<Self> {
        Self::full(shape, T::ONE)
    }

    /// 0, 1, … `count` − 1.
    ///
    /// # Errors
    /// If `count` is more elements than can be addressed, or than there is memory for.
    #[track_caller]
    pub fn arange(count: usize) -> Result<Self> {
        let shape = addressable::<T>("arange", [count].into())?;
        Ok(Self::written(shape, |y| y.iter_mut().enumerate().for_each(|(i, y)| *y = T::from_f64(i as f64))))
    }

    /// The same numbers in another precision, each rounded to the nearest.
    pub fn cast<U: Float>(&self) -> Tensor<U> {
        self.map(|x| U::from_f64(x.to_f64()))
    }

    /// Zeros in this tensor's shape.
    pub fn zeros_like(&self) -> Self {
        Self { shape: self.shape.clone(), data: Storage::filled(self.numel(), T::ZERO) }
    }

    /// Ones in this tensor's shape.
    pub fn ones_like(&self) -> Self {
        Self { shape: self.shape.clone(), data: Storage::filled(self.numel(), T::ONE) }
    }
}

/// The shape, if a tensor of `T` can have it: its elements can be counted, and there is room for them
/// ([`Storage::has_room`]). Every shape that a user can choose passes here before memory is asked for.
#[inline]
#[track_caller]
pub(crate) fn addressable<T: Element>(op: &'static str, shape: Shape) -> Result<Shape> {
    let shape = countable(op, shape)?;
    if Storage::<T>::has_room(shape.numel()) {
        return Ok(shape);
    }
    Err(Error::new(op, format!("there is no memory for shape {shape} of {}", T::NAME)))
}

/// The shape, if its elements can be counted: what can be said of it before the type of the elements is known.
#[inline]
#[track_caller]
pub(crate) fn countable(op: &'static str, shape: Shape) -> Result<Shape> {
    if shape.checked_numel().is_some() {
        return Ok(shape);
    }
    Err(Error::new(op, format!("shape {shape} has more elements than can be addressed")))
}

/// Equal shapes and equal elements (so a tensor with a NaN differs from itself).
impl<T: Element> PartialEq for Tensor<T> {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.as_slice() == other.as_slice()
    }
}

impl<T: Element> From<T> for Tensor<T> {
    fn from(value: T) -> Self {
        Self::scalar(value)
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Tensor<T> {
    fn from(values: [T; N]) -> Self {
        Self { shape: [N].into(), data: Storage::copied(&values) }
    }
}

impl<T: Element, const M: usize, const N: usize> From<[[T; N]; M]> for Tensor<T> {
    fn from(values: [[T; N]; M]) -> Self {
        Self { shape: [M, N].into(), data: Storage::copied(values.as_flattened()) }
    }
}

impl<T: Element, const L: usize, const M: usize, const N: usize> From<[[[T; N]; M]; L]> for Tensor<T> {
    fn from(values: [[[T; N]; M]; L]) -> Self {
        Self { shape: [L, M, N].into(), data: Storage::copied(values.as_flattened().as_flattened()) }
    }
}

impl<T: Element, const K: usize, const L: usize, const M: usize, const N: usize> From<[[[[T; N]; M]; L]; K]>
    for Tensor<T>
{
    fn from(values: [[[[T; N]; M]; L]; K]) -> Self {
        let data = Storage::copied(values.as_flattened().as_flattened().as_flattened());
        Self { shape: [K, L, M, N].into(), data }
    }
}
