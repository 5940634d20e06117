//! Elements taken from places of their planes, and added there.

use super::{Float, par};

/// `y[p][i] = x[p][places[p][i]]` for each plane p.
///
/// # Panics
/// If a place lies outside its plane.
pub(crate) fn pick<T: Float>(planes: usize, x: &[T], places: &[u32], y: &mut [T]) {
    let Some([whole, each]) = extents(planes, x.len(), y.len()) else { return };
    par::rows(y, each, each, |first, y| {
        let x = x[first * whole..].chunks_exact(whole);
        let places = places[first * each..].chunks_exact(each);
        for ((y, places), x) in y.chunks_exact_mut(each).zip(places).zip(x) {
            y.iter_mut().zip(places).for_each(|(y, &place)| *y = x[place as usize]);
        }
    });
}

/// The adjoint of [`pick`]: y = zeros, and `y[p][places[p][i]] += g[p][i]` in the order of i.
///
/// # Panics
/// If a place lies outside its plane.
pub(crate) fn add_at<T: Float>(planes: usize, g: &[T], places: &[u32], y: &mut [T]) {
    let Some([whole, each]) = extents(planes, y.len(), g.len()) else { return y.fill(T::ZERO) };
    par::rows(y, whole, whole + each, |first, y| {
        let g = g[first * each..].chunks_exact(each);
        let places = places[first * each..].chunks_exact(each);
        for ((y, g), places) in y.chunks_exact_mut(whole).zip(g).zip(places) {
            y.fill(T::ZERO);
            g.iter().zip(places).for_each(|(&g, &place)| y[place as usize] += g);
        }
    });
}

/// The elements of a plane, and of its places; nothing where there are none.
fn extents(planes: usize, whole: usize, each: usize) -> Option<[usize; 2]> {
    (whole > 0 && each > 0).then(|| [whole / planes, each / planes])
}
