//! The picture that the tutorial looks at, made by code: a house on a hill under the sun.

use retrograd::prelude::*;

/// `[3, size, size]`, red, green and blue from 0 to 1.
pub(crate) fn scene(size: usize) -> Result<Tensor> {
    let mut channels = [const { Vec::new() }; 3];
    for (i, j) in (0..size).flat_map(|i| (0..size).map(move |j| (i, j))) {
        let place = |position: usize| (position as f32 + 0.5) / size as f32;
        for (channel, value) in channels.iter_mut().zip(colour(place(j), place(i))) {
            channel.push(value);
        }
    }
    Tensor::from_vec(channels.concat(), [3, size, size])
}

/// The colour at (x, y), both from 0 to 1, y downwards: the first of the things that is there.
fn colour(x: f32, y: f32) -> [f32; 3] {
    let within = |left: f32, right: f32, top: f32, bottom: f32| {
        (left..right).contains(&x) && (top..bottom).contains(&y)
    };
    let distance = |cx: f32, cy: f32| (x - cx).hypot(y - cy);
    let door = within(0.36, 0.44, 0.66, 0.82);
    let window = within(0.53, 0.65, 0.62, 0.72);
    let house = within(0.28, 0.72, 0.54, 0.82);
    let roof = (0.32..0.54).contains(&y) && (x - 0.5).abs() < (y - 0.32) * 1.25;
    let chimney = within(0.62, 0.69, 0.30, 0.48);
    let hill = y > 0.70 + 0.9 * (x - 0.45) * (x - 0.45);
    let stripes = hill && (0.85..1.0).contains(&y) && ((x + y) * 14.0).fract() < 0.5;
    match () {
        () if door => [0.36, 0.24, 0.16],
        () if window => [0.98, 0.86, 0.45],
        () if house => [0.95, 0.92, 0.86],
        () if roof => [0.75, 0.24, 0.19],
        () if chimney => [0.48, 0.30, 0.26],
        () if stripes => [0.36, 0.62, 0.28],
        () if hill => [0.30, 0.53, 0.25],
        () if distance(0.83, 0.17) < 0.10 => [1.0, 0.83, 0.25],
        () if distance(0.20, 0.22) < 0.07 || distance(0.28, 0.19) < 0.09 || distance(0.37, 0.22) < 0.06 => {
            [0.97, 0.98, 1.0]
        }
        () => [0.45 + 0.25 * y, 0.68 + 0.2 * y, 0.92],
    }
}
